//! The parameters of a request, from its query string and its form.

use std::error::Error;

use axum::body::to_bytes;
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::LengthLimitError;

use super::error::ClusterappError;

/// Most bytes of a form.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// Parameters with their names, in a short list. Of equal names the last counts, and the form overrides the
/// query string.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a query string.
    pub(super) fn of_query(uri: &Uri) -> Self {
        Self(pairs(uri.query().unwrap_or_default().as_bytes()).collect())
    }

    /// The parameters of the query string and, in a POST with a form, of the form.
    pub(super) async fn of_request(request: Request) -> Result<Self, ClusterappError> {
        let mut parameters = Self::of_query(request.uri());
        if request.method() == http::Method::POST && brings_form(request.headers()) {
            let form = to_bytes(request.into_body(), MAX_FORM_BYTES).await.map_err(unreadable)?;
            parameters.0.extend(pairs(&form));
        }
        Ok(parameters)
    }

    /// The parameter, if present and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rev().find(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A required parameter.
    pub(super) fn text(&self, name: &str) -> Result<&str, ClusterappError> {
        self.get(name).ok_or_else(|| ClusterappError::bad_request(format!("parameter `{name}` is missing")))
    }

    /// A required number of at most `max`.
    pub(super) fn number(&self, name: &str, max: u64) -> Result<u64, ClusterappError> {
        number(name, self.text(name)?, max)
    }

    /// An optional number of at most `max`.
    pub(super) fn number_if_given(&self, name: &str, max: u64) -> Result<Option<u64>, ClusterappError> {
        self.get(name).map(|value| number(name, value, max)).transpose()
    }

    /// Whether `name=1` was given.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ClusterappError> {
        Ok(self.number_if_given(name, 1)? == Some(1))
    }
}

fn number(name: &str, value: &str, max: u64) -> Result<u64, ClusterappError> {
    let all_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|number| all_digits && *number <= max).ok_or_else(|| {
        ClusterappError::bad_request(format!(
            "parameter `{name}`: `{value}` is not a whole number from 0 to {max}"
        ))
    })
}

fn pairs(encoded: &[u8]) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(encoded).into_owned()
}

/// The error of an unreadable form: it is too large, or the client disconnected.
fn unreadable(error: axum::Error) -> ClusterappError {
    if error.source().is_some_and(|cause| cause.is::<LengthLimitError>()) {
        let message = format!("the form has more than {MAX_FORM_BYTES} bytes; send less");
        return ClusterappError::new(StatusCode::PAYLOAD_TOO_LARGE, message);
    }
    ClusterappError::bad_request(format!("the form could not be read: {error}"))
}

fn brings_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn query(text: &str) -> Parameters {
        Parameters::of_query(&format!("/session?{text}").parse().unwrap())
    }

    #[test]
    fn names_and_values_are_decoded() {
        let parameters = query("cmd=add&name=a%20b+c&v=7&sum=1&sum=0");
        assert_eq!(parameters.text("name").unwrap(), "a b c");
        assert_eq!(parameters.number("v", 9).unwrap(), 7);
        assert!(!parameters.flag("sum").unwrap());
    }

    #[test]
    fn missing_and_invalid_parameters_are_named() {
        let parameters = query("v=-1&size=+2&count=11&name=");
        for (name, max) in [("v", 9), ("size", 9), ("count", 9), ("name", 9), ("other", 9)] {
            let problem = parameters.number(name, max).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.message.contains(&format!("`{name}`")), "{}", problem.message);
        }
    }

    #[tokio::test]
    async fn a_form_overrides_the_query_string() {
        let request = http::Request::post("/session?cmd=show&name=a")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from("cmd=remove"))
            .unwrap();
        let parameters = Parameters::of_request(request).await.unwrap();
        assert_eq!((parameters.get("cmd"), parameters.get("name")), (Some("remove"), Some("a")));
    }
}
