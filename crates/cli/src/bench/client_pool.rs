//! A pool of writing clients, one session each: closed loop (as fast as possible) or open loop (at a fixed
//! rate).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::interrupt::Interval;
use super::latency::Latency;
use super::light_client::{LightClient, LightClientError};
use super::timeline::Timeline;
use crate::failure::Failure;

/// Most intended requests that queue for one client; further ones count as never sent.
const MAX_BACKLOG: usize = 100_000;
/// Pause after a failed request, so that a dead server is not flooded.
const PAUSE: Duration = Duration::from_millis(20);

/// Content of each session and of each write.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionContent {
    /// Attributes of a session; writes take turns among them.
    pub(super) attributes: u64,
    /// Bytes of each value.
    pub(super) size: usize,
}

/// The clients with their sessions.
#[derive(Debug)]
pub(super) struct ClientPool {
    clients: Vec<PoolClient>,
    /// Whether the time of each answer is kept.
    keeps_moments: bool,
}

/// One client.
#[derive(Debug)]
pub(super) struct PoolClient {
    pub(super) http: LightClient,
    content: SessionContent,
    /// The version of the last attempted write.
    pub(super) version: u64,
}

/// The result of one interval of load.
#[derive(Debug, Clone)]
pub(super) struct LoadResult {
    pub(super) latency: Latency,
    /// The intended time of each answer, if kept.
    pub(super) moments: Option<Timeline>,
    pub(super) failed: u64,
    /// Intended requests that were still queued at the end, or found the queue full.
    pub(super) never_sent: u64,
    pub(super) elapsed: Duration,
    /// The first error, in words.
    pub(super) first_error: Option<String>,
}

impl ClientPool {
    /// Connects `connections` clients to `at` and fills a session for each.
    pub(super) async fn connect(
        at: SocketAddr,
        connections: usize,
        content: SessionContent,
    ) -> Result<Self, Failure> {
        let mut clients = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut client = PoolClient { http: LightClient::new(at), content, version: 0 };
            client.fill().await.map_err(|why| Failure::Failed(format!("no session at {at}: {why}")))?;
            clients.push(client);
        }
        Ok(Self { clients, keeps_moments: false })
    }

    /// The same, but keeps the intended time of each answer: for short intervals only.
    pub(super) fn with_moments(self) -> Self {
        Self { keeps_moments: true, ..self }
    }

    /// Writes until the interval is over. Without a `rate`, each client sends its next write when it has its
    /// answer. With a `rate`, all clients together send that many writes a second, whether answers come or
    /// not; a latency then counts from the intended start.
    pub(super) async fn drive(&mut self, rate: Option<f64>, interval: &Interval) -> LoadResult {
        let began = Instant::now();
        let (mut tasks, mut turns) = (JoinSet::new(), Vec::new());
        for mut client in self.clients.drain(..) {
            let (turn, mine) = mpsc::channel(if rate.is_some() { MAX_BACKLOG } else { 1 });
            turns.push(turn);
            let interval = interval.clone();
            let mut load =
                LoadResult { moments: self.keeps_moments.then(Timeline::default), ..LoadResult::none() };
            tasks.spawn(async move {
                match rate {
                    None => client.write_closed(&interval, &mut load).await,
                    Some(_) => client.write_open(mine, &interval, &mut load).await,
                }
                (client, load)
            });
        }
        let pace = rate.map(|rate| {
            let interval = interval.clone();
            std::thread::spawn(move || pace(rate, turns, &interval))
        });
        let mut sum = LoadResult::none();
        while let Some(Ok((client, load))) = tasks.join_next().await {
            self.clients.push(client);
            sum.add(&load);
        }
        // The pacing thread ends with the interval and does not panic.
        sum.never_sent += pace.and_then(|pace| pace.join().ok()).unwrap_or(0);
        sum.elapsed = began.elapsed();
        sum
    }
}

/// Hands the intended start of each request to the clients in turn; returns the number of requests that found
/// a full queue. Runs on its own thread, because timers of the runtime have a resolution of one millisecond.
fn pace(rate: f64, turns: Vec<mpsc::Sender<Instant>>, interval: &Interval) -> u64 {
    let (began, mut unsent) = (Instant::now(), 0);
    for (number, turn) in (0_u32..).zip(turns.iter().cycle()) {
        let intended = began + Duration::from_secs_f64(f64::from(number) / rate);
        if intended >= interval.end || interval.is_over() {
            break;
        }
        std::thread::sleep(intended.saturating_duration_since(Instant::now()));
        unsent += u64::from(turn.try_send(intended).is_err());
    }
    unsent
}

impl PoolClient {
    /// A client that continues the session of `http`.
    pub(super) fn new(http: LightClient, content: SessionContent) -> Self {
        Self { http, content, version: 0 }
    }

    /// Creates the session with all its attributes.
    pub(super) async fn fill(&mut self) -> Result<(), String> {
        let SessionContent { attributes, size } = self.content;
        let target = format!("/clusterapp/session?cmd=add&name=a&count={attributes}&size={size}&v=0");
        self.post(&target).await
    }

    /// Writes the next version into the next attribute, and waits for the answer.
    pub(super) async fn write(&mut self) -> Result<(), String> {
        let next = (self.version + 1) % self.content.attributes;
        self.write_into(&format!("a{next}")).await
    }

    /// Writes the next version into this attribute, and waits for the answer.
    pub(super) async fn write_into(&mut self, name: &str) -> Result<(), String> {
        self.version += 1;
        let (size, v) = (self.content.size, self.version);
        self.post(&format!("/clusterapp/session?cmd=add&name={name}&size={size}&v={v}")).await
    }

    async fn post(&mut self, target: &str) -> Result<(), String> {
        match self.http.send("POST", target).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => {
                Err(format!("status {}: {}", answer.status, String::from_utf8_lossy(answer.body).trim()))
            }
            Err(none) => Err(LightClientError::to_string(&none)),
        }
    }

    async fn write_closed(&mut self, interval: &Interval, load: &mut LoadResult) {
        while !interval.is_over() {
            let intended = Instant::now();
            self.write_timed(intended, load).await;
        }
    }

    async fn write_open(
        &mut self,
        mut turns: mpsc::Receiver<Instant>,
        interval: &Interval,
        load: &mut LoadResult,
    ) {
        while let Some(intended) = turns.recv().await {
            if interval.is_over() {
                load.never_sent += 1 + turns.len() as u64;
                break;
            }
            self.write_timed(intended, load).await;
        }
    }

    async fn write_timed(&mut self, intended: Instant, load: &mut LoadResult) {
        match self.write().await {
            Ok(()) => {
                let took = intended.elapsed();
                load.latency.record(took);
                load.moments.iter_mut().for_each(|moments| moments.push(intended, took));
            }
            Err(why) => {
                load.failed += 1;
                load.first_error.get_or_insert(why);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl LoadResult {
    pub(super) fn none() -> Self {
        let (latency, elapsed) = (Latency::new(), Duration::ZERO);
        Self { latency, moments: None, failed: 0, never_sent: 0, elapsed, first_error: None }
    }

    /// Adds the result of another interval, or of another client in the same interval.
    pub(super) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        if let Some(moments) = &other.moments {
            self.moments.get_or_insert_default().add(moments);
        }
        self.failed += other.failed;
        self.never_sent += other.never_sent;
        self.elapsed += other.elapsed;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }

    /// Acknowledged writes.
    pub(super) fn writes(&self) -> u64 {
        self.latency.percentiles().count
    }

    /// Acknowledged writes a second.
    pub(super) fn per_second(&self) -> f64 {
        self.writes() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
