//! How far a run is, and how long it will still take, for people at a terminal. Nothing is drawn elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

const LINE: &str = "{prefix:16} {wide_bar} {pos}/{len} · {eta} left";

/// A bar for `steps` steps.
pub(crate) fn bar(name: &str, steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(LINE).expect("the template is well formed");
    ProgressBar::new(steps).with_style(style).with_prefix(name.to_owned())
}
