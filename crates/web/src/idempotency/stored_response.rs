//! An answer as it is noted, and as it is given again.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName as Name, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::partly_read::BodyRead;

/// Most bytes of an answer that is noted, headers and body.
const ANSWER_MAX: usize = 8 * 1024;
/// Longest wait for its end; the client's first bytes wait as long.
const END_TIME: Duration = Duration::from_secs(2);

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const YES: HeaderValue = HeaderValue::from_static("true");
/// What belongs to one connection, or follows from the body.
const NOT_KEPT: [HeaderName; 3] = [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH];

/// The answer to a request that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredResponse {
    status: u16,
    /// `None`: it was too large to be noted, or did not end soon.
    content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl StoredResponse {
    /// Notes `response`, and gives it back as it was.
    pub(super) async fn note(response: Response) -> (Self, Response) {
        let status = response.status().as_u16();
        let (parts, body) = response.into_parts();
        let headers = kept(&parts.headers);
        let head: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let read = match ANSWER_MAX.checked_sub(head) {
            Some(room) => BodyRead::within(room, END_TIME, body).await,
            None => Ok(BodyRead::PartlyRead { body, is_larger: true }),
        };
        match read {
            Ok(BodyRead::Whole(body)) => {
                let content = Some(Content { headers, body: body.to_vec() });
                (Self { status, content }, Response::from_parts(parts, Body::from(body)))
            }
            Ok(BodyRead::PartlyRead { body, .. }) => {
                (Self { status, content: None }, Response::from_parts(parts, body))
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
                "This was done before and answered with {}; that answer was too large to be kept, or did not end soon.\n",
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
    use axum::body::to_bytes;
    use futures_util::StreamExt as _;
    use futures_util::stream::iter;
    use http::header::{LOCATION, SET_COOKIE};

    use super::*;

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_small_answer_is_given_again_as_it_was() {
        let headers = [(LOCATION, "/thanks"), (SET_COOKIE, "theme=dark")];
        let (noted, response) =
            StoredResponse::note((StatusCode::SEE_OTHER, headers, "bye").into_response()).await;
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

    fn streamed(parts: Vec<String>) -> impl futures_util::Stream<Item = Result<String, std::io::Error>> {
        iter(parts).map(Ok)
    }

    #[tokio::test]
    async fn a_response_of_unknown_length_is_given_again_like_any_other() {
        let parts = ["thank ", "you"].map(str::to_owned).to_vec();
        let (noted, response) = StoredResponse::note(Response::new(Body::from_stream(streamed(parts)))).await;
        assert_eq!(text(response).await, "thank you");
        let again = noted.again();
        assert_eq!(again.status(), StatusCode::OK);
        assert_eq!(text(again).await, "thank you");
    }

    #[tokio::test]
    async fn of_a_large_response_only_its_success_is_given_again() {
        let large = "x".repeat(ANSWER_MAX + 1);
        let parts = vec![large[1..].to_owned(), large[..1].to_owned()];
        let streamed = Response::new(Body::from_stream(streamed(parts)));
        for response in [large.clone().into_response(), streamed] {
            let (noted, response) = StoredResponse::note(response).await;
            assert_eq!(text(response).await, large, "the first client gets all of it");
            only_success_is_given_again(noted).await;
        }
    }

    async fn only_success_is_given_again(noted: StoredResponse) {
        let again = noted.again();
        assert_eq!(again.status(), StatusCode::CONFLICT);
        assert!(text(again).await.contains("answered with 200"));
    }
}
