//! What is set about the sessions of one application.

use sessile_core::{FieldName, Value};

use super::commit_scope::CommitScope;
use super::error::SessionError;
use super::filter::Patterns;
use super::set_cookie::CookieShape;
use sessile_config::{Config, Keep, Manager, Network, Replication, Secure, Session, SettingError};

/// The settings of one application's sessions; made only from such as can work.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// The context path, `/` or `/shop`: the cookie's `Path`, and part of what its tag covers.
    pub(crate) path: String,
    pub(crate) session: Session,
    /// Paths on which sessions are read-only and nothing is sent.
    pub(crate) filter: Option<Patterns>,
    /// How much of a session travels when a request is over.
    pub(crate) commit_scope: CommitScope,
    /// Which attributes replicate; `None`: all.
    pub(crate) names: Option<Patterns>,
    /// Whether responses that committed carry `Sessile-Receipt`.
    pub(crate) receipt_header: bool,
    /// Who is believed when it sends `X-Forwarded-Proto`.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Where the cookie carries the session: its bytes beside the value.
    pub(crate) cookie_overhead: Option<usize>,
}

impl SessionSettings {
    /// The settings of the application at `path`, whose sessions are as `session` says and which shares the
    /// rest of `config` with others.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn new(config: &Config, path: &str, session: &Session) -> Result<Self, SettingError> {
        let wrong = |key, problem| Err(SettingError { key, problem });
        if !is_token(&session.cookie) {
            return wrong(
                "cookie",
                format!("`{}` is no name; use letters, digits, `-` and `_`", session.cookie),
            );
        }
        if session.cookie.starts_with("__Host-") && !session.domain.is_empty() {
            return wrong(
                "domain",
                "a `__Host-` cookie has none: leave it out, or take another name".to_owned(),
            );
        }
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if !session.domain.bytes().all(is_domain) {
            return wrong("domain", format!("`{}` is no domain; write `shop.example`", session.domain));
        }
        let fits_cookie = |byte: u8| byte.is_ascii_graphic() && !b";\"?#".contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(fits_cookie) {
            return wrong("path", format!("`{path}` is no context path; write `/` or `/name`"));
        }
        let patterns = |key, list: &str| {
            Patterns::new(list).map_err(|error| SettingError { key, problem: error.to_string() })
        };
        let filter = patterns("filter", &config.replication.filter)?;
        let names = patterns("names", &config.replication.names)?;
        let settings = Self {
            path: path.to_owned(),
            session: session.clone(),
            filter,
            commit_scope: CommitScope::of(config.cluster.manager, &config.replication),
            names,
            receipt_header: config.replication.receipt_header,
            trusted_proxies: config.http.trusted_proxies.clone(),
            cookie_overhead: None,
        };
        match session.keep {
            Keep::Memory => Ok(settings),
            Keep::Cookie if config.cluster.insecure => wrong(
                "keep",
                "`cookie` needs the cluster's secret: without one anybody can make sessions".into(),
            ),
            Keep::Cookie => Ok(settings.client_session()),
        }
    }

    /// The same for sessions that live in their cookies: nothing of them is copied, so nothing stays here
    /// either.
    fn client_session(self) -> Self {
        let cookie_overhead = Some(CookieShape::new(&self).beside_value());
        Self { commit_scope: CommitScope::Written, names: None, cookie_overhead, ..self }
    }

    /// The same for sessions that are copied as `manager` says.
    #[must_use]
    pub fn managed(self, manager: Manager, replication: &Replication) -> Self {
        match self.session.keep {
            Keep::Memory => Self { commit_scope: CommitScope::of(manager, replication), ..self },
            Keep::Cookie => self,
        }
    }

    /// The context path of the application.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is configured of its sessions.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Refuses a value that is too large.
    pub(crate) fn check_size(&self, name: &FieldName, value: &Value) -> Result<(), SessionError> {
        let (bytes, max) = (value.bytes.len(), self.session.max_attribute_bytes);
        if bytes > max {
            return Err(SessionError::AttributeTooLarge { name: name.as_str().to_owned(), bytes, max });
        }
        Ok(())
    }

    /// Whether the attribute `name` never leaves its node.
    pub(crate) fn keeps_here(&self, name: &str) -> bool {
        self.names.as_ref().is_some_and(|replicating| !replicating.matches(name))
    }

    /// The cookie's name on the wire, as a balancer must look for it. Where the cookie is always `Secure` and
    /// meant for the whole host, its name tells browsers to take it from this very host only. An application
    /// at any path has that with a name of its own that begins so: the tag covers the path, and the cookie is
    /// at `/`.
    pub(crate) fn cookie_name(&self) -> String {
        let is_bound = self.session.cookie.starts_with("__Host-");
        if self.session.secure == Secure::Always
            && self.path == "/"
            && self.session.domain.is_empty()
            && !is_bound
        {
            format!("__Host-{}", self.session.cookie)
        } else {
            self.session.cookie.clone()
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, change: impl FnOnce(&mut Config)) -> Result<SessionSettings, SettingError> {
        let mut config = Config::default();
        change(&mut config);
        SessionSettings::new(&config, path, &config.session)
    }

    #[test]
    fn what_cannot_work_names_its_key() {
        assert_eq!(at("shop", |_| ()).unwrap_err().key, "path");
        assert_eq!(at("/a;b", |_| ()).unwrap_err().key, "path");
        assert_eq!(at("/", |config| config.session.cookie = "a b".to_owned()).unwrap_err().key, "cookie");
        assert_eq!(at("/", |config| config.replication.filter = "(".to_owned()).unwrap_err().key, "filter");
    }

    #[test]
    fn the_host_prefix_is_used_only_where_browsers_accept_it() {
        let always = |config: &mut Config| config.session.secure = Secure::Always;
        assert_eq!(at("/", always).unwrap().cookie_name(), "__Host-sid");
        assert_eq!(at("/shop", always).unwrap().cookie_name(), "sid");
        assert_eq!(at("/", |_| ()).unwrap().cookie_name(), "sid");
    }

    #[test]
    fn without_a_filter_nothing_is_excepted() {
        assert!(at("/", |config| config.replication.filter.clear()).unwrap().filter.is_none());
        assert!(at("/", |_| ()).unwrap().filter.unwrap().matches("/logo.gif"));
    }
}
