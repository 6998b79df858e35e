//! The sample shop on two nodes: its visitor is moved in the middle of everything and notices nothing.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Request, StatusCode};

use crate::site::{Pair, Visitor, settings};

/// Sends a form as a browser does, and follows the redirect.
async fn submit(visitor: &mut Visitor, path: &str, form: &str) -> String {
    let request = Request::post(format!("/app/{path}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(CONTENT_LENGTH, form.len());
    let reply = visitor.send(request.body(Body::from(form.to_owned())).unwrap()).await;
    assert_eq!(
        (reply.status, &reply.headers["location"]),
        (StatusCode::SEE_OTHER, &"/app/".parse().unwrap())
    );
    visitor.get("").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_shops_on_whichever_node_is_there() {
    let Some(Pair { one, other, _place }) = Pair::with("shop", "shop", settings()).await else { return };
    let mut visitor = Visitor::at(&one);
    let page = visitor.get("").await;
    assert!(page.contains("umbrella") && page.contains("It is empty."), "{page}");
    assert_eq!(visitor.cookie, None, "looking makes no session");

    submit(&mut visitor, "cart", "ware=umbrella").await;
    visitor.move_to(&other);
    let page = submit(&mut visitor, "cart", "ware=umbrella").await;
    assert!(page.contains("<td>umbrella<td>2") && page.contains("39.80"), "{page}");
    let stranger = visitor.again();
    let page = submit(&mut visitor, "login", "name=Ada+%3CLovelace%3E").await;
    assert!(page.contains("Hello, Ada &lt;Lovelace&gt;."), "{page}");
    assert_ne!(visitor.cookie, stranger.cookie, "a login changes the cookie");

    let key = page.split("name=idempotency_key value=").nth(1).unwrap().split('>').next().unwrap();
    let form = format!("idempotency_key={key}");
    for node in [&one, &other, &one] {
        // What is in the cart by then is not ordered by the form that was sent before.
        visitor.move_to(node);
        let page = submit(&mut visitor, "checkout", &form).await;
        assert!(page.contains("Orders so far: 1."), "{page}");
        submit(&mut visitor, "cart", "ware=rope").await;
    }
    let page = submit(&mut visitor, "logout", "").await;
    assert!(page.contains("Log in") && !page.contains("Ada"), "{page}");
    assert_eq!(visitor.cookie, None);
}

#[tokio::test]
async fn what_it_does_not_know_it_says() {
    let Some(Pair { one, .. }) = Pair::with("shop", "shop", settings()).await else { return };
    let mut visitor = Visitor::at(&one);
    let reply = visitor.ask("nowhere").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert!(reply.body.contains("There is no such page."), "{}", reply.body);
}
