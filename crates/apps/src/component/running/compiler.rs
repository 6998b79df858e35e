//! The compiler: one low-priority thread compiles one component at a time, so that a deployment takes at most
//! one core.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compiled::CompiledCode;
use super::error::ComponentError;
use super::native_code::NativeCode;
use super::threads::stand_back;

/// Most components in the compile queue; further ones wait to enter it.
const MAX_WAITING: usize = 16;
/// The first eight bytes of a component, and of a core module.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Compiles components. Its thread ends with it.
pub(super) struct Compiler {
    orders: mpsc::Sender<CompileJob>,
}

struct CompileJob {
    wasm: Bytes,
    done: oneshot::Sender<Result<Component, ComponentError>>,
}

impl Compiler {
    pub(super) fn start(engine: Engine, compiled: CompiledCode) -> Result<Self, ComponentError> {
        let (orders, mut taken) = mpsc::channel::<CompileJob>(MAX_WAITING);
        let work = move || {
            stand_back();
            while let Some(CompileJob { wasm, done }) = taken.blocking_recv() {
                if !done.is_closed() {
                    // The caller may be gone; the code is kept for the next time.
                    let _ = done.send(unless_it_panics(|| component(&engine, &compiled, &wasm)));
                }
            }
        };
        let thread = thread::Builder::new().name("compiler".to_owned()).spawn(work);
        thread.map_err(|error| ComponentError::NoRoom(format!("the system gives no thread: {error}")))?;
        Ok(Self { orders })
    }

    /// The component, from kept compiled code if possible.
    pub(super) async fn component(&self, wasm: Bytes) -> Result<Component, ComponentError> {
        check_kind(&wasm)?;
        let (done, component) = oneshot::channel();
        let gone = || ComponentError::NotCompiled("the compiler has stopped".to_owned());
        self.orders.send(CompileJob { wasm, done }).await.map_err(|_| gone())?;
        component.await.map_err(|_| gone())?
    }
}

/// A deployed file may be anything: after a compiler panic the next component must still compile.
fn unless_it_panics(
    compile: impl FnOnce() -> Result<Component, ComponentError>,
) -> Result<Component, ComponentError> {
    let panicked = |_| Err(ComponentError::NotCompiled("the compiler panicked".to_owned()));
    catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(panicked)
}

fn component(engine: &Engine, compiled: &CompiledCode, wasm: &[u8]) -> Result<Component, ComponentError> {
    if let Some(component) = compiled.find(engine, wasm).and_then(|code| code.load(engine).ok()) {
        return Ok(component);
    }
    let not_compiled = |error: wasmtime::Error| ComponentError::NotCompiled(format!("{error:#}"));
    let code = NativeCode::compile(engine, wasm).map_err(not_compiled)?;
    if let Err(error) = compiled.keep(engine, wasm, &code) {
        tracing::warn!(%error, "compiled code is not kept: the next start compiles again");
    }
    code.load(engine).map_err(not_compiled)
}

fn check_kind(wasm: &[u8]) -> Result<(), ComponentError> {
    let problem = match wasm.first_chunk() {
        Some(&COMPONENT) => return Ok(()),
        Some(&CORE_MODULE) => {
            "it is a core module; turn it into a component with `wasm-tools component new` or by the target wasm32-wasip2"
        }
        _ => "it is not WebAssembly in binary form",
    };
    Err(ComponentError::NotAComponent { problem: problem.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_kind_of_the_bytes() {
        let problem = |bytes: &[u8]| check_kind(bytes).unwrap_err().to_string();
        assert!(check_kind(b"\0asm\x0d\0\x01\0...").is_ok());
        assert!(problem(b"\0asm\x01\0\0\0...").contains("core module"));
        assert!(problem(b"(component)").contains("binary"));
        assert!(problem(b"").contains("binary"));
    }
}
