//! The sample, the defaults, and the errors as people see them.

mod described;

use std::time::Duration;

use proptest::prelude::*;

use super::{
    App, Builtin, Config, ConfigError, Manager, MembershipKind, Mode, QueueFull, SameSite, Secure, Sender,
    Session, Severity,
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
fn unknown_keys_suggest_the_key_that_was_meant() {
    let unknown = "unknown key";
    one_error(
        "[membership]\ndrop_tme = \"3s\"",
        "2:1 unknown key `drop_tme` in [membership]",
        &["mean `drop_time`?"],
    );
    one_error("[sender]\ndrop_time = \"3s\"", "2:1", &[unknown, "did you mean `drop_time` in [membership]?"]);
    one_error("frequncy = \"3s\"", "1:1 unknown key `frequncy`", &["`frequency` in [membership]?"]);
    one_error("[sesion]\ntimeout = \"3s\"", "1:2 unknown table `sesion`", &["did you mean [session]?"]);
    one_error(
        "[node]\ncolour = 3",
        "2:1",
        &[unknown, "[node] has `name`, `drain_time`, `rewrite_route` or `zone`"],
    );
    one_error(
        "[[app]]\npath=\"/\"\nbuiltin=\"clusterapp\"\ndiagnostic = true",
        "4:1",
        &["mean `diagnostics`?"],
    );
    let [known] = errors("[[app]]\npath=\"/\"\nbuiltin=\"clusterapp\"\ncolour = 1").try_into().expect("one");
    assert_eq!(known.matches("`path`").count(), 1, "{known}");
    one_error("[app]\npath = \"/\"", "1:2", &["write `[[app]]`"]);
    one_error("[[node]]\nname = \"a\"", "1:3", &["write `[node]`"]);
    one_error("node = 3", "1:8 `node` is a table", &["write `[node]`"]);
}

#[test]
fn parts_that_are_not_built_say_so_and_name_what_works() {
    let version = "is not available in this version";
    for (text, works) in [
        ("[cluster]\nmanager = \"backup\"", "`full`, `delta` or `local`"),
        ("[membership]\nkind = \"swim\"", "`multicast` or `static`"),
        ("[replication]\ncompress = true", "`compress = false`"),
        ("[node]\nzone = \"a\"", "remove the key"),
        ("[cluster]\ngroup = \"a\"", "remove the key"),
    ] {
        one_error(text, "2:", &[version, works]);
    }
}

#[test]
fn wrong_values_are_named_with_what_would_be_right() {
    for (text, parts) in [
        ("[node]\nname = \"a b\"", &["letters, digits"][..]),
        ("[node]\nname = \"0123456789012345678901234567890123\"", &["1 to 32"]),
        ("[http]\nlisten = \"localhost:9080\"", &["127.0.0.1:9080"]),
        ("[http]\nlisten = 99999", &["ports are 0 to 65535"]),
        ("[http]\nhealth_path = \"ready\"", &["must start with a slash", "/ready"]),
        ("[http]\ntrusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/40\"]", &["2:34", "at most /32"]),
        ("[cluster]\ninsecure = \"true\"", &["without quotes"]),
        ("[cluster]\nsecret_file = \"\"", &["does not name a file"]),
        ("[cluster]\ncopies = 0", &["must be 1 to 64"]),
        ("[membership]\naddress = \"10.0.0.4\"", &["224.0.0.0 to 239.255.255.255"]),
        ("[membership]\nport = -1", &["must be 1 to 65535"]),
        ("[membership]\nport = \"45564\"", &["without quotes"]),
        ("[membership]\nfrequency = 500", &["needs a unit", "\"500ms\""]),
        ("[membership]\nfrequency = \"half a second\"", &["is not a length of time"]),
        ("[membership]\nfrequency = \"1ms\"", &["must be 10ms to 1m"]),
        ("[membership]\nmembers = [\"tc02\"]", &["2:12", "has no port"]),
        ("[receiver]\nadvertise = \"tc01:0\"", &["has no port"]),
        ("[session]\nmax_session_bytes = \"4 potatoes\"", &["is not a number of bytes"]),
        ("[session]\ntimeout = \"never\"", &["is not a length of time"]),
        ("[session]\ncookie = \"s;d\"", &["letters, digits"]),
        ("[session]\ncookie = \"__Host-sid\"", &["put in front where it fits"]),
        ("[session]\nsecure = \"yes\"", &["\"auto\", true or false"]),
        ("[session]\nsame_site = \"lax\"", &["did you mean \"Lax\"?"]),
        ("[session]\non_ended = 409", &["must be `ignore` or `409`", "an integer"]),
    ] {
        one_error(text, "2:", parts);
    }
}

#[test]
fn values_that_contradict_each_other_are_named_together() {
    one_error("[membership]\ndrop_time = \"1s\"", "2:13", &["4 x 500ms is 2s"]);
    one_error("[membership]\nfrequency = \"1s\"", "2:13", &["four heartbeats", "4s"]);
    one_error("[sender]\nack_timeout = \"4s\"", "2:15", &["drop_time is 3s"]);
    one_error("[receiver]\nlisten = \"0.0.0.0:9080\"", "2:10", &["[receiver] listens where [http] does"]);
    one_error("[membership]\nkind = \"static\"", "2:8", &["members = "]);
    one_error("[sender]\nqueue_bytes = \"7MiB\"", "2:15", &["twice `max_session_bytes`"]);
    one_error("[session]\nmax_attribute_bytes = \"8MiB\"", "2:23", &["larger than `max_session_bytes`"]);
    one_error("[session]\nmax_table_bytes = \"32MiB\"", "2:19", &["larger than `max_table_bytes` / 16"]);
    one_error("[session]\nsame_site = \"None\"\nsecure = false", "2:13", &["`secure = true`"]);
    let keyed = "[farm]\ndeploy_dir = \"a\"\ndeploy_key_file = \"cluster.secret\"";
    one_error(keyed, "3:19", &["is also `secret_file` in [cluster]", "secret new deploy.key"]);
    let app = "[[app]]\npath = \"/a\"\nbuiltin = \"clusterapp\"\n";
    one_error(&format!("{app}{app}"), "5:8", &["a second application at `/a`"]);
    let shared = |path: &str, keys: &str| {
        format!("[[app]]\npath = \"{path}\"\nbuiltin = \"clusterapp\"\nsession_path = \"/s\"\n{keys}")
    };
    one_error(&shared("/a", ""), "4:16", &["`session_path` is not above `/a`", "such as \"/\""]);
    one_error(&shared("/sa", ""), "4:16", &["`session_path` is not above `/sa`"]);
    let both = |keys| [shared("/s/a", ""), shared("/s/b", keys)].concat();
    one_error(&both("timeout = \"5m\"\n"), "8:16", &["the sessions at `/s` are set otherwise by `/s/a`"]);
    one_error(&both("distributable = false\n"), "8:16", &["set otherwise by `/s/a`", "same manager"]);
    assert_eq!(parse(&both("diagnostics = true\n")).map(|config| config.apps.len()).ok(), Some(2));
    one_error(&format!("{app}same_site = \"None\"\nsecure = false"), "4:13", &["`secure = true`"]);
    one_error(&format!("{app}max_active = 5"), "4:14", &["`max_active`", "set it in [session]"]);
    one_error(&format!("{app}max_table_bytes = \"1GiB\""), "4:19", &["`max_table_bytes`", "[session]"]);
    one_error(&format!("{app}distributable = false\nmanager = \"full\""), "5:11", &["`distributable`"]);
    one_error(
        &format!("[cluster]\nmanager = \"local\"\n{app}manager = \"delta\""),
        "6:11",
        &["has no members"],
    );
    one_error(
        "[farm]\nwatch_dir = \"a\"\ndeploy_dir = \"a\"",
        "2:13",
        &["also `deploy_dir`", "its own directory"],
    );
    one_error("[[app]]\nbuiltin = \"clusterapp\"", "1:1", &["has no `path`"]);
    one_error("[[app]]\npath = \"/a\"", "1:1", &["has no `builtin`", "`file = \"shop.zip\"`"]);
    one_error(&format!("{app}file = \"a.zip\""), "4:8", &["both `builtin` and `file`"]);
    assert!(parse("[receiver]\nlisten = 0\n[http]\nlisten = 0").is_ok(), "free ports never collide");
}

#[test]
fn the_filter_shows_the_place_inside_the_pattern() {
    one_error("[replication]\nfilter = '.*\\.(gif'", "2:15", &["unclosed group", "character 5"]);
    one_error("[replication]\nfilter = 'a\\Q'", "2:12", &["unrecognized escape"]);
    one_error("[replication]\nfilter = \"a\\\\.(\"", "2:10", &["character 4 of the pattern"]);
    one_error(
        "[replication]\nfilter = '.*\\.gif; .*\\.(js;/a'",
        "2:24",
        &["element 2, `.*\\.(js`", "unclosed group", "character 5 of the element"],
    );
    for list in ["", ";", r".*\.gif;.*\.js;", r".*\.gif;;.*\.js"] {
        let config = parse(&format!("[replication]\nfilter = '{list}'")).unwrap();
        assert_eq!(config.replication.filter, list);
    }
    one_error("[replication]\nnames = 'user\\.('", "2:16", &["`names`", "unclosed group"]);
}

#[test]
fn the_sender_and_the_receiver_are_told_how_to_work() {
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
    assert_eq!(usize::from(Sender::POOL_MAX), sessile_group::LANES_MAX, "who dials no more than is accepted");
}

#[test]
fn all_errors_of_a_file_come_at_once_in_order() {
    let found = errors("[sender]\nmode = \"fast\"\n[node]\nname = \"\"\ncolour = 1\n[http]\nlisten = true");
    let places: Vec<&str> = found.iter().map(|error| &error[..4]).collect();
    assert_eq!(places, ["2:8 ", "4:8 ", "5:1 ", "7:10"]);
    let syntax = errors("[node\nname = \"a\"\n[http]\nlisten = \n");
    assert_eq!(syntax.len(), 2, "{syntax:#?}");
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
fn an_error_shows_file_line_and_caret() {
    let error = parse("[membership]\n\tdrop_tme = \"3s\" # später").expect_err("unknown");
    let shown = "error: unknown key `drop_tme` in [membership]\n \
        --> conf/tc01.toml:2:2\n  |\n2 | \tdrop_tme = \"3s\" # später\n  | \t^^^^^^^^ unknown key\n  \
        = help: did you mean `drop_time`?";
    assert_eq!(error.to_string(), shown);
}

#[test]
fn an_unreadable_file_is_named() {
    let error = Config::load("/nowhere/tc01.toml").expect_err("there is none");
    assert!(
        error.to_string().starts_with("error: cannot read the configuration /nowhere/tc01.toml: "),
        "{error}"
    );
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
