//! A login that changes the session's id during writes.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use sessile_history::SeededRng;

use crate::figures::Figures;
use crate::host::{Host, NodeSettings};
use crate::http_request::{HttpResponse, ask};
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;

/// Logins, each on a session of its own.
const LOGINS: usize = 30;
/// Writers of each session, four on a node, and as many after the login.
const WRITERS: usize = 12;

pub(crate) const RACE: Scenario = Scenario {
    name: "F48-login-race",
    title: "12 writers on three nodes and a login that changes the id, all at once on one session; then 12 writers with the old cookie; 30 times",
    bar: "every acknowledged write is in the session on every node, or dropped if a login had superseded its cookie; the old cookie shows nothing of the login and of what came later",
    quick: true,
    play: race,
};

fn race(context: &ScenarioContext) -> Result<Figures> {
    let rig = context.cluster(3, &NodeSettings { helper: Some("login-app"), ..NodeSettings::default() })?;
    let hosts: Vec<_> = rig.hosts.iter().map(Host::address).collect();
    let (mut figures, mut rng, mut seen) = (Figures::default(), context.rng(), RaceResult::default());
    for _ in 0..LOGINS {
        one(&hosts, &mut rng, &mut seen)?;
    }
    figures.measure("written before the login", seen.kept);
    figures.measure("writes with an invalid cookie", seen.strangers);
    figures.require(seen.kept > 0 && seen.strangers > 0, || "no write raced with the login".to_owned());
    seen.broken.into_iter().for_each(|words| figures.require(false, || words));
    Ok(figures)
}

#[derive(Debug, Default)]
struct RaceResult {
    /// Acknowledged writes to the session, and writes that created a new session.
    kept: usize,
    strangers: usize,
    broken: Vec<String>,
}

/// A session with its cookies before and after the login.
struct LoginSession {
    key: String,
    old: String,
    new: String,
    /// Acknowledged attributes.
    names: Vec<String>,
}

fn one(hosts: &[Ipv4Addr], rng: &mut SeededRng, seen: &mut RaceResult) -> Result<()> {
    let made = ask(hosts[0], 9080, "POST", "/write?name=first", None)?;
    let (key, old) = (key_of(&made)?.context("a key")?, made.cookie.context("a cookie")?);
    let (wait, at) = (Duration::from_micros(rng.below(6_000)), hosts[rng.below(3) as usize]);
    let (login, raced) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                scope.spawn({
                    let old = &old;
                    move || write(hosts, number, "during", old)
                })
            })
            .collect();
        std::thread::sleep(wait);
        let login = ask(at, 9080, "POST", "/login", Some(&old));
        let raced: Vec<_> = writers.into_iter().filter_map(|writer| writer.join().ok()?).collect();
        (login, raced)
    });
    let login = login?;
    let Some(new) = login.cookie.filter(|_| key_of_body(&login.body).as_ref() == Some(&key)) else {
        // A login cannot fail here: nothing else ends the session.
        seen.broken.push(format!("a login was answered {} {}", login.status, login.body));
        return Ok(());
    };
    let late: Vec<_> = (0..WRITERS).filter_map(|number| write(hosts, number, "after", &old)).collect();
    let intruders = late.iter().filter(|(_, of)| *of == key).count();
    if intruders > 0 {
        seen.broken.push(format!("{intruders} writes with the old cookie landed in the session"));
    }
    let kept: Vec<_> = raced.iter().filter(|(_, of)| *of == key).map(|(name, _)| name.clone()).collect();
    seen.kept += kept.len();
    seen.strangers += raced.len() + late.len() - kept.len();
    let logged = LoginSession { key, old, new, names: kept };
    hosts.iter().try_for_each(|host| logged.on(*host, seen))
}

impl LoginSession {
    /// Checks a node's responses with either cookie.
    fn on(&self, host: Ipv4Addr, seen: &mut RaceResult) -> Result<()> {
        let shown = |cookie: &str| -> Result<Value> {
            serde_json::from_str(&ask(host, 9080, "GET", "/read", Some(cookie))?.body).context("/read")
        };
        let (with_new, with_old) = (shown(&self.new)?, shown(&self.old)?);
        let has =
            |name: &str| with_new["names"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let lost = self.names.iter().filter(|name| !has(name)).count();
        if lost > 0 || !has("first") || with_new["key"] != self.key.as_str() || with_new["principal"] != "ada"
        {
            seen.broken.push(format!("{host} lacks {lost} acknowledged writes; it shows {with_new}"));
        }
        let shows = |name: &str| name == "first" || self.names.iter().any(|kept| kept == name);
        let later = with_old["names"]
            .as_array()
            .is_none_or(|all| all.iter().any(|name| !name.as_str().is_some_and(shows)));
        if !with_old["key"].is_null() || !with_old["principal"].is_null() || later {
            seen.broken.push(format!("with the cookie from before the login {host} shows {with_old}"));
        }
        Ok(())
    }
}

/// The name that was written, and the key of the session that has it, empty where a login had superseded the
/// cookie and the write was dropped; `None` if there was no answer.
fn write(hosts: &[Ipv4Addr], number: usize, when: &str, cookie: &str) -> Option<(String, String)> {
    let name = format!("{when}-{number}");
    let done =
        ask(hosts[number % hosts.len()], 9080, "POST", &format!("/write?name={name}"), Some(cookie)).ok()?;
    Some((name, key_of_body(&done.body).unwrap_or_default())).filter(|_| done.status == 200)
}

fn key_of(answer: &HttpResponse) -> Result<Option<String>> {
    anyhow::ensure!(answer.status == 200, "answered {} {}", answer.status, answer.body);
    Ok(key_of_body(&answer.body))
}

fn key_of_body(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    value["key"].as_str().map(str::to_owned)
}
