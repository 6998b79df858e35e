//! All counters as text, in the format that Prometheus reads. Never a secret, never a value, never a
//! session's key.

mod exposition;
mod persistence;
mod process;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

pub use exposition::Exposition;
use sessile_core::{Counters, NodeState};
use sessile_group::{Depth, Tally};

use super::ClusterNode;
use super::engine::Engine;
use super::frame_sender::FrameSender;

impl ClusterNode {
    /// Writes all counters of this node. Never a secret.
    pub fn write_metrics(&self, out: &mut Exposition) {
        write(out, self);
    }
}

fn write(out: &mut Exposition, cluster: &ClusterNode) {
    let shared = &cluster.inner.shared;
    sessions(out, cluster);
    decisions(out, shared.node.counters());
    requests(out, cluster);
    listeners(out, cluster);
    sending(out, cluster);
    transfer(out, shared);
    persistence::write(out, cluster);
    process::write(out);
    parts(out, cluster);
    members(out, cluster);
    if let Some(sender) = &shared.frame_sender {
        frames(out, shared, sender);
        let tally = sender.channel.counters();
        traffic(out, &tally);
        queues(out, &tally);
        membership(out, &tally);
    }
}

fn sessions(out: &mut Exposition, cluster: &ClusterNode) {
    let bytes: u64 = cluster.engines().map(|engine| engine.node.table_bytes()).sum();
    out.gauge("sessions", "live sessions of which this node holds a copy", cluster.session_count());
    out.gauge("session_bytes", "bytes of all copies on this node", bytes);
    out.gauge("sessions_at_risk", "sessions that have fewer copies than they should", cluster.at_risk());
}

fn parts(out: &mut Exposition, cluster: &ClusterNode) {
    for gauge in cluster.inner.parts.gauges() {
        out.gauge(gauge.name, gauge.help, gauge.value);
    }
}

fn decisions(out: &mut Exposition, counters: Counters) {
    let Counters {
        asks,
        negative_acks,
        conflicts,
        late_writes,
        restarts,
        copies_refused,
        frames_early,
        gaps,
        created,
        invalidated,
        expired,
        leases_lost,
        transfers_received,
        transfers_interrupted,
        frames_skipped,
        repaired,
    } = counters;
    for (name, help, count) in [
        ("sessions_created", "sessions created by this node", created),
        ("sessions_invalidated", "sessions that an application ended on this node", invalidated),
        ("sessions_expired", "sessions that this node ended because nobody used them", expired),
        ("asks", "times that all members were asked for a session", asks),
        ("conflicts", "fields that two nodes wrote without knowing of each other", conflicts),
        ("late_writes", "writes that met an ended session", late_writes),
        ("resends", "times that changes on their way were given up and sent again as copies", restarts),
        ("copies_rejected", "copies for which a member had no room", copies_refused),
        ("messages_early", "frames that waited for one that they had overtaken", frames_early),
        ("gaps", "times that a frame was missing for too long; its sender sends copies instead", gaps),
        ("leases_lost", "leases that ran out while serving", leases_lost),
        ("transfers_received", "times that it got the state", transfers_received),
        ("transfers_interrupted", "state transfers whose donor failed or refused", transfers_interrupted),
        ("sessions_repaired", "sessions that a comparison found different or lacking on one side", repaired),
        ("frames_skipped", "frames of kinds that this version does not know", frames_skipped),
    ] {
        out.counter(name, help, count);
    }
    let causes = negative_acks.by_cause().map(|(cause, count)| (cause.name(), count));
    out.counters("negative_acks", "frames that a member did not take", "cause", causes);
}

fn sending(out: &mut Exposition, cluster: &ClusterNode) {
    let shared = &cluster.inner.shared;
    let counts = &shared.sending.counts;
    if let Some(free) = shared.sending.free_connections() {
        out.gauge("commit_connections_free", "connections that a commit could take now", free as u64);
    }
    let (waited, refused) = (counts.waited.load(Relaxed), counts.refused.load(Relaxed));
    out.counter("commits_delayed", "commits that waited for a connection or for room in the queue", waited);
    out.counter("commits_refused", "commits that got no connection or no room in time", refused);
    let synchronous = counts.synchronous.load(Relaxed);
    out.counter("commits_made_synchronous", "commits that waited because the queue was full", synchronous);
    let members = cluster.members();
    let others: Vec<_> = members.iter().filter(|member| !member.is_self).collect();
    let bytes = others.iter().map(|member| (member.name.as_str(), member.unconfirmed_bytes));
    out.gauges("unconfirmed_bytes", "bytes of changes that a member has not confirmed", "member", bytes);
    let ages = others.iter().map(|member| (member.name.as_str(), member.unconfirmed_for.as_secs_f64()));
    out.gauges("unconfirmed_age_seconds", "how long the oldest of them has been on the way", "member", ages);
    let late = shared.event_log.late_acks();
    let late = late.iter().map(|(name, count)| (name.as_str(), *count));
    let times = [(cluster.config().cluster.name.as_str(), shared.node.confirmation_times())];
    let help = "time from sending a change or a copy until a member confirmed it";
    out.histograms("confirmation_seconds", help, "cluster", times);
    out.counters("acks_late", "times that a member acknowledged nothing for the ack timeout", "member", late);
}

fn requests(out: &mut Exposition, cluster: &ClusterNode) {
    let sum = |number: fn(&Engine) -> u64| cluster.engines().map(|engine| number(engine)).sum::<u64>();
    out.gauge("requests_running", "requests in a session layer now", sum(|engine| engine.running() as u64));
    let waits = sum(|engine| engine.gate_waits.load(Relaxed));
    out.counter("gate_waits", "requests that waited because a lease had run out", waits);
    let rejected = sum(|engine| engine.refusals.load(Relaxed));
    out.counter("commits_rejected", "creations and changes that a bound did not allow", rejected);
    let discarded = sum(|engine| engine.discarded.load(Relaxed));
    let replayed = sum(|engine| engine.replayed.load(Relaxed));
    out.counter(
        "requests_replayed",
        "requests that were sent again and got the answer of the first time",
        replayed,
    );
    out.counter("changes_discarded", "changes in place that nobody set and that do not travel", discarded);
    let local = sum(|engine| engine.local_values.count());
    out.gauge("local_values", "values of sessions that are on this node only", local);
    let bytes = sum(|engine| engine.local_values.bytes() as u64);
    out.gauge("local_value_bytes", "bytes of the attributes among them", bytes);
    let missed = sum(|engine| engine.local_values.missed());
    out.counter("local_values_missed", "local values asked for that are not on this node", missed);
}

fn listeners(out: &mut Exposition, cluster: &ClusterNode) {
    let waiting: u64 = cluster.engines().map(|engine| engine.listeners.waiting()).sum();
    out.gauge("notifications_waiting", "notifications that listeners have not heard yet", waiting);
    let panics = cluster.engines().map(|engine| engine.listeners.panics()).sum();
    out.counter("listener_panics", "calls of a listener that ended in a panic", panics);
}

fn transfer(out: &mut Exposition, shared: &Engine) {
    let transfer = shared.event_log.transfer();
    out.counter("transfers_requested", "times that this node asked for the state", transfer.requested);
    out.gauge("transfer_sessions", "sessions after the last state transfer", transfer.sessions);
    out.gauge("transfer_seconds", "how long the last state transfer took", transfer.elapsed.as_secs_f64());
}

fn members(out: &mut Exposition, cluster: &ClusterNode) {
    let current = cluster.state();
    let states = [
        ("searching", NodeState::Searching),
        ("joining", NodeState::Joining),
        ("ready", NodeState::Ready),
        ("incomplete", NodeState::Incomplete),
        ("draining", NodeState::Draining),
        ("left", NodeState::Left),
        ("refused", NodeState::Refused),
    ];
    let rows = states.map(|(name, state)| (name, u64::from(state == current)));
    out.gauges("state", "1 for the state that this node is in", "state", rows);
    let members = cluster.members();
    out.gauge("members", "members that this node sees, itself included", members.len() as u64);
    out.gauge(
        "warnings",
        "settings that members disagree about, and other things to mend",
        cluster.warnings().len(),
    );
    let ages = members.iter().filter(|member| !member.is_self);
    let ages = ages.map(|member| (member.name.as_str(), member.age.as_secs_f64()));
    out.gauges("member_silence_seconds", "since the newest heartbeat that a member answered", "member", ages);
}

fn frames(out: &mut Exposition, shared: &Engine, sender: &FrameSender) {
    out.counters("messages_sent", "frames sent, by what they say", "kind", sender.sent.all());
    out.counters("messages_received", "frames received, by what they say", "kind", shared.received.all());
    let malformed = shared.malformed.load(Relaxed);
    out.counter("messages_malformed", "frames that could not be read; each closed its connection", malformed);
    let unclaimed = shared.post.unclaimed.load(Relaxed);
    out.counter("messages_unclaimed", "messages of applications that nobody here listened to", unclaimed);
    let missed = shared.post.missed.load(Relaxed);
    out.counter("messages_missed", "messages of applications whose listener was too slow", missed);
    let unsent = &sender.unsent;
    let causes = [
        ("not_connected", unsent.not_connected.load(Relaxed)),
        ("queue_full", unsent.queue_full.load(Relaxed)),
        ("too_long", unsent.too_long.load(Relaxed)),
    ];
    out.counters(
        "messages_dropped",
        "frames that were not sent; what they say of sessions follows",
        "cause",
        causes,
    );
}

fn traffic(out: &mut Exposition, tally: &Tally) {
    let traffic = tally.traffic;
    out.counter("bytes_sent", "bytes handed to the sockets of all links", traffic.bytes_out);
    out.counter("bytes_received", "bytes that came over links", traffic.bytes_in);
    out.counter("frames_sent", "frames handed to the sockets of all links", traffic.frames_out);
    out.counter("frames_received", "frames that came over links", traffic.frames_in);
    out.counter("writes", "writes that carried the frames", traffic.writes);
    out.counter("links_up", "links to other processes that came up", tally.links_up);
    out.counter("links_lost", "links to other processes that were lost", tally.links_lost);
    let connections: usize = tally.peers.iter().map(|peer| peer.connections).sum();
    out.gauge(
        "commit_connections_open",
        "connections for single commits that are open now",
        connections as u64,
    );
    let ends = [
        ("idle", tally.connections_closed),
        ("lost", tally.connections_lost),
        ("failed", tally.connections_failed),
    ];
    out.counter(
        "commit_connections_opened",
        "connections for single commits that were opened",
        tally.connections_opened,
    );
    out.counters(
        "commit_connections_closed",
        "how such connections ended, or could not be opened",
        "cause",
        ends,
    );
}

fn queues(out: &mut Exposition, tally: &Tally) {
    // Two processes have one name while one of them takes the other's place.
    let mut queues: BTreeMap<&str, Depth> = BTreeMap::new();
    for peer in &tally.peers {
        let queue = queues.entry(&peer.peer.name).or_default();
        queue.bytes += peer.queued.bytes;
        queue.age = queue.age.max(peer.queued.age);
    }
    let bytes = queues.iter().map(|(name, queue)| (*name, queue.bytes));
    out.gauges("queue_bytes", "bytes that wait for a member", "member", bytes);
    let ages = queues.iter().map(|(name, queue)| (*name, queue.age.as_secs_f64()));
    out.gauges("queue_age_seconds", "how long the oldest of them has waited", "member", ages);
}

fn membership(out: &mut Exposition, tally: &Tally) {
    let datagrams = tally.datagrams;
    out.counter("datagrams_sent", "announcements sent", datagrams.sent);
    out.counter("datagrams_unsent", "announcements that could not be sent", datagrams.send_failed);
    out.counter("datagrams_received", "announcements of other members that were believed", datagrams.heard);
    let dropped = [
        ("foreign", datagrams.foreign),
        ("forged", datagrams.forged),
        ("replayed", datagrams.replayed),
        ("malformed", datagrams.malformed),
    ];
    out.counters("datagrams_dropped", "datagrams that were not believed", "cause", dropped);
    let refused: Vec<(String, u64)> =
        tally.refused.iter().map(|(cause, count)| (format!("{cause:?}").to_lowercase(), *count)).collect();
    let refused = refused.iter().map(|(cause, count)| (cause.as_str(), *count));
    out.counters("handshakes_refused", "connections that came to nothing", "cause", refused);
    out.counter(
        "sightings_dropped",
        "addresses not dialed because too many are known",
        tally.sightings_dropped,
    );
}
