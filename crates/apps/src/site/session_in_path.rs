//! URLs with a session id in them, which Tomcat writes for browsers without cookies:
//! `/shop/cart;jsessionid=4711.tc01`.
//!
//! A session is named by its cookie alone, so that no link can give one to somebody else. Bookmarks and pages
//! of before are redirected to the same URL without the id. It is not simply left out: a proxy that guards
//! `/admin` would see another path than the application.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{StatusCode, Uri};

/// The path parameter, whose value ends at the next parameter, segment or at the end.
const PARAMETER: &str = ";jsessionid=";

/// The redirect to the same URL without the id, if there is one in it.
pub(super) fn without(uri: &Uri) -> Option<Response> {
    let clean = clean_path(uri.path())?;
    let location = match uri.query() {
        Some(query) => format!("{clean}?{query}"),
        None => clean,
    };
    // The method stays: also a form of before arrives. The URL with the id is kept nowhere.
    let headers = [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())];
    Some((StatusCode::PERMANENT_REDIRECT, headers).into_response())
}

/// The path without the parameter; `None` where it has none, or where what is left could name another host.
fn clean_path(path: &str) -> Option<String> {
    let (before, rest) = path.split_once(PARAMETER)?;
    let end = rest.find([';', '/']).unwrap_or(rest.len());
    let clean = format!("{before}{}", &rest[end..]);
    let second = clean.chars().nth(1);
    (clean.starts_with('/') && !matches!(second, Some('/' | '\\'))).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_out_wherever_it_stands() {
        for (path, clean) in [
            ("/clusterapp;jsessionid=4711.tc01", "/clusterapp"),
            ("/clusterapp/;jsessionid=", "/clusterapp/"),
            ("/a;jsessionid=1;lang=en/b", "/a;lang=en/b"),
            ("/a;lang=en;jsessionid=1", "/a;lang=en"),
            ("/;jsessionid=1", "/"),
        ] {
            assert_eq!(clean_path(path).as_deref(), Some(clean), "{path}");
        }
    }

    #[test]
    fn other_paths_stay_and_no_redirect_leads_to_another_host() {
        for path in [
            "/a",
            "/a;lang=en",
            "/jsessionid=1",
            "//evil.example;jsessionid=1",
            "/;jsessionid=1/evil.example",
        ] {
            assert_eq!(clean_path(path), None, "{path}");
        }
    }

    #[test]
    fn the_redirect_keeps_the_query_and_the_method() {
        let response = without(&"http://shop.example/a;jsessionid=1?b=c".parse().unwrap()).unwrap();
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(response.headers()[LOCATION], "/a?b=c");
        assert!(without(&"/a?b=;jsessionid=1".parse().unwrap()).is_none());
    }
}
