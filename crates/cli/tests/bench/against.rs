//! The measuring client against servers that keep the contract, and against those that do not.

use crate::harness::Running;
use crate::liar::{Lie, serve};

/// The client with 20 repetitions against such a server: exit code, JSON and words.
fn against(lie: Lie, workload: &str) -> (Option<i32>, serde_json::Value, String) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let port = serve(lie).port().to_string();
    let mut client =
        Running::start(place.path(), ["bench", "client", "2", &port, "20", "0", workload, "--json"]);
    let code = client.ended();
    (code, serde_json::from_str(&client.out()).expect("figures, whatever was wrong"), client.err())
}

#[test]
fn an_honest_server_is_measured() {
    for workload in ["lite", "heavy"] {
        let (code, figures, err) = against(Lie::None, workload);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(figures["response"]["count"], 40, "{figures}");
        assert_eq!((&figures["remove"]["count"], &figures["invalidate"]["count"]), (&4.into(), &4.into()));
        let time = |name: &str| figures["response"][name].as_f64().expect("a time");
        assert!(time("p50") > 0.0 && time("p50") <= time("p99") && time("p99") <= time("max"), "{figures}");
        assert_eq!(figures["faults"], serde_json::json!([]));
    }
}

#[test]
fn stale_torn_and_lost_values_are_found() {
    for (lie, kind, words) in [
        (Lie::Stale, "stale", "was acknowledged"),
        (Lie::Torn, "torn", "other bytes than were written"),
        (Lie::Lost, "lost", "was acknowledged and is missing"),
        (Lie::Resurrected, "stale", "an ended session came back"),
    ] {
        let (code, figures, err) = against(lie, "lite");
        assert_eq!(code, Some(1), "{lie:?}: {figures}");
        let faults = figures["faults"].as_array().expect("a list");
        assert!(faults.iter().any(|fault| fault["kind"] == kind), "{lie:?}: {figures}");
        assert!(err.contains("answered wrongly") && err.contains(words), "{lie:?}: {err}");
    }
}

#[test]
fn failed_requests_are_counted_and_printed() {
    let (code, figures, err) = against(Lie::Failing, "lite");
    assert_eq!(code, Some(1), "{figures}");
    assert!(figures["unanswered"].as_u64().is_some_and(|count| count > 0), "{figures}");
    assert_eq!(figures["faults"], serde_json::json!([]), "a write whose outcome is unknown is not judged");
    assert!(err.contains("so it goes"), "{err}");
}

#[test]
fn a_refused_connection_fails_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = free.expect("a free port").port().to_string();
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut client = Running::start(place.path(), ["bench", "client", "2", &port, "5", "0", "lite"]);
    assert_eq!(client.ended(), Some(1));
    assert!(
        client.err().contains(&format!("http://127.0.0.1:{port}/clusterapp: no session")),
        "{}",
        client.err()
    );
}
