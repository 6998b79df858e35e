//! Replaces the host in a program built without WebAssembly.

use std::convert::Infallible;
use std::path::PathBuf;

use axum::Router;
use bytes::Bytes;
use sessile::SessionLayer;

use super::error::ComponentError;
use super::settings::ComponentSettings;

/// Runs components; one for each process. This program was built without WebAssembly and runs none.
#[derive(Clone, Debug)]
pub struct ComponentHost(());

/// A component that is ready to serve. This program was built without WebAssembly and has none.
#[derive(Clone, Debug)]
pub struct Component(Infallible);

impl ComponentHost {
    /// A host that refuses every component. It uses no directory.
    ///
    /// # Errors
    /// None.
    pub fn new(_cache_dir: PathBuf) -> Result<Self, ComponentError> {
        Ok(Self(()))
    }

    /// Says that this program was built without WebAssembly.
    ///
    /// # Errors
    /// Always [`ComponentError::NotBuilt`].
    #[allow(clippy::unused_async, reason = "as in a program that has WebAssembly")]
    pub async fn prepare(
        &self,
        _wasm: Bytes,
        _settings: &ComponentSettings,
    ) -> Result<Component, ComponentError> {
        Err(ComponentError::NotBuilt)
    }
}

impl Component {
    /// The application at `base_path` with its sessions.
    pub fn router(&self, _base_path: &str, _sessions: SessionLayer) -> Router {
        match self.0 {}
    }
}
