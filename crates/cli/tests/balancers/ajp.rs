//! Apache httpd in front of the AJP ports of two nodes: mod_jk and mod_proxy_ajp, with exactly the
//! configurations that `docs/balancers.md` shows.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::external::{External, file, installed};
use crate::harness::{Setup, free_address, own_host};
use crate::page;

/// What web server and nodes share; the page prints a word in its place.
const SECRET: &str = "a-secret-of-the-balancer-tests";
const PRINTED_SECRET: &str = "THE-CONTENT-OF-ajp.secret";

/// Where the nodes speak AJP.
type Ports = [SocketAddr; 2];

/// Two nodes that serve, with an AJP port each.
fn nodes() -> (Setup, Ports) {
    let ports = [0; 2].map(|_| free_address(own_host()));
    let mut setup = Setup::with(["tc01", "tc02"], |name, config| {
        let listen = ports[usize::from(name == "tc02")];
        let ajp = format!("[ajp]\nlisten = \"{listen}\"\nsecret_file = \"ajp.secret\"\n[admin]");
        config.replace("drop_time = \"15s\"", "drop_time = \"10m\"").replace("[admin]", &ajp)
    });
    let secret = setup.place().join("ajp.secret");
    fs::write(&secret, SECRET).expect("writable");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is ours");
    setup.secrets().learn(SECRET);
    setup.serve("tc01");
    setup.serve("tc02");
    (setup, ports)
}

/// Apache with mod_jk, if both are installed.
fn mod_jk() -> Option<String> {
    let apache = installed("apache2")?;
    let module = "/usr/lib/apache2/modules/mod_jk.so";
    let is_there = Path::new(module).is_file();
    assert!(
        is_there || std::env::var_os("SESSILE_REQUIRE_EXTERNAL").is_none(),
        "{module} is not there: `apt-get install libapache2-mod-jk`"
    );
    is_there.then_some(apache)
}

/// One process that stays in front and writes nothing outside of the test's directory.
fn apache(program: &str, setup: &Setup, text: &str) -> Command {
    let place = setup.place().display();
    let own_places =
        format!("PidFile {place}/apache.pid\nErrorLog {place}/apache.log\nDefaultRuntimeDir {place}\n");
    let mut command = Command::new(program);
    command.args(["-X", "-C", "ServerRoot /usr/lib/apache2", "-c", "User www-data", "-c", "Group www-data"]);
    command.args(["-f", &file(setup, "apache.conf", &format!("{own_places}{text}\n"))]);
    command
}

fn behind_mod_jk(program: &str) -> External {
    let (setup, [one, two]) = nodes();
    let workers = page::block_with(
        "properties",
        &[
            ("tc01.host=127.0.0.1", format!("tc01.host={}", one.ip())),
            ("tc01.port=9009", format!("tc01.port={}", one.port())),
            ("tc02.host=127.0.0.1", format!("tc02.host={}", two.ip())),
            ("tc02.port=10009", format!("tc02.port={}", two.port())),
            (PRINTED_SECRET, SECRET.to_owned()),
        ],
    );
    let workers = file(&setup, "workers.properties", &(workers + "\n"));
    External::before(setup, |setup, at| {
        let place = setup.place().display().to_string();
        let text = page::block_with(
            "apache mod_jk",
            &[
                ("127.0.0.1:8080", at.to_string()),
                ("/etc/apache2/workers.properties", workers),
                ("/var/log/apache2", place.clone()),
                ("/run/apache2", place),
            ],
        );
        apache(program, setup, &text)
    })
}

fn behind_mod_proxy_ajp(program: &str) -> External {
    let (setup, [one, two]) = nodes();
    External::before(setup, |setup, at| {
        let text = page::block_with(
            "apache mod_proxy_ajp",
            &[
                ("127.0.0.1:8080", at.to_string()),
                ("127.0.0.1:9009", one.to_string()),
                ("127.0.0.1:10009", two.to_string()),
                (PRINTED_SECRET, SECRET.to_owned()),
            ],
        );
        apache(program, setup, &text)
    })
}

#[test]
fn mod_jk_sticks_by_route_and_carries_sessions_over_a_crash() {
    let Some(program) = mod_jk() else { return };
    let mut external = behind_mod_jk(&program);
    external.sticks_by_route();
    external.survives_a_crash();
}

#[test]
fn mod_jk_lets_a_draining_node_go() {
    let Some(program) = mod_jk() else { return };
    behind_mod_jk(&program).honours_a_drain();
}

#[test]
fn behind_mod_jk_an_upgrade_loses_nothing() {
    let Some(program) = mod_jk() else { return };
    behind_mod_jk(&program).survives_an_upgrade();
}

#[test]
fn mod_proxy_ajp_sticks_by_route_and_carries_sessions_over_a_crash() {
    let Some(program) = installed("apache2") else { return };
    let mut external = behind_mod_proxy_ajp(&program);
    external.sticks_by_route();
    external.survives_a_crash();
}

#[test]
fn mod_proxy_ajp_lets_a_draining_node_go() {
    let Some(program) = installed("apache2") else { return };
    behind_mod_proxy_ajp(&program).honours_a_drain();
}

/// The web server's secret is the only way in: with another one every request is refused, and no session is
/// made.
#[test]
fn a_web_server_with_another_secret_is_refused() {
    let Some(program) = installed("apache2") else { return };
    let external = behind_mod_proxy_ajp(&program);
    let other = setup_file(&external.setup, "ajp.secret", "another-secret-of-the-same-length");
    external.setup.secrets().learn(other);
    for node in ["tc01", "tc02"] {
        let pid = external.setup.id(node);
        let sent =
            Command::new("kill").args(["-HUP", &pid.to_string()]).status().expect("every Unix has kill");
        assert!(sent.success());
    }
    crate::harness::until("the nodes have read their secret again", || {
        let asked =
            external.setup.client().send(external.at, "GET", "/clusterapp/session?cmd=show", &[]).ok()?;
        (asked.status == 403).then_some(())
    });
}

fn setup_file<'s>(setup: &Setup, name: &str, text: &'s str) -> &'s str {
    fs::write(setup.place().join(name), text).expect("writable");
    text
}
