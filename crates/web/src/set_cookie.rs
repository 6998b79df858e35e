//! The `Set-Cookie` header of one application: the same attributes when a cookie is set and when it is
//! removed.

use std::time::Duration;

use http::{HeaderValue, Uri};

use super::cookie_age::CookieAge;
use super::settings::SessionSettings;
use sessile_config::SameSite;

/// Places from which a cookie of another session is removed, at most.
const PLACES_MAX: usize = 24;

/// Everything about the cookie but its value.
pub(crate) struct CookieShape {
    name: String,
    path: String,
    domain: String,
    /// What follows `Path` and `Domain`, but for the age and `Secure`.
    attributes: String,
    max_age: Option<Duration>,
    always_secure: bool,
}

impl CookieShape {
    /// The shape that `settings` ask for.
    pub(crate) fn new(settings: &SessionSettings) -> Self {
        let session = &settings.session;
        let same_site = match session.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        };
        let partitioned = if session.partitioned { "; Partitioned" } else { "" };
        let name = settings.cookie_name();
        let is_bound = name.starts_with("__Host-");
        Self {
            path: if is_bound { "/".to_owned() } else { settings.path.clone() },
            domain: session.domain.clone(),
            attributes: format!("; HttpOnly; SameSite={same_site}{partitioned}"),
            max_age: session.max_age,
            always_secure: is_bound || session.partitioned || session.same_site == SameSite::None,
            name,
        }
    }

    /// The name on the wire.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the cookie beside its value, at most.
    pub(crate) fn beside_value(&self) -> usize {
        self.set("", Some(CookieAge::LONGEST), true).len()
    }

    /// Gives the browser `value`: for the session's own `age`, else for `max_age`, or until it is closed. The
    /// server decides when the session ends.
    pub(crate) fn set(&self, value: &str, age: Option<CookieAge>, secure: bool) -> HeaderValue {
        let age = match age {
            None => self.max_age,
            Some(CookieAge::UntilClosed) => None,
            Some(CookieAge::Kept(age)) => Some(age),
        };
        let age = age.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
        self.header(value, &self.path, &self.domain, &age, secure)
    }

    /// Takes the cookie back.
    pub(crate) fn remove(&self, secure: bool) -> HeaderValue {
        self.header("", &self.path, &self.domain, "; Max-Age=0", secure)
    }

    /// Takes back every cookie of that name which a request for `uri` on `host` can have brought, wherever it
    /// was set: a browser does not tell. That is each path above the request's, for this host alone and for
    /// each domain above it.
    pub(crate) fn remove_everywhere(&self, uri: &Uri, host: Option<&str>, secure: bool) -> Vec<HeaderValue> {
        if self.name.starts_with("__Host-") {
            return vec![self.remove(secure)];
        }
        let mut paths = vec![self.path.as_str()];
        paths.extend(paths_of(uri.path()).filter(|path| *path != self.path));
        let mut domains = vec![""];
        domains.extend(Some(self.domain.as_str()).filter(|domain| !domain.is_empty()));
        domains.extend(host.into_iter().flat_map(domains_of).filter(|domain| *domain != self.domain));
        let places = domains.iter().flat_map(|domain| paths.iter().map(move |path| (path, domain)));
        places
            .take(PLACES_MAX)
            .map(|(path, domain)| self.header("", path, domain, "; Max-Age=0", secure))
            .collect()
    }

    fn header(&self, value: &str, path: &str, domain: &str, age: &str, secure: bool) -> HeaderValue {
        let secure = if secure || self.always_secure { "; Secure" } else { "" };
        let domain = if domain.is_empty() { String::new() } else { format!("; Domain={domain}") };
        let text = [&self.name, "=", value, "; Path=", path, &domain, &self.attributes, age, secure].concat();
        HeaderValue::try_from(text)
            .expect("checked settings, checked places and base64 hold only visible ASCII")
    }
}

/// The paths of which a cookie is sent with a request for `path`: `/`, `/a`, `/a/`, `/a/b`.
fn paths_of(path: &str) -> impl Iterator<Item = &str> {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
    let ends = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').flat_map(|(at, _)| [at, at + 1]);
    ends.chain([path.len()]).filter(move |end| is_plain && *end > 0).map(|end| &path[..end])
}

/// The domains of which a host gets the cookies: of `a.shop.example` that is `a.shop.example` and
/// `shop.example`.
fn domains_of(host: &str) -> impl Iterator<Item = &str> {
    let name = host.split(':').next().unwrap_or_default();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    let begins = name.bytes().enumerate().filter(|(_, byte)| *byte == b'.').map(|(at, _)| at + 1);
    let begins = std::iter::once(0).chain(begins).filter(move |_| is_name);
    begins.map(|begin| &name[begin..]).filter(|domain| domain.contains('.') && !domain.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sessile_config::{self as config, Config};

    fn shape(path: &str, change: impl FnOnce(&mut config::Session)) -> CookieShape {
        let mut config = Config::default();
        change(&mut config.session);
        CookieShape::new(&SessionSettings::new(&config, path, &config.session).unwrap())
    }

    #[test]
    fn a_removal_keeps_the_attributes() {
        let shape = shape("/shop", |_| ());
        assert_eq!(shape.set("v.tc01", None, true), "sid=v.tc01; Path=/shop; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(shape.remove(true), "sid=; Path=/shop; HttpOnly; SameSite=Lax; Max-Age=0; Secure");
        assert_eq!(shape.remove(false), "sid=; Path=/shop; HttpOnly; SameSite=Lax; Max-Age=0");
    }

    #[test]
    fn what_browsers_demand_together_comes_together() {
        let none = shape("/", |session| session.same_site = SameSite::None);
        assert_eq!(none.set("v", None, false), "sid=v; Path=/; HttpOnly; SameSite=None; Secure");
        let apart = shape("/", |session| session.partitioned = true);
        assert_eq!(apart.set("v", None, false), "sid=v; Path=/; HttpOnly; SameSite=Lax; Partitioned; Secure");
        let bound = shape("/shop", |session| session.cookie = "__Host-shop".to_owned());
        assert_eq!(bound.set("v", None, false), "__Host-shop=v; Path=/; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn it_is_kept_for_its_age_and_sent_to_its_domain() {
        let kept = shape("/", |session| {
            session.max_age = Some(Duration::from_secs(86_400));
            session.domain = "shop.example".to_owned();
        });
        let words = "sid=v; Path=/; Domain=shop.example; HttpOnly; SameSite=Lax; Max-Age=86400";
        assert_eq!(kept.set("v", None, false), words);
        let own = kept.set("v", Some(CookieAge::Kept(Duration::from_secs(60))), false);
        assert_eq!(own, words.replace("86400", "60"));
        let until_closed = kept.set("v", Some(CookieAge::UntilClosed), false);
        assert_eq!(until_closed, words.replace("; Max-Age=86400", ""));
        assert_eq!(
            kept.remove(false),
            "sid=; Path=/; Domain=shop.example; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn a_cookie_of_another_session_is_removed_wherever_it_may_be() {
        let shape = shape("/shop", |_| ());
        let uri = "/shop/cart?x".parse().unwrap();
        let removed = shape.remove_everywhere(&uri, Some("www.shop.example:8080"), false);
        let places: Vec<_> = removed
            .iter()
            .map(|header| header.to_str().unwrap().trim_end_matches("; HttpOnly; SameSite=Lax; Max-Age=0"))
            .collect();
        assert_eq!(places.len(), 12);
        for place in
            ["Path=/shop", "Path=/", "Path=/shop/", "Path=/shop/cart", "Path=/shop/cart; Domain=shop.example"]
        {
            assert!(places.contains(&format!("sid=; {place}").as_str()), "{place}: {places:?}");
        }
        assert!(!places.iter().any(|place| place.ends_with("Domain=example")), "no browser takes that");
        let long = format!("/shop{}", "/x".repeat(200)).parse().unwrap();
        assert_eq!(shape.remove_everywhere(&long, Some("1.2.3.4"), false).len(), PLACES_MAX);
    }
}
