//! A browser as far as its cookies go: RFC 6265bis, for one top-level site.

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};

/// Cookies that one browser keeps; of more, those that were set first go.
const COOKIES_MAX: usize = 180;

/// The cookies of a browser, and its clock, which moves only when it is told.
///
/// It keeps what a real one keeps (section 5.7: name, domain and path make a cookie; prefixes, `Secure`,
/// `Max-Age`, `Domain` and `Path` are checked; `SameSite` has no effect, because all requests are of the same
/// site) and sends it in the order of section 5.8.3: longer paths first, then what was set earlier.
///
/// ```
/// use http::{Request, Response};
/// use sessile_web::Browser;
///
/// let mut browser = Browser::new();
/// let page = "http://shop.example/cart".parse().unwrap();
/// let answer = Response::builder().header("set-cookie", "sid=abc; Path=/; HttpOnly").body(()).unwrap();
/// browser.receive(&page, &answer);
/// assert_eq!(browser.cookie_header(&page).unwrap(), "sid=abc");
/// assert_eq!(browser.cookie(&page, "sid"), Some("abc".to_owned()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Browser {
    cookies: Vec<Cookie>,
    now: Duration,
    set: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    ends_at: Option<Duration>,
    /// Rises with each cookie that is new.
    number: u64,
}

impl Browser {
    /// One without cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Time passes.
    pub fn advance(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.cookies.retain(|cookie| cookie.ends_at.is_none_or(|end| end > now));
    }

    /// Puts the cookies of `request`'s URI, which names the host, into the request.
    pub fn send<B>(&self, request: &mut Request<B>) {
        if let Some(cookies) = self.cookie_header(request.uri()) {
            request.headers_mut().insert(COOKIE, cookies);
        }
    }

    /// The `Cookie` header of a request for `uri`, which names scheme and host.
    pub fn cookie_header(&self, uri: &Uri) -> Option<HeaderValue> {
        let pairs = self.matching(uri).map(|cookie| [&cookie.name[..], b"=", &cookie.value].concat());
        let all = pairs.collect::<Vec<_>>().join(&b"; "[..]);
        if all.is_empty() { None } else { HeaderValue::from_bytes(&all).ok() }
    }

    /// The value of the first cookie of that name that a request for `uri` carries.
    pub fn cookie(&self, uri: &Uri, name: &str) -> Option<String> {
        let cookie = self.matching(uri).find(|cookie| cookie.name == name.as_bytes())?;
        String::from_utf8(cookie.value.clone()).ok()
    }

    /// Takes the cookies of the answer to a request for `uri`.
    pub fn receive<B>(&mut self, uri: &Uri, response: &Response<B>) {
        self.receive_headers(uri, response.headers());
    }

    /// The same of its headers.
    pub fn receive_headers(&mut self, uri: &Uri, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            if let Some(cookie) = self.read(uri, line.as_bytes()) {
                self.keep(cookie);
            }
        }
    }

    /// Sets a cookie that another site of the same domain, or an attacker, put there, past all rules.
    pub fn plant(&mut self, uri: &Uri, path: &str, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        self.set += 1;
        self.cookies.push(Cookie {
            name: name.into(),
            value: value.into(),
            domain: host(uri),
            host_only: false,
            path: path.to_owned(),
            secure: false,
            ends_at: None,
            number: self.set,
        });
    }

    fn matching(&self, uri: &Uri) -> impl Iterator<Item = &Cookie> {
        let (host, secure) = (host(uri), is_secure(uri));
        let sent = |cookie: &&Cookie| {
            let domain =
                if cookie.host_only { cookie.domain == host } else { is_below(&host, &cookie.domain) };
            domain && path_matches(uri.path(), &cookie.path) && (secure || !cookie.secure)
        };
        let mut all: Vec<_> = self.cookies.iter().filter(sent).collect();
        all.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.number));
        all.into_iter()
    }

    /// The cookie that a `Set-Cookie` line asks for, if the rules let it.
    fn read(&self, uri: &Uri, line: &[u8]) -> Option<Cookie> {
        let mut parts = line.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        let mut cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: host(uri),
            host_only: true,
            path: default_path(uri.path()),
            secure: false,
            ends_at: None,
            number: self.set + 1,
        };
        let mut has_root_path = false;
        for attribute in parts {
            let text = std::str::from_utf8(attribute).ok()?.trim();
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => {
                    has_root_path = value == "/";
                    value.clone_into(&mut cookie.path);
                }
                "domain" if !value.is_empty() => {
                    cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
                    cookie.host_only = false;
                }
                "max-age" => {
                    cookie.ends_at = Some(self.now + Duration::from_secs(value.parse().unwrap_or(0)))
                }
                "secure" => cookie.secure = true,
                _ => {}
            }
        }
        self.admits(uri, &cookie, has_root_path).then_some(cookie)
    }

    fn admits(&self, uri: &Uri, cookie: &Cookie, has_root_path: bool) -> bool {
        let name = cookie.name.to_ascii_lowercase();
        let bound = name.starts_with(b"__host-");
        let demands_secure = bound || name.starts_with(b"__secure-");
        let secure = is_secure(uri);
        let shadows = |known: &&Cookie| {
            known.secure && known.name == cookie.name && path_matches(&cookie.path, &known.path)
        };
        let is_foreign =
            !cookie.host_only && (!is_below(&host(uri), &cookie.domain) || !cookie.domain.contains('.'));
        !(is_foreign
            || (cookie.secure && !secure)
            || (demands_secure && !cookie.secure)
            || (bound && (!cookie.host_only || !has_root_path))
            || (!secure && self.cookies.iter().any(|known| shadows(&known))))
    }

    /// One of the same name, domain and path takes the other's place; one whose time is over goes.
    fn keep(&mut self, mut cookie: Cookie) {
        let same = |known: &Cookie| {
            known.name == cookie.name && known.domain == cookie.domain && known.path == cookie.path
        };
        let known = self.cookies.iter().position(same).map(|at| self.cookies.remove(at));
        if cookie.ends_at.is_some_and(|end| end <= self.now) {
            return;
        }
        match known {
            Some(known) => cookie.number = known.number,
            None => self.set += 1,
        }
        self.cookies.push(cookie);
        if self.cookies.len() > COOKIES_MAX {
            self.cookies.remove(0);
        }
    }
}

fn host(uri: &Uri) -> String {
    uri.host().unwrap_or_default().to_ascii_lowercase()
}

/// Browsers take the loopback for secure, too; here only https is, so that tests see the difference.
fn is_secure(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

fn is_below(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn path_matches(path: &str, cookie: &str) -> bool {
    path == cookie
        || path.strip_prefix(cookie).is_some_and(|rest| cookie.ends_with('/') || rest.starts_with('/'))
}

fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    fn after(lines: &[(&str, &str)]) -> Browser {
        let mut browser = Browser::new();
        for (from, line) in lines {
            let answer = Response::builder().header(SET_COOKIE, *line).body(()).unwrap();
            browser.receive(&uri(from), &answer);
        }
        browser
    }

    fn sent(browser: &Browser, to: &str) -> String {
        browser.cookie_header(&uri(to)).map(|all| all.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn name_domain_and_path_make_a_cookie_and_longer_paths_come_first() {
        let browser = after(&[
            ("http://a.example/", "sid=1; Path=/"),
            ("http://a.example/", "sid=2; Path=/shop"),
            ("http://a.example/", "sid=3; Path=/"),
            ("http://a.example/", "x=4; Path=/"),
        ]);
        assert_eq!(sent(&browser, "http://a.example/shop/cart"), "sid=2; sid=3; x=4");
        assert_eq!(sent(&browser, "http://a.example/shopping"), "sid=3; x=4");
        assert_eq!(sent(&browser, "http://b.example/"), "");
    }

    #[test]
    fn an_age_of_zero_removes_and_time_passes() {
        let mut browser =
            after(&[("http://a.example/", "sid=1; Path=/"), ("http://a.example/", "b=1; Max-Age=10")]);
        assert_eq!(sent(&browser, "http://a.example/"), "sid=1; b=1");
        browser.advance(Duration::from_secs(10));
        assert_eq!(sent(&browser, "http://a.example/"), "sid=1");
        let removal = Response::builder().header(SET_COOKIE, "sid=; Path=/; Max-Age=0").body(()).unwrap();
        browser.receive(&uri("http://a.example/"), &removal);
        assert_eq!(sent(&browser, "http://a.example/"), "");
    }

    #[test]
    fn what_browsers_drop_is_dropped() {
        for (from, line) in [
            ("http://a.example/", "sid=1; Secure"),
            ("https://a.example/", "__Host-sid=1; Path=/"),
            ("https://a.example/", "__Host-sid=1; Path=/shop; Secure"),
            ("https://a.example/", "__Host-sid=1; Path=/; Domain=a.example; Secure"),
            ("https://a.example/", "sid=1; Domain=b.example"),
            ("https://a.example/", "sid=1; Domain=example"),
        ] {
            assert_eq!(sent(&after(&[(from, line)]), from), "", "{line}");
        }
        let kept = after(&[("https://a.example/", "__Host-sid=1; Path=/; Secure")]);
        assert_eq!(sent(&kept, "https://a.example/x"), "__Host-sid=1");
        assert_eq!(sent(&kept, "http://a.example/x"), "");
    }

    #[test]
    fn a_domain_is_for_all_hosts_below_it() {
        let browser = after(&[("http://www.shop.example/", "sid=1; Domain=shop.example; Path=/")]);
        assert_eq!(sent(&browser, "http://pay.shop.example/"), "sid=1");
        assert_eq!(sent(&browser, "http://myshop.example/"), "");
    }
}
