//! Writes on one node survive on the others when the node fails.

use crate::harness::{Setup, is_refused, until};
use crate::{patient, peek, read, write};

#[test]
fn a_write_on_one_node_is_readable_and_writable_on_the_other() {
    let mut setup = Setup::new(["tc01", "tc02"]);
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    let mut client = setup.client();
    let key = write(&mut client, tc01, 1);
    assert!(client.cookie.as_ref().is_some_and(|cookie| cookie.ends_with(".tc01")));
    assert_eq!(read(&mut client, tc02), Some(1));
    assert!(client.cookie.as_ref().is_some_and(|cookie| cookie.ends_with(".tc02")), "the route follows");
    assert_eq!(write(&mut client, tc02, 2), key, "it is still the same session");
    assert_eq!(read(&mut client, tc01), Some(2));

    let ended = client.post(tc01, "/clusterapp/session?cmd=invalidate");
    assert_eq!((ended.status, client.cookie.as_ref()), (200, None));
    assert_eq!(peek(&mut client, tc02, &key), None);
}

#[test]
fn a_killed_node_loses_no_session() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    let mut clients: Vec<_> = (0..20).map(|_| setup.client()).collect();
    for (v, client) in clients.iter_mut().enumerate() {
        write(client, if v % 2 == 0 { tc01 } else { tc02 }, v as u64);
    }
    setup.node("tc01").kill();
    for (v, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, tc02), Some(v as u64));
        write(client, tc02, v as u64 + 100);
    }
    until("the killed node is out of the view", || (setup.members("tc02") == ["tc02"]).then_some(()));

    setup.serve("tc01");
    for (v, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, tc01), Some(v as u64 + 100), "the returned node has what it missed");
    }
}

#[test]
fn a_returning_node_opens_its_port_after_the_state_transfer() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02"));
    setup.serve("tc01");
    let mut client = setup.client();
    let keys: Vec<_> = (0..50)
        .map(|v| {
            client.cookie = None;
            write(&mut client, tc01, v)
        })
        .collect();
    // While the only donor is stopped, nothing can be transferred.
    setup.node("tc01").signal("STOP");
    setup.start("tc02");
    until("the admin port answers", || (!is_refused(tc02.admin)).then_some(()));
    assert_eq!(client.get(tc02.admin, "/healthz").status, 200);
    assert_eq!(client.get(tc02.admin, "/readyz").status, 503);
    assert!(is_refused(tc02.http));

    setup.node("tc01").signal("CONT");
    until("the port opens", || (!is_refused(tc02.http)).then_some(()));
    for (v, key) in keys.iter().enumerate() {
        assert_eq!(peek(&mut client, tc02.http, key), Some(v as u64));
    }
    assert_eq!(client.get(tc02.admin, "/readyz").status, 200);
}

/// The value of the first hidden field of the page's form for `command`.
fn form_key(page: &str, command: &str) -> String {
    let form =
        page.split("<form").find(|form| form.contains(&format!("value=\"{command}\""))).expect("a form");
    let (_, field) = form.split_once("name=\"idempotency_key\" value=\"").expect("a hidden field");
    field.split('"').next().expect("a key").to_owned()
}

#[test]
fn a_form_sent_twice_takes_effect_once_though_its_node_was_killed() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    let mut client = setup.client();
    write(&mut client, tc01, 1);
    let page = client.send(tc01, "GET", "/clusterapp/", &[("accept", "text/html")]).expect("a page").text;
    let form = format!("cmd=add&name=a&size=64&v=2&idempotency_key={}", form_key(&page, "add"));
    let first = client.submit(tc01, "/clusterapp/session", &form).expect("an answer");
    assert_eq!(first.status, 303, "{first:?}");
    assert!(first.header("location").is_some_and(|to| to.contains("copies%3D2%2F2")), "{first:?}");
    // Another tab goes on, then the first click's answer is lost with its node, and the browser sends the
    // form again.
    write(&mut client, tc01, 3);
    setup.node("tc01").kill();
    let again = client.submit(tc02, "/clusterapp/session", &form).expect("an answer");
    assert_eq!((again.status, again.header("idempotent-replayed")), (303, Some("true")), "{again:?}");
    assert_eq!(read(&mut client, tc02), Some(3), "what came later stays");
    let other = client.submit(tc02, "/clusterapp/session", &form.replace("v=2", "v=9")).expect("an answer");
    assert_eq!(other.status, 422, "{other:?}");
}
