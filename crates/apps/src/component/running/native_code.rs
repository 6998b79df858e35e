//! Native code: made here of a component, kept in a file, loaded. The only module of this workspace with `unsafe`, for
//! loading is running: the code must be what this engine made. So it is made and checked in this file alone.
//!
//! Must not know: where files are.

#![allow(unsafe_code, reason = "the engine can only be told, not shown, that code is its own")]

use wasmtime::Engine;
use wasmtime::component::Component;

const DIGEST_BYTES: usize = blake3::OUT_LEN;

/// What the compiler of an engine of this version and configuration made.
pub(super) struct NativeCode(Vec<u8>);

impl NativeCode {
    /// Compiles a component, on this thread.
    pub(super) fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(wasm).map(Self)
    }

    /// Takes back what [`to_file`](Self::to_file) made; `None` when it is damaged.
    ///
    /// The file must be one that only this user can write, named after the component and the engine's compatibility.
    pub(super) fn from_file(mut file: Vec<u8>) -> Option<Self> {
        if file.len() < DIGEST_BYTES {
            return None;
        }
        let code = file.split_off(DIGEST_BYTES);
        (*blake3::hash(&code).as_bytes() == *file).then_some(Self(code))
    }

    /// As it is kept in a file: behind its digest.
    pub(super) fn to_file(&self) -> Vec<u8> {
        [blake3::hash(&self.0).as_bytes().as_slice(), &self.0].concat()
    }

    /// Makes it callable.
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are what `precompile_component` returned: in this process, or in an earlier one, from a file
        // that only this user can write and whose digest is right. Code for another version, processor or configuration
        // is refused by the engine itself.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
