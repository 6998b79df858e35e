//! A log that cannot be written costs its lines and nothing else.

use std::fs::File;
use std::io::PipeReader;
use std::process::Stdio;

use crate::harness::{Setup, until};
use crate::{read, write};

/// Enough lines at the level `debug` to fill a pipe several times.
const REQUESTS: u64 = 400;

/// A node whose outputs are `output` serves, loses a member, says how many lines are lost, and stops in good
/// order.
fn serves_with(output: impl Fn() -> Stdio, lines_are_lost: bool) {
    let mut setup = Setup::new(["tc01", "tc02"]);
    setup.start_onto("tc01", &output);
    setup.ready("tc01");
    setup.serve("tc02");
    let (http, mut client) = (setup.ports("tc01").http, setup.client());
    for number in 1..=REQUESTS {
        write(&mut client, http, number);
    }
    setup.node("tc02").kill();
    until("the dead member is removed", || (setup.members("tc01") == ["tc01"]).then_some(()));
    assert_eq!(read(&mut client, http), Some(REQUESTS));
    if lines_are_lost {
        until("lost lines are counted", || {
            let metrics = setup.admin("tc01", "/metrics").text;
            let lost = metrics.lines().find_map(|line| line.strip_prefix("sessile_log_lines_lost "));
            lost.and_then(|lost| lost.parse::<u64>().ok()).filter(|lost| *lost > 0)
        });
    }
    let node = setup.node("tc01");
    node.signal("TERM");
    // 3: the last node takes its sessions with it, and says so.
    assert_eq!(node.ended(), Some(3));
}

#[test]
fn a_full_log_disk_costs_only_log_lines() {
    serves_with(|| File::options().write(true).open("/dev/full").expect("Linux has it").into(), true);
}

#[test]
fn a_log_whose_reader_is_gone_costs_only_log_lines() {
    serves_with(|| std::io::pipe().expect("a pipe").1.into(), true);
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_request() {
    let unread = std::sync::Mutex::new(Vec::<PipeReader>::new());
    let output = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        unread.lock().expect("no holder panics").push(reader);
        writer.into()
    };
    // The queue has room for what this test logs.
    serves_with(output, false);
}

#[test]
fn the_log_for_programs_has_no_line_for_people() {
    let config = |_: &str, config: String| config.replace("[cluster]", "[cluster]\nmanager = \"dleta\"");
    let setup = Setup::with(["tc01"], config);
    let mut node = setup.order(&["--log-format", "json", "serve", "--config", "tc01.toml"]);
    assert_eq!(node.ended(), Some(2));
    let err = node.err();
    let lines: Vec<serde_json::Value> = err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {err}")))
        .collect();
    assert!(
        lines.iter().any(|line| line["fields"]["place"]
            .as_str()
            .is_some_and(|place| place.starts_with("tc01.toml:"))),
        "{err}"
    );
}

/// Operators' filters and the verdicts of the test hosts count these lines: their words are part of the
/// product.
#[test]
fn the_lines_that_others_count_have_their_words() {
    let mut setup = Setup::new(["tc01", "tc02"]);
    setup.serve("tc01");
    setup.serve("tc02");
    let (http, mut client) = (setup.ports("tc01").http, setup.client());
    until("both see each other", || (setup.members("tc01").len() == 2).then_some(()));
    let key = write(&mut client, http, 1);
    write(&mut client, http, 2);
    let has_line = |log: String, words: &[&str]| {
        log.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    };
    let logs = |setup: &mut Setup, name: &str, words: &[&str]| {
        until(&format!("{name} logs {words:?}"), || {
            has_line(setup.node(name).err() + &setup.node(name).out(), words)
        });
    };
    let named = format!("key={key}");
    logs(&mut setup, "tc01", &["member added tc02"]);
    logs(&mut setup, "tc01", &["session created", &named, "remote=false"]);
    logs(&mut setup, "tc02", &["session created", &named, "remote=true"]);
    logs(&mut setup, "tc02", &["session replicated", &named]);
    assert_eq!(client.post(http, "/clusterapp/session?cmd=invalidate").status, 200);
    logs(&mut setup, "tc01", &["session ended", &named, "reason=\"invalidated\"", "remote=false"]);
    logs(&mut setup, "tc02", &["session ended", &named, "reason=\"invalidated\"", "remote=true"]);
    setup.node("tc02").kill();
    logs(&mut setup, "tc01", &["member removed tc02: "]);
}
