//! The root of the library that services use stays small: what it names fits on one screen.

use crate::{Problem, Tree};

/// The façade's root.
const ROOT: &str = "crates/sessile/src/lib.rs";
/// The most names at the root, modules included.
const NAMES_MAX: usize = 36;

/// Finds a root with too many public names.
#[must_use]
pub fn facade(tree: &Tree) -> Vec<Problem> {
    let Some(file) = tree.file(ROOT) else {
        return vec![Problem::new(ROOT, 0, "the file is missing", "name the root of the library here")];
    };
    let names = root_names(&file.masked().code);
    if names.len() <= NAMES_MAX {
        return Vec::new();
    }
    let what = format!("{} names are at the root, more than {NAMES_MAX}", names.len());
    vec![Problem::new(ROOT, 0, what, "put the new name into the module of its subject")]
}

/// Names that `pub use` and `pub mod` give at the first column.
fn root_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("pub ").filter(|(at, _)| *at == 0 || code[..*at].ends_with('\n')) {
        let rest = &code[at + "pub ".len()..];
        if let Some(module) = rest.strip_prefix("mod ") {
            names.extend(module.split([' ', ';']).next().map(str::to_owned));
        } else if let Some(imports) = rest.strip_prefix("use ") {
            let list = imports.split(';').next().unwrap_or_default();
            let list = list.split_once('{').map_or(list, |(_, list)| list);
            let last = |import: &str| {
                let name = import.rsplit("::").next().unwrap_or(import);
                name.rsplit(" as ").next().unwrap_or(name).trim().to_owned()
            };
            names.extend(list.trim_end_matches('}').split(',').map(last).filter(|name| !name.is_empty()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_at_the_root_counts_once() {
        let code = "pub mod admin;\nmod cluster;\npub use a::b::One;\npub use a::{\n    self as config, Two,\n    c::Three,\n};\n\
                    pub mod events {\n    pub use a::Four;\n}\n";
        assert_eq!(root_names(code), ["admin", "One", "config", "Two", "Three", "events"]);
    }

    #[test]
    fn a_root_with_too_many_names_is_found() {
        let line =
            |count: usize| (0..count).map(|number| format!("pub use a::N{number};\n")).collect::<String>();
        let problems = |count| facade(&Tree::of(&[(ROOT, &line(count))])).len();
        assert_eq!((problems(NAMES_MAX), problems(NAMES_MAX + 1)), (0, 1));
    }
}
