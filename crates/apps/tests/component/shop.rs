//! The sample shop on two nodes: its client is moved in the middle of everything and notices nothing.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Request, StatusCode};

use crate::site::{Pair, TestClient, settings};

/// Sends a form as a browser does, and follows the redirect.
async fn submit(client: &mut TestClient, path: &str, form: &str) -> String {
    let request = Request::post(format!("/app/{path}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(CONTENT_LENGTH, form.len());
    let reply = client.send(request.body(Body::from(form.to_owned())).unwrap()).await;
    assert_eq!(
        (reply.status, &reply.headers["location"]),
        (StatusCode::SEE_OTHER, &"/app/".parse().unwrap())
    );
    client.get("").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shops_across_nodes() {
    let Some(Pair { one, other, _place }) = Pair::with("shop", "shop", settings()).await else { return };
    let mut client = TestClient::at(&one);
    let page = client.get("").await;
    assert!(page.contains("umbrella") && page.contains("It is empty."), "{page}");
    assert_eq!(client.cookie, None, "looking makes no session");

    submit(&mut client, "cart", "ware=umbrella").await;
    client.move_to(&other);
    let page = submit(&mut client, "cart", "ware=umbrella").await;
    assert!(page.contains("<td>umbrella<td>2") && page.contains("39.80"), "{page}");
    let stranger = client.again();
    let page = submit(&mut client, "login", "name=Ada+%3CLovelace%3E").await;
    assert!(page.contains("Hello, Ada &lt;Lovelace&gt;."), "{page}");
    assert_ne!(client.cookie, stranger.cookie, "a login changes the cookie");

    let key = page.split("name=idempotency_key value=").nth(1).unwrap().split('>').next().unwrap();
    let form = format!("idempotency_key={key}");
    for node in [&one, &other, &one] {
        // What is in the cart by then is not ordered by the form that was sent before.
        client.move_to(node);
        let page = submit(&mut client, "checkout", &form).await;
        assert!(page.contains("Orders so far: 1."), "{page}");
        submit(&mut client, "cart", "ware=rope").await;
    }
    let page = submit(&mut client, "logout", "").await;
    assert!(page.contains("Log in") && !page.contains("Ada"), "{page}");
    assert_eq!(client.cookie, None);
}

#[tokio::test]
async fn an_unknown_page_is_404() {
    let Some(Pair { one, .. }) = Pair::with("shop", "shop", settings()).await else { return };
    let mut client = TestClient::at(&one);
    let reply = client.ask("nowhere").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert!(reply.body.contains("There is no such page."), "{}", reply.body);
}
