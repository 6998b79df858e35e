//! Which answers caches may keep (RFC 9111): none that carries our cookie, and none that was made for one
//! user for another.
//!
//! An answer that sets or removes the cookie gets `private`, in its unqualified form: a shared cache must not
//! store it (section 5.2.2.7), the browser's own may. The qualified forms, `private="Set-Cookie"` and
//! `no-cache="Set-Cookie"`, would let a shared cache keep the body, but few caches know them, and those that
//! do not store the whole.

use http::header::{CACHE_CONTROL, EXPIRES, HeaderName, VARY};
use http::{HeaderMap, HeaderValue};

/// Directives for caches of one kind, which go before `Cache-Control` there (RFC 9213, and the older header).
const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("cdn-cache-control"), HeaderName::from_static("surrogate-control")];

/// What lets a shared cache store, and is taken away with `private`.
const SHARING: [&[u8]; 4] = [b"public", b"s-maxage", b"private", b"proxy-revalidate"];

/// Whether the handler said that the answer may be kept, and not for one user alone.
pub(crate) fn may_be_shared(headers: &HeaderMap) -> bool {
    let says =
        |name: &HeaderName, directive: &[u8]| directives(headers, name).any(|given| is(given, directive));
    let targeted = TARGETED
        .iter()
        .any(|name| headers.contains_key(name) && !says(name, b"private") && !says(name, b"no-store"));
    if targeted {
        return true;
    }
    let forbidden = says(&CACHE_CONTROL, b"private") || says(&CACHE_CONTROL, b"no-store");
    let allowed = [&b"public"[..], b"s-maxage", b"max-age"].into_iter().any(|one| says(&CACHE_CONTROL, one));
    !forbidden && (allowed || (headers.contains_key(EXPIRES) && !headers.contains_key(CACHE_CONTROL)))
}

/// From now on no shared cache may store the answer; the browser's own may as long as the handler said.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    for name in TARGETED {
        if headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static("private"));
        }
    }
    if directives(headers, &CACHE_CONTROL).any(|given| is(given, b"no-store")) {
        return;
    }
    let kept = directives(headers, &CACHE_CONTROL).filter(|given| !SHARING.iter().any(|one| is(given, one)));
    let all: Vec<_> = std::iter::once(&b"private"[..]).chain(kept).collect();
    let value = HeaderValue::from_bytes(&all.join(&b", "[..]));
    headers.insert(CACHE_CONTROL, value.unwrap_or_else(|_| HeaderValue::from_static("private")));
}

/// The handler looked at the session: a cache must not give the answer to a request with another cookie.
pub(crate) fn vary_by_cookie(headers: &mut HeaderMap) {
    if !directives(headers, &VARY).any(|given| given == b"*" || is(given, b"cookie")) {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}

fn directives<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    let lines = headers.get_all(name).iter().flat_map(|line| split_unquoted(line.as_bytes()));
    lines.map(|one| one.trim_ascii()).filter(|one| !one.is_empty())
}

/// The parts between commas that are not in a quoted text.
fn split_unquoted(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
}

/// Whether a directive is the one of that name, with or without a value.
fn is(directive: &[u8], name: &[u8]) -> bool {
    let given = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
    given.trim_ascii().eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_a_handler_lets_others_keep_is_seen() {
        for (name, value, shared) in [
            ("cache-control", "public, max-age=60", true),
            ("cache-control", "S-MaxAge=60", true),
            ("cache-control", "max-age=60", true),
            ("cache-control", "private, max-age=60", false),
            ("cache-control", "no-store", false),
            ("cache-control", "no-cache", false),
            ("cdn-cache-control", "max-age=60", true),
            ("expires", "Thu, 01 Dec 2044 16:00:00 GMT", true),
            ("x-any", "public", false),
        ] {
            assert_eq!(may_be_shared(&headers(&[(name, value)])), shared, "{name}: {value}");
        }
    }

    #[test]
    fn an_answer_with_the_cookie_is_for_its_browser_alone() {
        for (before, after) in [
            ("public, max-age=60, s-maxage=600", "private, max-age=60"),
            ("no-cache=\"a, public\", must-revalidate", "private, no-cache=\"a, public\", must-revalidate"),
            ("no-store", "no-store"),
            ("private=\"x-user\"", "private"),
            ("", "private"),
        ] {
            let mut all = headers(&[("cache-control", before), ("surrogate-control", "max-age=9")]);
            keep_private(&mut all);
            assert_eq!(all[CACHE_CONTROL], after, "{before}");
            assert_eq!(all["surrogate-control"], "private");
            assert!(!may_be_shared(&all));
        }
    }

    #[test]
    fn it_varies_by_cookie_once() {
        for (before, after) in [("Accept", 2), ("accept, cookie", 1), ("*", 1)] {
            let mut all = headers(&[("vary", before)]);
            vary_by_cookie(&mut all);
            assert_eq!(all.get_all(VARY).iter().count(), after, "{before}");
        }
    }
}
