//! The sample, the defaults, and the errors as people see them.

mod described;
mod environment;
mod refused;

use std::time::Duration;

use proptest::prelude::*;

use super::{
    App, Builtin, Config, ConfigError, Manager, MembershipKind, Mode, QueueFull, SameSite, Secure, Session,
    Severity,
};

/// The sample of the design, as printed there.
const SAMPLE: &str = include_str!("tests/tc01.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("conf/tc01.toml", text).map(|(config, _)| config)
}

/// The errors of a file, one `line:column message | label | help` each.
fn errors(text: &str) -> Vec<String> {
    let Err(ConfigError::Invalid(findings)) = parse(text) else { return Vec::new() };
    let shown = findings.list.iter().map(|finding| {
        let place = findings.place(finding).replace("conf/tc01.toml:", "");
        let help = finding.help.clone().unwrap_or_default();
        format!("{place} {} | {} | {help}", finding.message, finding.label)
    });
    shown.collect()
}

/// Asserts that the only error of `text` starts with `start` and holds each of `parts`.
#[track_caller]
fn one_error(text: &str, start: &str, parts: &[&str]) {
    let found = errors(text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    assert!(found[0].starts_with(start), "{text}: {}", found[0]);
    for part in parts {
        assert!(found[0].contains(part), "{text}: {} has no {part}", found[0]);
    }
}

#[test]
fn the_sample_is_accepted_and_means_what_it_says() {
    let (config, findings) = Config::parse("conf/tc01.toml", SAMPLE).expect("the sample is good");
    assert!(findings.list.is_empty(), "{findings}");
    assert_eq!(config.node.name, "tc01");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:9080");
    assert_eq!(config.admin.listen.expect("a port").to_string(), "127.0.0.1:9005");
    assert_eq!(config.cluster.manager, Manager::Delta);
    assert_eq!(config.cluster.secret_file.to_string_lossy(), "conf/cluster.secret");
    assert_eq!(config.membership.kind, MembershipKind::Multicast);
    assert_eq!(config.sender.mode, Mode::Pipelined);
    let app =
        App { path: "/clusterapp".to_owned(), diagnostics: true, ..App::with_session(Session::default()) };
    assert_eq!(config.apps, [app]);
    assert_eq!(config.apps[0].builtin, Some(Builtin::Clusterapp));
}

#[test]
fn an_empty_file_is_the_sample_without_its_application_and_its_admin_port() {
    let mut sample = parse(SAMPLE).expect("the sample is good");
    sample.apps.clear();
    sample.admin.listen = None;
    assert_eq!(parse("").expect("nothing is required"), sample);
    let made = Config::default();
    assert_eq!(made.validate().map_err(|error| error.to_string()), Ok(()));
    assert_eq!(Config { directory: "conf".into(), cluster: sample.cluster.clone(), ..made }, sample);
}

#[test]
fn one_key_keeps_the_rest_of_its_table() {
    let config = parse("[membership]\ndrop_time = \"5s\"").expect("good");
    assert_eq!(config.membership.drop_time, Duration::from_secs(5));
    assert_eq!(config.membership.frequency, Duration::from_millis(500));
}

#[test]
fn sizes_times_and_ports_have_several_spellings() {
    let text = "[admin]\nlisten = 9005\n[session]\nmax_attribute_bytes = 65_536\nmax_session_bytes = \"1MiB\"\n\
        absolute_timeout = \"8h\"\n[cluster]\nstate_transfer_timeout = \"never\"";
    let config = parse(text).expect("good");
    assert_eq!(config.admin.listen.expect("a port").to_string(), "127.0.0.1:9005");
    assert_eq!(config.session.max_attribute_bytes, 65_536);
    assert_eq!(config.session.max_session_bytes, 1 << 20);
    assert_eq!(config.session.absolute_timeout, Some(Duration::from_secs(8 * 3600)));
    assert_eq!(config.cluster.state_transfer_timeout, None);
}

#[test]
fn an_application_overrides_any_session_key() {
    let text = "[session]\ntimeout = \"10m\"\ncookie = \"s\"\n[[app]]\npath = \"/a\"\nbuiltin = \"clusterapp\"\n\
        timeout = \"1h\"\nsecure = true\nsame_site = \"Strict\"";
    let app = parse(text).expect("good").apps.remove(0);
    assert_eq!((app.session.timeout, app.session.cookie.as_str()), (Duration::from_secs(3600), "s"));
    assert_eq!((app.session.secure, app.session.same_site), (Secure::Always, SameSite::Strict));
}

#[test]
fn an_application_may_have_its_own_manager() {
    let app = |rest: &str| format!("[[app]]\npath = \"/a\"\nbuiltin = \"clusterapp\"\n{rest}");
    for (cluster, rest, manager) in [
        ("delta", "", Manager::Delta),
        ("full", "", Manager::Full),
        ("delta", "manager = \"full\"", Manager::Full),
        ("full", "manager = \"local\"", Manager::Local),
        ("local", "manager = \"local\"", Manager::Local),
        ("full", "distributable = false", Manager::Local),
    ] {
        let config = parse(&format!("[cluster]\nmanager = \"{cluster}\"\n{}", app(rest))).expect("good");
        assert_eq!(config.manager_of(&config.apps[0]), manager, "{cluster}: {rest}");
    }
    let flag = format!("[replication]\ndirty_flag = false\n{}", app("manager = \"full\""));
    assert!(Config::parse("tc01.toml", &flag).expect("good").1.list.is_empty(), "the flag has its manager");
}

#[test]
fn the_sender_and_the_receiver_are_configured() {
    for (word, mode) in [
        ("sync", Mode::Sync),
        ("pooled", Mode::Pooled),
        ("pipelined", Mode::Pipelined),
        ("async", Mode::Async),
    ] {
        assert_eq!(parse(&format!("[sender]\nmode = \"{word}\"")).unwrap().sender.mode, mode);
    }
    let text = "[sender]\npool_size = 3\nmax_wait = \"2s\"\nkeep_alive = \"5s\"\nqueue_full = \"refuse\"\n[receiver]\nworkers = 2";
    let config = parse(text).unwrap();
    assert_eq!((config.sender.pool_size, config.sender.max_wait), (3, Duration::from_secs(2)));
    assert_eq!(
        (config.sender.keep_alive, config.sender.queue_full),
        (Duration::from_secs(5), QueueFull::Refuse)
    );
    assert_eq!(config.receiver.workers, Some(2));
    one_error("[sender]\npool_size = 0", "2:13", &["1 to 256"]);
    one_error("[sender]\nqueue_full = \"drop\"", "2:14", &["`block`, `sync` or `refuse`"]);
    one_error("[receiver]\nworkers = 65", "2:11", &["1 to 64"]);
}

#[test]
fn suspicious_values_are_warnings() {
    for (text, part) in [
        ("[membership]\nbind = \"10.0.0.5\"", "cannot reach a loopback address"),
        ("[membership]\nkind = \"static\"\nmembers = [\"tc01:4001\", \"tc02:4001\"]", "cannot reach"),
        ("[replication]\ndirty_flag = false", "with manager `full` only"),
        ("[cluster]\ninsecure = true", "neither authenticated nor encrypted"),
        ("[farm]\ndeploy_key_file = \"deploy.key\"", "takes no part in a farm"),
    ] {
        let (_, findings) = Config::parse("tc01.toml", text).expect("only a warning");
        assert_eq!(findings.list.len(), 1, "{findings}");
        assert_eq!(findings.list[0].severity, Severity::Warning);
        assert!(findings.to_string().contains(part), "{findings}");
    }
    let reachable = "[membership]\nbind = \"10.0.0.5\"\n[receiver]\nlisten = \"10.0.0.5:4001\"";
    assert!(Config::parse("tc01.toml", reachable).expect("good").1.list.is_empty());
}

#[test]
fn the_effective_configuration_names_every_key() {
    let shown = parse(SAMPLE).expect("good").effective_toml();
    for line in
        SAMPLE.lines().filter_map(|line| line.split('#').next()).filter(|line| !line.trim().is_empty())
    {
        let line = line.trim_end().replace("60s", "1m");
        assert!(shown.contains(&line), "{line} is not in\n{shown}");
    }
    assert!(shown.contains("# advertise is not set"), "{shown}");
}

fn sessions() -> impl Strategy<Value = Session> {
    let bytes = (1..=1_usize << 20, 1 << 20..=1_usize << 23, 1 << 27..=1_usize << 40);
    let word = (0..3_usize, 0..3_usize, any::<bool>());
    (
        1..=3_650 * 86_400_u64,
        proptest::option::of(1..=9_999_u64),
        bytes,
        word,
        "[A-Za-z0-9-][A-Za-z0-9_-]{0,20}",
    )
        .prop_map(|(timeout, absolute, (attribute, session, table), (secure, site, ended), cookie)| {
            Session {
                timeout: Duration::from_secs(timeout),
                absolute_timeout: absolute.map(Duration::from_secs),
                max_attribute_bytes: attribute,
                max_session_bytes: session,
                max_table_bytes: table,
                cookie,
                secure: [Secure::Auto, Secure::Always, Secure::Always][secure],
                same_site: [SameSite::Lax, SameSite::Strict, SameSite::None][site],
                on_ended: [super::OnEnded::Ignore, super::OnEnded::Conflict][usize::from(ended)],
                ..Session::default()
            }
        })
}

proptest! {
    #[test]
    fn the_effective_configuration_reads_back(
        (shared, own) in (sessions(), sessions()),
        name in "[A-Za-z0-9_-]{1,32}",
        filter in "([a-z./]|\\\\[.'\"n])*[a-z'\"]?",
        secret in "[a-z \"'\\\\]{1,9}x",
        frequency in 10_u64..=750,
        names in "([a-z.]|\\\\[.])*[a-z]?",
        dirty_flag in any::<bool>(),
        manager in 0..4_usize,
        copies in proptest::option::of(1_u32..=64),
    ) {
        prop_assume!(regex::Regex::new(&filter).is_ok());
        let mut config = Config { directory: "conf".into(), session: shared, ..Config::default() };
        config.node.name = name;
        config.replication.filter = filter;
        config.replication.names = names;
        config.replication.dirty_flag = dirty_flag;
        let manager = [None, Some(Manager::Full), Some(Manager::Delta), Some(Manager::Local)][manager];
        config.cluster.secret_file = config.directory.join(secret);
        config.cluster.copies = copies;
        config.membership.frequency = Duration::from_millis(frequency);
        config.membership.members = vec!["[::1]:4001".parse().expect("an address")];
        config.http.trusted_proxies = vec![super::Network::new([10, 0, 0, 0].into(), 8).expect("a network")];
        let own = Session { max_table_bytes: config.session.max_table_bytes, ..own };
        let file = Some(config.directory.join("shop.zip"));
        config.apps = vec![App { path: "/own".to_owned(), builtin: None, file, manager, ..App::with_session(own) }];
        let directory = Some(config.directory.join("public"));
        let shared = App::with_session(config.session.clone());
        config.apps.push(App { builtin: None, directory, distributable: false, ..shared });
        config.farm.watch_dir = Some(config.directory.join("webapps"));
        let text = config.effective_toml();
        prop_assert_eq!(parse(&text).map_err(|error| error.to_string()), Ok(config), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_fall(text in "(\\[?\\[?[a-z_]{1,8}\\]?\\]?( = )?[0-9'\"a-z\\\\.;(]{0,6}\n?){0,8}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().contains("conf/tc01.toml:"));
        }
    }
}

#[test]
fn names_of_tomcat_lead_to_the_keys_of_today() {
    for (table, attribute, place) in [
        ("membership", "mcastAddr", "`address` in [membership]"),
        ("membership", "mcastPort", "`port` in [membership]"),
        ("membership", "mcastFrequency", "`frequency` in [membership]"),
        ("membership", "mcastDropTime", "`drop_time` in [membership]"),
        ("membership", "mcastBindAddr", "`bind` in [membership]"),
        ("membership", "mcastBindAddress", "`bind` in [membership]"),
        ("membership", "domain", "`name` in [cluster]"),
        ("receiver", "tcpListenAddress", "`listen` in [receiver]"),
        ("receiver", "tcpListenPort", "`listen` in [receiver]"),
        ("receiver", "tcpSelectorTimeout", "nothing; connections are woken"),
        ("receiver", "tcpThreadCount", "`workers` in [receiver]"),
        ("receiver", "autoBind", "`next_free_port` in [receiver]"),
        ("sender", "replicationMode", "`mode` in [sender]"),
        ("sender", "ackTimeout", "`ack_timeout` in [sender]"),
        ("sender", "waitForAck", "`mode` in [sender]"),
        ("cluster", "managerClassName", "`manager` in [cluster]"),
        ("cluster", "className", "`manager` in [cluster]"),
        ("cluster", "useDirtyFlag", "`dirty_flag` in [replication]"),
        ("cluster", "expireSessionsOnShutdown", "`expire_on_stop` in [session]"),
        ("cluster", "notifyListenersOnReplication", "marked as remote"),
        ("cluster", "stateTransferTimeout", "`state_transfer_timeout` in [cluster]"),
        ("replication", "primaryIndicator", "an application asks"),
        ("session", "maxActiveSessions", "`max_active` in [session]"),
        ("session", "saveOnRestart", "`kind` in [store]"),
        ("session", "maxIdleBackup", "`backup_idle` in [session]"),
        ("session", "maxIdleSwap", "`swap_idle` in [session]"),
        ("session", "minIdleSwap", "`swap_above` in [store]"),
        ("store", "connectionURL", "`url_file`"),
        ("node", "jvmRoute", "`name` in [node]"),
        ("http", "watchDir", "`watch_dir` in [farm]"),
        ("http", "deployDir", "`deploy_dir` in [farm]"),
        ("http", "tempDir", "`temp_dir` in [farm]"),
        ("admin", "watchEnabled", "`watch` in [farm]"),
        ("admin", "printToScreen", "--log debug"),
    ] {
        for name in [attribute.to_owned(), attribute.to_lowercase(), attribute.to_uppercase()] {
            one_error(
                &format!("[{table}]\n{name} = 1"),
                "2:1 unknown key",
                &["Tomcat's name", "in its place: ", place],
            );
            one_error(&format!("{name} = 1"), "1:1 unknown key", &["Tomcat's name", place]);
        }
    }
    let nested = "[[app]]\npath = \"/a\"\nbuiltin = \"clusterapp\"\nuseDirtyFlag = true";
    one_error(nested, "4:1 unknown key", &["`dirty_flag` in [replication]"]);
}
