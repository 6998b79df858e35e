//! Replicated HTTP sessions in memory: sessions that stay when servers go.

mod cluster;
mod web;

pub use web::{
    Network, NoSessionLayer, NotANetwork, OnEnded, Outcome, PathFilter, SameSite, Secure, Session,
    SessionError, SessionLayer, SessionService, SessionSettings, SettingError, Statistics,
};
