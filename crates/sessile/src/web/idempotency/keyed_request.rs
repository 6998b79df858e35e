//! What a request asks to be done once: its key, and what tells it from other requests.

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};

use super::entry::Digest;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const FIELD: &str = "idempotency_key";
const FORM: &str = "application/x-www-form-urlencoded";
/// Longest key, in characters.
const KEY_MAX: usize = 128;
/// Largest body that is read before the handler: to look for the field, and to tell requests apart.
const BODY_MAX: usize = 64 * 1024;

/// A request that is to take effect once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyedRequest {
    /// Names it.
    pub(super) key: Digest,
    /// Tells whether another one of that name is the same.
    pub(super) request: Digest,
}

/// Why a request cannot be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("Idempotency-Key: 1 to {KEY_MAX} visible ASCII characters, once, please")]
    Key,
    #[error("the request's body could not be read")]
    Body,
}

impl IntoResponse for Unusable {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.to_string()).into_response()
    }
}

impl KeyedRequest {
    /// What `request` asks, if it asks at all, and the request as it was.
    pub(super) async fn of(request: Request<Body>) -> Result<(Option<Self>, Request<Body>), Unusable> {
        let (parts, body) = request.into_parts();
        let named = in_header(&parts.headers)?;
        if !changes(&parts.method) || (named.is_none() && !is_form(&parts.headers)) {
            return Ok((None, Request::from_parts(parts, body)));
        }
        let (known, body) = read_small(&parts.headers, body).await?;
        let key = match named {
            Some(key) => Some(key),
            None => in_form(&known)?,
        };
        let asked =
            key.map(|key| Self { key: Digest::of(&[key.as_bytes()]), request: fingerprint(&parts, &known) });
        Ok((asked, Request::from_parts(parts, body)))
    }
}

fn changes(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// The key in the header: a structured field's string or, as most clients write it, bare.
fn in_header(headers: &HeaderMap) -> Result<Option<String>, Unusable> {
    let mut all = headers.get_all(HEADER).iter();
    let Some(first) = all.next() else { return Ok(None) };
    let text = first.to_str().map_err(|_| Unusable::Key)?.trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match all.next() {
        None => checked(bare).map(Some),
        Some(_) => Err(Unusable::Key),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM))
}

fn in_form(body: &[u8]) -> Result<Option<String>, Unusable> {
    let field = form_urlencoded::parse(body).find(|(name, _)| name == FIELD);
    field.map(|(_, key)| checked(&key)).transpose()
}

fn checked(key: &str) -> Result<String, Unusable> {
    let fits = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(key.to_owned()) } else { Err(Unusable::Key) }
}

/// The body, where it says that it is small; nothing of others is read here.
async fn read_small(headers: &HeaderMap, body: Body) -> Result<(Bytes, Body), Unusable> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length > BODY_MAX) {
        return Ok((Bytes::new(), body));
    }
    let bytes = to_bytes(body, BODY_MAX).await.map_err(|_| Unusable::Body)?;
    Ok((bytes.clone(), Body::from(bytes)))
}

fn fingerprint(parts: &Parts, body: &[u8]) -> Digest {
    let target = parts.uri.path_and_query().map_or(parts.uri.path(), |target| target.as_str());
    Digest::of(&[parts.method.as_str().as_bytes(), target.as_bytes(), body])
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(
        builder: http::request::Builder,
        body: &'static str,
    ) -> Result<Option<KeyedRequest>, Unusable> {
        let request = builder.header(CONTENT_LENGTH, body.len()).body(Body::from(body)).unwrap();
        let (asked, request) = KeyedRequest::of(request).await?;
        assert_eq!(
            to_bytes(request.into_body(), BODY_MAX).await.unwrap(),
            body,
            "the handler gets all of it"
        );
        Ok(asked)
    }

    #[tokio::test]
    async fn the_key_is_in_the_header_or_in_the_form() {
        let bare = asked(Request::post("/a").header(HEADER, "k1"), "x").await.unwrap();
        let quoted = asked(Request::post("/a").header(HEADER, "\"k1\""), "x").await.unwrap();
        assert_eq!(bare, quoted);
        assert_ne!(bare, None);
        let form =
            Request::post("/a").header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
        let in_form = asked(form, "item=a&idempotency_key=k1").await.unwrap().unwrap();
        assert_eq!(in_form.key, bare.unwrap().key);
        assert_eq!(asked(Request::post("/a"), "idempotency_key=k1").await, Ok(None), "it is no form");
        assert_eq!(asked(Request::get("/a").header(HEADER, "k1"), "").await, Ok(None), "it changes nothing");
    }

    #[tokio::test]
    async fn other_requests_under_one_key_are_told_apart() {
        let one = asked(Request::post("/a?b=1").header(HEADER, "k"), "x").await.unwrap().unwrap();
        for (target, body) in [("/a?b=2", "x"), ("/c?b=1", "x"), ("/a?b=1", "y")] {
            let other = asked(Request::post(target).header(HEADER, "k"), body).await.unwrap().unwrap();
            assert_eq!(other.key, one.key);
            assert_ne!(other.request, one.request, "{target} {body}");
        }
    }

    #[tokio::test]
    async fn a_key_that_is_none_is_refused() {
        let longest = "k".repeat(KEY_MAX);
        assert!(asked(Request::post("/").header(HEADER, &longest), "").await.is_ok());
        for bad in ["", "\"\"", "two words", &(longest + "k")] {
            assert_eq!(asked(Request::post("/").header(HEADER, bad), "").await, Err(Unusable::Key), "{bad}");
        }
        let twice = Request::post("/").header(HEADER, "a").header(HEADER, "b");
        assert_eq!(asked(twice, "").await, Err(Unusable::Key));
    }
}
