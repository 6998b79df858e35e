//! Clients that send too much, too slowly, or all at once.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::figures::Figures;
use crate::host::NodeSettings;
use crate::http_request::ask;
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

pub(crate) const OVERSIZED: Scenario = Scenario {
    name: "F41-oversized",
    title: "an attribute and a session above the size limits",
    bar: "a clear error for the client; no copy contains the refused value; the session stays usable",
    quick: false,
    play: oversized,
};

fn oversized(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    rig.load(context, &[])?;
    let mut figures = Figures::default();
    let made = ask(
        rig.hosts[0].address(),
        9080,
        "POST",
        "/clusterapp/session?cmd=add&name=small&size=32&v=1",
        None,
    )?;
    let cookie = made.cookie.context("a session has a cookie")?;
    for (what, target) in [
        ("attribute", "/clusterapp/session?cmd=add&name=big&size=3000000&v=2"),
        ("session", "/clusterapp/session?cmd=add&name=part&count=30&size=500000&v=3"),
        ("giant", "/clusterapp/session?cmd=add&name=big&size=99999999&v=4"),
    ] {
        let answer = ask(rig.hosts[1].address(), 9080, "POST", target, Some(&cookie))?;
        figures.measure(what, answer.status);
        let clear = answer.status == 413 && answer.body.len() > 10;
        figures.require(clear, || {
            format!("too large a {what} was answered with {} {}", answer.status, answer.body)
        });
    }
    for host in &rig.hosts {
        let shown = ask(host.address(), 9080, "POST", "/clusterapp/session?cmd=show", Some(&cookie))?;
        let only_small =
            shown.body.contains("\"small\"") && !shown.body.contains("big") && !shown.body.contains("part");
        figures.require(only_small, || format!("{} shows {}", host.name, shown.body));
    }
    let load = end(&mut rig)?;
    Ok(figures.and(load))
}

pub(crate) const SLOW_CLIENTS: Scenario = Scenario {
    name: "F45-slow-clients",
    title: "200 clients that send one byte a second of their requests, to a node and to the balancer, for 10 s",
    bar: "other clients are not delayed: no request takes 5 s",
    quick: false,
    play: slow_clients,
};

fn slow_clients(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    rig.balance(context)?;
    rig.load(context, &[])?;
    go_on(2);
    let doors = [(rig.hosts[0].address(), 9080), (crate::network::HERE, 8080)].map(SocketAddr::from);
    let slow = doors.iter().cycle().take(200).map(TcpStream::connect).collect::<std::io::Result<Vec<_>>>();
    let mut slow = slow.context("a slow client cannot connect")?;
    let request = b"POST /clusterapp/session?cmd=show HTTP/1.1\r\nHost: sessile\r\nX-Slow: 1";
    for byte in &request[..10] {
        // A closed client is no longer a slow client.
        slow.retain_mut(|client| client.write_all(&[*byte]).is_ok());
        go_on(1);
    }
    let left = slow.len();
    drop(slow);
    let mut figures = end(&mut rig)?;
    let waited = figures.longest_wait();
    figures.measure("slow clients at the end", left);
    figures.require(waited < Duration::from_secs(5), || format!("a request took {waited:?}"));
    Ok(figures)
}

pub(crate) const CROWD_ON_ONE: Scenario = Scenario {
    name: "F49-one-session",
    title: "500 requests at once on one session, on all nodes, each with its own attribute",
    bar: "every acknowledged attribute is there, on every node",
    quick: false,
    play: crowd_on_one,
};

fn crowd_on_one(context: &ScenarioContext) -> Result<Figures> {
    let rig = context.cluster(3, &NodeSettings::default())?;
    let hosts: Vec<_> = rig.hosts.iter().map(crate::host::Host::address).collect();
    let made = ask(hosts[0], 9080, "POST", "/clusterapp/session?cmd=add&name=c&size=16&v=1", None)?;
    let cookie = made.cookie.context("a session has a cookie")?;
    let acknowledged: Vec<_> = std::thread::scope(|scope| {
        let ask_one = |number: usize| {
            let (host, cookie) = (hosts[number % 3], &cookie);
            scope.spawn(move || {
                let target = format!("/clusterapp/session?cmd=add&name=a{number}x&size=16&v={number}");
                let answer = ask(host, 9080, "POST", &target, Some(cookie));
                answer.is_ok_and(|answer| answer.status == 200).then_some(number)
            })
        };
        let asked: Vec<_> = (0..500).map(ask_one).collect();
        asked.into_iter().filter_map(|asked| asked.join().ok().flatten()).collect()
    });
    let mut figures = Figures::default();
    figures.measure("acknowledged", acknowledged.len());
    if acknowledged.len() < 400 {
        bail!("only {} of 500 requests were acknowledged", acknowledged.len());
    }
    for (host, name) in hosts.iter().zip(["tc01", "tc02", "tc03"]) {
        let shown = ask(*host, 9080, "POST", "/clusterapp/session?cmd=show", Some(&cookie))?.body;
        let lost = acknowledged.iter().filter(|number| !shown.contains(&format!("\"a{number}x\":"))).count();
        figures.measure(&format!("lost on {name}"), lost);
        figures.require(lost == 0, || format!("{lost} acknowledged attributes are not on {name}"));
    }
    Ok(figures)
}

pub(crate) const LOGOUT_RACE: Scenario = Scenario {
    name: "F47-logout-race",
    title: "12 writers on three nodes and a logout at once, on one session; 30 times",
    bar: "after the logout's response no node shows the session",
    quick: false,
    play: logout_race,
};

fn logout_race(context: &ScenarioContext) -> Result<Figures> {
    let rig = context.cluster(3, &NodeSettings::default())?;
    let hosts: Vec<_> = rig.hosts.iter().map(crate::host::Host::address).collect();
    let (mut figures, mut rng, mut written) = (Figures::default(), context.rng(), 0);
    for _ in 0..30 {
        let made = ask(hosts[0], 9080, "POST", "/clusterapp/session?cmd=add&name=c&size=16&v=1", None)?;
        let cookie = made.cookie.context("a session has a cookie")?;
        let (wait, at) = (Duration::from_micros(rng.below(6_000)), hosts[rng.below(3) as usize]);
        let acknowledged = std::thread::scope(|scope| {
            let write = |number: usize| {
                let (host, cookie) = (hosts[number % 3], &cookie);
                let target = format!("/clusterapp/session?cmd=add&name=w{number}&size=16&v=1");
                scope.spawn(move || {
                    ask(host, 9080, "POST", &target, Some(cookie)).is_ok_and(|done| done.status == 200)
                })
            };
            let writers: Vec<_> = (0..12).map(write).collect();
            std::thread::sleep(wait);
            let ended = ask(at, 9080, "POST", "/clusterapp/session?cmd=invalidate", Some(&cookie));
            let seen = hosts.iter().filter(|host| shows(**host, &cookie)).count();
            let done =
                writers.into_iter().filter_map(|writer| writer.join().ok()).filter(|done| *done).count();
            ended.map(|ended| (done, seen, ended.status))
        });
        let (done, seen, status) = acknowledged?;
        let after = hosts.iter().filter(|host| shows(**host, &cookie)).count();
        written += done;
        figures.require(status == 200, || format!("the logout was answered with {status}"));
        figures.require(seen + after == 0, || format!("{seen} and then {after} nodes showed what had ended"));
    }
    figures.measure("writes acknowledged", written);
    Ok(figures)
}

fn shows(host: std::net::Ipv4Addr, cookie: &str) -> bool {
    let shown = ask(host, 9080, "POST", "/clusterapp/session?cmd=show", Some(cookie));
    shown.is_ok_and(|shown| !shown.body.contains("\"found\":false"))
}
