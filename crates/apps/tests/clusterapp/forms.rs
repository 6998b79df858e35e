//! Where a form may come from, and that it takes effect once.

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use http::{Method, Request, StatusCode};

use crate::test_client::{BROWSER, HERE, TestClient};
use crate::two_nodes::Pair;

const ADD: &str = "/clusterapp/session?cmd=add&name=a&size=16&v=1";

/// The status of a request to add an attribute, with these headers.
async fn status(client: &mut TestClient, method: Method, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::builder().method(method).uri(ADD);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let mut client = TestClient::new().await;
    for method in [Method::POST, Method::GET] {
        for headers in [
            &[("host", "shop.example"), ("origin", "http://evil.example")][..],
            &[("host", "shop.example"), ("origin", "null")],
            &[("host", "shop.example"), ("origin", "http://shop.example:81")],
            &[("host", "shop.example"), ("sec-fetch-site", "cross-site")],
            &[("host", "shop.example"), ("sec-fetch-site", "same-site")],
            &[("host", "shop.example"), ("origin", HERE), ("sec-fetch-site", "cross-site")],
            &[("host", "inner"), ("origin", HERE), ("x-forwarded-host", "shop.example")],
        ] {
            assert_eq!(status(&mut client, method.clone(), headers).await, 403, "{method} {headers:?}");
        }
    }
    assert_eq!(client.cookie, None);
    let looking = Request::get("/clusterapp/session").header("sec-fetch-site", "cross-site");
    let looking = looking.header(ACCEPT, BROWSER).body(Body::empty()).unwrap();
    assert_eq!(client.send(looking).await.status, 200, "a link from elsewhere may look");
    let page = client.submit("http://evil.example", "cmd=show").await;
    assert!(page.status == 403 && page.body.contains("another site"), "{}", page.body);
}

#[tokio::test]
async fn programs_the_address_bar_and_own_pages_change() {
    let mut client = TestClient::new().await;
    for headers in [
        &[][..],
        &[("host", "shop.example")],
        &[("sec-fetch-site", "none")],
        &[("host", "inner"), ("origin", HERE), ("sec-fetch-site", "same-origin")],
        &[("host", "shop.example:443"), ("origin", "https://shop.example")],
        &[("host", "shop.example:80"), ("origin", HERE)],
    ] {
        for method in [Method::POST, Method::GET] {
            assert_eq!(status(&mut client, method.clone(), headers).await, 200, "{method} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_knows_the_host() {
    let mut client =
        TestClient::of(|config, _| config.http.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    let mut through = async |peer: [u8; 4], name: &str, value: &str, origin: &str| {
        let request =
            Request::post(ADD).header(HOST, "inner:9080").header(name, value).header(ORIGIN, origin);
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(std::net::SocketAddr::from((peer, 4711))));
        client.send(request).await.status
    };
    let (proxy, stranger) = ([10, 0, 0, 5], [192, 0, 2, 1]);
    let forwarded = "for=192.0.2.1;host=\"shop.example:443\";proto=https";
    for origin in ["https://shop.example", "http://shop.example"] {
        assert_eq!(through(proxy, "x-forwarded-host", "shop.example, other", origin).await, 200);
        assert_eq!(through(stranger, "x-forwarded-host", "shop.example", origin).await, 403);
    }
    assert_eq!(through(proxy, "forwarded", forwarded, "https://shop.example").await, 200);
    assert_eq!(through(proxy, "x-forwarded-host", "shop.example", "http://evil.example").await, 403);
    assert_eq!(through(proxy, "x-forwarded-host", "shop.example", "http://inner:9080").await, 403);
}

/// The key in the page's form for `command`.
fn key_of(page: &str, command: &str) -> String {
    let form = page.split("<form").find(|form| form.contains(&format!("value=\"{command}\""))).unwrap();
    form.split_once("name=\"idempotency_key\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_double_click_takes_effect_once_on_either_node() {
    let Pair { one, other, .. } = &Pair::new().await;
    let mut browser = TestClient::at(one);
    let page = browser.submit_and_follow("cmd=add&name=cart&size=64&v=1").await.body;
    let keys = ["add", "mutate", "remove", "invalidate"].map(|command| key_of(&page, command));
    assert!(keys.iter().all(|key| key.len() == 22 && keys.iter().filter(|one| *one == key).count() == 1));
    let click = format!("cmd=add&name=cart&size=64&v=2&idempotency_key={}", keys[0]);
    let first = browser.submit_and_follow(&click).await.body;
    assert!(first.contains("copies=2/2") && first.contains("The attribute is set."), "{first}");
    browser.submit_and_follow("cmd=add&name=cart&size=64&v=3").await;
    for site in [one, other] {
        browser.move_to(site);
        let again = browser.submit_and_follow(&click).await.body;
        assert!(again.contains("took effect once") && again.contains(">3</td>"), "{again}");
    }
    let misused = browser.submit(HERE, &click.replace("v=2", "v=4")).await;
    assert_eq!(misused.status, 422);
    assert!(misused.body.contains("Back to the session"), "an error page: {}", misused.body);
}

#[tokio::test]
async fn a_refused_form_may_be_sent_again_with_its_key() {
    let mut browser = TestClient::new().await;
    browser.submit_and_follow("cmd=add&name=cart&size=64&v=1").await;
    for _ in 0..2 {
        let refused = browser.submit(HERE, "cmd=add&name=cart&size=x&v=2&idempotency_key=k").await;
        assert!(refused.status == 400 && refused.body.contains("`size`"), "{}", refused.body);
    }
    browser.submit_and_follow("cmd=add&name=cart&size=64&v=2&idempotency_key=k").await;
}

#[tokio::test]
async fn a_program_with_a_key_gets_its_json_again() {
    let mut client = TestClient::new().await;
    client.fields("cmd=add&name=a&size=64&v=1").await;
    let mut send = async || {
        let request = Request::post("/clusterapp/session?cmd=add&name=a&size=64&v=2");
        client.send(request.header("idempotency-key", "k").body(Body::empty()).unwrap()).await
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(first.json(), again.json());
    assert_eq!(
        (first.json()["v"].as_u64(), &again.headers[CONTENT_TYPE]),
        (Some(2), &"application/json".parse().unwrap())
    );
    assert!(
        !first.headers.contains_key("idempotent-replayed")
            && again.headers.contains_key("idempotent-replayed")
    );
}
