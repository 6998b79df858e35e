//! What a node grants to the application of an archive: never more than `[farm.grants]` says.
//!
//! The author of an archive is not trusted. What its manifest asks for beyond the node's ceilings is refused
//! by name, and what it gets is listed for the operator, with what an earlier version got.

use std::collections::BTreeMap;

use serde::Serialize;
use sessile::Config;
use sessile::config::{self, App, SameSite, Secure};

use crate::component::measure::{size_text, time_text};
use crate::component::{ComponentSettings, GuestLimits};

/// A key of a manifest that asks for more than the node grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{key}` asks for {asked}, and this node grants {granted}; raise {ceiling} of the node, or ask for less"
)]
pub struct NotGranted {
    /// The key in the manifest.
    pub key: &'static str,
    /// What the manifest asks for.
    pub asked: String,
    /// The most that the node grants.
    pub granted: String,
    /// The key of the node's configuration that says so.
    pub ceiling: &'static str,
}

/// What an application gets, by key of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted(BTreeMap<&'static str, String>);

/// One line of what an application gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GrantRow {
    key: &'static str,
    value: String,
    /// What the version before got, where that is another value.
    before: Option<String>,
}

/// The ceilings for one application, and what it asks for.
pub(super) struct Request<'a> {
    pub(super) node: &'a Config,
    /// As the node mounts it, without its manifest.
    pub(super) mounted: &'a App,
    /// With its manifest.
    pub(super) app: &'a App,
}

impl Request<'_> {
    /// Lowers what the manifest leaves out to the ceilings, and refuses what it asks for above them.
    pub(super) fn grant(&self, mut asked: ComponentSettings) -> Result<ComponentSettings, Vec<NotGranted>> {
        let grants = &self.node.farm.grants;
        let mut refused = Vec::new();
        self.limits(&mut asked.limits, &mut refused);
        for target in &asked.egress {
            let is_listed = |listed: &config::HostPort| listed.to_string() == target.to_string();
            if !grants.egress.iter().any(is_listed) {
                let granted = listed(grants.egress.iter().map(ToString::to_string));
                refused.push(refusal("egress.allow", target, granted, "[farm.grants] egress"));
            }
        }
        self.sessions(&mut refused);
        asked.private_networks.clone_from(&grants.private_networks);
        asked.principals = grants.principals || !self.is_shared();
        if refused.is_empty() { Ok(asked) } else { Err(refused) }
    }

    fn limits(&self, asked: &mut GuestLimits, refused: &mut Vec<NotGranted>) {
        let (grants, usual) = (&self.node.farm.grants, GuestLimits::default());
        let mut size = |key, asked: &mut usize, most: usize, usual: usize, ceiling| {
            if *asked == usual {
                *asked = usual.min(most);
            } else if *asked > most {
                refused.push(refusal(key, size_text(*asked), size_text(most), ceiling));
            }
        };
        size("limits.memory", &mut asked.memory, grants.memory, usual.memory, "[farm.grants] memory");
        size("limits.body", &mut asked.body, grants.body, usual.body, "[farm.grants] body");
        let mut time = |key, asked: &mut std::time::Duration, most, usual: std::time::Duration, ceiling| {
            if *asked == usual {
                *asked = usual.min(most);
            } else if *asked > most {
                refused.push(refusal(key, time_text(*asked), time_text(most), ceiling));
            }
        };
        let request_time = &mut asked.request_time;
        time(
            "limits.cpu-time",
            &mut asked.cpu_time,
            grants.cpu_time,
            usual.cpu_time,
            "[farm.grants] cpu_time",
        );
        time(
            "limits.request-time",
            request_time,
            grants.request_time,
            usual.request_time,
            "[farm.grants] request_time",
        );
        let mut count = |key, asked: &mut usize, most: u32, usual: usize, ceiling| {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            if *asked == usual {
                *asked = usual.min(most);
            } else if *asked > most {
                refused.push(refusal(key, *asked, most, ceiling));
            }
        };
        let (concurrency, queue) = (&mut asked.concurrency, &mut asked.queue);
        let ceiling = "[farm.grants] concurrency";
        count("limits.concurrency", concurrency, grants.concurrency, usual.concurrency, ceiling);
        count("limits.queue", queue, grants.queue, usual.queue, "[farm.grants] queue");
    }

    fn sessions(&self, refused: &mut Vec<NotGranted>) {
        let (app, mounted, node) = (&self.app.session, &self.mounted.session, self.node);
        if !self.may_use_session_path() {
            let paths = listed(node.farm.grants.session_paths.iter().cloned());
            let path = self.app.session_path();
            refused.push(refusal("session.path", path, paths, "[farm.grants] session_paths"));
        }
        let sizes = [
            (
                "session.max-bytes",
                app.max_session_bytes,
                mounted.max_session_bytes,
                "[session] max_session_bytes",
            ),
            (
                "session.max-attribute-bytes",
                app.max_attribute_bytes,
                mounted.max_attribute_bytes,
                "[session] max_attribute_bytes",
            ),
        ];
        for (key, asked, most, ceiling) in sizes {
            if asked > most {
                refused.push(refusal(key, size_text(asked), size_text(most), ceiling));
            }
        }
        // The cookie of shared sessions is not one archive's to weaken.
        if self.is_shared() && mounted.secure == Secure::Always && app.secure != Secure::Always {
            refused.push(refusal("session.cookie.secure", "less", "`true`", "[session] secure"));
        }
        if self.is_shared() && strictness(app.same_site) < strictness(mounted.same_site) {
            let words = [app.same_site, mounted.same_site].map(|site| format!("{site:?}"));
            let [asked, most] = words;
            refused.push(refusal("session.cookie.same-site", asked, most, "[session] same_site"));
        }
    }

    /// The sessions of its own path are the application's, unless the configuration gives them to another
    /// one.
    fn may_use_session_path(&self) -> bool {
        let path = self.app.session_path();
        let by_configuration = self.node.apps.iter().any(|app| app.path == self.app.path);
        let is_own = path == self.app.path && (by_configuration || !self.is_shared());
        is_own
            || self.mounted.session_path.as_deref() == Some(path)
            || self.node.farm.grants.session_paths.iter().any(|granted| granted == path)
    }

    /// Whether other applications have the same sessions.
    fn is_shared(&self) -> bool {
        let path = self.app.session_path();
        let mut others = self.node.apps.iter().filter(|other| other.path != self.app.path);
        path != self.app.path || others.any(|other| other.session_path() == path)
    }

    /// The lines for the operator; `component` is what was granted to it, if there is one.
    pub(super) fn lines(&self, component: Option<&ComponentSettings>) -> Granted {
        let Some(ComponentSettings { limits, reuse, egress, principals, .. }) = component else {
            return Granted(BTreeMap::from([("static", "files only: no code, no sessions".to_owned())]));
        };
        let path = self.app.session_path();
        let shared = if self.is_shared() { ", shared with other applications" } else { "" };
        Granted(BTreeMap::from([
            ("egress.allow", listed(egress.iter().map(ToString::to_string))),
            ("instance.reuse", reuse.to_string()),
            ("limits.body", size_text(limits.body)),
            ("limits.concurrency", limits.concurrency.to_string()),
            ("limits.cpu-time", time_text(limits.cpu_time)),
            ("limits.memory", size_text(limits.memory)),
            ("limits.queue", limits.queue.to_string()),
            ("limits.request-time", time_text(limits.request_time)),
            ("session.cookie.name", self.app.session.cookie.clone()),
            ("session.max-bytes", size_text(self.app.session.max_session_bytes)),
            ("session.path", format!("{path}{shared}")),
            ("session principals", if *principals { "may be set" } else { "may not be set" }.to_owned()),
        ]))
    }
}

impl Granted {
    /// The lines, beside those of the version before.
    pub(crate) fn beside(&self, before: Option<&Self>) -> Vec<GrantRow> {
        let old = |key| before.and_then(|before| before.0.get(key));
        let mut rows: Vec<GrantRow> = self
            .0
            .iter()
            .map(|(key, value)| GrantRow {
                key,
                value: value.clone(),
                before: before
                    .map(|_| old(key).map_or("nothing".to_owned(), Clone::clone))
                    .filter(|old| old != value),
            })
            .collect();
        let gone =
            before.into_iter().flat_map(|before| &before.0).filter(|(key, _)| !self.0.contains_key(*key));
        rows.extend(gone.map(|(key, value)| GrantRow {
            key,
            value: "nothing".to_owned(),
            before: Some(value.clone()),
        }));
        rows
    }
}

fn refusal(
    key: &'static str,
    asked: impl ToString,
    granted: impl ToString,
    ceiling: &'static str,
) -> NotGranted {
    NotGranted { key, asked: asked.to_string(), granted: granted.to_string(), ceiling }
}

fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn strictness(site: SameSite) -> u8 {
    match site {
        SameSite::None => 0,
        SameSite::Lax => 1,
        SameSite::Strict => 2,
    }
}

#[cfg(test)]
mod tests;
