//! Which paths never replicate.

use regex::Regex;

/// A regular expression that must match a whole path, such as `.*\.(gif|js|css)`.
///
/// On a path that matches, the session can be read and not written, and nothing is sent.
#[derive(Clone, Debug)]
pub(crate) struct PathFilter {
    whole: Regex,
}

impl PathFilter {
    /// Reads the expression; the error says what is wrong with it and where.
    pub(crate) fn new(expression: &str) -> Result<Self, regex::Error> {
        // Alone first, so that an unbalanced bracket is an error and cannot close the group below.
        Regex::new(expression)?;
        Ok(Self { whole: Regex::new(&format!("^(?:{expression})$"))? })
    }

    /// Whether the whole of `path` matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.whole.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_path_must_match() {
        let filter = PathFilter::new(r".*\.(gif|js|css|jpg|png|htm|html|txt)").unwrap();
        assert!(filter.matches("/clusterapp/logo.gif"));
        assert!(!filter.matches("/clusterapp/logo.gif/session"));
        assert!(!filter.matches("/clusterapp/session"));
        let either = PathFilter::new("/a|/b").unwrap();
        assert!(either.matches("/b") && !either.matches("/b/c") && !either.matches("/x/b"));
    }

    #[test]
    fn a_bracket_cannot_escape() {
        assert!(PathFilter::new("a)|(?:b").is_err());
        assert!(PathFilter::new("(").is_err());
    }
}
