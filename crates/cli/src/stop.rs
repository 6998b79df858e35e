//! The operator's request that the program stops: Ctrl-C everywhere, SIGTERM where there are signals.
//!
//! The first one asks for a graceful stop, the second one insists: then what runs is cut. Where whoever started the
//! program holds its standard input, the end of that asks as well.

use std::io;

use tokio::sync::watch;

/// How often the operator asked so far. Clones hear the same operator.
#[derive(Debug, Clone)]
pub(crate) struct StopRequest(watch::Receiver<u32>);

impl StopRequest {
    /// Listens from now on; the system's own answer, which ends the process at once, is off.
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_to(false)
    }

    /// The same, and the end of standard input counts as the first one.
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

    /// Ready once a stop was asked for.
    pub(crate) async fn requested(&self) {
        self.heard(1).await;
    }

    /// Whether a stop was asked for.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Ready once a stop was asked for again.
    pub(crate) async fn forced(&self) {
        self.heard(2).await;
    }

    async fn heard(&self, times: u32) {
        let mut request = self.0.clone();
        if request.wait_for(|asked| *asked >= times).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Asks once when nobody holds the other end of standard input any more.
async fn count_end_of_input(count: watch::Sender<u32>) {
    // What is written there means nothing; an error is an end as well.
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
