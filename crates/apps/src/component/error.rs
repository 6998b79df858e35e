//! Why a component cannot serve.

use std::io;
use std::path::PathBuf;

/// Why a component, or what runs components, cannot be had. Whatever served before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The program has nothing to run components with.
    #[error(
        "this program was built without WebAssembly; build it with `cargo build --release --features wasm`, or deploy \
         applications without a component"
    )]
    NotBuilt,
    /// The bytes are no component.
    #[error("no component: {problem}")]
    NotAComponent {
        /// What they are, and what to do about it.
        problem: String,
    },
    /// A setting cannot work.
    #[error("{key}: {problem}")]
    Setting {
        /// The key in the manifest.
        key: &'static str,
        /// What is wrong with its value, and what would be right.
        problem: String,
    },
    /// The component is damaged, or uses what this program does not run.
    #[error("the component cannot be compiled: {0}")]
    NotCompiled(String),
    /// The component imports what no node offers, or does not export what a node calls.
    #[error("the component does not fit: {0}")]
    NotFitting(String),
    /// The directory for compiled code cannot be used.
    #[error("{}: {source}; compiled code is kept there, in a directory of this user alone", path.display())]
    Cache {
        /// The directory, or a file in it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no threads or no memory to run components with.
    #[error("components cannot run here: {0}")]
    NoRoom(String),
}
