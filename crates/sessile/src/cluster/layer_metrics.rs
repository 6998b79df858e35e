//! What the session layers count, in the format that Prometheus reads.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sessile_node::Exposition;
use sessile_web::Statistics;

/// Everything that is counted of `apps`, by context path.
pub(crate) fn write(out: &mut Exposition, apps: &[(String, Arc<Statistics>)]) {
    counts(out, apps);
    times(out, apps);
}

/// A number that is kept of each application: its name, what it says, and how it is read.
type Column<T> = (&'static str, &'static str, fn(&Statistics) -> T);

/// What each session layer did, as Tomcat's replication valve prints it.
fn counts(out: &mut Exposition, apps: &[(String, Arc<Statistics>)]) {
    let rows =
        |number: fn(&Statistics) -> u64| apps.iter().map(move |(path, done)| (path.as_str(), number(done)));
    let counts: [Column<u64>; 5] = [
        ("app_requests", "requests that a session layer handled", Statistics::requests),
        ("app_requests_filtered", "requests on paths that never replicate", Statistics::filtered),
        (
            "app_reads_undecodable",
            "reads of attributes that are not of the type asked for",
            Statistics::undecodable,
        ),
        (
            "app_requests_unprocessed",
            "requests turned away because this node did not serve",
            Statistics::unprocessed,
        ),
        ("app_sends", "commits, ends of sessions included", Statistics::sends),
    ];
    for (name, help, number) in counts {
        out.counters(name, help, "app", rows(number));
    }
    let times: [Column<Duration>; 3] = [
        ("app_request_seconds", "time of all requests in this node", Statistics::request_time),
        ("app_cluster_seconds", "part of it that was spent on the cluster", Statistics::cluster_time),
        ("app_send_seconds", "time until changes were settled", Statistics::send_time),
    ];
    for (name, help, time) in times {
        out.counters(
            name,
            help,
            "app",
            apps.iter().map(|(path, done)| (path.as_str(), time(done).as_secs_f64())),
        );
    }
    let last = |(path, done): &(String, Arc<Statistics>)| {
        let at = done.last_sent_at()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some((path.clone(), at.as_secs_f64(), done.last_send_time()?.as_secs_f64()))
    };
    let last: Vec<_> = apps.iter().filter_map(last).collect();
    let took = last.iter().map(|(path, _, took)| (path.as_str(), *took));
    out.gauges("app_last_send_seconds", "how long the last changes took to be settled", "app", took);
    let at = last.iter().map(|(path, at, _)| (path.as_str(), *at));
    out.gauges("app_last_send_timestamp_seconds", "when that was, by the wall clock", "app", at);
}

/// How long requests that write take in this node.
fn times(out: &mut Exposition, apps: &[(String, Arc<Statistics>)]) {
    let apps: Vec<_> = apps.iter().map(|(path, done)| (path.as_str(), done.write_times())).collect();
    let help = "time in this node of requests that changed a session";
    out.histograms(
        "app_write_seconds",
        help,
        "app",
        apps.iter().map(|(path, times)| (*path, times.request.clone())),
    );
    let help = "part of it after the handler had returned";
    let rows = apps.iter().map(|(path, times)| (*path, times.overhead.clone()));
    out.histograms("app_write_overhead_seconds", help, "app", rows);
}
