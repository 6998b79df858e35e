//! `sessile config` as a process.

mod program;

use std::path::Path;

use program::{run, scratch};

/// Environment variable that makes the tests overwrite their expected files.
const BLESS: &str = "SESSILE_BLESS";

/// The sample of the design, as printed there.
const SAMPLE: &str = include_str!("../../config/src/tests/tc01.toml");

#[test]
fn the_sample_is_good() {
    let place = scratch([("tc01.toml", SAMPLE)]);
    let done = run(&place, ["config", "check", "tc01.toml"]);
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "tc01.toml: ok\n", ""));
}

#[test]
fn all_errors_of_all_files_are_shown_with_their_carets() {
    let wrong = SAMPLE
        .replace("drop_time", "drop_tme")
        .replace("manager = \"delta\" ", "manager = \"backup\"")
        .replace("(gif", "((gif")
        .replace("ack_timeout = \"1s\"", "ack_timeout = 1");
    let place =
        scratch([("good.toml", SAMPLE), ("wrong.toml", &wrong), ("syntax.toml", "[node]\nname = \n")]);
    let done = run(&place, ["config", "check", "wrong.toml", "good.toml", "syntax.toml", "missing.toml"]);
    assert_eq!((done.code, done.out.as_str()), (2, "good.toml: ok\n"));
    golden("errors.txt", &done.err);
}

#[test]
fn contradictions_are_shown_with_both_values() {
    let wrong = "[http]\nlisten = \"127.0.0.1:4001\"\n[membership]\ndrop_time = \"1500ms\"\n";
    let place = scratch([("tc01.toml", wrong)]);
    let done = run(&place, ["config", "check", "tc01.toml"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    golden("contradictions.txt", &done.err);
}

#[test]
fn warnings_are_shown_and_do_no_harm() {
    let place = scratch([("tc01.toml", "[membership]\nbind = \"10.0.0.5\"\n[cluster]\ninsecure = true\n")]);
    let done = run(&place, ["config", "check", "tc01.toml"]);
    assert_eq!((done.code, done.out.as_str()), (0, "tc01.toml: ok\n"));
    golden("warnings.txt", &done.err);
}

#[test]
fn an_application_that_is_not_there_is_told_with_its_line() {
    let app = |key: &str, value: &str| format!("[[app]]\npath = \"/shop\"\n{key} = \"{value}\"\n");
    let place = scratch([
        ("there.toml", &app("directory", "site")),
        ("file.toml", &app("file", "shop.zip")),
        ("directory.toml", &app("directory", "shop")),
        ("kind.toml", &app("directory", "there.toml")),
    ]);
    std::fs::create_dir(place.path().join("site")).expect("writable");
    assert_eq!(run(&place, ["config", "check", "there.toml"]).code, 0);
    for (file, said) in [
        ("file.toml", "has no archive"),
        ("directory.toml", "has no directory"),
        ("kind.toml", "it is no directory"),
    ] {
        let done = run(&place, ["config", "check", file]);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{file}");
        let line = format!("{file}:3");
        assert!(
            done.err.contains(said) && done.err.contains(&line) && done.err.contains("/shop"),
            "{}",
            done.err
        );
    }
}

#[test]
fn show_prints_every_effective_value_and_its_output_is_a_configuration() {
    let place = scratch([("tc01.toml", SAMPLE)]);
    let shown = run(&place, ["config", "show", "tc01.toml"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    golden("show-sample.toml", &shown.out);

    std::fs::write(place.path().join("shown.toml"), &shown.out).expect("writable");
    let again = run(&place, ["config", "show", "shown.toml"]);
    assert_eq!((again.code, again.out), (0, shown.out));
}

#[test]
fn show_without_a_file_prints_the_defaults() {
    let place = scratch([("empty.toml", "")]);
    let defaults = run(&place, ["config", "show"]);
    assert_eq!(defaults.code, 0);
    assert_eq!(defaults.out, run(&place, ["config", "show", "empty.toml"]).out);
}

#[test]
fn a_balancers_file_is_recognised_by_its_tables() {
    let good =
        "[balance]\nlisten = \"127.0.0.1:8080\"\n\n[[node]]\nname = \"tc01\"\naddress = \"127.0.0.1:9080\"\n";
    let place = scratch([
        ("lb.toml", good),
        ("key.toml", &good.replace("address", "adress")),
        ("value.toml", &good.replace("9080", "none")),
    ]);
    let shown = run(&place, ["config", "show", "lb.toml"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    golden("show-balancer.toml", &shown.out);

    let done = run(&place, ["config", "check", "key.toml", "lb.toml", "value.toml"]);
    assert_eq!((done.code, done.out.as_str()), (2, "lb.toml: ok\n"));
    golden("balancer-errors.txt", &done.err);
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let place = scratch([]);
    for wrong in [&["config", "check"][..], &["confg"], &["--log", "a=b=c", "config", "show"]] {
        let done = run(&place, wrong.iter().copied());
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{wrong:?}: {}", done.err);
        assert!(done.err.contains("error: "), "{}", done.err);
    }
}

#[test]
fn a_variable_of_the_environment_is_shown_with_its_name() {
    let place = scratch([]);
    let shown = |name: &str, value: &str| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_sessile"));
        std::fs::write(place.path().join("tc01.toml"), "").expect("writable");
        let shown =
            program.args(["config", "show", "tc01.toml"]).current_dir(&place).env(name, value).output();
        let shown = shown.expect("it runs");
        (shown.status.code(), String::from_utf8_lossy(&[shown.stdout, shown.stderr].concat()).into_owned())
    };
    let (code, text) = shown("SESSILE_NODE__NAME", "tc07");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("name = \"tc07\"                       # from SESSILE_NODE__NAME: unique"),
        "{text}"
    );
    let (code, text) = shown("SESSILE_NODE__NAME", "a name");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("SESSILE_NODE__NAME=a name") && text.contains('^'), "{text}");
}

/// Compares `got` with the file of that name in `tests/golden`.
#[track_caller]
fn golden(name: &str, got: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&file, got).expect("writable");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(got, expected, "{name} differs; after a change that is meant, run the tests with {BLESS}=1");
}

/// The reference in the documentation and the schema beside it are what the program prints.
#[test]
fn the_documentation_is_what_the_program_prints() {
    let place = scratch([]);
    let reference = run(&place, ["config", "reference"]);
    assert!(include_str!("../../../docs/configuration.md").contains(&reference.out), "{}", reference.out);
    let schema = run(&place, ["config", "schema"]);
    assert_eq!(include_str!("../../../docs/sessile.schema.json"), schema.out);
}
