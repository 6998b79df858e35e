//! A reload: the balancer's file is read again, for SIGHUP and for `sessile balance reload`.

use std::io;
use std::sync::Arc;

use sessile_balancer::{BackendControl, Reload};

use super::command_line::CommandLine;
use crate::hangup::Hangups;

/// Reads the file again, with what the command line says beside it. Nothing where there is no file.
pub(super) fn of(line: Arc<CommandLine>, control: BackendControl) -> Option<Reload> {
    let file = line.config.clone()?;
    Some(Arc::new(move || {
        let config = line.configuration().map_err(|error| error.to_string());
        let reloaded = config.and_then(|config| control.reload(&config).map_err(|error| error.to_string()));
        let file = file.display();
        match reloaded {
            Ok(reloaded) => {
                let summary = reloaded.summary();
                tracing::info!(%file, "the file was read again: {summary}");
                Ok(format!("{file} was read again: {summary}"))
            }
            Err(error) => {
                tracing::error!(%file, %error, "the file cannot be used; everything stays as it is");
                Err(format!("{file} cannot be used: {error}"))
            }
        }
    }))
}

/// Listens for SIGHUP from now on; the future reloads for ever. Without a file, the signal changes nothing.
pub(super) fn follow(reload: Option<Reload>) -> io::Result<impl Future<Output = ()>> {
    let mut hangups = Hangups::listen()?;
    Ok(async move {
        loop {
            hangups.next().await;
            if let Some(reload) = reload.clone() {
                // What came of it is in the log; a panic is as well.
                let _ = tokio::task::spawn_blocking(move || reload().is_ok()).await;
            }
        }
    })
}
