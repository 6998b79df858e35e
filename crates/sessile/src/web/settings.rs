//! What can be set about the sessions of one application.

use std::time::Duration;

use super::{Network, PathFilter};

/// How the sessions of one application behave. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// The cookie's name. Where [`secure`](Self::secure) is `Always` and the path is `/`, browsers are also told to
    /// take it from this very host only: the name on the wire is then `__Host-` and this.
    pub cookie: String,
    /// The application's context path, `/` or `/shop`: the cookie's `Path`, and part of what its tag covers.
    pub path: String,
    /// When the cookie carries `Secure`.
    pub secure: Secure,
    /// The cookie's `SameSite`.
    pub same_site: SameSite,
    /// How long a session may lie idle before it ends.
    pub timeout: Duration,
    /// How long a session may live, used or not; `None` for as long as it is used.
    pub absolute_timeout: Option<Duration>,
    /// The largest encoded value of one attribute.
    pub max_attribute_bytes: usize,
    /// The most that all names and encoded values of one session may take.
    pub max_session_bytes: usize,
    /// What a request is answered whose session ended while it ran.
    pub on_ended: OnEnded,
    /// Paths on which sessions are read-only and nothing is sent.
    pub filter: Option<PathFilter>,
    /// Whether responses that committed carry `Sessile-Receipt`.
    pub receipt_header: bool,
    /// Who is believed when it sends `X-Forwarded-Proto`.
    pub trusted_proxies: Vec<Network>,
}

/// When the cookie carries `Secure`, which keeps browsers from sending it without encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secure {
    /// When the request came by https, as its URI or a trusted proxy's `X-Forwarded-Proto` says.
    #[default]
    Auto,
    /// On every cookie.
    Always,
    /// On none.
    Never,
}

/// Whether browsers send the cookie with requests that other sites cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only when the user follows a link.
    #[default]
    Lax,
    /// Never.
    Strict,
    /// Always; browsers then demand `Secure`.
    None,
}

/// What a request is answered whose session ended while it ran. Its changes are dropped either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnEnded {
    /// The application's response, with the removal cookie and a receipt that says so.
    #[default]
    Ignore,
    /// 409 Conflict, with the removal cookie.
    Conflict,
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingError {
    /// The configuration key.
    pub key: &'static str,
    /// What is wrong with its value, and what would be right.
    pub problem: String,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            cookie: "sid".to_owned(),
            path: "/".to_owned(),
            secure: Secure::Auto,
            same_site: SameSite::Lax,
            timeout: Duration::from_secs(30 * 60),
            absolute_timeout: None,
            max_attribute_bytes: 1 << 20,
            max_session_bytes: 4 << 20,
            on_ended: OnEnded::Ignore,
            filter: None,
            receipt_header: false,
            trusted_proxies: Vec::new(),
        }
    }
}

impl SessionSettings {
    /// Checks what the types cannot: names, paths and settings that exclude each other.
    pub fn check(&self) -> Result<(), SettingError> {
        let wrong = |key, problem: String| Err(SettingError { key, problem });
        if !is_token(&self.cookie) {
            return wrong(
                "cookie",
                format!("`{}` is no cookie name; use letters, digits, `-` and `_`", self.cookie),
            );
        }
        if self.cookie.starts_with("__") {
            return wrong(
                "cookie",
                format!("`{}`: name prefixes are added where they fit; leave it out", self.cookie),
            );
        }
        let fits_cookie = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b';' | b'"' | b'?' | b'#');
        if !self.path.starts_with('/') || !self.path.bytes().all(fits_cookie) {
            return wrong("path", format!("`{}` is no context path; write `/` or `/name`", self.path));
        }
        if self.same_site == SameSite::None && self.secure == Secure::Never {
            return wrong("same_site", "browsers refuse `None` without `Secure`; allow `secure`".to_owned());
        }
        if self.timeout.is_zero() {
            return wrong(
                "timeout",
                "a session that ends at once is of no use; give it some time".to_owned(),
            );
        }
        Ok(())
    }

    /// The cookie's name on the wire, as a balancer must look for it.
    pub fn cookie_name(&self) -> String {
        if self.secure == Secure::Always && self.path == "/" {
            format!("__Host-{}", self.cookie)
        } else {
            self.cookie.clone()
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work() {
        assert_eq!(SessionSettings::default().check(), Ok(()));
    }

    #[test]
    fn what_cannot_work_names_its_key() {
        let usual = SessionSettings::default();
        for (key, settings) in [
            ("cookie", SessionSettings { cookie: "a b".into(), ..usual.clone() }),
            ("cookie", SessionSettings { cookie: "__Host-sid".into(), ..usual.clone() }),
            ("path", SessionSettings { path: "shop".into(), ..usual.clone() }),
            ("path", SessionSettings { path: "/a;b".into(), ..usual.clone() }),
            ("timeout", SessionSettings { timeout: Duration::ZERO, ..usual.clone() }),
            (
                "same_site",
                SessionSettings { same_site: SameSite::None, secure: Secure::Never, ..usual.clone() },
            ),
        ] {
            assert_eq!(settings.check().unwrap_err().key, key);
        }
    }

    #[test]
    fn the_host_prefix_is_used_only_where_browsers_accept_it() {
        let host = SessionSettings { secure: Secure::Always, ..SessionSettings::default() };
        assert_eq!(host.cookie_name(), "__Host-sid");
        assert_eq!(SessionSettings { path: "/shop".into(), ..host.clone() }.cookie_name(), "sid");
        assert_eq!(SessionSettings { secure: Secure::Auto, ..host }.cookie_name(), "sid");
    }
}
