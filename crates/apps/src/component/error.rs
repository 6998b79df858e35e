//! Errors of components.

use std::io;
use std::path::PathBuf;

/// Why a component cannot be prepared. The previous version keeps serving.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The program was built without the feature `wasm`.
    #[error(
        "this program was built without WebAssembly; build it with `cargo build --release --features wasm`, or deploy \
         applications without a component"
    )]
    NotBuilt,
    /// The bytes are not a component.
    #[error("not a component: {problem}")]
    NotAComponent {
        /// The kind of the bytes, and the remedy.
        problem: String,
    },
    /// A setting is out of range.
    #[error("{key}: {problem}")]
    Setting {
        /// The key in the manifest.
        key: &'static str,
        /// The problem, and valid values.
        problem: String,
    },
    /// The component is damaged, or uses unsupported features.
    #[error("the component cannot be compiled: {0}")]
    NotCompiled(String),
    /// The component imports functions that nodes do not provide, or lacks a required export.
    #[error("the component does not fit: {0}")]
    NotFitting(String),
    /// The directory for compiled code cannot be used.
    #[error("{}: {source}; compiled code is kept there, in a directory of this user alone", path.display())]
    Cache {
        /// The directory, or a file in it.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system provides no threads or memory for components.
    #[error("components cannot run here: {0}")]
    NoRoom(String),
}
