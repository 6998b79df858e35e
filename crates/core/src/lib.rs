//! (being written)

mod fields;
mod stamp;
mod value;

pub use fields::{BadName, FieldName, FieldRef, Fields, MAX_NAME_BYTES, Merge, ValueRef};
pub use stamp::{Boot, Stamp};
pub use value::{Codec, Value};
