//! An answer as it is noted, and as it is given again.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderName as Name, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// Most bytes of an answer that is noted, headers and body.
const ANSWER_MAX: usize = 8 * 1024;

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const YES: HeaderValue = HeaderValue::from_static("true");
/// What belongs to one connection, or follows from the body.
const NOT_KEPT: [HeaderName; 3] = [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH];

/// The answer to a request that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    status: u16,
    /// `None`: it was too large to be noted, or had no known end.
    content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Answer {
    /// Notes `response`, and gives it back as it was.
    pub(super) async fn note(response: Response) -> (Self, Response) {
        let status = response.status().as_u16();
        let (parts, body) = response.into_parts();
        let headers = kept(&parts.headers);
        let head: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let fits = body.size_hint().upper().is_some_and(|bytes| bytes as usize + head <= ANSWER_MAX);
        if !fits {
            return (Self { status, content: None }, Response::from_parts(parts, body));
        }
        Self::with_body(status, headers, parts, body).await
    }

    async fn with_body(
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        parts: Parts,
        body: Body,
    ) -> (Self, Response) {
        match to_bytes(body, ANSWER_MAX).await {
            Ok(body) => {
                let content = Some(Content { headers, body: body.to_vec() });
                (Self { status, content }, Response::from_parts(parts, Body::from(body)))
            }
            Err(cause) => {
                tracing::error!(%cause, "the handler's answer broke off; that it was carried out is noted");
                let words = "the request was carried out, but its answer broke off";
                let response = (StatusCode::INTERNAL_SERVER_ERROR, words).into_response();
                (Self { status, content: None }, response)
            }
        }
    }

    /// The answer for whoever sends the request again.
    pub(super) fn again(self) -> Response {
        let Some(content) = self.content else {
            let words = format!(
                "this request was carried out before and answered with {}; that answer was too large to be kept\n",
                self.status
            );
            return replayed((StatusCode::CONFLICT, words).into_response());
        };
        let mut response = Response::new(Body::from(content.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in content.headers {
            if let (Ok(name), Ok(value)) = (Name::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        replayed(response)
    }
}

fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, YES);
    response
}

fn kept(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let kept = headers.iter().filter(|(name, _)| !NOT_KEPT.contains(name));
    kept.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use http::header::{LOCATION, SET_COOKIE};

    use super::*;

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_small_answer_is_given_again_as_it_was() {
        let headers = [(LOCATION, "/thanks"), (SET_COOKIE, "theme=dark")];
        let (noted, response) = Answer::note((StatusCode::SEE_OTHER, headers, "bye").into_response()).await;
        assert!(response.headers().get(REPLAYED).is_none());
        assert_eq!(text(response).await, "bye");
        let again = noted.again();
        assert_eq!(again.status(), StatusCode::SEE_OTHER);
        assert_eq!(
            (&again.headers()[LOCATION], &again.headers()[SET_COOKIE]),
            (&"/thanks".parse().unwrap(), &"theme=dark".parse().unwrap())
        );
        assert_eq!(again.headers()[REPLAYED], "true");
        assert_eq!(text(again).await, "bye");
    }

    #[tokio::test]
    async fn of_a_large_one_or_one_without_an_end_it_is_told_that_it_was_done() {
        let endless = Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("part")]));
        for response in ["x".repeat(ANSWER_MAX).into_response(), Response::new(endless)] {
            let (noted, response) = Answer::note(response).await;
            assert_ne!(text(response).await, "", "the first client gets all of it");
            let again = noted.again();
            assert_eq!(again.status(), StatusCode::CONFLICT);
            assert!(text(again).await.contains("answered with 200"));
        }
    }
}
