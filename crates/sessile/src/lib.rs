//! Replicated HTTP sessions in memory: sessions that stay when servers go.

mod cluster;
mod web;

pub use sessile_core::{Receipt, SessionKey};
pub use web::{
    Network, NoSessionLayer, NotANetwork, OnEnded, PathFilter, SameSite, Secure, Session, SessionError,
    SessionLayer, SessionService, SessionSettings, SettingError, Statistics,
};
