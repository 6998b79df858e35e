//! SIGHUP, on systems with signals: the listener reloads its files.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP signals of this process. While this exists, SIGHUP does not end the process.
#[derive(Debug)]
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: Signal,
}

impl Hangups {
    /// Listens from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signal: signal(SignalKind::hangup())?,
        })
    }

    /// Ready at the next SIGHUP; never on systems without signals.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}
