//! Which attributes and which routes cost the most: bytes of names and values that commits handed to every
//! member.
//!
//! A bounded table for each, by the space-saving method (Metwally, Agrawal, El Abbadi: *Efficient Computation
//! of Frequent and Top-k Elements in Data Streams*, 2005): a new name takes the place of the smallest and
//! inherits its count, as what it may have too much. So whatever is heavy is in the table, whatever the names
//! are.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::MatchedPath;
use http::{Extensions, Method, Uri};
use parking_lot::Mutex;

/// Rows of one table: more than most applications have names, so that rows are seldom displaced.
const ROWS: usize = 256;
/// Most bytes of a path that no router named.
const PATH_MAX: usize = 80;
/// Under this name stands what belongs to the system: logins, timeouts, notes.
const SYSTEM: &str = "(system)";
/// Under this name stand commits of jobs.
const JOBS: &str = "(outside of requests)";

/// What one attribute, or one route, cost since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of names and values in commits. Each other member is sent as many, and the frames around them.
    pub bytes: u64,
    /// How many of them may be another name's, whose row this one took.
    pub uncertain: u64,
    /// Commits that carried it.
    pub commits: u64,
    /// Bytes in the largest of these commits.
    pub largest: u64,
}

/// The heaviest names, heaviest first.
pub type Costs = Vec<(String, Cost)>;

/// The accounts of one application.
#[derive(Debug, Default)]
pub(crate) struct Accounting {
    attributes: Mutex<Heaviest>,
    routes: Mutex<Heaviest>,
}

/// Where a commit came from.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    method: Method,
    path: Path,
}

#[derive(Clone, Debug)]
enum Path {
    /// The pattern that the router matched.
    Matched(MatchedPath),
    /// The start of the path itself.
    Plain(Arc<str>),
}

#[derive(Debug, Default)]
struct Heaviest(HashMap<Box<str>, Cost>);

impl Route {
    /// The pattern that the router matched; without one the path itself.
    pub(crate) fn of(method: &Method, uri: &Uri, extensions: &Extensions) -> Self {
        let matched = extensions.get().cloned().map(Path::Matched);
        let path = matched.unwrap_or_else(|| Path::Plain(Arc::from(start(uri.path()))));
        Self { method: method.clone(), path }
    }

    fn to_text(&self) -> String {
        let path = match &self.path {
            Path::Matched(matched) => matched.as_str(),
            Path::Plain(path) => path,
        };
        [self.method.as_str(), " ", path].concat()
    }
}

fn start(path: &str) -> &str {
    &path[..path.floor_char_boundary(PATH_MAX)]
}

impl Accounting {
    /// A commit carried these attributes, each with so many bytes; system fields have no name.
    pub(crate) fn count<'n>(
        &self,
        carried: impl Iterator<Item = (Option<&'n str>, usize)>,
        from: Option<&Route>,
    ) {
        let mut total = 0;
        let mut attributes = self.attributes.lock();
        for (name, bytes) in carried {
            attributes.add(name.unwrap_or(SYSTEM), bytes as u64);
            total += bytes as u64;
        }
        drop(attributes);
        let route = from.map_or_else(|| JOBS.to_owned(), Route::to_text);
        self.routes.lock().add(&route, total);
    }

    pub(crate) fn attributes(&self) -> Costs {
        self.attributes.lock().sorted()
    }

    pub(crate) fn routes(&self) -> Costs {
        self.routes.lock().sorted()
    }
}

impl Heaviest {
    fn add(&mut self, name: &str, bytes: u64) {
        let cost = match self.0.get_mut(name) {
            Some(cost) => cost,
            None => self.row_for(name),
        };
        cost.bytes += bytes;
        cost.commits += 1;
        cost.largest = cost.largest.max(bytes);
    }

    fn row_for(&mut self, name: &str) -> &mut Cost {
        let mut inherited = 0;
        if self.0.len() >= ROWS {
            let lightest = self.0.iter().min_by_key(|(_, cost)| cost.bytes).map(|(name, _)| name.clone());
            let displaced = lightest.and_then(|name| self.0.remove(&name));
            inherited = displaced.map_or(0, |cost| cost.bytes);
        }
        let cost = Cost { bytes: inherited, uncertain: inherited, ..Cost::default() };
        self.0.entry(name.into()).or_insert(cost)
    }

    fn sorted(&self) -> Costs {
        let mut costs: Costs = self.0.iter().map(|(name, cost)| (name.to_string(), cost.clone())).collect();
        costs.sort_by(|(one, a), (other, b)| b.bytes.cmp(&a.bytes).then_with(|| one.cmp(other)));
        costs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_and_routes_are_counted_apart() {
        let (accounting, uri) = (Accounting::default(), Uri::from_static("/cart?item=1"));
        let add = Route::of(&Method::POST, &uri, &Extensions::new());
        accounting.count([(Some("cart"), 1000), (None, 30)].into_iter(), Some(&add));
        accounting.count([(Some("cart"), 500), (Some("seen"), 8)].into_iter(), None);
        let cost = |bytes, commits, largest| Cost { bytes, uncertain: 0, commits, largest };
        let named = |name: &str, cost| (name.to_owned(), cost);
        let attributes = [
            named("cart", cost(1500, 2, 1000)),
            named(SYSTEM, cost(30, 1, 30)),
            named("seen", cost(8, 1, 8)),
        ];
        assert_eq!(accounting.attributes(), attributes);
        let routes = [named("POST /cart", cost(1030, 1, 1030)), named(JOBS, cost(508, 1, 508))];
        assert_eq!(accounting.routes(), routes);
    }

    proptest! {
        #[test]
        fn whatever_is_heavy_is_there_and_counted_within_what_it_says(
            adds in prop::collection::vec((0..400_u32, 1..100_u64), 0..2_000),
        ) {
            let (mut table, mut truth) = (Heaviest::default(), HashMap::<u32, u64>::new());
            for (name, bytes) in &adds {
                table.add(&name.to_string(), *bytes);
                *truth.entry(*name).or_default() += bytes;
            }
            prop_assert!(table.0.len() <= ROWS);
            let total: u64 = truth.values().sum();
            for (name, bytes) in truth {
                match table.0.get(name.to_string().as_str()) {
                    Some(cost) => prop_assert!(cost.bytes - cost.uncertain <= bytes && bytes <= cost.bytes),
                    None => prop_assert!(bytes <= total / ROWS as u64),
                }
            }
        }
    }
}
