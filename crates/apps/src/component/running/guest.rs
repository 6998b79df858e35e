//! The host state of an instance, and its resource counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sessile::Session;
use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::egress::Egress;
use super::engine::TICK;
use super::limits::GuestLimits;
use super::log_lines::LogLines;
use super::settings::ComponentSettings;

/// Handles of requests, bodies, streams and sessions that an instance may hold.
const MAX_HANDLES: usize = 10_000;
/// Elements of one table of an instance.
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Bytes of randomness that one call gives.
const MAX_RANDOM_BYTES: u64 = 64 * 1024;

/// The state of one instance.
pub(super) struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    egress: Egress,
    may_set_principal: bool,
    pub(super) table: ResourceTable,
    pub(super) takes: StoreLimits,
    pub(super) output: LogLines,
    /// Remaining CPU time of the request, in ticks.
    ticks_left: u64,
    request: Option<Current>,
    /// Requests so far: identifies handles of earlier requests.
    requests: u64,
}

/// The current request.
struct Current {
    session: Session,
    head_is_set: Arc<AtomicBool>,
}

/// The request exceeded its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("it computed for longer than cpu-time allows")]
pub(super) struct OverCpuTime;

impl Guest {
    pub(super) fn new(settings: &ComponentSettings, egress: Egress) -> Self {
        let output = LogLines::of(Arc::clone(&egress.app));
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output.clone()).stderr(output.clone()).max_random_size(MAX_RANDOM_BYTES);
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        settings.env.iter().for_each(|(name, value)| {
            wasi.env(name, value);
        });
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let takes = StoreLimitsBuilder::new()
            .memory_size(settings.limits.memory)
            .table_elements(MAX_TABLE_ELEMENTS)
            .build();
        Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            egress,
            may_set_principal: settings.principals,
            table,
            takes,
            output,
            ticks_left: ticks(&settings.limits),
            request: None,
            requests: 0,
        }
    }

    /// Begins a request with its session. `head_is_set` becomes true when the response head is set.
    pub(super) fn begin(&mut self, session: Session, head_is_set: Arc<AtomicBool>, limits: &GuestLimits) {
        self.ticks_left = ticks(limits);
        self.requests += 1;
        self.request = Some(Current { session, head_is_set });
    }

    /// Ends the request: its handles become invalid.
    pub(super) fn end(&mut self) {
        self.request = None;
        self.output.end_request();
    }

    /// The session of the current request.
    pub(super) fn session(&self) -> Option<&Session> {
        self.request.as_ref().map(|request| &request.session)
    }

    /// Whether the node lets the guest say who is logged in.
    pub(super) fn may_set_principal(&self) -> bool {
        self.may_set_principal
    }

    /// Number of the current request of the instance.
    pub(super) fn request_number(&self) -> u64 {
        self.requests
    }

    /// Whether the head is set, so that session writes are refused.
    pub(super) fn head_is_set(&self) -> bool {
        self.request.as_ref().is_none_or(|request| request.head_is_set.load(Ordering::Acquire))
    }

    /// Called at each tick while the guest computes: it yields, or fails without CPU time left.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.ticks_left = self.ticks_left.checked_sub(1).ok_or(OverCpuTime)?;
        Ok(UpdateDeadline::Yield(1))
    }
}

fn ticks(limits: &GuestLimits) -> u64 {
    u64::try_from(limits.cpu_time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX)
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}
