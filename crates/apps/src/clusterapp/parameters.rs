//! What a request asks for: the parameters of its query string and of its form.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{FromRequest, Query, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};

use super::problem::Problem;

/// Parameters by name. Of several with one name the last counts, and the form goes over the query string.
#[derive(Debug, Default)]
pub(super) struct Parameters(HashMap<String, String>);

type Pairs = Vec<(String, String)>;

impl Parameters {
    /// Those of a query string alone.
    pub(super) fn of_query(uri: &Uri) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Pairs>::try_from_uri(uri)?;
        Ok(Self(pairs.into_iter().collect()))
    }

    /// Those of the query string and, in a POST that brings one, of the form.
    pub(super) async fn of_request(request: Request) -> Result<Self, Problem> {
        let mut parameters = Self::of_query(request.uri())?;
        if request.method() == http::Method::POST && brings_form(request.headers()) {
            let Form(pairs) = Form::<Pairs>::from_request(request, &()).await?;
            parameters.0.extend(pairs);
        }
        Ok(parameters)
    }

    /// The parameter, if it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that the command needs.
    pub(super) fn text(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::bad_request(format!("parameter `{name}` is missing")))
    }

    /// A number that the command needs, of at most `max`.
    pub(super) fn number(&self, name: &str, max: u64) -> Result<u64, Problem> {
        number(name, self.text(name)?, max)
    }

    /// A number of at most `max` that may be left out.
    pub(super) fn number_if_given(&self, name: &str, max: u64) -> Result<Option<u64>, Problem> {
        self.get(name).map(|value| number(name, value, max)).transpose()
    }

    /// Whether `name=1` was given.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        Ok(self.number_if_given(name, 1)? == Some(1))
    }
}

fn number(name: &str, value: &str, max: u64) -> Result<u64, Problem> {
    let all_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|number| all_digits && *number <= max).ok_or_else(|| {
        Problem::bad_request(format!("parameter `{name}`: `{value}` is no whole number from 0 to {max}"))
    })
}

fn brings_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn query(text: &str) -> Parameters {
        Parameters::of_query(&format!("/session?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn names_and_values_are_decoded() {
        let parameters = query("cmd=add&name=a%20b+c&v=7&sum=1&sum=0");
        assert_eq!(parameters.text("name").unwrap(), "a b c");
        assert_eq!(parameters.number("v", 9).unwrap(), 7);
        assert!(!parameters.flag("sum").unwrap());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let parameters = query("v=-1&size=+2&count=11&name=");
        for (name, max) in [("v", 9), ("size", 9), ("count", 9), ("name", 9), ("other", 9)] {
            let problem = parameters.number(name, max).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.message.contains(&format!("`{name}`")), "{}", problem.message);
        }
    }

    #[tokio::test]
    async fn a_form_goes_over_the_query_string() {
        let request = http::Request::post("/session?cmd=show&name=a")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from("cmd=remove"))
            .unwrap();
        let parameters = Parameters::of_request(request).await.unwrap();
        assert_eq!((parameters.get("cmd"), parameters.get("name")), (Some("remove"), Some("a")));
    }
}
