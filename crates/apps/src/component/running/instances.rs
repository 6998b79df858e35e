//! The instances of one component: a new one for each request, or reused ones that serve one request at a
//! time.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sessile::config::Network;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use super::egress::Egress;
use super::guest::Guest;
use super::settings::{ComponentSettings, EgressTarget};

/// An instance that was idle for longer is dropped.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Most bytes of one call from a guest to the node.
const MAX_CALL_BYTES: usize = 16 << 20;

/// All instances of one component.
pub(super) struct Instances {
    pre: ProxyPre<Guest>,
    settings: ComponentSettings,
    egress: Arc<[EgressTarget]>,
    private_networks: Arc<[Network]>,
    idle: Mutex<Idle>,
}

/// The idle instances.
#[derive(Default)]
struct Idle {
    /// A stack: the last used instance is taken first; those at the front are idle longest.
    instances: Vec<Instance>,
    /// A task removes expired instances.
    is_swept: bool,
}

/// One instance, used by one request.
pub(super) struct Instance {
    pub(super) store: Store<Guest>,
    pub(super) proxy: Proxy,
    served: u32,
    idle_since: Instant,
}

impl Instances {
    pub(super) fn new(pre: ProxyPre<Guest>, settings: ComponentSettings) -> Self {
        let egress = settings.egress.clone().into();
        let private_networks = settings.private_networks.clone().into();
        Self { pre, settings, egress, private_networks, idle: Mutex::default() }
    }

    /// Takes an idle instance, or creates one.
    pub(super) async fn take(&self, app: &Arc<str>) -> wasmtime::Result<Instance> {
        let idle = self.idle.lock().instances.pop();
        match idle {
            Some(instance) => Ok(instance),
            None => self.make(app).await,
        }
    }

    /// Returns an instance after a response; a failed instance must not be returned.
    pub(super) fn give_back(self: &Arc<Self>, mut instance: Instance) {
        instance.served += 1;
        instance.idle_since = Instant::now();
        if instance.served >= self.settings.reuse {
            return;
        }
        let mut idle = self.idle.lock();
        idle.instances.push(instance);
        if !std::mem::replace(&mut idle.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    async fn make(&self, app: &Arc<str>) -> wasmtime::Result<Instance> {
        let egress = Egress {
            app: Arc::clone(app),
            allowed: Arc::clone(&self.egress),
            private_networks: Arc::clone(&self.private_networks),
        };
        let guest = Guest::new(&self.settings, egress);
        let mut store = Store::new(self.pre.engine(), guest);
        store.limiter(|guest| &mut guest.takes);
        store.set_hostcall_fuel(MAX_CALL_BYTES);
        store.epoch_deadline_callback(|mut store| store.data_mut().tick());
        store.set_epoch_deadline(1);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, proxy, served: 0, idle_since: Instant::now() })
    }

    /// Drops expired idle instances; returns whether others are left.
    fn forget_expired(&self) -> bool {
        let mut idle = self.idle.lock();
        let is_expired = |instance: &Instance| instance.idle_since.elapsed() >= MAX_IDLE;
        let expired = idle.instances.iter().take_while(|instance| is_expired(instance)).count();
        let expired: Vec<_> = idle.instances.drain(..expired).collect();
        idle.is_swept = !idle.instances.is_empty();
        let goes_on = idle.is_swept;
        drop(idle);
        drop(expired);
        goes_on
    }
}

async fn sweep(instances: Weak<Instances>) {
    loop {
        tokio::time::sleep(MAX_IDLE).await;
        let goes_on = instances.upgrade().is_some_and(|instances| instances.forget_expired());
        if !goes_on {
            return;
        }
    }
}
