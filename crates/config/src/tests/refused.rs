//! Errors name their place and a valid value.

use super::*;

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
        (
            "[http.tls]\ncertificates = [{ key = 1 }]",
            &["2:17", "this is a table", "one element", "[\"…\", \"…\"]"],
        ),
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
        ("[session]\ncookie = \"__sid\"", &["unless with `__Host-`"]),
        ("[session]\ndomain = \".shop.example\"", &["must not begin with a dot", "\"shop.example\""]),
        ("[session]\ndomain = \"Shop\"", &["is not a domain"]),
        ("[session]\nchange_grace = \"1h\"", &["must be 0ms to 5m"]),
        ("[session]\nsecure = \"yes\"", &["\"auto\", true or false"]),
        ("[session]\nsame_site = \"lax\"", &["did you mean \"Lax\"?"]),
        ("[session]\non_ended = 409", &["must be `ignore` or `409`", "an integer"]),
    ] {
        one_error(text, "2:", parts);
    }
}

#[test]
fn values_that_contradict_each_other_are_named_together() {
    let needs = &["needs a `secure` cookie"];
    one_error("[session]\ncookie = \"__Host-sid\"\nsecure = false", "2:10", needs);
    one_error("[session]\npartitioned = true\nsecure = false", "2:15", needs);
    let bound = "[session]\ncookie = \"__Host-sid\"\ndomain = \"shop.example\"";
    one_error(bound, "3:10", &["has no `domain`"]);
    let app = |path| format!("[[app]]\npath = \"{path}\"\nbuiltin = \"clusterapp\"\ncookie = \"__Host-x\"\n");
    one_error(&[app("/a"), app("/b")].concat(), "8:10", &["both are at `/`", "__Host-shop"]);
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
    one_error("[ajp]\nlisten = 9009", "2:10", &["needs a `secret_file`", "secret new ajp.secret"]);
    let shared = "[ajp]\nlisten = 9009\nsecret_file = \"cluster.secret\"";
    one_error(shared, "3:15", &["is also that of [cluster]", "a file of its own"]);
    one_error("[ajp]\nlisten = 9080\nsecret_file = \"a\"", "2:10", &["[ajp] listens where [http] does"]);
    one_error("[ajp]\npacket_size = \"64B\"", "2:15", &["8KiB to 64KiB"]);
    one_error("[http]\nrequiredSecret = 1", "2:1", &["`secret_file` in [ajp]"]);
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
fn all_errors_of_a_file_come_at_once_in_order() {
    let found = errors("[sender]\nmode = \"fast\"\n[node]\nname = \"\"\ncolour = 1\n[http]\nlisten = true");
    let places: Vec<&str> = found.iter().map(|error| &error[..4]).collect();
    assert_eq!(places, ["2:8 ", "4:8 ", "5:1 ", "7:10"]);
    let syntax = errors("[node\nname = \"a\"\n[http]\nlisten = \n");
    assert_eq!(syntax.len(), 2, "{syntax:#?}");
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
