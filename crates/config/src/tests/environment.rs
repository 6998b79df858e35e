//! Values from the environment, and their errors.

use std::ffi::OsString;

use crate::environment::Environment;
use crate::{Config, ConfigError, Findings, read};

const FILE: &str =
    "[cluster]\nname = \"sample\"\n[membership]\nkind = \"multicast\"\nfrequency = \"500ms\"\n";

fn with(variables: &[(&str, &str)]) -> Result<(Config, Findings), ConfigError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    read::config("conf/tc01.toml".as_ref(), FILE, Environment::of(variables, FILE))
}

/// The only error, as people see it.
#[track_caller]
fn error(name: &str, value: &str) -> String {
    let error = with(&[(name, value)]).expect_err(name);
    if let ConfigError::Invalid(findings) = &error {
        assert_eq!(findings.list.len(), 1, "{error}");
    }
    error.to_string()
}

#[test]
fn variables_replace_and_add_values_of_every_form() {
    let (config, findings) = with(&[
        ("SESSILE_CLUSTER__NAME", "123"),
        ("SESSILE_CLUSTER__SECRET_FILE", "/run/secret"),
        ("SESSILE_ADMIN__LISTEN", "9005"),
        ("SESSILE_MEMBERSHIP__MEMBERS", "[\"127.0.0.1:4001\", \"127.0.0.1:4002\"]"),
        ("SESSILE_HTTP__LIMITS__HEADERS", "50"),
        ("SESSILE_REPLICATION__RECEIPT_HEADER", "true"),
        ("SESSILE_MEMBERSHIP__KIND", "static"),
        ("SESSILE_LOG", "debug"),
        ("OTHER_CLUSTER__NAME", "other"),
    ])
    .expect("all of them are right");
    assert!(findings.list.is_empty(), "{findings}");
    assert_eq!(config.cluster.name, "123");
    assert_eq!(config.cluster.secret_file.to_string_lossy(), "/run/secret");
    assert_eq!(config.admin.listen.expect("a port").to_string(), "127.0.0.1:9005");
    assert_eq!(config.membership.members.len(), 2);
    assert_eq!(config.http.limits.headers, 50);
    assert!(config.replication.receipt_header);
    assert_eq!(config.overrides.len(), 7);
}

#[test]
fn the_shown_configuration_says_where_a_value_comes_from() {
    let (config, _) = with(&[("SESSILE_CLUSTER__NAME", "shop")]).expect("right");
    let shown = config.effective_toml();
    assert!(
        shown.contains("name = \"shop\"                       # from SESSILE_CLUSTER__NAME: nodes of"),
        "{shown}"
    );
    assert_eq!(shown.matches("from SESSILE").count(), 1);
    let (read, _) = Config::parse("conf/tc01.toml", &shown).expect("it reads back");
    assert_eq!(read, Config { overrides: Vec::new(), ..config });
}

#[test]
fn errors_name_the_variable_and_show_its_line() {
    let shown = error("SESSILE_MEMBERSHIP__DROP_TIME", "soon");
    for part in [
        "error: SESSILE_MEMBERSHIP__DROP_TIME: `drop_time` ",
        "--> conf/tc01.toml:7:1",
        "7 | SESSILE_MEMBERSHIP__DROP_TIME=soon",
        "help: ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(error("SESSILE_REPLICATION__DIRTY_FLAG", "maybe").contains("must be true or false"));
    assert!(error("SESSILE_SENDER__POOL_SIZE", "0").contains("SESSILE_SENDER__POOL_SIZE=0"));
}

#[test]
fn a_contradiction_points_at_the_variable() {
    let shown = error("SESSILE_MEMBERSHIP__DROP_TIME", "1500ms");
    assert!(shown.contains("7 | SESSILE_MEMBERSHIP__DROP_TIME=1500ms"), "{shown}");
}

#[test]
fn a_variable_for_no_key_is_an_error_with_a_suggestion() {
    let shown = error("SESSILE_CLUSTER__NMAE", "shop");
    assert!(shown.contains("did you mean SESSILE_CLUSTER__NAME?"), "{shown}");
    assert!(error("SESSILE_BALANCE__LISTEN", "1").contains("SESSILE_TABLE__KEY"));
    assert!(error("SESSILE_APP__PATH", "/shop").contains("write `[[app]]` into the file"));
}

#[test]
#[cfg(unix)]
fn a_value_that_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let variables = [(OsString::from("SESSILE_NODE__NAME"), OsString::from_vec(vec![0xff]))];
    let read = read::config("tc01.toml".as_ref(), "", Environment::of(variables, ""));
    assert!(read.expect_err("no text").to_string().contains("`name` is not UTF-8"));
}
