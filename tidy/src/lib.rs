//! What the tree must keep and no compiler checks: `cargo test -p sessile-tidy` reads all sources and
//! documents, and fails with the file, the line and the remedy.
//!
//! A check is a function from a [`Tree`] to [`Problem`]s, in a file of [`checks`]; `tests/tidy/` runs each
//! over the real tree, and each has unit tests that show it a bad tree. [`Known`] lists the exceptions that
//! are tolerated for now, and fails on one that is not needed any more. Must not run anything, and must not
//! read what the project did not write.

pub mod checks;
mod known;
mod markdown;
mod problem;
mod rust;
mod tree;

pub use known::Known;
pub use problem::Problem;
pub use tree::{SourceFile, Tree};
