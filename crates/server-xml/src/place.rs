//! Where a file says something.

/// Where something is in the file that is being read.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) span: std::ops::Range<usize>,
}
