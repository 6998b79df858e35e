//! `[replication]`: which requests and which attributes replicate.

use crate::form::{Flag, Patterns};
use crate::keys::{Table, Visitor};

/// `[replication]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// Requests whose whole path matches this regular expression, or one of several with `;` between them,
    /// never change a session; empty: none are excepted.
    pub filter: String,
    /// Whether manager `full` sends a session only after a request that set something in it.
    pub dirty_flag: bool,
    /// Attributes whose whole name matches this regular expression replicate, others stay on their node;
    /// empty: all replicate.
    pub names: String,
    /// Whether responses carry the receipt in a header.
    pub receipt_header: bool,
}

impl Default for Replication {
    fn default() -> Self {
        Self {
            filter: r".*\.(gif|js|css|jpg|png|htm|html|txt)".to_owned(),
            dirty_flag: true,
            names: String::new(),
            receipt_header: false,
        }
    }
}

impl Table for Replication {
    const NAME: &'static str = "replication";
    const MEANING: &'static str = "which requests and attributes replicate";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key("filter", Patterns, &mut self.filter, "these paths never change a session");
        visitor.key("dirty_flag", Flag, &mut self.dirty_flag, "false: `full` sends after every request");
        visitor.key("names", Patterns, &mut self.names, "attributes that replicate; empty: all");
        visitor.only("compress", Flag, false, "large frames travel compressed");
        visitor.key(
            "receipt_header",
            Flag,
            &mut self.receipt_header,
            "responses say how many copies there are",
        );
    }
}
