//! The target of a request: path and query as the web server passes them, scheme and host as the client used
//! them.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Uri};

use crate::error::RequestError;

/// Makes sure that there is a `Host`, and answers the target in its absolute form: the scheme says whether
/// the client came by TLS.
pub(crate) fn target(
    path: &str,
    query: Option<&str>,
    is_tls: bool,
    server: (&str, u16),
    headers: &mut HeaderMap,
) -> Result<Uri, RequestError> {
    let malformed = |what| move |_| RequestError::Malformed(what);
    let authority = authority(server, is_tls, headers)?;
    if path == "*" {
        return Ok(Uri::from_static("*"));
    }
    // The query is an attribute of its own: a `?` here would be read as its beginning.
    let is_split = |text: &str| text.contains('#');
    if !path.starts_with('/') || path.contains('?') || is_split(path) || query.is_some_and(is_split) {
        return Err(RequestError::Malformed("the path or the query"));
    }
    let path = match query {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority);
    parts.path_and_query = Some(path.map_err(malformed("the path or the query"))?);
    Uri::from_parts(parts).map_err(|_| RequestError::Malformed("the target"))
}

fn authority(
    (name, port): (&str, u16),
    is_tls: bool,
    headers: &mut HeaderMap,
) -> Result<Authority, RequestError> {
    let mut hosts = headers.get_all(HOST).iter();
    let malformed = RequestError::Malformed("the header Host");
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(malformed),
        (Some(host), None) if !host.is_empty() => {
            let authority = Authority::try_from(host.as_bytes()).map_err(|_| malformed.clone())?;
            // Nobody signs in by a host.
            if authority.as_str().contains('@') { Err(malformed) } else { Ok(authority) }
        }
        _ => {
            let is_usual = port == if is_tls { 443 } else { 80 };
            let name = if name.contains(':') && !name.starts_with('[') {
                format!("[{name}]")
            } else {
                name.to_owned()
            };
            let host = if is_usual || port == 0 { name } else { format!("{name}:{port}") };
            let wrong = || RequestError::Malformed("the server name");
            let authority = Authority::try_from(host).map_err(|_| wrong())?;
            headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?);
            Ok(authority)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, query: Option<&str>, is_tls: bool, host: Option<&str>) -> Result<String, RequestError> {
        let mut headers = HeaderMap::new();
        host.into_iter().for_each(|host| drop(headers.insert(HOST, host.parse().unwrap())));
        let target = target(path, query, is_tls, ("::1", 8009), &mut headers)?;
        assert!(headers.contains_key(HOST));
        Ok(target.to_string())
    }

    #[test]
    fn the_scheme_is_the_clients_and_a_missing_host_is_the_server() {
        assert_eq!(of("/a", Some("b=1"), true, Some("shop.example")).unwrap(), "https://shop.example/a?b=1");
        assert_eq!(of("/a", None, false, None).unwrap(), "http://[::1]:8009/a");
        assert_eq!(of("/a;jsessionid=1", Some(""), false, Some("h")).unwrap(), "http://h/a;jsessionid=1?");
        assert_eq!(of("*", None, false, Some("h")).unwrap(), "*");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for path in ["", "a", "//a?b", "/a?b", "/a#b", "/a b", "http://other/"] {
            assert!(of(path, None, false, Some("h")).is_err(), "{path}");
        }
        assert!(of("/a", Some("b c"), false, Some("h")).is_err());
        assert!(of("/a", Some("b#c"), false, Some("h")).is_err());
        assert!(of("/a", None, false, Some("user@h")).is_err());
        let mut headers = HeaderMap::new();
        headers.append(HOST, "one".parse().unwrap());
        headers.append(HOST, "two".parse().unwrap());
        assert!(target("/", None, false, ("h", 80), &mut headers).is_err());
    }
}
