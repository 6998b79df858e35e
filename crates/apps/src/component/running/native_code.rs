//! Native code: compiled from a component, kept in a file, loaded. The only module of this workspace with
//! `unsafe`: loaded code runs, so it must be the output of this engine. Compilation and checks are in this
//! file alone.
//!
//! Must not know: where files are.

#![allow(unsafe_code, reason = "the engine can only be told, not shown, that code is its own")]

use wasmtime::Engine;
use wasmtime::component::Component;

const DIGEST_BYTES: usize = blake3::OUT_LEN;

/// Code compiled by an engine of this version and configuration.
pub(super) struct NativeCode(Vec<u8>);

impl NativeCode {
    /// Compiles a component, on this thread.
    pub(super) fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(wasm).map(Self)
    }

    /// Parses the output of [`to_file`](Self::to_file); `None` if it is damaged.
    ///
    /// The file must be one that only this user can write, named after the component and the engine's
    /// compatibility.
    pub(super) fn from_file(mut file: Vec<u8>) -> Option<Self> {
        if file.len() < DIGEST_BYTES {
            return None;
        }
        let code = file.split_off(DIGEST_BYTES);
        (*blake3::hash(&code).as_bytes() == *file).then_some(Self(code))
    }

    /// The file content: the digest, then the code.
    pub(super) fn to_file(&self) -> Vec<u8> {
        [blake3::hash(&self.0).as_bytes().as_slice(), &self.0].concat()
    }

    /// Loads the code.
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are what `precompile_component` returned: in this process, or in an earlier one,
        // from a file that only this user can write and whose digest is right. Code for another version,
        // processor or configuration is refused by the engine itself.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
