//! Hides the session cookies of all applications: no guest reads or sets one.

use http::header::{COOKIE, Entry, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Tells a browser to forget what it stores for this host.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// The value of the first cookie called `name`. Cookies are bytes: what others hold does not matter.
pub(super) fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut pairs =
        headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(value).ok()
    })
}

/// Removes every cookie whose name `is_hidden` from a request.
pub(super) fn hide(headers: &mut HeaderMap, is_hidden: impl Fn(&[u8]) -> bool) {
    let Entry::Occupied(cookies) = headers.entry(COOKIE) else { return };
    let (_, given) = cookies.remove_entry_mult();
    let kept: Vec<HeaderValue> = given.filter_map(|header| without(&header, &is_hidden)).collect();
    for header in kept {
        headers.append(COOKIE, header);
    }
}

/// The header without those cookies; `None` if nothing is left, or if it cannot be parsed.
fn without(header: &HeaderValue, is_hidden: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    let is_other = |pair: &&[u8]| !is_hidden(cookie_name(pair));
    let pairs = header.as_bytes().split(|byte| *byte == b';');
    let kept: Vec<&[u8]> =
        pairs.filter(is_other).map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).collect();
    let kept = kept.join(&b"; "[..]);
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept).ok() }
}

/// Removes every cookie whose name `is_hidden` from a response, and what would make the browser forget all
/// cookies. A cookie without a name goes too: browsers send `=sid=x` back as `sid=x`.
pub(super) fn refuse(headers: &mut HeaderMap, is_hidden: impl Fn(&[u8]) -> bool) {
    if headers.get_all(CLEAR_SITE_DATA).iter().any(clears_cookies) {
        headers.remove(CLEAR_SITE_DATA);
    }
    let Entry::Occupied(cookies) = headers.entry(SET_COOKIE) else { return };
    let (_, set) = cookies.remove_entry_mult();
    let is_refused = |header: &HeaderValue| {
        let name = cookie_name(header.as_bytes());
        name.is_empty() || is_hidden(name)
    };
    let kept: Vec<HeaderValue> = set.filter(|header| !is_refused(header)).collect();
    for header in kept {
        headers.append(SET_COOKIE, header);
    }
}

/// Whether browsers would drop the cookies of all applications at this host.
fn clears_cookies(header: &HeaderValue) -> bool {
    let kinds = header.as_bytes().split(|byte| *byte == b',');
    kinds.map(<[u8]>::trim_ascii).any(|kind| !matches!(kind, b"\"cache\"" | b"\"storage\""))
}

/// `sid` of `sid=…; Path=/`.
fn cookie_name(pair: &[u8]) -> &[u8] {
    let end = pair.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(pair.len());
    pair[..end].trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(headers: &HeaderMap, name: http::header::HeaderName) -> Vec<&str> {
        headers.get_all(name).iter().map(|header| header.to_str().unwrap()).collect()
    }

    fn is_hidden(name: &[u8]) -> bool {
        matches!(name, b"sid" | b"other")
    }

    #[test]
    fn a_guest_gets_every_cookie_but_those_of_sessions() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("theme=dark; sid=x.tc01;sid = y; other=z.tc01; lang=en"),
        );
        headers.append(COOKIE, HeaderValue::from_static("sid=z"));
        headers.append(COOKIE, HeaderValue::from_static("sidx=1"));
        assert_eq!(value(&headers, "sid"), Some("x.tc01"));
        hide(&mut headers, is_hidden);
        assert_eq!(all(&headers, COOKIE), ["theme=dark; lang=en", "sidx=1"]);
        assert_eq!(value(&headers, "sid"), None);
    }

    #[test]
    fn a_guest_sets_every_cookie_but_those_of_sessions() {
        let mut headers = HeaderMap::new();
        for cookie in [
            "theme=dark; Path=/",
            "sid=forged; Path=/",
            "other=forged; Path=/",
            " sid =forged",
            "sid",
            "=sid=forged",
            "sids=1",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        refuse(&mut headers, is_hidden);
        assert_eq!(all(&headers, SET_COOKIE), ["theme=dark; Path=/", "sids=1"]);
    }

    #[test]
    fn a_guest_does_not_clear_the_cookies_of_others() {
        for (value, stays) in [
            ("\"cache\", \"storage\"", true),
            ("\"cookies\"", false),
            ("\"cache\", \"cookies\"", false),
            ("\"*\"", false),
        ] {
            let mut headers = HeaderMap::from_iter([(CLEAR_SITE_DATA, HeaderValue::from_static(value))]);
            refuse(&mut headers, is_hidden);
            assert_eq!(headers.contains_key(CLEAR_SITE_DATA), stays, "{value}");
        }
    }
}
