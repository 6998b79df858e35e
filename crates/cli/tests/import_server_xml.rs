//! `sessile import-server-xml`, run as people run it: the sample of the article and what configurations of
//! Tomcat 5 to 11 contain.

mod program;

use std::path::{Path, PathBuf};

use program::{run, scratch};
use tempfile::TempDir;

/// The variable that makes the tests write what they got over what they expected.
const BLESS: &str = "SESSILE_BLESS";

/// A server.xml by its name, with the web.xml that belongs to it.
const SAMPLES: [(&str, Option<&str>); 13] = [
    ("article-tc01", Some("clusterapp-web")),
    ("article-tc02", None),
    ("tomcat55-fastasyncqueue", None),
    ("tomcat6-full", None),
    ("tomcat7-short", None),
    ("tomcat7-static-members", None),
    ("tomcat8-persistent-file", None),
    ("tomcat9-jdbc-store", None),
    ("tomcat9-properties", None),
    ("tomcat9-embedded-standalone", None),
    ("tomcat10-ajp-cluster", Some("tomcat10-web")),
    ("tomcat11-domain", None),
    ("migration", None),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server-xml")
}

fn held(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_default()
}

/// Compares `got` with the file of that name.
#[track_caller]
fn golden(name: &str, got: &str) {
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(folder().join(name), got).expect("writable");
    }
    assert_eq!(got, held(name), "{name} differs; after a change that is meant, run the tests with {BLESS}=1");
}

#[test]
fn each_sample_becomes_a_configuration_that_can_be_used() {
    for (name, web) in SAMPLES {
        let place = scratch([]);
        let server = format!("{name}.xml");
        std::fs::write(place.path().join("server.xml"), held(&server)).expect("writable");
        let mut arguments = vec!["import-server-xml", "server.xml", "--out", "tc01.toml"];
        if let Some(web) = web {
            std::fs::write(place.path().join("web.xml"), held(&format!("{web}.xml"))).expect("writable");
            arguments.extend(["--web-xml", "web.xml"]);
        }
        let done = run(&place, arguments);
        assert_eq!(done.code, 0, "{name}: {}", done.err);
        let toml = std::fs::read_to_string(place.path().join("tc01.toml")).expect("it was written");
        golden(&format!("{name}.toml"), &toml);
        golden(&format!("{name}.txt"), &done.err);
        let checked = run(&place, ["config", "check", "tc01.toml"]);
        assert_eq!((checked.code, checked.out.as_str()), (0, "tc01.toml: ok\n"), "{name}: {}", checked.err);
    }
}

/// The ports, names and times of the sample, whatever else is written.
#[test]
fn the_sample_of_the_article_keeps_its_figures() {
    for (name, http, ajp, admin, replication) in
        [("tc01", 9080, 9009, 9005, 4001), ("tc02", 10080, 10009, 10005, 4002)]
    {
        let toml: toml::Table = held(&format!("article-{name}.toml")).parse().expect("TOML");
        let get = |table: &str, key: &str| toml[table][key].clone();
        assert_eq!(get("node", "name").as_str(), Some(name));
        assert_eq!(get("http", "listen").as_str(), Some(format!("0.0.0.0:{http}").as_str()));
        assert_eq!(get("ajp", "listen").as_str(), Some(format!("127.0.0.1:{ajp}").as_str()));
        assert_eq!(get("admin", "listen").as_str(), Some(format!("127.0.0.1:{admin}").as_str()));
        assert_eq!(get("receiver", "listen").as_str(), Some(format!("0.0.0.0:{replication}").as_str()));
        assert_eq!(toml["http"]["limits"]["head_timeout"].as_str(), Some("20s"));
        assert_eq!(get("membership", "address").as_str(), Some("228.0.0.4"));
        assert_eq!(get("membership", "port").as_integer(), Some(45564));
        assert_eq!(get("membership", "drop_time").as_str(), Some("3s"));
        assert_eq!(get("cluster", "manager").as_str(), Some("full"));
        assert_eq!(get("sender", "mode").as_str(), Some("pooled"));
        assert_eq!(get("receiver", "workers").as_integer(), Some(6));
        assert_eq!(toml["app"][0]["builtin"].as_str(), Some("clusterapp"));
    }
}

#[test]
fn without_out_the_configuration_is_printed_and_an_existing_file_is_never_overwritten() {
    let place = scratch([("server.xml", &held("article-tc01.xml")), ("tc01.toml", "kept")]);
    let printed = run(&place, ["import-server-xml", "server.xml"]);
    assert_eq!(printed.code, 0, "{}", printed.err);
    assert!(
        printed.out.contains("name = \"tc01\"") && printed.err.starts_with("could not be carried over:\n")
    );
    let refused = run(&place, ["import-server-xml", "server.xml", "--out", "tc01.toml"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("never overwritten"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(place.path().join("tc01.toml")).expect("readable"), "kept");
}

/// Tomcat's limits of a connection, those without a bound too, are within what a node takes.
#[test]
fn limits_of_a_connector_become_those_of_the_port() {
    let place = scratch([]);
    for (attributes, limits, lost) in [
        ("keepAliveTimeout=\"5000\" maxHeaderCount=\"50\"", "keep_alive = \"5s\"\nheaders = 50", 0),
        (
            "connectionTimeout=\"-1\" maxConnections=\"-1\"",
            "head_timeout = \"1d\"\nconnections = 1_000_000",
            2,
        ),
        ("maxHttpHeaderSize=\"4096\"", "head_size = \"8KiB\"", 1),
    ] {
        let server = format!("<Server><Service><Connector port=\"8080\" {attributes}/></Service></Server>");
        std::fs::write(place.path().join("server.xml"), server).expect("writable");
        let done = run(&place, ["import-server-xml", "server.xml"]);
        assert_eq!(done.err.matches("are possible here").count(), lost, "{}", done.err);
        std::fs::write(place.path().join("tc01.toml"), &done.out).expect("writable");
        let checked = run(&place, ["config", "show", "tc01.toml"]);
        assert_eq!(checked.code, 0, "{}", checked.err);
        let shown: toml::Table = checked.out.parse().expect("TOML");
        let limits: toml::Table = limits.parse().expect("TOML");
        for (key, value) in limits {
            assert_eq!(shown["http"]["limits"][&key], value, "{key}: {}", done.out);
        }
    }
}

/// What the program says about a server.xml that is none.
fn wrong(place: &TempDir, text: &str) -> String {
    std::fs::write(place.path().join("server.xml"), text).expect("writable");
    let done = run(place, ["import-server-xml", "server.xml", "--out", "tc01.toml"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""), "{text}: {}", done.err);
    assert!(!place.path().join("tc01.toml").exists());
    done.err
}

#[test]
fn a_wrong_file_is_shown_with_line_and_caret() {
    let place = scratch([]);
    let texts = [
        "<Server port=\"8005\">\n  <Service>\n    <Connector port=\"8080\">\n  </Service>\n</Server>\n",
        "<Server>\n  <Service>\n",
        "<Server port=\"8005\" port=\"8006\"/>",
        "<!DOCTYPE Server [\n  <!ENTITY hosts SYSTEM \"file:///etc/passwd\">\n]>\n<Server>&hosts;</Server>\n",
        "<Server>\n  &hosts;\n</Server>\n",
        "<web-app/>\n",
        "[node]\nname = \"tc01\"\n",
        "<Server>\n  <Service><Connector port=\"80a0\"/>\n  <Connector port=\"99999\" protocol=\"AJP/1.3\"/>\n\
         <Engine><Cluster><Sender replicationMode=\"pool\"/><Manager className=\"a.DeltaManager\" \
         expireSessionsOnShutdown=\"perhaps\"/></Cluster></Engine></Service>\n</Server>\n",
    ];
    let shown: Vec<_> = texts.iter().map(|text| wrong(&place, text)).collect();
    golden("errors.txt", &shown.join("\n"));
    let deep = format!("{}{}", "<Server>".repeat(40), "</Server>".repeat(40));
    assert!(wrong(&place, &deep).contains("more than 32 elements within each other"));
    let many = format!("<Server>{}</Server>", "<a/>".repeat(30_000));
    assert!(wrong(&place, &many).contains("nodes limit"), "{}", wrong(&place, &many));
    assert!(
        wrong(&place, &format!("<Server>{}</Server>", " ".repeat(1 << 20)))
            .contains("more than 1048576 bytes")
    );
    std::fs::write(place.path().join("latin.xml"), b"<Server>\n<!-- gr\xfc\xdfe -->\n</Server>")
        .expect("writable");
    let latin = run(&place, ["import-server-xml", "latin.xml"]);
    assert_eq!(latin.code, 2);
    assert!(latin.err.contains("line 2 is not UTF-8") && latin.err.contains("iconv"), "{}", latin.err);
}

/// A pattern that only Java understands, and a name that no cookie of ours can have.
#[test]
fn a_value_that_cannot_be_used_here_becomes_a_comment() {
    let server = "<Server><Service><Engine jvmRoute=\"tc01\">\n\
                  <Valve className=\"a.ReplicationValve\" filter=\".*\\.(?!html)gif\"/>\n\
                  <Host><Context path=\"/a\" sessionCookieName=\"shop id\"/></Host></Engine></Service></Server>";
    let place = scratch([("server.xml", server)]);
    let done = run(&place, ["import-server-xml", "server.xml", "--out", "tc01.toml"]);
    assert_eq!(done.code, 0, "{}", done.err);
    for part in [
        "server.xml:2, Valve filter, `filter`: ",
        "look-around",
        "server.xml:3, Context sessionCookieName, `cookie`: ",
    ] {
        assert!(done.err.contains(part), "{part} is not in {}", done.err);
    }
    let toml = std::fs::read_to_string(place.path().join("tc01.toml")).expect("it was written");
    assert!(
        toml.contains("\n# filter = '.*\\.(?!html)gif'") && toml.contains("\n# cookie = \"shop id\""),
        "{toml}"
    );
    assert_eq!(run(&place, ["config", "check", "tc01.toml"]).code, 0);
}

#[test]
fn what_is_wrong_in_the_web_xml_is_shown_there() {
    let web = "<web-app>\n  <session-config><session-timeout>half an hour</session-timeout></session-config>\n</web-app>\n";
    let place = scratch([("server.xml", "<Server/>"), ("web.xml", web)]);
    let done = run(&place, ["import-server-xml", "server.xml", "--web-xml", "web.xml"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("web.xml:2:") && done.err.contains("half an hour"), "{}", done.err);
}

/// The page on moving over prints a server.xml whole, and what becomes of it.
#[test]
fn the_page_on_moving_over_shows_what_the_program_makes() {
    let page = include_str!("../../../docs/tomcat.md");
    for (language, file) in [("xml", "migration.xml"), ("toml", "migration.toml")] {
        assert!(
            page.contains(&format!("```{language}\n{}```\n", held(file))),
            "docs/tomcat.md does not show {file}"
        );
    }
}

#[test]
fn no_secret_of_the_old_configuration_is_shown() {
    for name in ["tomcat9-jdbc-store", "tomcat10-ajp-cluster", "tomcat6-full", "tomcat11-domain"] {
        let shown = held(&format!("{name}.toml")) + &held(&format!("{name}.txt"));
        for secret in ["s3cret", "old-secret", "cafebabe", "changeit"] {
            assert!(!shown.contains(secret), "{name} shows {secret}");
        }
    }
}
