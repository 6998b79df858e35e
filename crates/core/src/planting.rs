//! Places for deliberate bugs: what the core leaves of them in a build for users, which is nothing.
//!
//! The simulator and the test hosts plant one bug of many into a node and demand that a checker finds it. The
//! bugs are in `planted.rs`, which the feature `planted` compiles. Without the feature, [`planted!`] gives
//! its ordinary value, so that neither the branch nor the name of a bug is in the program.

/// A place for a deliberate bug, of at most one line. Without the feature `planted`:
///
/// * `planted!(settings, NAME)`, or a number in place of the name, is `false`.
/// * `planted!(settings, NAME => function(arguments))` is nothing.
/// * `planted!(value => function(arguments))` is `value`.
///
/// With it the first asks whether this bug was chosen for this node, the second calls the function of
/// `planted.rs` if it was, and the third is what that function gives.
#[cfg(not(feature = "planted"))]
macro_rules! planted {
    ($settings:expr, $plant:tt) => {
        false
    };
    ($settings:expr, $plant:ident => $($hook:tt)*) => {};
    ($value:expr => $($hook:tt)*) => {
        // The lints of an ordinary build do not see through this.
        ::std::convert::identity($value)
    };
}

/// See the other form, which is compiled without the feature.
#[cfg(feature = "planted")]
macro_rules! planted {
    ($settings:expr, $number:literal) => {
        $settings.planted.is($crate::planted::Plant($number))
    };
    ($settings:expr, $plant:ident) => {
        $settings.planted.is($crate::planted::Plant::$plant)
    };
    ($settings:expr, $plant:ident => $hook:ident($($argument:expr),*)) => {
        if planted!($settings, $plant) {
            $crate::planted::$hook($($argument),*);
        }
    };
    ($value:expr => $hook:ident($($argument:expr),*)) => {
        $crate::planted::$hook($($argument),*)
    };
}
