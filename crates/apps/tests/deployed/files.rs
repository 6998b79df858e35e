//! Files over HTTP.

use axum::Router;
use axum::body::Body;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, RANGE,
    SET_COOKIE,
};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt;
use sessile_apps::site::directory;
use tempfile::TempDir;
use tower::ServiceExt;

async fn ask(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(HeaderName, &str)],
) -> (Response<()>, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    assert!(!head.headers.contains_key(SET_COOKIE), "files have no sessions");
    (Response::from_parts(head, ()), body.collect().await.unwrap().to_bytes().to_vec())
}

fn header(response: &Response<()>, name: HeaderName) -> &str {
    response.headers().get(&name).unwrap_or_else(|| panic!("{name}")).to_str().unwrap()
}

fn docs() -> (TempDir, Router) {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("guide")).unwrap();
    std::fs::write(place.path().join("guide/index.html"), "the guide").unwrap();
    std::fs::write(place.path().join("big.bin"), vec![7; 200_000]).unwrap();
    let router = directory(place.path(), "/docs").unwrap();
    (place, router)
}

#[tokio::test]
async fn a_file_has_its_type_length_and_tag() {
    let (place, router) = docs();
    let (head, body) = ask(&router, "GET", "/docs/guide/", &[]).await;
    assert_eq!((head.status(), body.as_slice()), (StatusCode::OK, &b"the guide"[..]));
    assert_eq!(header(&head, CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!((header(&head, CONTENT_LENGTH), header(&head, CACHE_CONTROL)), ("9", "no-cache"));
    let tag = header(&head, ETAG).to_owned();
    let (known, body) = ask(&router, "GET", "/docs/guide/index.html", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!((known.status(), body.len()), (StatusCode::NOT_MODIFIED, 0));
    std::fs::write(place.path().join("guide/index.html"), "another guide").unwrap();
    let (head, _) = ask(&router, "GET", "/docs/guide/", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!(head.status(), StatusCode::OK);
    let (head, body) = ask(&router, "HEAD", "/docs/big.bin", &[]).await;
    assert_eq!((header(&head, CONTENT_LENGTH), body.len()), ("200000", 0));
}

#[tokio::test]
async fn ranges_are_sent() {
    let (_place, router) = docs();
    let (head, body) = ask(&router, "GET", "/docs/big.bin", &[(RANGE, "bytes=100000-")]).await;
    assert_eq!((head.status(), body), (StatusCode::PARTIAL_CONTENT, vec![7; 100_000]));
    assert_eq!(header(&head, CONTENT_RANGE), "bytes 100000-199999/200000");
    let (head, _) = ask(&router, "GET", "/docs/big.bin", &[(RANGE, "bytes=200000-")]).await;
    assert_eq!(head.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&head, CONTENT_RANGE), "bytes */200000");
}

#[tokio::test]
async fn a_missing_file_is_404() {
    let (_place, router) = docs();
    let (head, _) = ask(&router, "GET", "/docs/guide?x=1", &[]).await;
    assert_eq!(
        (head.status(), header(&head, LOCATION)),
        (StatusCode::PERMANENT_REDIRECT, "/docs/guide/?x=1")
    );
    for path in ["/docs/", "/docs/nothing", "/docs/../files.rs", "/docs/%2e%2e/x"] {
        assert_eq!(ask(&router, "GET", path, &[]).await.0.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask(&router, "POST", "/docs/big.bin", &[]).await.0.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_content_decides_about_the_tag() {
    let (place, router) = docs();
    let file = place.path().join("guide/index.html");
    let time = std::fs::metadata(&file).unwrap().modified().unwrap();
    let tag = async || header(&ask(&router, "GET", "/docs/guide/", &[]).await.0, ETAG).to_owned();
    let first = tag().await;
    // As `rsync -t` and image layers do: other content of the same size and time.
    std::fs::write(&file, "THE GUIDE").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let (head, body) = ask(&router, "GET", "/docs/guide/", &[(IF_NONE_MATCH, &first)]).await;
    assert_eq!((head.status(), body.as_slice()), (StatusCode::OK, &b"THE GUIDE"[..]));
    std::fs::write(&file, "the guide").unwrap();
    assert_eq!(tag().await, first, "the same content has the same tag, at whatever time it was written");
}

#[tokio::test]
async fn hidden_files_and_settings_are_not_served() {
    let (place, router) = docs();
    for name in
        [".env", ".git/config", "WEB-INF/web.xml", "guide/META-INF/MANIFEST.MF", ".well-known/security.txt"]
    {
        std::fs::create_dir_all(place.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(place.path().join(name), "text").unwrap();
        let (head, _) = ask(&router, "GET", &format!("/docs/{name}"), &[]).await;
        let wanted = if name.starts_with(".well") { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(head.status(), wanted, "{name}");
    }
}
