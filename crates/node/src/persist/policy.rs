//! What each application wants of the store.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::RwLock;
use sessile_core::AppId;
use sessile_store::AppName;

use sessile_config::{Config, Save, Session};

/// What one application wants.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// Its name in the store.
    pub(super) app: AppName,
    /// The clients carry its sessions.
    pub(super) carried: bool,
    pub(super) save: Save,
    pub(super) backup_idle: Duration,
    pub(super) swap_idle: Option<Duration>,
}

/// What all of them want.
pub(super) struct Policies {
    /// `None` for an application that is never stored.
    known: RwLock<HashMap<AppId, Option<Policy>>>,
    /// For those of which this node only holds copies.
    others: Session,
}

impl Policies {
    pub(super) fn new(config: &Config) -> Self {
        let policies = Self { known: RwLock::default(), others: config.session.clone() };
        policies.learn(AppId::of_path("/"), "/", &config.session);
        for app in &config.apps {
            policies.learn(AppId::of_path(app.session_path()), app.session_path(), &app.session);
        }
        policies
    }

    pub(super) fn learn(&self, app: AppId, path: &str, session: &Session) {
        self.known.write().insert(app, policy(path, session));
    }

    /// Whether sessions leave memory because they are idle.
    pub(super) fn any_swaps(&self) -> bool {
        let wants =
            |policy: &Option<Policy>| policy.as_ref().is_some_and(|policy| policy.swap_idle.is_some());
        self.others.swap_idle.is_some() || self.known.read().values().any(wants)
    }

    /// What this application wants; `None`: not to be stored.
    pub(super) fn of(&self, app: AppId) -> Option<Policy> {
        if let Some(known) = self.known.read().get(&app) {
            return known.clone();
        }
        policy(&format!("app:{}", app.0), &self.others)
    }
}

fn policy(name: &str, session: &Session) -> Option<Policy> {
    // A path that no store takes as a name was refused by the configuration.
    let app = AppName::new(name).ok()?;
    let Session { persist, save, backup_idle, swap_idle, .. } = *session;
    persist.then_some(Policy { app, carried: session.is_carried(), save, backup_idle, swap_idle })
}
