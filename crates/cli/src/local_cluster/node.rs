//! One node as a separate process: start, kill, log.
//!
//! Its standard input is an unused pipe. When this program ends for any reason, the system closes the pipe,
//! and the node stops (`serve --stop-with-stdin`).

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::log_line::LogLine;
use super::plan::NodePlan;

/// Longest wait for a stopping node; then it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// An event of a node's process.
#[derive(Debug)]
pub(crate) enum NodeEvent {
    Logged { node: &'static str, line: LogLine },
    Ended { node: &'static str, status: String },
}

/// A node's process, running or ended.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    pub(crate) id: u32,
    pipe: ChildStdin,
    kill: Option<oneshot::Sender<()>>,
    ended: watch::Receiver<bool>,
}

impl NodeProcess {
    /// Starts the node with the configuration in `place`; its log is written there too.
    pub(crate) fn start(
        plan: &NodePlan,
        place: &Path,
        log: &str,
        events: mpsc::Sender<NodeEvent>,
    ) -> io::Result<Self> {
        let mut program = Command::new(std::env::current_exe()?);
        program.args(["serve", "--stop-with-stdin", "--log-format", "json", "--log", log, "--config"]);
        program.arg(place.join(format!("{}.toml", plan.name)));
        // What is meant for one node would change all of them.
        std::env::vars_os().filter(|(name, _)| is_override(name)).for_each(|(name, _)| {
            program.env_remove(name);
        });
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        // A separate process group: Ctrl-C in the terminal reaches this program only, which then stops its
        // nodes.
        #[cfg(unix)]
        program.process_group(0);
        let mut child = program.spawn()?;
        let id = child.id().ok_or_else(|| io::Error::other("it ended at once"))?;
        let pipe = child.stdin.take().ok_or_else(|| io::Error::other("no pipe to it"))?;
        let said = child.stderr.take().ok_or_else(|| io::Error::other("no pipe from it"))?;
        let (kill, killed) = oneshot::channel();
        let (end, ended) = watch::channel(false);
        let heard =
            tokio::spawn(listen(said, plan.name, place.join(format!("{}.log", plan.name)), events.clone()));
        let node = plan.name;
        tokio::spawn(async move {
            let status = attend(child, killed).await;
            // Report the end after all log lines.
            let _ = heard.await;
            end.send_replace(true);
            let _ = events.try_send(NodeEvent::Ended { node, status });
        });
        Ok(Self { id, pipe, kill: Some(kill), ended })
    }

    pub(crate) fn is_alive(&self) -> bool {
        !*self.ended.borrow()
    }

    /// Kills the process (SIGKILL) and waits for its end.
    pub(crate) async fn kill(&mut self) {
        if let Some(kill) = self.kill.take() {
            // An error means that it has ended already.
            let _ = kill.send(());
        }
        self.gone().await;
    }

    /// Stops the process gracefully; kills it after [`STOP_PATIENCE`].
    pub(crate) async fn stop(mut self) {
        let (ended, kill) = (self.ended.clone(), self.kill.take());
        drop(self.pipe);
        if timeout(STOP_PATIENCE, until_ended(ended.clone())).await.is_err()
            && let Some(kill) = kill
        {
            let _ = kill.send(());
            until_ended(ended).await;
        }
    }

    /// Ready once the process is gone.
    pub(crate) async fn gone(&self) {
        until_ended(self.ended.clone()).await;
    }
}

async fn until_ended(mut ended: watch::Receiver<bool>) {
    // An error means that the watching task has ended, so the process has ended too.
    let _ = ended.wait_for(|ended| *ended).await;
}

/// Waits for the end of the process, or kills it on request; returns how it ended, in words.
async fn attend(mut child: Child, killed: oneshot::Receiver<()>) -> String {
    let wish = async {
        if killed.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let status = tokio::select! {
        status = child.wait() => status,
        () = wish => match child.start_kill() {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        },
    };
    status.map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string())
}

/// Copies the log to a file and sends parsed lines as events. If the channel is full, the event is in the
/// file only.
async fn listen(
    said: ChildStderr,
    node: &'static str,
    file: std::path::PathBuf,
    events: mpsc::Sender<NodeEvent>,
) {
    let log = File::options().create(true).append(true).open(&file).await;
    let mut log =
        log.inspect_err(|error| tracing::warn!("{}: {error}; the log is not kept", file.display())).ok();
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(log) = &mut log
            && let Err(error) = log.write_all(format!("{line}\n").as_bytes()).await
        {
            tracing::warn!("{}: {error}", file.display());
        }
        if let Some(line) = LogLine::parse(&line) {
            let _ = events.try_send(NodeEvent::Logged { node, line });
        }
    }
    if let Some(log) = &mut log {
        let _ = log.flush().await;
    }
}

/// Whether a variable of the environment stands for a key of the configuration.
fn is_override(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("SESSILE_") && name.contains("__"))
}
