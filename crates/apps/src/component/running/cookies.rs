//! Hides the session cookie: no guest reads or sets it.

use http::header::{COOKIE, Entry, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// The value of the first cookie called `name`.
pub(super) fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs = pairs.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// Removes every cookie called `name` from a request.
pub(super) fn hide(headers: &mut HeaderMap, name: &str) {
    let Entry::Occupied(cookies) = headers.entry(COOKIE) else { return };
    let (_, given) = cookies.remove_entry_mult();
    let kept: Vec<HeaderValue> = given.filter_map(|header| without(&header, name)).collect();
    for header in kept {
        headers.append(COOKIE, header);
    }
}

/// The header without the cookie; `None` if nothing is left, or if it cannot be parsed.
fn without(header: &HeaderValue, name: &str) -> Option<HeaderValue> {
    let is_other = |pair: &&[u8]| cookie_name(pair) != name.as_bytes();
    let pairs = header.as_bytes().split(|byte| *byte == b';');
    let kept: Vec<&[u8]> =
        pairs.filter(is_other).map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).collect();
    let kept = kept.join(&b"; "[..]);
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept).ok() }
}

/// Removes every cookie called `name` from a response.
pub(super) fn refuse(headers: &mut HeaderMap, name: &str) {
    let Entry::Occupied(cookies) = headers.entry(SET_COOKIE) else { return };
    let (_, set) = cookies.remove_entry_mult();
    let kept: Vec<HeaderValue> =
        set.filter(|header| cookie_name(header.as_bytes()) != name.as_bytes()).collect();
    for header in kept {
        headers.append(SET_COOKIE, header);
    }
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

    #[test]
    fn a_guest_gets_every_cookie_but_the_session_cookie() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("theme=dark; sid=x.tc01;sid = y; lang=en"));
        headers.append(COOKIE, HeaderValue::from_static("sid=z"));
        headers.append(COOKIE, HeaderValue::from_static("sidx=1"));
        assert_eq!(value(&headers, "sid"), Some("x.tc01"));
        hide(&mut headers, "sid");
        assert_eq!(all(&headers, COOKIE), ["theme=dark; lang=en", "sidx=1"]);
        assert_eq!(value(&headers, "sid"), None);
    }

    #[test]
    fn a_guest_sets_every_cookie_but_the_session_cookie() {
        let mut headers = HeaderMap::new();
        for cookie in ["theme=dark; Path=/", "sid=forged; Path=/", " sid =forged", "sid", "sids=1"] {
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        refuse(&mut headers, "sid");
        assert_eq!(all(&headers, SET_COOKIE), ["theme=dark; Path=/", "sids=1"]);
    }
}
