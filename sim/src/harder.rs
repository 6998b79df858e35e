//! What makes a run harder than its plan: time scales, tiny bounds, clocks that drift or freeze, stores that
//! lose records, and more. Each [`Draw`] has a random stream of its own, so that none of them shifts what the
//! plan, or another draw, does with a seed.

use std::time::Duration;

use sessile_core::{
    AckMembers, AckSet, Candidate, CommittedSession, Instant, SHARDS, Settings, SmallBounds, Timing,
};

use crate::history::HostId;
use crate::plan::{Fault, Plan, Routing};
use crate::rng::Rng;

/// One way of making a run harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Heartbeats, drop time and idle times of a third or less.
    TimeScale,
    /// Batches, listings, questions and kept replies of a few.
    TinyBounds,
    /// Fewer places for sessions than clients want.
    FewPlaces,
    /// Clocks that are up to 500 ppm too fast or too slow.
    Drift,
    /// Stores that are out of order for a while.
    FailingStore,
    /// Commits that wait for some members only.
    AckSets,
    /// Sessions with a greatest age.
    MaxAge,
    /// Requests of the process itself, without a secret.
    OutsideHttp,
    /// Requests that take longer than the idle time of their session.
    LongRequests,
    /// Two living processes of one name: one starts while the other is stopped.
    Twins,
    /// Few tombstones.
    FewTombstones,
    /// Few birth marks.
    FewMarks,
    /// A table of a few kilobytes.
    TinyTable,
    /// Stores that lose records.
    LossyStore,
    /// Virtual machines that are stopped together with their clock.
    FrozenClocks,
    /// No fault, but a check: the age in asynchronous receipts is not less than it is.
    AsyncAge,
    /// Tombstones that are forgotten a few seconds after every member acknowledged them: birth marks decide.
    ShortTombstones,
    /// Clients that mostly read, each on one node, while nodes die and nothing else happens.
    Readers,
    /// Few fetches from a store at once.
    FewFetches,
    /// Backlogs of few names, which then become walks over everything.
    FewNames,
    /// Few bytes on the way to a member.
    NarrowWindow,
    /// Listings in pieces of a few sessions where frames overtake each other.
    PiecesOutOfOrder,
}

impl Draw {
    /// All draws: the place of each is the number of its random stream, and never changes.
    pub const ALL: [Self; 22] = [
        Self::TimeScale,
        Self::TinyBounds,
        Self::FewPlaces,
        Self::Drift,
        Self::FailingStore,
        Self::AckSets,
        Self::MaxAge,
        Self::OutsideHttp,
        Self::LongRequests,
        Self::Twins,
        Self::FewTombstones,
        Self::FewMarks,
        Self::TinyTable,
        Self::LossyStore,
        Self::FrozenClocks,
        Self::AsyncAge,
        Self::ShortTombstones,
        Self::Readers,
        Self::FewFetches,
        Self::FewNames,
        Self::NarrowWindow,
        Self::PiecesOutOfOrder,
    ];

    /// Draws that show a known fault of the core, each with what is not mended. They are left out unless
    /// asked for.
    pub const NOT_HELD: [(Self, &'static str); 7] = [
        (Self::Twins, "K12"),
        (Self::FewTombstones, "K3"),
        (Self::TinyTable, "K6 and K7"),
        (Self::LossyStore, "K1 and K8"),
        (Self::FrozenClocks, "K11"),
        (
            Self::PiecesOutOfOrder,
            "a listing whose pieces overtake each other is thrown away, and never comes in order",
        ),
        (
            Self::AsyncAge,
            "the age in an asynchronous receipt forgets what waits in a backlog or was sent again",
        ),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeScale => "time-scale",
            Self::TinyBounds => "tiny-bounds",
            Self::FewPlaces => "few-places",
            Self::Drift => "drift",
            Self::FailingStore => "failing-store",
            Self::AckSets => "ack-sets",
            Self::MaxAge => "max-age",
            Self::OutsideHttp => "outside-http",
            Self::LongRequests => "long-requests",
            Self::Twins => "twins",
            Self::FewTombstones => "few-tombstones",
            Self::FewMarks => "few-marks",
            Self::TinyTable => "tiny-table",
            Self::LossyStore => "lossy-store",
            Self::FrozenClocks => "frozen-clocks",
            Self::AsyncAge => "async-age",
            Self::ShortTombstones => "short-tombstones",
            Self::Readers => "readers",
            Self::FewFetches => "few-fetches",
            Self::FewNames => "few-names",
            Self::NarrowWindow => "narrow-window",
            Self::PiecesOutOfOrder => "pieces-out-of-order",
        }
    }

    /// The draw of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|draw| draw.name() == name)
    }

    /// Its place in [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|draw| *draw == self).unwrap_or_default()
    }

    /// Seeds that have it, of 1,000.
    fn share(self) -> u32 {
        match self {
            Self::TimeScale | Self::Drift => 400,
            Self::LongRequests | Self::TinyBounds | Self::ShortTombstones => 250,
            Self::FewPlaces | Self::AckSets => 80,
            Self::AsyncAge => 1_000,
            _ => 150,
        }
    }
}

/// Which draws a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile(u32);

impl Profile {
    /// None: as seeds were before there were draws.
    pub const CLASSIC: Self = Self(0);

    /// Those that the core holds.
    pub fn held() -> Self {
        let not_held = |draw: &Draw| Draw::NOT_HELD.iter().any(|(known, _)| known == draw);
        Draw::ALL.into_iter().filter(|draw| !not_held(draw)).fold(Self::CLASSIC, Self::with)
    }

    /// All of them.
    pub fn harder() -> Self {
        Draw::ALL.into_iter().fold(Self::CLASSIC, Self::with)
    }

    /// The same with one draw more.
    #[must_use]
    pub fn with(self, draw: Draw) -> Self {
        Self(self.0 | 1 << draw.index())
    }

    /// Whether runs may have that draw.
    pub fn has(self, draw: Draw) -> bool {
        self.0 >> draw.index() & 1 == 1
    }
}

/// What one run has of the draws.
pub(crate) struct Harder {
    drawn: Profile,
    /// Times of the cluster.
    pub(crate) timing: Timing,
    /// Idle times of sessions in place of the plan's; empty for these.
    pub(crate) idle_times: Vec<Duration>,
    /// Most requests only read.
    pub(crate) reads: bool,
    /// Small fixed bounds of the core.
    pub(crate) limits: SmallBounds,
    max_active: Option<u64>,
    max_unconfirmed_bytes: Option<usize>,
    max_table_bytes: Option<usize>,
    /// When the stores are out of order.
    store_fails: Option<(Instant, Instant)>,
    /// What is drawn while the run goes on.
    pub(crate) rng: Rng,
}

impl Harder {
    /// What a seed has. May add faults to the plan.
    pub(crate) fn draw(seed: u64, profile: Profile, plan: &mut Plan) -> Self {
        let mut harder = Self {
            drawn: Profile::CLASSIC,
            timing: Timing { transfer_timeout: Some(plan.transfer_timeout), ..Timing::default() },
            idle_times: Vec::new(),
            reads: false,
            limits: SmallBounds::default(),
            max_active: None,
            max_unconfirmed_bytes: None,
            max_table_bytes: None,
            store_fails: None,
            rng: Rng::new(!seed),
        };
        for draw in Draw::ALL.into_iter().filter(|draw| profile.has(*draw)) {
            let mut rng = Rng::new(seed ^ (draw.index() as u64 + 1) << 48);
            if rng.chance(draw.share()) && is_possible(draw, plan) {
                harder.drawn = harder.drawn.with(draw);
                harder.apply(draw, plan, &mut rng);
            }
        }
        harder
    }

    fn apply(&mut self, draw: Draw, plan: &mut Plan, rng: &mut Rng) {
        match draw {
            Draw::TimeScale => {
                self.timing.heartbeat = Duration::from_millis(200);
                self.timing.drop_time = Duration::from_millis(1_000);
                self.timing.ack_timeout = Duration::from_millis(400);
                self.idle_times = [2, 3, 6, 12].map(Duration::from_secs).to_vec();
            }
            Draw::TinyBounds => {
                for (bound, most) in [("replies", 3), ("copies in a frame", 6)] {
                    self.limit(bound, most, rng);
                }
                self.limit("expiries asked about", 3, rng);
                if plan.conditions.ordered {
                    self.limit("piece of a listing", 6, rng);
                }
                self.limit("births above a gap", 6, rng);
            }
            Draw::FewPlaces => self.max_active = Some(rng.between(3, 8)),
            Draw::FailingStore | Draw::LossyStore => {
                plan.swaps = true;
                if draw == Draw::FailingStore {
                    let from = Instant::ORIGIN.plus(rng.millis(6_000, 30_000));
                    self.store_fails = Some((from, from.plus(rng.millis(1_000, 9_000))));
                }
            }
            Draw::FewFetches => {
                plan.swaps = true;
                self.limit("fetches", 3, rng);
            }
            Draw::FewNames => self.limit("names in a backlog", 6, rng),
            Draw::PiecesOutOfOrder => self.limit("piece of a listing", 3, rng),
            Draw::NarrowWindow => {
                self.max_unconfirmed_bytes = Some(SHARDS * rng.between(200, 2_000) as usize);
            }
            Draw::ShortTombstones => self.limits.forgets_early = true,
            Draw::Readers => self.apply_readers(plan, rng),
            Draw::FewTombstones => self.limit("tombstones", 8, rng),
            Draw::FewMarks => self.limits.bounds[2] = Some(rng.between(6, 12) as usize),
            Draw::TinyTable => self.max_table_bytes = Some(SHARDS * rng.between(1_000, 3_000) as usize),
            Draw::Twins => {
                let (host, time) = (rng.index(plan.hosts), rng.millis(1_500, 12_000));
                plan.faults.push((rng.millis(1_500, 7_000), Fault::Twin { host, time }));
            }
            Draw::FrozenClocks => {
                let (host, time) = (rng.index(plan.hosts), rng.millis(1_000, 8_000));
                plan.faults.push((rng.millis(1_500, 7_000), Fault::Pause { host, time }));
            }
            Draw::Drift
            | Draw::AckSets
            | Draw::MaxAge
            | Draw::OutsideHttp
            | Draw::LongRequests
            | Draw::AsyncAge => {}
        }
    }

    fn apply_readers(&mut self, plan: &mut Plan, rng: &mut Rng) {
        (plan.routing, plan.mixed) = (Routing::Sticky, false);
        self.idle_times = [5, 8, 12].map(Duration::from_secs).to_vec();
        self.reads = true;
        let deaths = 0..rng.between(5, 9);
        plan.faults = deaths
            .map(|_| {
                let (host, back) = (rng.index(plan.hosts), rng.millis(500, 6_000));
                (rng.millis(2_000, 6_000), Fault::Crash { host, back })
            })
            .collect();
    }

    fn limit(&mut self, bound: &str, most: u64, rng: &mut Rng) {
        let limit = rng.between(1, most) as usize;
        if let Some(index) = sessile_core::BOUNDS.iter().position(|known| *known == bound) {
            self.limits.bounds[index] = Some(limit);
        }
    }

    /// Whether this run has a draw.
    pub(crate) fn has(&self, draw: Draw) -> bool {
        self.drawn.has(draw)
    }

    /// The draws of this run.
    pub(crate) fn drawn(&self) -> impl Iterator<Item = Draw> {
        let drawn = self.drawn;
        Draw::ALL.into_iter().filter(move |draw| drawn.has(*draw))
    }

    /// Gives a process what it is told of the draws at its start.
    pub(crate) fn set(&self, settings: &mut Settings) {
        settings.timing = self.timing.clone();
        let bounds = &mut settings.bounds;
        bounds.max_active = self.max_active.unwrap_or(bounds.max_active);
        bounds.max_unconfirmed_bytes = self.max_unconfirmed_bytes.unwrap_or(bounds.max_unconfirmed_bytes);
        bounds.max_table_bytes = self.max_table_bytes.unwrap_or(bounds.max_table_bytes);
        if self.has(Draw::AckSets) {
            settings.ack_set = std::sync::Arc::new(NextMember);
        }
    }

    /// Bytes that all copies of a node may take; `None` where nothing could reach the bound.
    pub(crate) fn max_table_bytes(&self) -> Option<usize> {
        self.max_table_bytes
    }

    /// How far off the clock of a new process is, in millionths.
    pub(crate) fn clock_rate(&mut self) -> i64 {
        if self.has(Draw::Drift) { self.rng.below(1_001) as i64 - 500 } else { 0 }
    }

    /// Whether a process that is stopped now is stopped with its clock.
    pub(crate) fn freezes(&mut self) -> bool {
        self.has(Draw::FrozenClocks) && self.rng.chance(700)
    }

    /// When a store that is out of order now works again.
    pub(crate) fn store_works_at(&self, now: Instant) -> Option<Instant> {
        self.store_fails.filter(|(from, to)| *from <= now && now < *to).map(|(_, to)| to)
    }

    /// Whether a store has lost what is wanted of it.
    pub(crate) fn loses_record(&mut self) -> bool {
        self.has(Draw::LossyStore) && self.rng.chance(400)
    }

    /// The greatest age of a new session.
    pub(crate) fn max_age(&mut self) -> Option<Duration> {
        let has_one = self.has(Draw::MaxAge) && self.rng.chance(500);
        has_one.then(|| self.rng.millis(3_000, 25_000))
    }

    /// Whether a request is one of the process itself.
    pub(crate) fn is_trusted(&mut self) -> bool {
        self.has(Draw::OutsideHttp) && self.rng.chance(300)
    }

    /// The handler of a request on a session with this idle time, if it takes long.
    pub(crate) fn long_handler(&mut self, max_inactive: Duration) -> Option<Duration> {
        let is_long =
            self.has(Draw::LongRequests) && max_inactive < Duration::from_secs(60) && self.rng.chance(60);
        is_long.then(|| self.rng.duration(max_inactive / 4, max_inactive * 3 / 2))
    }

    /// Whether a client leaves its session alone now.
    pub(crate) fn rests(&mut self) -> bool {
        self.reads && self.rng.chance(100)
    }

    /// Whether a client only reads now.
    pub(crate) fn only_reads(&mut self) -> bool {
        self.reads && self.rng.chance(900)
    }
}

/// Short times need a quiet network: there a delay or a repeated loss would be a split by itself. Twins need
/// a network without cuts, whose sides know no further host.
fn is_possible(draw: Draw, plan: &Plan) -> bool {
    let conditions = &plan.conditions;
    let cuts = |(_, fault): &(Duration, Fault)| {
        matches!(fault, Fault::Split { .. } | Fault::OneWay { .. } | Fault::Partial { .. })
            || matches!(fault, Fault::Outage { .. })
    };
    match draw {
        Draw::TimeScale | Draw::Readers => conditions.loss == 0 && conditions.slow.is_none(),
        Draw::Twins => conditions.loss == 0 && !plan.faults.iter().any(cuts),
        Draw::PiecesOutOfOrder => !conditions.ordered,
        _ => true,
    }
}

/// Waits for the next member in the order of the incarnations, and for no other.
#[derive(Debug)]
struct NextMember;

impl AckSet for NextMember {
    fn awaited(&self, _: CommittedSession, own: &Candidate, others: &[Candidate]) -> AckMembers {
        let next = others.iter().find(|other| other.incarnation > own.incarnation).or_else(|| others.first());
        AckMembers::Only(next.map(|next| next.incarnation).into_iter().collect())
    }
}

/// The slot of a process that has the name of another host's.
pub(crate) fn twin_slot(plan: &Plan) -> HostId {
    plan.hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_shifts_no_other() {
        for seed in 0..200 {
            let plan = Plan::draw(&mut Rng::new(seed).fork());
            let all = Harder::draw(seed, Profile::harder(), &mut plan.clone());
            for draw in Draw::ALL {
                let alone = Harder::draw(seed, Profile::CLASSIC.with(draw), &mut plan.clone());
                assert!(!alone.has(draw) || all.has(draw) || draw == Draw::Twins, "{draw:?} of seed {seed}");
                assert!(alone.drawn().all(|drawn| drawn == draw));
            }
        }
    }

    #[test]
    fn every_draw_has_a_name_of_its_own() {
        assert!(Draw::ALL.into_iter().all(|draw| Draw::by_name(draw.name()) == Some(draw)));
    }
}
