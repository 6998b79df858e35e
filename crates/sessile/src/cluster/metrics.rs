//! All counters as text, in the format that Prometheus reads. Never a secret, never a value, never a session's key.

mod exposition;
mod persistence;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use exposition::Exposition;
use sessile_core::{Counters, Standing};
use sessile_group::{Depth, Tally};

use super::Cluster;
use super::engine::Engine;
use super::outlet::Outlet;

/// Everything about `cluster` that is counted.
pub(super) fn text(cluster: &Cluster) -> String {
    let mut out = Exposition::default();
    let shared = &cluster.inner.shared;
    sessions(&mut out, cluster);
    decisions(&mut out, shared.node.counters());
    requests(&mut out, cluster);
    transfer(&mut out, shared);
    persistence::write(&mut out, cluster);
    members(&mut out, cluster);
    if let Some(outlet) = &shared.outlet {
        frames(&mut out, shared, outlet);
        let tally = outlet.group.counters();
        traffic(&mut out, &tally);
        queues(&mut out, &tally);
        membership(&mut out, &tally);
    }
    out.into_text()
}

fn sessions(out: &mut Exposition, cluster: &Cluster) {
    let bytes: u64 = cluster.engines().map(|engine| engine.node.table_bytes()).sum();
    out.gauge("sessions", "live sessions of which this node holds a copy", cluster.session_count());
    out.gauge("session_bytes", "bytes of all copies on this node", bytes);
    out.gauge("sessions_at_risk", "sessions that have fewer copies than they should", cluster.at_risk());
}

fn decisions(out: &mut Exposition, counters: Counters) {
    let Counters {
        asks,
        negative_acks,
        conflicts,
        late_writes,
        restarts,
        copies_refused,
        created,
        invalidated,
        expired,
        leases_lost,
        transfers_interrupted,
        frames_skipped,
        repaired,
    } = counters;
    for (name, help, count) in [
        ("sessions_created", "sessions created by this node", created),
        ("sessions_invalidated", "sessions that an application ended on this node", invalidated),
        ("sessions_expired", "sessions that this node ended because nobody used them", expired),
        ("asks", "times that all members were asked for a session", asks),
        ("negative_acks", "frames that a member did not take", negative_acks),
        ("conflicts", "fields that two nodes wrote without knowing of each other", conflicts),
        ("late_writes", "writes that met an ended session", late_writes),
        ("resends", "times that changes on their way were given up and sent again as copies", restarts),
        ("copies_rejected", "copies for which a member had no room", copies_refused),
        ("leases_lost", "leases that ran out while serving", leases_lost),
        ("transfers_interrupted", "state transfers whose donor failed or refused", transfers_interrupted),
        ("sessions_repaired", "sessions that a comparison found different or lacking on one side", repaired),
        ("frames_skipped", "frames of kinds that this version does not know", frames_skipped),
    ] {
        out.counter(name, help, count);
    }
}

fn requests(out: &mut Exposition, cluster: &Cluster) {
    let sum = |number: fn(&Engine) -> u64| cluster.engines().map(|engine| number(engine)).sum::<u64>();
    out.gauge("requests_running", "requests in a session layer now", sum(|engine| engine.running() as u64));
    let waits = sum(|engine| engine.gate_waits.load(Relaxed));
    out.counter("gate_waits", "requests that waited because a lease had run out", waits);
    let rejected = sum(|engine| engine.refusals.load(Relaxed));
    out.counter("commits_rejected", "creations and changes that a bound did not allow", rejected);
}

fn transfer(out: &mut Exposition, shared: &Engine) {
    let transfer = shared.journal.transfer();
    out.counter("transfers_requested", "times that this node asked for the state", transfer.requested);
    out.counter("transfers_received", "times that it got the state", transfer.received);
    out.gauge("transfer_sessions", "sessions after the last state transfer", transfer.sessions);
    out.gauge("transfer_seconds", "how long the last state transfer took", transfer.elapsed.as_secs_f64());
}

fn members(out: &mut Exposition, cluster: &Cluster) {
    let standing = cluster.standing();
    let states = [
        ("searching", Standing::Searching),
        ("joining", Standing::Joining),
        ("ready", Standing::Ready),
        ("incomplete", Standing::Incomplete),
        ("draining", Standing::Draining),
        ("left", Standing::Left),
        ("refused", Standing::Refused),
    ];
    let rows = states.map(|(name, state)| (name, u64::from(state == standing)));
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

fn frames(out: &mut Exposition, shared: &Engine, outlet: &Outlet) {
    out.counters("messages_sent", "frames sent, by what they say", "kind", outlet.sent.all());
    out.counters("messages_received", "frames received, by what they say", "kind", shared.received.all());
    let malformed = shared.malformed.load(Relaxed);
    out.counter("messages_malformed", "frames that could not be read; each closed its connection", malformed);
    let unsent = &outlet.unsent;
    let causes = [
        ("not_connected", unsent.not_connected.load(Relaxed)),
        ("queue_full", unsent.queue_full.load(Relaxed)),
        ("too_long", unsent.too_long.load(Relaxed)),
    ];
    out.counters("messages_dropped", "frames that were not sent; their content follows", "cause", causes);
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
