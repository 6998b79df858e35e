//! The operator's stop request: Ctrl-C everywhere, SIGTERM on Unix.
//!
//! The first request asks for a graceful stop, the second one forces it: running work is cut. With
//! [`StopRequest::listen_with_stdin`] the end of standard input counts as the first request.

use std::io;

use tokio::sync::watch;

/// Number of stop requests so far. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct StopRequest(watch::Receiver<u32>);

impl StopRequest {
    /// Starts to listen; the default action of the signals, which ends the process, is off.
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_to(false)
    }

    /// The same; the end of standard input counts as a request.
    pub(crate) fn listen_with_stdin() -> io::Result<Self> {
        Self::listen_to(true)
    }

    fn listen_to(stdin: bool) -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (count, request) = watch::channel(0);
        if stdin {
            tokio::spawn(count_end_of_input(count.clone()));
        }
        tokio::spawn(async move {
            while signals.next().await.is_ok() {
                count.send_modify(|asked: &mut u32| *asked += 1);
            }
        });
        Ok(Self(request))
    }

    /// Ready when a stop was requested.
    pub(crate) async fn requested(&self) {
        self.heard(1).await;
    }

    /// Whether a stop was requested.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Ready when a stop was requested a second time.
    pub(crate) async fn forced(&self) {
        self.heard(2).await;
    }

    async fn heard(&self, times: u32) {
        let mut request = self.0.clone();
        if request.wait_for(|asked| *asked >= times).await.is_err() {
            // No request can come any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Requests a stop when standard input ends.
async fn count_end_of_input(count: watch::Sender<u32>) {
    // Input is ignored; an error counts as the end.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
    count.send_modify(|asked| *asked += 1);
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok(()),
            _ = self.terminate.recv() => Ok(()),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}
