//! The checker is checked: each kind of violation is found in a history written by hand, and nothing is found in
//! histories that may be.

mod by_hand;
mod found;
mod innocent;
mod kept;
mod random;
