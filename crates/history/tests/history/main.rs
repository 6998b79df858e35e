//! Tests of the checker: each kind of broken promise is found in a history built by hand, and correct
//! histories are clean.

mod by_hand;
mod found;
mod innocent;
mod kept;
mod random;
