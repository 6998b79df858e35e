//! `sessile bench lag`: time from sending a write, and from its answer, until the other node shows the value.

use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::client_pool::{PoolClient, SessionContent};
use super::cluster::{Nodes, Replication};
use super::interrupt::{Interrupt, Interval};
use super::latency::{Latency, Percentiles};
use super::light_client::LightClient;
use super::output_options::BenchFindings;
use super::report::{Row, plot};
use super::run_settings::{Circumstances, RunSettings};
use super::table::{Table, microseconds};
use super::usage::Watch;
use crate::failure::Failure;

/// Longest wait until a write is visible.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest time for all writes together.
const BOUND: Duration = Duration::from_secs(300);
/// Writes in a --quick run.
const QUICK: u32 = 20;

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct LagBench {
    /// Number of sequential writes
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    writes: u32,
    /// Bytes of each value
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    size: u32,
    #[command(flatten)]
    replication: Replication,
    #[command(flatten)]
    settings: RunSettings,
}

/// The findings.
#[derive(Debug, Serialize)]
struct LagReport {
    replication: String,
    value_bytes: u32,
    /// From sending the request until its answer.
    response: Percentiles,
    /// From sending the request until a read at the other node showed the value.
    seen_after_sending: Percentiles,
    /// From the answer until then; 0 if the value was visible before the answer.
    seen_after_answer: Percentiles,
    /// Duration of one read at the other node: the resolution of the measurement.
    look: Percentiles,
    #[serde(skip)]
    seen: LagSamples,
    #[serde(flatten)]
    circumstances: Circumstances,
}

/// Latencies of one kind each.
#[derive(Debug)]
struct LagSamples {
    response: Latency,
    after_sending: Latency,
    after_answer: Latency,
    look: Latency,
}

#[derive(Deserialize)]
struct PeekedValue {
    sid: Option<String>,
    v: Option<u64>,
}

impl LagBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.replication.manager == "local" {
            return Err(Failure::Usage("manager `local` shows nothing on the other node".to_owned()));
        }
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("lag")?);
        let nodes = Nodes::start(2, &self.replication).await?;
        let measured = self.measure(&nodes, &interrupt).await;
        nodes.stop().await;
        sink.show(&measured?)
    }

    async fn measure(&self, nodes: &Nodes, interrupt: &Interrupt) -> Result<LagReport, Failure> {
        let content = SessionContent { attributes: 1, size: self.size as usize };
        let mut writer = PoolClient::new(LightClient::new(nodes.http(0)), content);
        writer.fill().await.map_err(Failure::Failed)?;
        let sid = sid_of(&mut writer.http).await?;
        let mut reader = LightClient::new(nodes.http(1));
        let mut tries = 0;
        loop {
            tries += 1;
            let watch = Watch::start(nodes.ids());
            let seen = self.writes(&mut writer, &mut reader, &sid, &interrupt.after(BOUND)).await?;
            let usage = watch.stop();
            if interrupt.is_requested() || !self.settings.again(&usage, tries)? {
                let circumstances =
                    Circumstances { foreign_cpu: usage.foreign, interrupted: interrupt.is_requested() };
                return Ok(self.report(seen, circumstances));
            }
        }
    }

    async fn writes(
        &self,
        writer: &mut PoolClient,
        reader: &mut LightClient,
        sid: &str,
        interval: &Interval,
    ) -> Result<LagSamples, Failure> {
        let [response, after_sending, after_answer, look] = std::array::from_fn(|_| Latency::new());
        let mut seen = LagSamples { response, after_sending, after_answer, look };
        for _ in 0..if self.settings.quick() { QUICK } else { self.writes } {
            if interval.is_over() {
                break;
            }
            let (sent, v) = (Instant::now(), writer.version + 1);
            let answered = async { writer.write().await.map(|()| Instant::now()).map_err(Failure::Failed) };
            let (answered, showed) = tokio::try_join!(answered, shows(reader, sid, v, &mut seen.look))?;
            seen.response.record(answered - sent);
            seen.after_sending.record(showed - sent);
            seen.after_answer.record(showed.saturating_duration_since(answered));
        }
        Ok(seen)
    }

    fn report(&self, seen: LagSamples, circumstances: Circumstances) -> LagReport {
        let Replication { mode, manager } = &self.replication;
        LagReport {
            replication: format!("2 nodes, {mode}, {manager}, encrypted"),
            value_bytes: self.size,
            response: seen.response.percentiles(),
            seen_after_sending: seen.after_sending.percentiles(),
            seen_after_answer: seen.after_answer.percentiles(),
            look: seen.look.percentiles(),
            seen,
            circumstances,
        }
    }
}

/// The key of the client's session.
pub(super) async fn sid_of(http: &mut LightClient) -> Result<String, Failure> {
    let answer = http.send("POST", "/clusterapp/session?cmd=show&name=a0").await;
    let answer = answer.map_err(|none| Failure::Failed(format!("show: {none}")))?;
    let sid = serde_json::from_slice::<PeekedValue>(answer.body).ok().and_then(|reply| reply.sid);
    sid.ok_or_else(|| Failure::Failed("the response has no session key (`sid`)".to_owned()))
}

/// The version in a node's own copy; `None` without a copy.
pub(super) async fn peek(http: &mut LightClient, sid: &str) -> Result<Option<u64>, Failure> {
    let answer = http.send("GET", &format!("/clusterapp/session?cmd=peek&sid={sid}&name=a0")).await;
    let answer = answer.map_err(|none| Failure::Failed(format!("peek: {none}")))?;
    if answer.status != 200 {
        let words = String::from_utf8_lossy(answer.body);
        return Err(Failure::Failed(format!("peek: status {}: {words}", answer.status)));
    }
    let reply: Result<PeekedValue, _> = serde_json::from_slice(answer.body);
    Ok(reply.map_err(|error| Failure::Failed(format!("peek: {error}")))?.v)
}

/// The time at which a read showed version `v`.
async fn shows(http: &mut LightClient, sid: &str, v: u64, looks: &mut Latency) -> Result<Instant, Failure> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let look = Instant::now();
        let found = peek(http, sid).await?;
        looks.record(look.elapsed());
        if found.is_some_and(|found| found >= v) {
            return Ok(Instant::now());
        }
    }
    Err(Failure::Failed(format!("the other node did not show a write within {PATIENCE:?}")))
}

impl BenchFindings for LagReport {
    fn table(&self) -> Table {
        let mut table = Table::new(["lag", "p50", "p90", "p99", "longest"]);
        for (name, of) in self.kinds() {
            let [p50, p90, p99, max] = [of.p50_us, of.p90_us, of.p99_us, of.max_us].map(microseconds);
            table.row([name.to_owned(), p50, p90, p99, max]);
        }
        let (writes, bytes) = (self.response.count, self.value_bytes);
        table.remark(format!("{writes} writes of {bytes} B; {}", self.replication));
        table.remark(self.circumstances.words());
        table
    }

    fn rows(&self) -> Vec<Row> {
        let row = |(name, of): (&str, Percentiles)| {
            let mut row = Row::new(name);
            row.figure("count", "", of.count as f64);
            row.latency("time", &of);
            row
        };
        self.kinds().map(row).to_vec()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn plots(&self) -> Vec<String> {
        let LagSamples { response, after_sending, after_answer, look } = &self.seen;
        let names = self.kinds().map(|(name, _)| name);
        let curves = [response, after_sending, after_answer, look].map(Latency::curve);
        let lines: Vec<_> = names.into_iter().zip(curves).collect();
        vec![plot::percentiles("from sending and from the answer until a write is seen", &lines)]
    }
}

impl LagReport {
    fn kinds(&self) -> [(&'static str, Percentiles); 4] {
        [
            ("response", self.response),
            ("seen on the other node, from sending", self.seen_after_sending),
            ("seen on the other node, from the answer", self.seen_after_answer),
            ("one look (nothing shorter is seen)", self.look),
        ]
    }
}
