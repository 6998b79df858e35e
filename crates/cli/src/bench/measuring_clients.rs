//! All clients of a run; every step of the measurement runs on all clients at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::load_client::{LoadClient, Unanswered};
use super::samples::Samples;
use super::verdict::Violation;
use super::workload::Workload;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::stop::StopRequest;

/// A client gives up after this many requests in a row without a good answer.
const MAX_UNANSWERED: u32 = 20;
/// Pause after a request without a good answer.
const PAUSE: Duration = Duration::from_millis(50);
/// Most rounds of creating, changing and ending a session at the end.
const MAX_ENDINGS: u64 = 50;
/// Most error texts kept for each client.
const KEPT_WORDS: usize = 5;

/// What each client does, and how often.
#[derive(Debug, Clone)]
pub(crate) struct ClientPlan {
    pub(crate) workload: Workload,
    /// Of each client.
    pub(crate) repetitions: u64,
    pub(crate) pace: Pace,
    /// The nodes by name, if their own copies are readable without the balancer.
    pub(crate) nodes: Vec<(String, SocketAddr)>,
}

/// The time between two repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A pause after each response, as in the article.
    Pause(Duration),
    /// A fixed interval between requests; a late request is sent at once.
    Interval(Duration),
}

/// What the clients measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientMeasurements {
    /// First byte sent to last byte read, of each repetition.
    pub(crate) response: Samples,
    /// From the last byte of the response until the other nodes show the change.
    pub(crate) visible: Samples,
    pub(crate) remove: Samples,
    pub(crate) invalidate: Samples,
    /// Requests without a good answer.
    pub(crate) unanswered: u64,
    /// Error texts of some of these requests.
    pub(crate) words: Vec<String>,
    pub(crate) faults: Vec<Violation>,
    /// Duration from the first to the last repetition.
    pub(crate) lasted: Duration,
}

/// The clients between two steps.
pub(crate) struct MeasuringClients {
    clients: Vec<LoadClient>,
    plan: Arc<ClientPlan>,
    stop: StopRequest,
    pub(crate) measured: ClientMeasurements,
}

impl MeasuringClients {
    /// Creates `threads` clients of the server at `at`, each with its own filled session.
    pub(crate) async fn set_up(
        at: SocketAddr,
        threads: u64,
        plan: ClientPlan,
        stop: StopRequest,
    ) -> Result<Self, Failure> {
        let mut clients = Vec::new();
        for number in 0..threads {
            let mut load_client = LoadClient::new(at, plan.workload, number);
            load_client.set_up().await.map_err(|words| {
                Failure::Failed(format!("http://{at}/clusterapp: no session could be created: {words}"))
            })?;
            clients.push(load_client);
        }
        Ok(Self { clients, plan: Arc::new(plan), stop, measured: ClientMeasurements::default() })
    }

    /// Runs all repetitions, or stops early when the user requests it.
    pub(crate) async fn repeat(&mut self, progress: &ProgressBar) {
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        for load_client in self.clients.drain(..) {
            let (mut run, progress) = (ClientRun::new(load_client, &self.plan), progress.clone());
            let stop = self.stop.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = run.repeat(&progress) => {}
                    () = stop.requested() => run.interrupted(),
                }
                run
            });
        }
        while let Some(done) = tasks.join_next().await {
            self.take(done.expect("a client does not panic"));
        }
        self.measured.lasted = began.elapsed();
    }

    /// Verifies every session, then removes attributes, ends sessions and creates new ones, one client at a
    /// time.
    pub(crate) async fn end(&mut self) {
        for load_client in std::mem::take(&mut self.clients) {
            let mut run = ClientRun::new(load_client, &self.plan);
            let stop = self.stop.clone();
            tokio::select! {
                () = run.end() => {}
                () = stop.requested() => {}
            }
            self.take(run);
        }
    }

    fn take(&mut self, run: ClientRun) {
        let ClientRun { mut load_client, measured, .. } = run;
        self.measured.faults.append(&mut load_client.faults);
        self.measured.add(measured);
        self.clients.push(load_client);
    }
}

/// One client at work.
struct ClientRun {
    load_client: LoadClient,
    plan: Arc<ClientPlan>,
    nodes: Vec<(String, Connection)>,
    measured: ClientMeasurements,
}

impl ClientRun {
    fn new(load_client: LoadClient, plan: &Arc<ClientPlan>) -> Self {
        let nodes = plan.nodes.iter().map(|(name, at)| (name.clone(), Connection::new(*at))).collect();
        Self { load_client, plan: Arc::clone(plan), nodes, measured: ClientMeasurements::default() }
    }

    async fn repeat(&mut self, progress: &ProgressBar) {
        let (began, mut in_a_row) = (Instant::now(), 0);
        for repetition in 0..self.plan.repetitions {
            let done = self.once(repetition).await;
            in_a_row = if done { 0 } else { in_a_row + 1 };
            if in_a_row == MAX_UNANSWERED {
                return;
            }
            progress.inc(1);
            match self.plan.pace {
                Pace::Pause(pause) => sleep(pause).await,
                Pace::Interval(interval) => {
                    let due =
                        began + interval.saturating_mul(u32::try_from(repetition + 1).unwrap_or(u32::MAX));
                    sleep_until(due.into()).await;
                }
            }
        }
    }

    /// Changes an attribute and reads it back; false without an answer.
    async fn once(&mut self, repetition: u64) -> bool {
        let Some(took) = self.measured.answered(self.load_client.change(repetition).await) else {
            sleep(PAUSE).await;
            return false;
        };
        self.measured.response.push(took);
        if self.nodes.is_empty() {
            return self.measured.answered(self.load_client.read_back(repetition).await).is_some();
        }
        let seen = self.load_client.until_visible(repetition, &mut self.nodes).await;
        let Some(after) = self.measured.answered(seen) else { return false };
        self.measured.visible.push(after);
        true
    }

    async fn end(&mut self) {
        let read = self.load_client.read_all().await;
        self.measured.answered(read);
        for _ in 0..(self.plan.repetitions / 10).clamp(1, MAX_ENDINGS) {
            let removed = self.load_client.remove(&self.plan.workload.name(0)).await;
            let ended = self.load_client.invalidate().await;
            let made = self.load_client.set_up().await;
            let ClientMeasurements { remove, invalidate, .. } = &mut self.measured;
            removed.iter().for_each(|took| remove.push(*took));
            ended.iter().for_each(|took| invalidate.push(*took));
            for failed in [removed, ended, made].into_iter().filter(Result::is_err) {
                self.measured.answered(failed);
            }
        }
    }

    /// The interrupted request may have been processed: later reads must not be judged against it.
    fn interrupted(&mut self) {
        self.load_client.forget();
    }
}

impl ClientMeasurements {
    /// Whether the run has neither violations nor missing answers.
    pub(crate) fn is_good(&self) -> bool {
        self.faults.is_empty() && self.unanswered == 0
    }

    fn answered<T>(&mut self, outcome: Result<T, Unanswered>) -> Option<T> {
        match outcome {
            Ok(good) => Some(good),
            Err(words) => {
                self.unanswered += 1;
                if self.words.len() < KEPT_WORDS {
                    self.words.push(words);
                }
                None
            }
        }
    }

    fn add(&mut self, other: Self) {
        for (all, more) in [
            (&mut self.response, other.response),
            (&mut self.visible, other.visible),
            (&mut self.remove, other.remove),
            (&mut self.invalidate, other.invalidate),
        ] {
            all.extend(&more);
        }
        self.unanswered += other.unanswered;
        self.words.extend(other.words);
        self.faults.extend(other.faults);
    }
}
