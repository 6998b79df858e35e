//! Pages in a browser.

use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};

use crate::test_client::{HERE, TestClient};

#[tokio::test]
async fn the_page_shows_the_session_and_its_forms() {
    let mut browser = TestClient::new().await;
    let empty = browser.browse("/clusterapp/").await;
    assert_eq!(empty.headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(empty.body.contains("There is none yet"));
    assert_eq!(browser.cookie, None, "looking makes no session");

    let added = browser.submit_and_follow("cmd=add&name=cart&size=1024&v=7").await;
    assert_eq!(added.status, 200);
    for part in [
        "with the last form",
        "The attribute is set.",
        "<code>cart</code>",
        "1024 B",
        "copies=1/1",
        "tc01",
        "(this node)",
    ] {
        assert!(added.body.contains(part), "{part}: {}", added.body);
    }
    let later = browser.browse("/clusterapp").await;
    for part in ["earlier", "nothing changed", "value=\"8\"", "value=\"invalidate\"", "value=\"remove\""] {
        assert!(later.body.contains(part), "{part}: {}", later.body);
    }
    let ended = browser.submit_and_follow("cmd=invalidate").await;
    assert!(ended.body.contains("ended everywhere"), "{}", ended.body);
    assert!(ended.body.contains("There is none yet"), "{}", ended.body);
}

#[tokio::test]
async fn pages_load_nothing_and_escape_names() {
    let mut browser = TestClient::new().await;
    let page = browser.submit_and_follow("cmd=add&name=%3Cb%3E%22&size=16&v=1").await;
    assert!(page.body.contains("&lt;b&gt;&quot;") && !page.body.contains("<b>"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    for loaded in ["<script", "src=", "@import", "url("] {
        assert!(!page.body.contains(loaded), "{loaded}");
    }
}

#[tokio::test]
async fn an_error_is_a_page_for_browsers() {
    let mut browser = TestClient::new().await;
    let page = browser.submit(HERE, "cmd=add&name=a&size=x&v=1").await;
    assert_eq!(
        (page.status, &page.headers[CONTENT_TYPE]),
        (StatusCode::BAD_REQUEST, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(page.body.contains("parameter `size`") && page.body.contains("Back to the session"));
    let large = Request::post("/clusterapp/session")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(vec![b'x'; 100_000].into())
        .unwrap();
    assert_eq!(browser.send(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_short_value_keeps_its_version_or_is_refused() {
    let mut browser = TestClient::new().await;
    let page = browser.submit_and_follow("cmd=add&name=cart&size=5&v=12345").await;
    assert!(page.body.contains("<td class=\"number\">12345</td>"), "{}", page.body);
    let refused = browser.submit(HERE, "cmd=add&name=cart&size=4&v=12345").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("give at least 5"), "{}", refused.body);
}
