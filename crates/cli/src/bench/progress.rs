//! Progress and remaining time of a run, drawn on terminals only.

use indicatif::{ProgressBar, ProgressStyle};

const LINE: &str = "{prefix:16} {wide_bar} {pos}/{len} · {eta} left";

/// A bar for `steps` steps.
pub(crate) fn bar(name: &str, steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(LINE).expect("the template is well formed");
    ProgressBar::new(steps).with_style(style).with_prefix(name.to_owned())
}
