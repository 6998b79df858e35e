//! (temporary, until the node lands)
mod fields;
mod instant;
mod key;
mod node_stub;
mod stamp;
mod value;
pub use fields::{BadName, FieldName, FieldRef, Fields, MAX_NAME_BYTES, Merge, ValueRef};
pub use instant::*;
pub use key::*;
pub use node_stub::*;
pub use stamp::*;
pub use value::*;
