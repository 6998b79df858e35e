//! `[replication]`: which requests and which attributes replicate.

use crate::config::form::{Flag, Patterns};
use crate::config::keys::{Table, Visitor};

/// `[replication]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// Requests whose whole path matches this regular expression, or one of several with `;` between them, never change
    /// a session; empty: none are excepted.
    pub filter: String,
    /// Whether responses carry the receipt in a header.
    pub receipt_header: bool,
}

impl Default for Replication {
    fn default() -> Self {
        Self { filter: r".*\.(gif|js|css|jpg|png|htm|html|txt)".to_owned(), receipt_header: false }
    }
}

impl Table for Replication {
    const NAME: &'static str = "replication";
    const MEANING: &'static str = "which requests and attributes replicate";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key("filter", Patterns, &mut self.filter, "these paths never change a session");
        visitor.only("dirty_flag", Flag, true, "only what was set travels");
        visitor.only("compress", Flag, false, "large frames travel compressed");
        visitor.key(
            "receipt_header",
            Flag,
            &mut self.receipt_header,
            "responses say how many copies there are",
        );
        visitor.later("names", "attributes that stay local");
    }
}
