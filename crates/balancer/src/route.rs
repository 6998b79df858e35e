//! The route: the node's name after the last dot of the session cookie's value. Pure.
//!
//! Nothing else of a cookie is believed: a name that is not configured is no route, so a cookie can choose
//! among the nodes that anybody may reach here, and nothing more.

use http::HeaderMap;
use http::header::COOKIE;

/// The index of the node that the cookie `name` names, among `nodes` in their order. Browsers may send
/// several cookies of one name; the first with a known route counts.
pub(crate) fn route<'n>(
    headers: &HeaderMap,
    name: &str,
    nodes: impl Iterator<Item = &'n str> + Clone,
) -> Option<usize> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .filter_map(|(_, value)| value.rsplit_once('.'))
        .find_map(|(_, named)| nodes.clone().position(|node| node == named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cookies: &[&'static [u8]]) -> Option<usize> {
        let mut headers = HeaderMap::new();
        for line in cookies {
            headers.append(COOKIE, http::HeaderValue::from_bytes(line).unwrap());
        }
        route(&headers, "sid", ["tc01", "tc02"].into_iter())
    }

    #[test]
    fn the_text_after_the_last_dot_names_the_node() {
        assert_eq!(of(&[b"sid=abc.tc02"]), Some(1));
        assert_eq!(of(&[b"a=b; sid=a.tc02.tc01; c=d.tc02"]), Some(0));
        assert_eq!(of(&[b"a=1", b"sid=abc.tc02"]), Some(1));
        assert_eq!(of(&[b"sid=abc.gone; sid=def.tc02"]), Some(1));
    }

    #[test]
    fn what_names_no_configured_node_is_no_route() {
        for cookie in [
            &b""[..],
            b"sid",
            b"sid=",
            b"sid=abc",
            b"sid=abc.",
            b"sid=tc01",
            b"sid=abc.TC01",
            b"sid=abc.tc03",
            b"sid=abc.tc01x",
            b"xsid=abc.tc01",
            b"Sid=abc.tc01",
            b"sid=abc.127.0.0.1:22",
            b"sid=\xff.tc01",
        ] {
            assert_eq!(of(&[cookie]), None, "{}", cookie.escape_ascii());
        }
        assert_eq!(of(&[]), None);
    }
}
