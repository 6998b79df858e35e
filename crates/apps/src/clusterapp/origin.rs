//! Refuses forms of other sites.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, Request, StatusCode};

use super::error::ClusterappError;

/// Refuses a POST that a browser sends on behalf of another site. Programs send no `Origin` and pass.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), ClusterappError> {
    if request.method() == Method::POST && !is_own(request.headers()) {
        let message = "the form comes from another site: use the form on this application's own page";
        return Err(ClusterappError::new(StatusCode::FORBIDDEN, message));
    }
    Ok(())
}

/// Whether the request's `Origin`, if it has one, is the host that it was sent to.
fn is_own(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), headers.get(HOST).map(|host| host.to_str())) else {
        return false;
    };
    origin.split_once("://").is_some_and(|(_, site)| site.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost:8080".parse().unwrap());
        headers.insert(ORIGIN, origin.parse().unwrap());
        is_own(&headers)
    }

    #[test]
    fn only_the_own_site_and_programs_are_accepted() {
        assert!(from("http://localhost:8080"));
        assert!(from("https://LOCALHOST:8080"));
        assert!(is_own(&HeaderMap::new()));
        for foreign in ["http://localhost", "http://localhost:8081", "http://evil.example", "null", ""] {
            assert!(!from(foreign), "{foreign}");
        }
    }
}
