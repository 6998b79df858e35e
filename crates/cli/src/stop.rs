//! The operator's wish that the program stops: Ctrl-C everywhere, SIGTERM where there are signals.
//!
//! The first one asks for a graceful stop, the second one insists: then what runs is cut.

use std::io;

use tokio::sync::watch;

/// How often the operator asked so far. Clones hear the same operator.
#[derive(Debug, Clone)]
pub(crate) struct StopWish(watch::Receiver<u32>);

impl StopWish {
    /// Listens from now on; the system's own answer, which ends the process at once, is off.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (count, wish) = watch::channel(0);
        tokio::spawn(async move {
            while signals.next().await.is_ok() {
                count.send_modify(|asked: &mut u32| *asked += 1);
            }
        });
        Ok(Self(wish))
    }

    /// Ready once a stop was asked for.
    pub(crate) async fn asked(&self) {
        self.heard(1).await;
    }

    /// Ready once a stop was asked for again.
    pub(crate) async fn insisted(&self) {
        self.heard(2).await;
    }

    async fn heard(&self, times: u32) {
        let mut wish = self.0.clone();
        if wish.wait_for(|asked| *asked >= times).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
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
