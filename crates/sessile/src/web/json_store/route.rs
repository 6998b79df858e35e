//! The node's name behind the id, in a cookie that another library reads and writes.

/// Puts the route, by which balancers with sticky sessions find the node, on a cookie and takes it off again:
/// `id=AAAA.tc01`, whereas the library knows `id=AAAA`. It works on header texts, so that it fits any HTTP library.
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

    /// A `Cookie` header without the route.
    pub fn take_off(&self, cookies: &str) -> String {
        let bare: Vec<&str> = cookies.split(';').map(|pair| self.bare(pair.trim())).collect();
        bare.join("; ")
    }

    /// A `Set-Cookie` header with this node's route; `None` when it is for another cookie, or removes this one.
    pub fn put_on(&self, set_cookie: &str) -> Option<String> {
        let (pair, attributes) = set_cookie.split_at(set_cookie.find(';').unwrap_or(set_cookie.len()));
        let (name, value) = pair.split_once('=')?;
        (name == self.cookie && !value.is_empty()).then(|| format!("{pair}.{}{attributes}", self.node))
    }

    fn bare<'a>(&self, pair: &'a str) -> &'a str {
        let ours = pair.split_once('=').is_some_and(|(name, _)| name == self.cookie);
        match pair.rsplit_once('.') {
            Some((bare, _)) if ours => bare,
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
        assert_eq!(route.take_off("a=1.2; id=AAAA.tc02;b=c"), "a=1.2; id=AAAA; b=c");
        assert_eq!(route.take_off("id=AAAA"), "id=AAAA");
        assert_eq!(route.take_off("x"), "x");
    }

    #[test]
    fn the_route_is_put_on_the_one_cookie_unless_it_is_removed() {
        let route = CookieRoute::new("id", "tc01");
        assert_eq!(route.put_on("id=AAAA; Path=/").unwrap(), "id=AAAA.tc01; Path=/");
        assert_eq!(route.put_on("id=AAAA").unwrap(), "id=AAAA.tc01");
        assert_eq!(route.put_on("id=; Max-Age=0"), None);
        assert_eq!(route.put_on("other=AAAA; Path=/"), None);
    }
}
