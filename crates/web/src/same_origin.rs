//! Whether a request comes from a page of the site that it was sent to, as far as its browser says.
//!
//! `Sec-Fetch-Site` is the browser's own verdict, and no script can set it; proxies leave it alone. A browser
//! that lacks it sends `Origin` with every POST, which is compared with the host that the browser asked for:
//! `Host`, or what a trusted proxy reports in its place. A program sends neither, and has no cookies of
//! another user.

use http::header::{FORWARDED, HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Request};

use super::app::AppSessions;
use super::request_facts::is_from_trusted_proxy;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether the request comes from the site's own page, from the address bar, or from a program.
pub(crate) fn is_same_origin<B>(app: &AppSessions, request: &Request<B>) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return matches!(site.as_bytes().trim_ascii(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let forwarded = forwarded_host(headers).filter(|_| is_from_trusted_proxy(app, request));
    let host = forwarded.or_else(|| headers.get(HOST).map(|host| host.as_bytes()));
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str().as_bytes()));
    host.is_some_and(|host| is_origin_of(origin.as_bytes(), host))
}

/// The host that the client asked for, as the first proxy reports it.
fn forwarded_host(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(hosts) = headers.get(X_FORWARDED_HOST) {
        return hosts.as_bytes().split(|byte| *byte == b',').next().map(<[u8]>::trim_ascii);
    }
    let first = headers.get(FORWARDED)?.as_bytes().split(|byte| *byte == b',').next()?;
    let mut pairs = first.split(|byte| *byte == b';').filter_map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
        Some((halves.next()?, halves.next()?))
    });
    let (_, host) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(b"host"))?;
    Some(host.strip_prefix(b"\"").and_then(|host| host.strip_suffix(b"\"")).unwrap_or(host))
}

/// Whether a page of `origin` is a page of `host`: the same name, and the same port, where the scheme's own
/// may be left out.
fn is_origin_of(origin: &[u8], host: &[u8]) -> bool {
    let (site, port) = match (origin.strip_prefix(b"https://"), origin.strip_prefix(b"http://")) {
        (Some(site), _) => (site, &b":443"[..]),
        (None, Some(site)) => (site, &b":80"[..]),
        (None, None) => return false,
    };
    let bare =
        |name: &'static [u8], text: &[u8]| text.strip_suffix(name).unwrap_or(text).to_ascii_lowercase();
    !site.is_empty() && bare(port, site) == bare(port, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_the_scheme_may_be_left_out() {
        for (origin, host) in [
            ("https://x", "x:443"),
            ("https://x:443", "x"),
            ("http://x", "x:80"),
            ("http://X.example", "x.EXAMPLE"),
            ("https://[::1]:8443", "[::1]:8443"),
            ("https://[::1]", "[::1]:443"),
        ] {
            assert!(is_origin_of(origin.as_bytes(), host.as_bytes()), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://x", "x:443"),
            ("https://x", "x:80"),
            ("https://x", "x:8443"),
            ("https://x.example", "x"),
            ("null", "null"),
            ("", ""),
            ("https://", ""),
            ("x", "x"),
            ("file://x", "x"),
        ] {
            assert!(!is_origin_of(origin.as_bytes(), host.as_bytes()), "{origin} {host}");
        }
    }

    #[test]
    fn the_first_proxy_knows_the_host() {
        let host_named_by = |name: HeaderName, value: &'static str| {
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            forwarded_host(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(host_named_by(X_FORWARDED_HOST, "shop.example, inner").unwrap(), b"shop.example");
        let element = "for=10.0.0.1;Host=\"shop.example:8443\";proto=https, for=10.0.0.2;host=inner";
        assert_eq!(host_named_by(FORWARDED, element).unwrap(), b"shop.example:8443");
        assert_eq!(host_named_by(FORWARDED, "for=10.0.0.1"), None);
    }
}
