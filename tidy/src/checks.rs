//! One check a file. Each takes the tree and gives what breaks its rule.

mod absences;
mod arrows;
mod circles;
mod documents;
mod facade;
mod files;
mod glossary;
mod guides;
mod invariants;
mod line_lengths;
mod links;
mod protocol;
mod readmes;
mod references;
mod retired_words;
mod type_names;
mod vocabulary;

pub use absences::{Absence, absences};
pub use arrows::arrows;
pub use circles::{Circle, circles};
pub use documents::documents;
pub use facade::facade;
pub use files::files;
pub use glossary::glossary;
pub use guides::guides;
pub use invariants::invariants;
pub use line_lengths::line_lengths;
pub use links::links;
pub use protocol::protocol;
pub use readmes::readmes;
pub use retired_words::retired_words;
pub use type_names::type_names;
pub use vocabulary::vocabulary;
