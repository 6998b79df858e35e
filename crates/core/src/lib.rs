//! (temporary, until the node lands)
mod instant;
mod key;
mod node_stub;
mod stamp;
mod value;
pub use instant::*;
pub use key::*;
pub use node_stub::*;
pub use stamp::*;
pub use value::*;
