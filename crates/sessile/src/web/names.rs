//! Which attributes replicate.

use regex::Regex;

/// A regular expression that must match the whole name of an attribute that replicates.
#[derive(Clone, Debug)]
pub(crate) struct NameFilter {
    whole: Regex,
}

impl NameFilter {
    /// Reads the expression; the error says what is wrong with it and where.
    pub(crate) fn new(expression: &str) -> Result<Self, regex::Error> {
        // Alone first, so that an unbalanced bracket is an error and cannot close the group below.
        Regex::new(expression)?;
        Ok(Self { whole: Regex::new(&format!(r"\A(?:{expression})\z"))? })
    }

    /// Whether the attribute `name` replicates.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_must_match() {
        let filter = NameFilter::new("cart|user\\..*").unwrap();
        assert!(filter.has("cart") && filter.has("user.name"));
        assert!(!filter.has("carts") && !filter.has("my cart") && !filter.has("user"));
        assert!(NameFilter::new("a)|(?:b").is_err());
    }
}
