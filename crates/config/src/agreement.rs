//! Checks that two or more values of a configuration agree. Both values are already known to be valid.

mod membership;

use std::net::SocketAddr;
use std::ops::Range;

use super::Config;
use super::fault::Finding;
use super::form::describe;
use super::places::Places;
use super::table::{App, Keep, Manager, SameSite, Secure, Session, Store, StoreKind};

/// A node's table has this many parts, each with its share of the bytes.
const TABLE_PARTS: usize = 16;

/// Adds a finding for each disagreement.
pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    times(config, places, findings);
    ports(config, places, findings);
    ajp(config, places, findings);
    membership::check(config, places, findings);
    queue(config, places, findings);
    session("session", &config.session, places, findings);
    carried(config, "session", &config.session, places, findings);
    apps(config, places, findings);
    store(config, places, findings);
    farm(config, places, findings);
    dirty_flag(config, places, findings);
    tls(config, places, findings);
    if config.cluster.insecure {
        let span = places.of(&[("cluster", "insecure")]);
        let warning = Finding::warning(span, "cluster traffic is neither authenticated nor encrypted");
        findings.push(
            warning.help("every program that reaches the replication port can read and change all sessions"),
        );
    }
}

fn times(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let membership = &config.membership;
    let least = membership.frequency * 4;
    if membership.drop_time < least {
        let span = places.of(&[("membership", "drop_time"), ("membership", "frequency")]);
        let error = Finding::error(span, "`drop_time` is shorter than four heartbeats");
        let label = format!("4 x {} is {}", describe(membership.frequency), describe(least));
        let help = format!("write at least `drop_time = \"{}\"`, or a shorter `frequency`", describe(least));
        findings.push(error.label(label).help(help));
    }
    if config.sender.ack_timeout > membership.drop_time {
        let span = places.of(&[("sender", "ack_timeout"), ("membership", "drop_time")]);
        let error =
            Finding::error(span, "`ack_timeout` in [sender] is longer than `drop_time` in [membership]");
        let label = format!("drop_time is {}", describe(membership.drop_time));
        findings
            .push(error.label(label).help("a member is suspected first and removed after: make it shorter"));
    }
}

fn ports(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let mut taken: Vec<(&str, &'static str, SocketAddr)> = Vec::new();
    let listens = [
        ("http", "listen", Some(config.http.listen)),
        ("http.tls", "redirect", config.http.tls.redirect),
        ("ajp", "listen", config.ajp.listen),
        ("admin", "listen", config.admin.listen),
        ("receiver", "listen", Some(config.receiver.listen)),
    ];
    for (table, key, address) in listens.into_iter().filter_map(|(table, key, at)| Some((table, key, at?))) {
        if let Some((other, its_key, _)) = taken.iter().find(|(_, _, before)| overlap(*before, address)) {
            let span = places.of(&[(table, key), (*other, *its_key)]);
            let error = Finding::error(span, format!("[{table}] listens where [{other}] does"));
            findings.push(error.label(format!("{address} is taken")).help("give each of them its own port"));
        }
        taken.push((table, key, address));
    }
}

fn tls(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    if let Err((key, problem)) = config.http.tls.validate() {
        let span = places.of(&[("http.tls", key)]);
        findings.push(Finding::error(span, format!("`{key}`: {problem}")));
    }
    if config.http.proxy_protocol && config.http.trusted_proxies.is_empty() {
        let span = places.of(&[("http", "proxy_protocol")]);
        let error = Finding::error(span, "`proxy_protocol` without `trusted_proxies` believes nobody");
        findings.push(error.help("list the proxies in `trusted_proxies`, as [\"10.0.0.5\"]"));
    }
}

/// Whoever reaches an AJP port without a secret is believed to be anybody (CVE-2020-1938).
fn ajp(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let span = |key| places.of(&[("ajp", key), ("ajp", "listen"), ("ajp", "secret_file")]);
    match (config.ajp.listen, &config.ajp.secret_file) {
        (Some(_), None) => {
            let error = Finding::error(span("listen"), "[ajp] needs a `secret_file`");
            let help =
                "add `secret_file = \"ajp.secret\"`, and make the file with `sessile secret new ajp.secret`";
            findings.push(error.label("requests without a secret are refused").help(help));
        }
        (_, Some(file)) if *file == config.cluster.secret_file => {
            let error =
                Finding::error(span("secret_file"), "`secret_file` in [ajp] is also that of [cluster]");
            let help = "give it a file of its own: the web server needs only this one";
            findings.push(error.label("the web server could join the cluster").help(help));
        }
        (None, Some(_)) => {
            let warning =
                Finding::warning(span("secret_file"), "[ajp] has no `listen`: no AJP port is opened");
            findings.push(warning.help("add for example `listen = \"127.0.0.1:9009\"`"));
        }
        (Some(listen), Some(_)) if !listen.ip().is_loopback() => {
            let warning =
                Finding::warning(span("listen"), "AJP is not encrypted, and leaves this machine here");
            let help = "let only the web server reach this port, or put a tunnel between them";
            findings.push(warning.label("requests and the secret travel in the clear").help(help));
        }
        _ => {}
    }
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}

/// A copy of the largest session must fit into an empty queue, with room for its names and timestamps.
fn queue(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let largest = config.apps.iter().map(|app| app.session.max_session_bytes).max().unwrap_or_default();
    if config.sender.queue_bytes / 2 < largest.max(config.session.max_session_bytes) {
        let span = places.of(&[("sender", "queue_bytes"), ("session", "max_session_bytes")]);
        let error = Finding::error(span, "`queue_bytes` in [sender] is less than twice `max_session_bytes`");
        findings
            .push(error.help("the queue to a member must have room for the largest session: make it larger"));
    }
}

/// The farm's own files must not look like newly watched archives.
fn farm(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let farm = &config.farm;
    if farm.watch_dir.is_some() && [&farm.deploy_dir, &farm.temp_dir].contains(&&farm.watch_dir) {
        let span = places.of(&[("farm", "watch_dir")]);
        let error = Finding::error(span, "`watch_dir` is also `deploy_dir` or `temp_dir`");
        findings
            .push(error.help("give each its own directory; the farm keeps its own files in the other two"));
    }
    deploy_key(config, places, findings);
}

/// The deploy key must not be the cluster's secret, which every node has.
fn deploy_key(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let Some(file) = &config.farm.deploy_key_file else { return };
    let span = places.of(&[("farm", "deploy_key_file")]);
    if *file == config.cluster.secret_file {
        let error = Finding::error(span, "`deploy_key_file` is also `secret_file` in [cluster]");
        let help = "give it a file of its own, made by `sessile secret new deploy.key`";
        findings.push(error.label("every holder of the secret could deploy").help(help));
    } else if !config.farm.is_on() {
        let warning =
            Finding::warning(span, "[farm] has a `deploy_key_file`, and the node takes no part in a farm");
        findings.push(warning.help("add `deploy_dir` or `watch_dir`, or leave it out"));
    }
}

/// Keys that a kind of store needs, and keys without effect.
fn store(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let store = &config.store;
    let place = |key| places.of(&[("store", key), ("store", "kind")]);
    let is_server = matches!(store.kind, Some(StoreKind::Postgres | StoreKind::Redis));
    if is_server && store.url.is_some() == store.url_file.is_some() {
        let error =
            Finding::error(place("url"), "a store on a server needs `url` or `url_file`, one of them");
        findings.push(error.help(match store.url {
            Some(_) => "leave one of the two out",
            None if store.kind == Some(StoreKind::Redis) => "add for example `url = \"redis://db:6379\"`",
            None => "add for example `url = \"postgres://sessile@db/sessions\"`",
        }));
    }
    if store.kind.is_some() && !is_server && (store.url.is_some() || store.url_file.is_some()) {
        let warning = Finding::warning(place("url"), "this kind of store has no `url`: it is not used");
        findings.push(warning.help("leave it out, or write `kind = \"postgres\"` or `kind = \"redis\"`"));
    }
    if store.url.as_ref().is_some_and(|url| has_password(url)) {
        let error = Finding::error(place("url"), "`url` has a password in it");
        let help = "write the URL into a file with mode 0600 and name it: `url_file = \"store.url\"`";
        findings.push(error.label("it would be shown by `config show`").help(help));
    }
    if store.kind.is_none() && *store != Store::default() {
        let warning = Finding::warning(place("path"), "[store] has no `kind`: nothing is stored");
        findings.push(warning.help("add for example `kind = \"file\"`"));
    }
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let named = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    named || url.contains("password=")
}

/// `table` names the table of the keys: `session`, or an app that inherits from it.
fn session(table: &str, session: &Session, places: &Places, findings: &mut Vec<Finding>) {
    let place = |one, other| places.of(&[(table, one), (table, other), ("session", one), ("session", other)]);
    if session.max_attribute_bytes > session.max_session_bytes {
        let error = Finding::error(
            place("max_attribute_bytes", "max_session_bytes"),
            "`max_attribute_bytes` is larger than `max_session_bytes`",
        );
        findings.push(error.help("a session must have room for its largest attribute"));
    }
    if session.max_session_bytes > session.max_table_bytes / TABLE_PARTS {
        let error = Finding::error(
            place("max_session_bytes", "max_table_bytes"),
            format!("`max_session_bytes` is larger than `max_table_bytes` / {TABLE_PARTS}"),
        );
        findings.push(error.help("each part of the table must have room for its largest session"));
    }
    cookie(session, place, findings);
}

/// Whether browsers take the cookie.
fn cookie(
    session: &Session,
    place: impl Fn(&'static str, &'static str) -> Range<usize>,
    findings: &mut Vec<Finding>,
) {
    let is_bound = session.cookie.starts_with("__Host-");
    for (asks, key) in [
        (session.same_site == SameSite::None, "same_site"),
        (session.partitioned, "partitioned"),
        (is_bound, "cookie"),
    ] {
        if asks && session.secure == Secure::Never {
            let value = if key == "same_site" {
                "`same_site = \"None\"`".to_owned()
            } else {
                format!("this `{key}`")
            };
            let error = Finding::error(place(key, "secure"), format!("{value} needs a `secure` cookie"));
            findings.push(error.help("browsers drop it unless it is marked Secure: write `secure = true`"));
        }
    }
    if is_bound && !session.domain.is_empty() {
        let error = Finding::error(place("domain", "cookie"), "a `__Host-` cookie has no `domain`");
        findings
            .push(error.help("browsers drop it: leave out `domain`, or take another name for the cookie"));
    }
}

/// Two applications whose cookies have one name and one path: each would replace the other's.
fn bound_cookies(config: &Config, index: usize, table: &str, places: &Places, findings: &mut Vec<Finding>) {
    let app = &config.apps[index];
    let replaces = |other: &&crate::App| {
        other.session.cookie == app.session.cookie && other.session_path() != app.session_path()
    };
    if app.session.cookie.starts_with("__Host-")
        && let Some(other) = config.apps[..index].iter().find(replaces)
    {
        let message = format!("the cookie of `{}` has this name too, and both are at `/`", other.path);
        let error = Finding::error(places.of(&[(table, "cookie"), ("session", "cookie")]), message);
        findings.push(error.help("give each application a name of its own, such as \"__Host-shop\""));
    }
}

fn apps(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    for (index, app) in config.apps.iter().enumerate() {
        let table = format!("app[{index}]");
        let span = places.of(&[(&table, "path")]);
        if config.apps[..index].iter().any(|before| before.path == app.path) {
            let error = Finding::error(span, format!("a second application at `{}`", app.path));
            findings.push(error.help("give each application its own `path`"));
        } else if app.path == config.http.health_path {
            let error = Finding::error(span, "an application at the health path of [http]");
            findings.push(error.help("give one of them another path"));
        }
        sharing(config, index, &table, places, findings);
        let (own, shared) = (&app.session, &config.session);
        for (key, is_own) in [
            ("max_active", own.max_active != shared.max_active),
            ("max_table_bytes", own.max_table_bytes != shared.max_table_bytes),
        ] {
            if is_own {
                let message = format!("`{key}` of one application is not available in this version");
                let error = Finding::error(places.of(&[(&table, key)]), message);
                findings.push(error.help("set it in [session], where it holds for the whole node"));
            }
        }
        manager(config, app, &table, places, findings);
        bound_cookies(config, index, &table, places, findings);
        // Findings about inherited values were reported at their own place.
        if app.session != config.session {
            session(&table, &app.session, places, findings);
        }
        if own.keep != shared.keep {
            carried(config, &table, own, places, findings);
        }
    }
}

/// Checks that the application at `index` can use the sessions that it names, with the same settings as the
/// others.
fn sharing(config: &Config, index: usize, table: &str, places: &Places, findings: &mut Vec<Finding>) {
    let app = &config.apps[index];
    let span = || places.of(&[(table, "session_path"), (table, "path")]);
    if !is_above(app.session_path(), &app.path) {
        let message =
            format!("`session_path` is not above `{}`: browsers would not send the cookie", app.path);
        findings.push(Finding::error(span(), message).help("name a path that it begins with, such as \"/\""));
    }
    let before = config.apps[..index].iter().find(|before| before.session_path() == app.session_path());
    let agrees =
        |before: &App| before.session == app.session && config.manager_of(before) == config.manager_of(app);
    if let Some(before) = before.filter(|before| before.path != app.path && !agrees(before)) {
        let message =
            format!("the sessions at `{}` are set otherwise by `{}`", app.session_path(), before.path);
        let help =
            "applications that share sessions need the same manager, `distributable` and keys of [session]";
        findings.push(Finding::error(span(), message).help(help));
    }
}

/// Whether a cookie of the path `above` is sent with requests to `path`.
fn is_above(above: &str, path: &str) -> bool {
    let rest = path.strip_prefix(above.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Sessions carried in cookies need a key that browsers do not have.
fn carried(config: &Config, table: &str, session: &Session, places: &Places, findings: &mut Vec<Finding>) {
    if session.keep == Keep::Cookie && config.cluster.insecure {
        let span = places.of(&[(table, "keep"), ("cluster", "insecure")]);
        let error = Finding::error(span, "`keep = \"cookie\"` needs the cluster's secret");
        let help = "without `insecure`, cookies are sealed with a key that follows from `secret_file`";
        findings.push(error.label("any client could forge sessions").help(help));
    }
}

/// `table` is the application's.
fn manager(config: &Config, app: &App, table: &str, places: &Places, findings: &mut Vec<Finding>) {
    if app.manager.is_none_or(|manager| manager == Manager::Local) {
        return;
    }
    let span = places.of(&[(table, "manager")]);
    if !app.distributable {
        let error = Finding::error(span, "this `manager` needs an application that is `distributable`");
        findings.push(error.help("leave `manager` out, or write `distributable = true`"));
    } else if config.cluster.manager == Manager::Local {
        let error = Finding::error(span, "`manager` in [cluster] is \"local\": this node has no members");
        findings
            .push(error.help("give [cluster] this manager, and \"local\" to the applications that want it"));
    }
}

/// Warns if the flag has no effect.
fn dirty_flag(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let mut managers = config.apps.iter().map(|app| config.manager_of(app)).chain([config.cluster.manager]);
    if !config.replication.dirty_flag && !managers.any(|manager| manager == Manager::Full) {
        let span = places.of(&[("replication", "dirty_flag")]);
        let warning = Finding::warning(span, "`dirty_flag = false` means something with manager `full` only");
        findings.push(warning.help("write `manager = \"full\"` in [cluster], or leave `dirty_flag` out"));
    }
}
