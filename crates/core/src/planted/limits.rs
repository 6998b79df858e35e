//! The core's fixed bounds, made small for one simulated run, and how often a run reached them.
//!
//! The bounds are constants of many owners, which know no settings. So the small values lie in the thread
//! that runs the simulated nodes: a run never leaves its thread.

use std::cell::RefCell;

/// Bounds that a run may make small, by what they bound.
pub const BOUNDS: [&str; 9] = [
    "tombstones",
    "births above a gap",
    "birth marks",
    "replies",
    "copies in a frame",
    "names in a backlog",
    "fetches",
    "piece of a listing",
    "expiries asked about",
];

/// What a run makes smaller than it is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmallBounds {
    /// The bounds in the order of [`BOUNDS`]; `None` leaves one as it is built.
    pub bounds: [Option<usize>; BOUNDS.len()],
    /// Ends are forgotten soon after every member acknowledged them.
    pub forgets_early: bool,
}

/// How often each of [`BOUNDS`] was reached, in the same order.
pub type Reached = [u64; BOUNDS.len()];

thread_local! {
    static RUN: RefCell<(SmallBounds, Reached)> = RefCell::default();
}

/// From now on the nodes of this thread have these bounds, and what they reach is counted anew.
pub fn set_small_bounds(limits: SmallBounds) {
    RUN.set((limits, Reached::default()));
}

/// How often the nodes of this thread reached each bound since the last [`set_small_bounds`].
pub fn reached() -> Reached {
    RUN.with_borrow(|(_, reached)| *reached)
}

/// The value of a bound in this run, where `built` is its constant and `held` is what it bounds now.
pub(crate) fn limit(bound: &str, built: usize, held: usize) -> usize {
    let Some(index) = BOUNDS.iter().position(|known| *known == bound) else { return built };
    RUN.with_borrow_mut(|(limits, reached)| {
        let limit = limits.bounds[index].unwrap_or(built);
        reached[index] += u64::from(held >= limit);
        limit
    })
}

/// Whether ends are forgotten soon after every member acknowledged them.
pub(crate) fn forgets_early() -> bool {
    RUN.with_borrow(|(limits, _)| limits.forgets_early)
}
