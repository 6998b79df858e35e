//! Which paths never replicate, and which attributes do.

use regex::RegexSet;

use sessile_config::filter_elements;

/// Regular expressions of which one must match a whole path or name: `.*\.(gif|js|css)`, or several, as
/// `.*\.gif;.*\.js`.
///
/// On a path that the filter matches, the session can be read and not written, and nothing is sent.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    whole: RegexSet,
}

/// An element of the list that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("element {number}, `{element}`: {reason}")]
pub(crate) struct BadElement {
    number: usize,
    element: String,
    reason: String,
}

impl Patterns {
    /// Reads the list; `None` when nothing is in it.
    pub(crate) fn new(list: &str) -> Result<Option<Self>, BadElement> {
        let mut whole = Vec::new();
        for (index, place) in filter_elements(list).enumerate() {
            let element = &list[place];
            let bad = |error: regex::Error| BadElement {
                number: index + 1,
                element: element.to_owned(),
                reason: error.to_string(),
            };
            // Alone first, so that an unbalanced bracket is an error and cannot close the group.
            regex::Regex::new(element).map_err(bad)?;
            let anchored = format!("^(?:{element})$");
            regex::Regex::new(&anchored).map_err(bad)?;
            whole.push(anchored);
        }
        if whole.is_empty() {
            return Ok(None);
        }
        let together = |error: regex::Error| BadElement {
            number: whole.len(),
            element: list.to_owned(),
            reason: error.to_string(),
        };
        Ok(Some(Self { whole: RegexSet::new(&whole).map_err(together)? }))
    }

    /// Whether one of them matches the whole of `path`.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.whole.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(list: &str) -> Patterns {
        Patterns::new(list).unwrap().unwrap()
    }

    #[test]
    fn the_whole_path_must_match() {
        let one = filter(r".*\.(gif|js|css|jpg|png|htm|html|txt)");
        assert!(one.matches("/clusterapp/logo.gif"));
        assert!(!one.matches("/clusterapp/logo.gif/session"));
        assert!(!one.matches("/clusterapp/session"));
        let either = filter("/a|/b");
        assert!(either.matches("/b") && !either.matches("/b/c") && !either.matches("/x/b"));
    }

    #[test]
    fn each_element_of_a_list_stands_for_itself() {
        let list = filter(r".*\.gif; .*\.js;;(?i).*\.TXT;/a|/b;");
        for path in ["/logo.gif", "/x/app.js", "/read.me.txt", "/a", "/b"] {
            assert!(list.matches(path), "{path}");
        }
        for path in ["/logo.GIF", "/logo.gifs", "/a/b", "/app.js;.gi", "/"] {
            assert!(!list.matches(path), "{path}");
        }
        assert!(filter(r"/a\x3bb").matches("/a;b"), "how a semicolon is written");
    }

    #[test]
    fn an_empty_list_filters_nothing() {
        for list in ["", ";", " ; ;"] {
            assert!(Patterns::new(list).unwrap().is_none(), "{list}");
        }
    }

    #[test]
    fn a_wrong_element_is_named() {
        for (list, words) in [
            ("a)|(?:b", "element 1, `a)|(?:b`"),
            (r".*\.gif;;(;.*\.js", "element 2, `(`"),
            ("/a;(?x)b # c", "element 2, `(?x)b # c`"),
        ] {
            let error = Patterns::new(list).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
