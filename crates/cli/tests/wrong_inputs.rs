//! What an operator gets wrong, and what the program says to it: each message names the input, the place and
//! the remedy.

mod program;

use std::os::unix::fs::PermissionsExt;

use program::{run, scratch};

/// Text of a configuration, and what must be said to it.
type Wrong<'t> = (&'t str, &'t [&'t str]);

const CONFIGURATIONS: &[Wrong] = &[
    ("[http]\nport = 9080", &["unknown key `port` in [http]", "did you mean `listen`?", "tc01.toml:2:1"]),
    ("[admin]\naddress = 9005", &["unknown key `address` in [admin]", "did you mean `listen`?"]),
    ("[membership]\nhosts = []", &["unknown key `hosts` in [membership]", "did you mean `members`?"]),
    ("[store]\ntype = \"file\"", &["unknown key `type` in [store]", "did you mean `kind`?"]),
    ("[session]\nttl = \"1h\"", &["unknown key `ttl` in [session]", "did you mean `timeout`?"]),
    ("[http]\nlisten = 99999", &["tc01.toml:2:10", "port"]),
    ("[http]\nlisten = \"localhost:9080\"", &["tc01.toml:2:10"]),
    ("[http]\nlisten = \"127.0.0.1\"", &["tc01.toml:2:10"]),
    ("[node]\nname = \"\"", &["is not a name of 1 to 32 letters"]),
    ("[node]\nname = \"tc 01\"", &["is not a name of 1 to 32 letters"]),
    ("[node]\nname = tc01", &["tc01.toml:2:8"]),
    ("[nodes]\nname = \"tc01\"", &["unknown table `nodes`", "did you mean [node]?"]),
    ("name = \"tc01\"", &["unknown key `name`", "did you mean `name` in [node]?"]),
    ("[node]\nname = \"a\"\nname = \"b\"", &["tc01.toml:3:1", "duplicate key"]),
    ("[cluster]\nmanager = \"detla\"", &["cannot be \"detla\"", "did you mean \"delta\"?"]),
    ("[cluster]\nmanagerClassName = \"x\"", &["Tomcat's name", "in its place"]),
    ("[cluster]\nstate_transfer_timeout = 60", &["tc01.toml:2:26", "60s"]),
    ("[cluster]\nstate_transfer_timeout = \"-1\"", &["is not a length of time", "never"]),
    ("[cluster]\ninsecure = \"yes\"", &["true", "false"]),
    ("[membership]\nkind = \"unicast\"", &["`multicast`", "`static`"]),
    ("[membership]\naddress = \"10.0.0.1\"", &["224.0.0.0"]),
    ("[membership]\nkind = \"static\"", &["`members`"]),
    ("[membership]\nkind = \"static\"\nmembers = [\"tc02\"]", &["host:port"]),
    ("[membership]\nkind = \"static\"\nmembers = \"tc02:4002\"", &["tc01.toml:3:11", "list"]),
    ("[membership]\ndrop_time = \"1500ms\"\nfrequency = \"5s\"", &["frequency", "drop_time"]),
    ("[sender]\nmode = \"fast\"", &["`pipelined`", "`async`"]),
    ("[sender]\nqueue_bytes = \"64 apples\"", &["tc01.toml:2:15", "MiB"]),
    ("[session]\ntimeout = \"30 minuets\"", &["tc01.toml:2:11"]),
    ("[session]\ntimeout = \"\"", &["tc01.toml:2:11"]),
    ("[session]\nsame_site = \"none\"", &["None"]),
    ("[session]\ncookie = \"my cookie\"", &["is not a name of 1 to 64 letters"]),
    ("[session]\ncookie = \"__Secure-sid\"", &["must not start with `__`"]),
    ("[session]\ndomain = \".shop.example\"", &["must not begin with a dot", "\"shop.example\""]),
    ("[session]\nmax_attribute_bytes = \"8MiB\"", &["max_session_bytes"]),
    ("[replication]\nfilter = \"((gif\"", &["is not a regular expression", "tc01.toml:2:12"]),
    ("[store]\nkind = \"redis\"", &["needs `url` or `url_file`", "redis://db:6379"]),
    ("[store]\nkind = \"postgres\"", &["needs `url` or `url_file`", "postgres://sessile@db/sessions"]),
    ("[store]\nkind = \"redis\"\nurl = \"redis://u:p@db\"", &["`url` has a password in it", "url_file"]),
    ("[store]\nkind = \"mysql\"", &["`postgres`", "`redis`"]),
    ("[[app]]\npath = \"shop\"\nbuiltin = \"clusterapp\"", &["tc01.toml:2:8", "/"]),
    ("[[app]]\npath = \"/shop\"", &["has no `builtin`, `file` or `directory`"]),
    ("[[app]]\npath = \"/shop\"\nfile = \"shop.zip\"", &["has no archive", "shop.zip", "tc01.toml:3:"]),
    ("[[app]]\npath = \"/shop\"\ndirectory = \"www\"", &["has no directory", "www"]),
    ("[http]\nlisten = 9080\n[admin]\nlisten = 9080", &["[admin] listens where [http] does"]),
    ("[ajp]\nlisten = 9009", &["[ajp] needs a `secret_file`", "sessile secret new ajp.secret"]),
    ("[http]\nproxy_protocol = true", &["believes nobody", "trusted_proxies"]),
    ("[http]\ntrusted_proxies = [\"proxy.example\"]", &["tc01.toml:2:20"]),
    ("[http.limits]\nconnections = 0", &["must be 1 to 1000000"]),
    ("[http.tls]\ncertificates = [\"none.pem\"]", &["none.pem"]),
    ("[admin]\nallowed_hosts = [\"https://tc01:9005/\"]", &["is not the name of a host", "without scheme"]),
    ("[node", &["tc01.toml:1:"]),
    ("\u{0}", &["tc01.toml:1:"]),
];

#[test]
fn wrong_configurations_are_explained() {
    for (text, said) in CONFIGURATIONS {
        let place = scratch([("tc01.toml", text)]);
        let done = run(&place, ["config", "check", "tc01.toml"]);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{text:?}: {}", done.err);
        for part in *said {
            assert!(done.err.contains(part), "{text:?}: no {part:?} in\n{}", done.err);
        }
        assert!(done.err.contains("tc01.toml"), "{text:?}: {}", done.err);
        assert!(!done.err.contains("panicked") && !done.err.contains("Findings"), "{}", done.err);
    }
}

#[test]
fn a_long_value_is_cut() {
    let long = "x".repeat(5_000);
    for text in [
        format!("[node]\nname = \"{long}\""),
        format!("[cluster]\nmanager = \"{long}\""),
        format!("[session]\ntimeout = \"{long}\""),
        format!("[session]\n{long} = 1"),
    ] {
        let place = scratch([("tc01.toml", &text)]);
        let done = run(&place, ["config", "check", "tc01.toml"]);
        assert_eq!(done.code, 2);
        assert!(done.err.len() < 2_000 && done.err.contains('…'), "{} bytes: {}", done.err.len(), done.err);
    }
}

#[test]
fn what_has_no_effect_is_told_and_does_no_harm() {
    for (text, said) in [
        ("[store]\nkind = \"file\"\nurl = \"redis://db\"", "this kind of store has no `url`"),
        ("[store]\ninterval = \"2s\"", "[store] has no `kind`"),
        ("[farm]\ndeploy_key_file = \"deploy.key\"", "takes no part in a farm"),
    ] {
        let place = scratch([("tc01.toml", text)]);
        let done = run(&place, ["config", "check", "tc01.toml"]);
        assert_eq!((done.code, done.out.as_str()), (0, "tc01.toml: ok\n"), "{text:?}: {}", done.err);
        assert!(done.err.contains("warning") && done.err.contains(said), "{text:?}: {}", done.err);
    }
}

#[test]
fn wrong_command_lines_are_explained() {
    for (line, code, said) in [
        ("serve", 2, "--config"),
        ("serve --config none.toml", 2, "cannot read the configuration none.toml"),
        ("status", 2, "NODE"),
        ("status nobody", 2, "there is neither a file nobody nor nobody.toml"),
        ("stop tc01 --config tc01.toml", 2, "cannot be used with"),
        ("statsu tc01", 2, "status"),
        ("route tc01 --rewrite maybe", 2, "on, off"),
        ("secret new cluster.secret", 1, "cluster.secret"),
        ("secret rotate", 2, "NODE"),
        ("secret token --config tc01.toml", 1, "line 1"),
        ("status --config tc01.toml", 1, "line 1"),
        ("store show sid --config tc01.toml", 2, "a key has 22 characters"),
        ("store ls --config tc01.toml", 2, "[store]"),
        ("balance -d localhost:8080", 2, "no servers"),
        ("balance 127.0.0.1:0 nohost.invalid:80 extra:port", 2, "extra:port"),
        ("config check", 2, "FILE"),
        ("config check none.toml", 2, "cannot read the configuration none.toml"),
        ("deploy none.zip --config tc01.toml", 1, "line 1"),
        ("bench nothing", 2, "nothing"),
    ] {
        let place = scratch([("tc01.toml", "[admin]\nlisten = 9\n"), ("cluster.secret", "c2hvcnQ=\n")]);
        let secret = place.path().join("cluster.secret");
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("our own file");
        let done = run(&place, line.split(' '));
        assert_eq!(done.code, code, "{line}: {}{}", done.out, done.err);
        assert!(done.err.contains(said), "{line}: no {said:?} in\n{}", done.err);
        assert!(!done.err.contains("panicked") && !done.err.contains("c2hvcnQ"), "{line}: {}", done.err);
    }
}

#[test]
fn an_address_of_another_machine_is_no_taken_port() {
    for (table, said) in
        [("http", "[http] listen"), ("admin", "[admin] listen"), ("receiver", "[receiver] listen")]
    {
        // TEST-NET-1 is nobody's.
        let text = "[http]\nlisten = \"127.0.0.1:0\"\n[receiver]\nlisten = \"127.0.0.1:0\"\n[admin]\n\
                    listen = \"127.0.0.1:0\"\n";
        let own = format!("[{table}]\nlisten = \"127.0.0.1:0\"");
        let text = text.replace(&own, &own.replace("127.0.0.1", "192.0.2.1"));
        let text = format!("{text}[membership]\nkind = \"static\"\nmembers = [\"127.0.0.1:1\"]\n");
        let place = scratch([("tc01.toml", &text)]);
        run(&place, ["secret", "new", "cluster.secret"]);
        let done = run(&place, ["serve", "--config", "tc01.toml"]);
        assert_eq!(done.code, 1, "{table}: {}", done.err);
        assert!(done.err.contains(said) && done.err.contains("an address of this machine"), "{}", done.err);
        assert!(!done.err.contains("another port"), "{}", done.err);
    }
}

/// One key in 64 begins as an option does.
#[test]
fn a_key_that_begins_with_a_hyphen_is_a_key() {
    let config = "[store]\nkind = \"file\"\npath = \"sessions\"\n";
    let place = scratch([("tc01.toml", config)]);
    run(&place, ["secret", "new", "cluster.secret"]);
    std::fs::create_dir(place.path().join("sessions")).expect("writable");
    for key in ["-hIJKLMNOPQRSTUVWXYZaA", "--234567890123456789_A", "-v34567890123456789_AA"] {
        for line in [vec!["store", "show", key], vec!["store", "ls", "--after", key]] {
            let done = run(&place, line.iter().copied().chain(["--config", "tc01.toml"]));
            assert!(!done.err.contains("Usage") && !done.out.contains("Usage"), "{line:?}: {}", done.err);
            assert!(!done.err.contains("unexpected argument"), "{line:?}: {}", done.err);
        }
    }
}
