//! The engine that compiles and runs all components of a process, and its clock.

use std::thread;
use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::error::ComponentError;
use super::limits::{MAX_CONCURRENCY, MAX_MEMORY};

/// Interval at which a computing guest yields its thread.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Instances that can exist at once, of all components together.
const MAX_INSTANCES: u32 = MAX_CONCURRENCY as u32;
/// A component is made of several modules: the language's own, adapters between it and WASI.
const MODULES_AN_INSTANCE: u32 = 8;
/// The engines of some languages bring a second memory.
const MEMORIES_AN_INSTANCE: u32 = 2;
/// Elements of one table: function pointers, of which the engine of a language has tens of thousands.
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Memory of an instance that is zeroed instead of returned to the system, which saves page faults at the
/// next request.
const KEPT_MEMORY: usize = 1 << 20;

/// An engine with its ticking clock.
pub(super) fn engine() -> Result<Engine, ComponentError> {
    let no_room = |error: String| ComponentError::NoRoom(error);
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    let engine = Engine::new(&config).map_err(|error| no_room(format!("{error:#}")))?;
    let ticking = engine.weak();
    let tick = move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    let started = thread::Builder::new().name("guest-clock".to_owned()).spawn(tick);
    started.map_err(|error| no_room(error.to_string()))?;
    Ok(engine)
}

/// A pool of instance slots, reserved once: taking a slot is cheap. An unused slot is address space only.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * MODULES_AN_INSTANCE)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * MODULES_AN_INSTANCE)
        .total_stacks(MAX_INSTANCES)
        .max_core_instances_per_component(4 * MODULES_AN_INSTANCE)
        .max_memories_per_component(MEMORIES_AN_INSTANCE)
        .max_tables_per_component(4 * MODULES_AN_INSTANCE)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(KEPT_MEMORY);
    pool
}
