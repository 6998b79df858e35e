//! `--json`: every command that ends writes JSON alone, to both outputs, when it succeeds and when it fails.

mod harness;
mod program;

use harness::Setup;
use program::{run, scratch};
use serde_json::Value;

/// A configuration with an error in its fifth line.
const WRONG: &str = "[node]\nname = \"tc01\"\n[membership]\nkind = \"static\"\ndrop_tme = \"3s\"\n";

/// The document on standard output.
#[track_caller]
fn document(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// The last line of standard error, whose lines are all JSON.
#[track_caller]
fn failure(err: &str) -> Value {
    let lines: Vec<Value> = err.lines().map(document).collect();
    lines.last().expect("a failure says why").clone()
}

#[test]
fn commands_that_succeed_print_a_document() {
    let place = scratch([]);
    let fields = |arguments: &[&str]| {
        let done = run(&place, arguments.iter().copied());
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{arguments:?}: {}", done.out);
        document(&done.out)
    };
    assert_eq!(fields(&["init", "--json"])["files"][3], "cluster.secret");
    assert_eq!(fields(&["--json", "secret", "new", "other.secret"])["file"], "other.secret");
    assert!(fields(&["secret", "token", "--config", "tc01.toml", "--json"])["token"].is_string());
    assert_eq!(fields(&["config", "check", "tc01.toml", "--json"])["ok"], true);
    assert_eq!(fields(&["config", "show", "tc01.toml", "--json"])["membership"]["drop_time"], "3s");
    assert_eq!(fields(&["config", "show", "lb.toml", "--json"])["node"][1]["name"], "tc02");
    assert!(fields(&["config", "schema", "--json"])["properties"].is_object());
    for words in [&["config", "reference", "--json"][..], &["completions", "fish", "--json"]] {
        assert!(fields(words)["output"].is_string());
    }
    assert_eq!(fields(&["man", "man1", "--json"])["directory"], "man1");
    assert!(place.path().join("man1/sessile-secret-rotate.1").is_file());
}

#[test]
fn commands_that_fail_say_why_in_one_object() {
    let place = scratch([("wrong.toml", WRONG)]);
    let failed = |arguments: &[&str]| {
        let done = run(&place, arguments.iter().copied());
        assert_eq!(done.out, "", "{arguments:?}");
        let failure = failure(&done.err);
        assert_eq!(failure["exit_code"], done.code, "{failure}");
        failure
    };
    let wrong = failed(&["config", "check", "wrong.toml", "--json"]);
    let finding = &wrong["findings"][0];
    assert_eq!(
        (&finding["file"], &finding["line"], &finding["column"]),
        (&"wrong.toml".into(), &5.into(), &1.into())
    );
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("drop_tme")), "{finding}");
    let usage = failed(&["config", "chekc", "--json"]);
    assert_eq!(usage["exit_code"], 2);
    assert!(usage["error"].as_str().is_some_and(|error| error.contains("check")), "{usage}");
    let absent = failed(&["status", "tc09", "--json"]);
    assert!(absent["error"].as_str().is_some_and(|error| error.contains("tc09.toml")), "{absent}");
    assert_eq!(failed(&["store", "ls", "--store", "file:absent", "--json"])["exit_code"], 1);
}

#[test]
fn commands_for_a_running_node_print_a_document() {
    let mut setup = Setup::new(["tc01"]);
    setup.serve("tc01");
    for (arguments, field, value) in [
        (&["status", "tc01"][..], "state", Value::from("ready")),
        (&["apps", "tc01"], "apps", Value::Array(Vec::new())),
        (&["drain", "tc01"], "offered", false.into()),
        (&["resume", "tc01"], "offered", true.into()),
        (&["route", "tc01", "--rewrite", "off"], "rewrites_route", false.into()),
        (&["resync", "tc01"], "repaired", 0.into()),
        (&["stop", "tc01"], "drained", true.into()),
    ] {
        let mut done = setup.order(&[arguments, &["--json"]].concat());
        assert_eq!(done.ended(), Some(0), "{arguments:?}: {}", done.err());
        assert_eq!(document(&done.out())[field], value, "{arguments:?}: {}", done.out());
    }
    assert_eq!(setup.node("tc01").ended(), Some(0));
    let mut late = setup.order(&["status", "tc01", "--json"]);
    assert_eq!(late.ended(), Some(1));
    let why = failure(&late.err());
    assert!(why["error"].as_str().is_some_and(|error| error.contains("tc01 is not running")), "{why}");
}
