//! State shared by all components of a process.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::application::Component;
use super::compiled::CompiledCode;
use super::compiler::Compiler;
use super::engine::engine;
use super::error::ComponentError;
use super::guest::Guest;
use super::session_import;
use super::settings::ComponentSettings;
use super::threads::GuestThreads;

/// Runs components; one for each process. Clones share one state.
#[derive(Clone)]
pub struct ComponentHost(Arc<HostState>);

struct HostState {
    compiler: Compiler,
    linker: Linker<Guest>,
    threads: GuestThreads,
}

impl ComponentHost {
    /// A host that keeps compiled code in the private directory `cache_dir`, which it creates.
    ///
    /// # Errors
    /// [`ComponentError::Cache`] if the directory cannot be created, [`ComponentError::NoRoom`] if the system
    /// provides no threads or address space.
    pub fn new(cache_dir: PathBuf) -> Result<Self, ComponentError> {
        let compiled = CompiledCode::open(cache_dir)?;
        let engine = engine()?;
        let linker = linker(&engine).map_err(|error| ComponentError::NotFitting(format!("{error:#}")))?;
        let compiler = Compiler::start(engine, compiled)?;
        Ok(Self(Arc::new(HostState { compiler, linker, threads: GuestThreads::start()? })))
    }

    /// Prepares the component `wasm`: compiles it (seconds for a large one, unless cached) and checks its
    /// imports. It uses no network and starts nothing.
    ///
    /// # Errors
    /// The problem with the component or a setting.
    pub async fn prepare(
        &self,
        wasm: Bytes,
        settings: &ComponentSettings,
    ) -> Result<Component, ComponentError> {
        settings.check()?;
        let component = self.0.compiler.component(wasm).await?;
        let not_fitting = |error: wasmtime::Error| ComponentError::NotFitting(format!("{error:#}"));
        let pre = self.0.linker.instantiate_pre(&component).map_err(not_fitting)?;
        let pre = ProxyPre::new(pre).map_err(not_fitting)?;
        Ok(Component::new(pre, settings.clone(), self.0.threads.clone()))
    }
}

impl std::fmt::Debug for ComponentHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentHost").finish_non_exhaustive()
    }
}

/// The imports of components: WASI 0.2, HTTP, the session.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    session_import::offer(&mut linker)?;
    Ok(linker)
}
