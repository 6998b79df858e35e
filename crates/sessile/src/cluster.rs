//! (temporary: the driver's)
#![allow(missing_docs)]
use std::time::Duration;

use sessile_core::{Boot, SessionKey, Standing};

use crate::Config;

#[derive(Clone)]
pub struct Cluster;

pub struct MemberView {
    pub name: String,
    pub boot: Boot,
    pub address: String,
    pub state: &'static str,
    pub age: Duration,
    pub is_self: bool,
}

pub struct SessionView {
    pub key: SessionKey,
    pub app: String,
    pub attributes: usize,
    pub bytes: usize,
    pub idle: Duration,
    pub copies: u32,
}

impl Cluster {
    pub fn config(&self) -> &Config {
        unimplemented!()
    }
    pub fn standing(&self) -> Standing {
        unimplemented!()
    }
    pub fn is_ready(&self) -> bool {
        unimplemented!()
    }
    pub fn members(&self) -> Vec<MemberView> {
        unimplemented!()
    }
    pub fn sessions(&self, _: Option<SessionKey>, _: usize) -> Vec<SessionView> {
        unimplemented!()
    }
    pub fn metrics(&self) -> String {
        unimplemented!()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Incomplete;
impl Cluster {
    pub async fn join(_: Config) -> Result<Self, Incomplete> {
        unimplemented!()
    }
    pub async fn drain(&self, _: Duration) -> Result<(), Incomplete> {
        unimplemented!()
    }
    pub async fn leave(&self) {
        unimplemented!()
    }
    pub fn name(&self) -> &str {
        unimplemented!()
    }
    pub fn app_layer(&self, _: &crate::config::App) -> u8 {
        unimplemented!()
    }
}
