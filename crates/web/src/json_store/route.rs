//! The node's name behind the id, in a cookie that another library reads and writes.

/// Puts the route, by which balancers with sticky sessions find the node, on a cookie and takes it off again:
/// `id=AAAA.tc01`, whereas the library knows `id=AAAA`. It works on the bytes of headers, so that it fits any
/// HTTP library.
#[derive(Clone, Debug)]
pub struct CookieRoute {
    cookie: String,
    node: String,
}

impl CookieRoute {
    /// For the cookie of that name, whose values have no dot, on the node of that name.
    pub fn new(cookie: &str, node: &str) -> Self {
        Self { cookie: cookie.to_owned(), node: node.to_owned() }
    }

    /// A `Cookie` header without the route. Cookies are bytes: what others hold does not matter.
    pub fn take_off(&self, cookies: &[u8]) -> Vec<u8> {
        let bare: Vec<&[u8]> =
            cookies.split(|byte| *byte == b';').map(|pair| self.bare(pair.trim_ascii())).collect();
        bare.join(&b"; "[..])
    }

    /// A `Set-Cookie` header with this node's route; `None` when it is for another cookie, or removes this
    /// one.
    pub fn put_on(&self, set_cookie: &[u8]) -> Option<Vec<u8>> {
        let end = set_cookie.iter().position(|byte| *byte == b';').unwrap_or(set_cookie.len());
        let (pair, attributes) = set_cookie.split_at(end);
        let value = pair.strip_prefix(self.cookie.as_bytes())?.strip_prefix(b"=")?;
        (!value.is_empty()).then(|| [pair, b".", self.node.as_bytes(), attributes].concat())
    }

    fn bare<'a>(&self, pair: &'a [u8]) -> &'a [u8] {
        let ours = pair.strip_prefix(self.cookie.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        match pair.iter().rposition(|byte| *byte == b'.') {
            Some(dot) if ours => &pair[..dot],
            _ => pair,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_is_taken_off_the_one_cookie() {
        let route = CookieRoute::new("id", "tc01");
        assert_eq!(route.take_off(b"a=1.2; id=AAAA.tc02;b=c"), b"a=1.2; id=AAAA; b=c");
        assert_eq!(route.take_off(b"id=AAAA"), b"id=AAAA");
        assert_eq!(route.take_off(b"x"), b"x");
        assert_eq!(route.take_off(b"city=Z\xfcrich.ch; id=AAAA.tc02"), b"city=Z\xfcrich.ch; id=AAAA");
    }

    #[test]
    fn the_route_is_put_on_the_one_cookie_unless_it_is_removed() {
        let route = CookieRoute::new("id", "tc01");
        assert_eq!(route.put_on(b"id=AAAA; Path=/").unwrap(), b"id=AAAA.tc01; Path=/");
        assert_eq!(route.put_on(b"id=AAAA").unwrap(), b"id=AAAA.tc01");
        assert_eq!(route.put_on(b"id=; Max-Age=0"), None);
        assert_eq!(route.put_on(b"other=AAAA; Path=/"), None);
    }
}
