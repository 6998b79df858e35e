//! What a request asks to be done once: its key, and what tells it from other requests.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};

use super::form::Form;
use super::note::Digest;
use super::partly_read::BodyRead;
use crate::answers;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key, in characters.
const KEY_MAX: usize = 128;
/// Longest wait for the end of a body: the handler does not begin before.
const READ_TIME: Duration = Duration::from_secs(30);

/// A request that is to take effect once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyedRequest {
    /// Names it.
    pub(super) key: Digest,
    /// Tells whether another one of that name is the same.
    pub(super) request: Digest,
}

/// Why a request cannot be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Key,
    Body,
    TooLarge,
    TooSlow,
}

impl IntoResponse for Unusable {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Self::Key => {
                (StatusCode::BAD_REQUEST, "Idempotency-Key: 1 to 128 visible ASCII characters, once, please.")
            }
            Self::Body => (StatusCode::BAD_REQUEST, "The request could not be read."),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "A request with an idempotency key cannot be as large as this.",
            ),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive."),
        };
        answers::explained(status, words)
    }
}

impl KeyedRequest {
    /// What `request` asks, if it asks at all, and the request as it was. Requests with a key have at most
    /// `body_max` bytes.
    pub(super) async fn of(
        request: Request<Body>,
        body_max: usize,
    ) -> Result<(Option<Self>, Request<Body>), Unusable> {
        let (parts, body) = request.into_parts();
        let named = in_header(&parts.headers)?;
        let form = Form::of(parts.headers.get(CONTENT_TYPE));
        if !changes(&parts.method) || (named.is_none() && form == Form::None) {
            return Ok((None, Request::from_parts(parts, body)));
        }
        match BodyRead::within(body_max, READ_TIME, body).await.map_err(|_| Unusable::Body)? {
            BodyRead::Whole(bytes) => {
                let asked = Self::of_whole(&parts, named, &form, &bytes).await?;
                Ok((asked, Request::from_parts(parts, Body::from(bytes))))
            }
            // An upload without a key runs as ever.
            BodyRead::PartlyRead { body, is_larger } => match named {
                None => Ok((None, Request::from_parts(parts, body))),
                Some(_) if is_larger => Err(Unusable::TooLarge),
                Some(_) => Err(Unusable::TooSlow),
            },
        }
    }

    async fn of_whole(
        parts: &Parts,
        named: Option<String>,
        form: &Form,
        body: &Bytes,
    ) -> Result<Option<Self>, Unusable> {
        let content = form.read(body).await;
        let key = match named {
            Some(key) => key,
            None => match content.key {
                Some(key) => checked(&key)?,
                None => return Ok(None),
            },
        };
        let target = parts.uri.path_and_query().map_or(parts.uri.path(), |target| target.as_str());
        let request = [parts.method.as_str().as_bytes(), target.as_bytes(), &content.digest];
        Ok(Some(Self { key: Digest::of(&[key.as_bytes()]), request: Digest::of(&request) }))
    }
}

fn changes(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// The key in the header: a structured field's string or, as most clients write it, bare.
fn in_header(headers: &HeaderMap) -> Result<Option<String>, Unusable> {
    let mut all = headers.get_all(HEADER).iter();
    let Some(first) = all.next() else { return Ok(None) };
    let text = std::str::from_utf8(first.as_bytes()).map_err(|_| Unusable::Key)?.trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match all.next() {
        None => checked(bare).map(Some),
        Some(_) => Err(Unusable::Key),
    }
}

fn checked(key: &str) -> Result<String, Unusable> {
    let fits = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(key.to_owned()) } else { Err(Unusable::Key) }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::stream::iter;

    use super::super::form::FIELD;
    use super::*;

    const ROOM: usize = 100_000;

    async fn asked_with(
        builder: http::request::Builder,
        body: Body,
    ) -> Result<Option<KeyedRequest>, Unusable> {
        Ok(KeyedRequest::of(builder.body(body).unwrap(), ROOM).await?.0)
    }

    async fn asked(builder: http::request::Builder, body: &str) -> Result<Option<KeyedRequest>, Unusable> {
        let request = builder.body(Body::from(body.to_owned())).unwrap();
        let (asked, request) = KeyedRequest::of(request, ROOM).await?;
        let whole = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        assert_eq!(whole, body, "the handler gets all of it");
        Ok(asked)
    }

    fn post() -> http::request::Builder {
        Request::post("/a")
    }

    fn form() -> http::request::Builder {
        post().header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
    }

    fn multipart(boundary: &str, fields: &[(&str, &str)]) -> (http::request::Builder, String) {
        let part = |(name, value): &(&str, &str)| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = fields.iter().map(part).collect::<String>() + &format!("--{boundary}--\r\n");
        let kind = format!("multipart/form-data; boundary={boundary}");
        (post().header(CONTENT_TYPE, kind), body)
    }

    #[tokio::test]
    async fn the_key_is_in_the_header_or_in_the_form() {
        let bare = asked(post().header(HEADER, "k1"), "x").await.unwrap();
        let quoted = asked(post().header(HEADER, "\"k1\""), "x").await.unwrap();
        assert_eq!(bare, quoted);
        assert_ne!(bare, None);
        let in_form = asked(form(), "item=a&idempotency_key=k1").await.unwrap().unwrap();
        assert_eq!(in_form.key, bare.unwrap().key);
        let (builder, body) = multipart("xyz", &[("item", "a"), (FIELD, "k1")]);
        assert_eq!(asked(builder, &body).await.unwrap().unwrap().key, in_form.key);
        assert_eq!(asked(form(), "item=a").await.unwrap(), None);
        assert_eq!(asked(Request::get("/a").header(HEADER, "k1"), "").await.unwrap(), None);
    }

    #[tokio::test]
    async fn another_target_method_or_body_is_another_request() {
        let digest = async |builder: http::request::Builder, body: &str| {
            asked(builder.header(HEADER, "k"), body).await.unwrap().unwrap().request
        };
        let first = digest(post(), "1").await;
        assert_eq!(digest(post(), "1").await, first);
        for other in [
            digest(post(), "2").await,
            digest(Request::put("/a"), "1").await,
            digest(Request::post("/b"), "1").await,
        ] {
            assert_ne!(other, first);
        }
    }

    #[tokio::test]
    async fn large_bodies_and_such_without_a_length_are_compared_whole() {
        let large = |last: char| "x".repeat(70_000) + &last.to_string();
        let whole = async |text: String| asked(post().header(HEADER, "k"), &text).await.unwrap().unwrap();
        assert_ne!(whole(large('1')).await, whole(large('2')).await);
        let chunked = async |text: &'static str| {
            let parts = iter(["one ", text].map(Ok::<_, std::io::Error>));
            asked_with(post().header(HEADER, "k"), Body::from_stream(parts)).await.unwrap().unwrap()
        };
        assert_ne!(chunked("two").await, chunked("three").await);
        assert_eq!(chunked("two").await, whole("one two".to_owned()).await);
    }

    #[tokio::test]
    async fn the_boundary_of_a_form_is_no_difference_and_a_field_is() {
        let digest = async |boundary: &str, item: &str| {
            let (builder, body) = multipart(boundary, &[(FIELD, "k"), ("item", item)]);
            asked(builder, &body).await.unwrap().unwrap().request
        };
        assert_eq!(digest("one", "a").await, digest("other", "a").await, "browsers draw one for each try");
        assert_ne!(digest("one", "a").await, digest("one", "b").await);
    }

    #[tokio::test]
    async fn what_is_too_large_has_no_key_or_is_refused() {
        let large = "x".repeat(ROOM + 1);
        let refused = asked(post().header(HEADER, "k"), &large).await;
        assert_eq!(refused, Err(Unusable::TooLarge));
        assert_eq!(asked(form(), &large).await.unwrap(), None, "an upload runs as ever");
    }

    #[tokio::test]
    async fn a_key_that_is_none_is_refused() {
        for key in ["", "a b", &"k".repeat(129)] {
            assert_eq!(asked(post().header(HEADER, key), "").await, Err(Unusable::Key), "{key}");
        }
        let bytes = http::HeaderValue::from_bytes(b"\xff").unwrap();
        assert_eq!(asked(post().header(HEADER, bytes), "").await, Err(Unusable::Key));
        assert_eq!(asked(post().header(HEADER, "a").header(HEADER, "b"), "").await, Err(Unusable::Key));
        assert_eq!(asked(form(), "idempotency_key=a%20b").await, Err(Unusable::Key));
    }
}
