//! What the outside sees of persistence: what a start brings back, how the store does.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::AppId;

use super::{Persist, restore_all};
use crate::ClusterNode;
use crate::engine::Engine;
use sessile_config::{Manager, Restore};

/// How the store of a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreView {
    /// Its kind and place.
    pub name: String,
    /// Sessions that it lacks in their newest version: what a kill of all nodes would lose now.
    pub unsaved: usize,
    /// Since the oldest change that it lacks.
    pub lag: Duration,
    /// Sessions whose content is in the store only.
    pub swapped_out: u64,
    /// What is wrong with it now.
    pub problem: Option<String>,
}

impl ClusterNode {
    /// How the store does; `None` without one.
    #[must_use]
    pub fn store(&self) -> Option<StoreView> {
        let persists: Vec<&Arc<Persist>> = self.persists().map(|(_, persist)| persist).collect();
        let first = persists.first()?;
        Some(StoreView {
            name: first.name().to_owned(),
            unsaved: persists.iter().map(|persist| persist.unsaved()).sum(),
            lag: persists.iter().map(|persist| persist.lag()).max().unwrap_or_default(),
            swapped_out: self.persists().map(|(engine, _)| engine.node.swapped_out()).sum(),
            problem: persists.iter().find_map(|persist| persist.health.problem()),
        })
    }

    /// The engines that have a store.
    pub(crate) fn persists(&self) -> impl Iterator<Item = (&Arc<Engine>, &Arc<Persist>)> {
        self.engines().filter_map(|engine| Some((engine, engine.persist.get()?)))
    }

    /// Brings back what is stored, if a start does: the first node of a cluster before it serves, others
    /// beside it.
    pub(crate) async fn restore(&self) {
        for (engine, persist) in self.persists().filter(|(_, persist)| !persist.is_shared) {
            // What the others sent while this node joined, its own store may lack.
            persist.refresh(engine);
        }
        if self.config().store.restore != Restore::All {
            return;
        }
        let is_alone = self.config().cluster.manager == Manager::Local;
        let is_first = self.inner.shared.node.counters().transfers_received == 0;
        for (engine, persist) in self.persists() {
            let is_local = Arc::ptr_eq(engine, &self.inner.local);
            // Of what all nodes share, a node that keeps sessions for itself takes those it is asked for.
            if persist.is_shared && (is_local || !is_first) {
                continue;
            }
            let others = self.apps_elsewhere(engine);
            let (engine, persist) = (Arc::clone(engine), Arc::clone(persist));
            let restoring = async move {
                restore_all(&engine, &persist, |app| !others.contains(&app)).await;
            };
            if is_first || is_alone || is_local {
                restoring.await;
            } else {
                self.inner.tasks.spawn(restoring);
            }
        }
    }

    /// The applications whose sessions are in the other engine of this node.
    fn apps_elsewhere(&self, engine: &Arc<Engine>) -> Vec<AppId> {
        let (shared, local) = (&self.inner.shared, &self.inner.local);
        let holds = |manager| Arc::ptr_eq(engine, if manager == Manager::Local { local } else { shared });
        let apps = self.inner.apps.lock();
        apps.iter().filter(|(_, known)| !holds(known.manager)).map(|(app, _)| *app).collect()
    }
}
