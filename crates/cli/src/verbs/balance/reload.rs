//! SIGHUP: the balancer's file is read again, and its nodes are followed.

use std::io;
use std::path::{Path, PathBuf};

use sessile_balancer::{BackendControl, BalanceConfig};

use crate::hangup::Hangups;
use crate::{balancer_file, report};

/// Listens from now on; the future follows the file for ever. Without a file, SIGHUP changes nothing.
pub(super) fn follow(file: Option<PathBuf>, control: BackendControl) -> io::Result<impl Future<Output = ()>> {
    let mut hangups = Hangups::listen()?;
    Ok(async move {
        let Some(file) = file else { return std::future::pending().await };
        let started_with = balancer_file::load(&file).map(|config| config.balance).ok();
        loop {
            hangups.next().await;
            read_again(&file, started_with.as_ref(), &control);
        }
    })
}

/// Takes over the nodes of the file. One that cannot be used changes nothing.
fn read_again(file: &Path, started_with: Option<&BalanceConfig>, control: &BackendControl) {
    let config = match balancer_file::load(file) {
        Ok(config) => config,
        Err(error) => {
            report::error(&error);
            tracing::error!(file = %file.display(), "the file cannot be used; the nodes stay as they are");
            return;
        }
    };
    match control.follow(&config.nodes) {
        Ok(followed) => {
            let listed = |names: &[String]| names.join(" ");
            let (added, removed) = (listed(&followed.added), listed(&followed.removed));
            let reweighted = listed(&followed.reweighted);
            tracing::info!(file = %file.display(), added, removed, reweighted, "the file was read again");
        }
        Err(error) => tracing::error!(file = %file.display(), %error, "the nodes were not changed"),
    }
    if started_with.is_some_and(|started_with| *started_with != config.balance) {
        tracing::warn!(file = %file.display(), "[balance] has changed: that takes effect with the next start");
    }
}
