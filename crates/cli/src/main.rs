//! The program `sessile`.
fn main() {}
