//! `app.toml`: the settings of an application.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use serde::{Deserialize, Deserializer};
use sessile::ConfigError;
use sessile::config::{self, Refused, SameSite, Secure};

use crate::component::measure::{bytes, time};
use crate::component::{ComponentSettings, EgressTarget, GuestLimits};

/// The name of the manifest, at the top of the archive.
pub(super) const MANIFEST: &str = "app.toml";
/// The version of the manifest that this program reads.
const VERSION: u32 = 1;

/// The manifest. Missing keys take the values of the node's configuration. Keys are written with `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Manifest {
    /// The manifest version, which selects the keys: 1.
    manifest: u32,
    /// The component's file; default: `app.wasm` if it exists.
    component: Option<String>,
    /// Whether its sessions are copied to other nodes; default: true.
    distributable: Option<bool>,
    session: SessionTable,
    limits: GuestLimits,
    instance: InstanceTable,
    /// Static files.
    #[serde(rename = "static")]
    pub(super) files: StaticTable,
    egress: EgressTable,
    env: BTreeMap<String, String>,
}

/// `[session]`, which overrides the node's values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct SessionTable {
    /// The path whose sessions it uses: its own, or one above it.
    path: Option<String>,
    #[serde(deserialize_with = "some_time")]
    timeout: Option<Duration>,
    #[serde(deserialize_with = "some_time")]
    absolute_timeout: Option<Duration>,
    #[serde(deserialize_with = "some_bytes")]
    max_bytes: Option<usize>,
    #[serde(deserialize_with = "some_bytes")]
    max_attribute_bytes: Option<usize>,
    cookie: CookieTable,
    /// Requests of one session run one after another.
    serialize: bool,
    expire_on_stop: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct CookieTable {
    name: Option<String>,
    same_site: Option<SameSiteWord>,
    secure: Option<SecureValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum SameSiteWord {
    Lax,
    Strict,
    None,
}

/// `"auto"`, `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum SecureValue {
    Auto(AutoWord),
    Always(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum AutoWord {
    #[serde(rename = "auto")]
    Auto,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct InstanceTable {
    reuse: u32,
}

/// `[static]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct StaticTable {
    /// Their directory in the archive.
    pub(super) dir: String,
    /// `Cache-Control` of each.
    cache: Option<String>,
    /// Whether the index page is served for every path without a file.
    spa: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct EgressTable {
    allow: Vec<EgressTarget>,
}

impl Default for InstanceTable {
    fn default() -> Self {
        Self { reuse: ComponentSettings::default().reuse }
    }
}

impl Default for StaticTable {
    fn default() -> Self {
        Self { dir: "static".to_owned(), cache: None, spa: false }
    }
}

impl Manifest {
    /// The component's file if the manifest names none.
    pub(super) const COMPONENT: &str = "app.wasm";

    /// Reads the text; `place` names it in messages.
    pub(crate) fn parse(place: &str, text: String) -> Result<Self, ConfigError> {
        config::parse_toml(place, text, Self::check)
    }

    fn check(&self) -> Result<(), Refused> {
        let refused = |key: &str, message: String| Err(Refused { key: key.to_owned(), message });
        let parts = self.files.dir.split('/');
        if self.manifest != VERSION {
            return refused(
                "manifest",
                format!("write `manifest = {VERSION}`: this program reads no other version"),
            );
        }
        if parts.into_iter().any(|part| matches!(part, "" | "." | "..")) {
            return refused(
                "static.dir",
                "`dir` is a directory of the archive, such as \"static\"".to_owned(),
            );
        }
        if self.files.cache.as_ref().is_some_and(|cache| HeaderValue::from_str(cache).is_err()) {
            return refused(
                "static.cache",
                "`cache` is not a valid header value, such as \"max-age=3600\"".to_owned(),
            );
        }
        Ok(())
    }

    /// The component's entry: the named one (even if missing), else the default if it exists.
    pub(super) fn component_in(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        self.component.as_deref().or(has(Self::COMPONENT).then_some(Self::COMPONENT))
    }

    /// The application mounted by `mounted`, with the manifest's settings. `file` is the archive, for
    /// messages.
    pub(crate) fn app(&self, mounted: &config::App, file: PathBuf) -> config::App {
        let mut app = config::App { builtin: None, directory: None, file: Some(file), ..mounted.clone() };
        app.distributable &= self.distributable.unwrap_or(true);
        app.session_path = self.session.path.clone().or(app.session_path);
        self.session.put_over(&mut app.session);
        app
    }

    /// The settings of its component.
    pub(crate) fn component_settings(&self) -> ComponentSettings {
        ComponentSettings {
            limits: self.limits.clone(),
            reuse: self.instance.reuse,
            serialize: self.session.serialize,
            egress: self.egress.allow.clone(),
            env: self.env.clone(),
            // The node says whom it may reach and whom it may log in.
            private_networks: Vec::new(),
            principals: true,
        }
    }

    /// The directory in the archive whose files are served.
    pub(crate) fn files_dir(&self) -> &str {
        &self.files.dir
    }

    pub(crate) fn cache(&self) -> Option<HeaderValue> {
        self.files.cache.as_deref().and_then(|cache| HeaderValue::from_str(cache).ok())
    }

    pub(crate) fn is_one_page(&self) -> bool {
        self.files.spa
    }
}

impl SessionTable {
    fn put_over(&self, session: &mut config::Session) {
        let own = self.clone();
        session.timeout = own.timeout.unwrap_or(session.timeout);
        session.absolute_timeout = own.absolute_timeout.or(session.absolute_timeout);
        session.max_session_bytes = own.max_bytes.unwrap_or(session.max_session_bytes);
        let attribute = session.max_attribute_bytes.min(session.max_session_bytes);
        session.max_attribute_bytes = own.max_attribute_bytes.unwrap_or(attribute);
        session.expire_on_stop = own.expire_on_stop.unwrap_or(session.expire_on_stop);
        session.cookie = own.cookie.name.unwrap_or_else(|| session.cookie.clone());
        session.same_site = own.cookie.same_site.map_or(session.same_site, SameSite::from);
        session.secure = own.cookie.secure.map_or(session.secure, Secure::from);
    }
}

impl From<SameSiteWord> for SameSite {
    fn from(site: SameSiteWord) -> Self {
        match site {
            SameSiteWord::Lax => Self::Lax,
            SameSiteWord::Strict => Self::Strict,
            SameSiteWord::None => Self::None,
        }
    }
}

impl From<SecureValue> for Secure {
    fn from(https: SecureValue) -> Self {
        match https {
            SecureValue::Auto(AutoWord::Auto) => Self::Auto,
            SecureValue::Always(true) => Self::Always,
            SecureValue::Always(false) => Self::Never,
        }
    }
}

fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    time(deserializer).map(Some)
}

fn some_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    bytes(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        Manifest::parse("shop.zip/app.toml", text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn all_keys_are_read() {
        let text = "manifest = 1\ncomponent = \"shop.wasm\"\ndistributable = false\n\
            [session]\npath = \"/\"\ntimeout = \"10m\"\nmax-bytes = 65536\nmax-attribute-bytes = 32768\nserialize = true\n\
            cookie = { name = \"shop\", same-site = \"Strict\", secure = true }\n\
            [limits]\nmemory = \"64MiB\"\nconcurrency = 8\n[instance]\nreuse = 5\n\
            [static]\ndir = \"public/x\"\ncache = \"max-age=3600\"\nspa = true\n\
            [egress]\nallow = [\"api.example:443\"]\n[env]\nGREETING = \"hi\"\n";
        let manifest = read(text).unwrap();
        let app = manifest.app(&config::App::with_session(config::Session::default()), "shop.zip".into());
        assert!(!app.distributable);
        assert_eq!(app.session_path(), "/");
        let session = &app.session;
        assert_eq!((session.timeout.as_secs(), session.max_session_bytes), (600, 65536));
        assert_eq!((session.cookie.as_str(), session.same_site), ("shop", SameSite::Strict));
        assert_eq!(session.secure, Secure::Always);
        let settings = manifest.component_settings();
        assert_eq!((settings.reuse, settings.limits.concurrency, settings.serialize), (5, 8, true));
        assert_eq!(settings.env["GREETING"], "hi");
        assert_eq!(manifest.component_in(|_| false), Some("shop.wasm"));
    }

    #[test]
    fn missing_keys_take_the_nodes_values() {
        let session = config::Session { cookie: "mine".to_owned(), ..config::Session::default() };
        let mounted = config::App::with_session(session);
        let app = read("manifest = 1").unwrap().app(&mounted, "ROOT.zip".into());
        assert_eq!(app, config::App { builtin: None, file: Some("ROOT.zip".into()), ..mounted });
        assert_eq!(Manifest::default().component_in(|_| false), None);
    }

    #[test]
    fn errors_name_their_place() {
        for (text, words) in [
            ("", "write `manifest = 1`"),
            ("manifest = 2", "write `manifest = 1`"),
            ("manifest = 1\n[sesion]\n", "did you mean `session`?"),
            ("manifest = 1\n[static]\nchache = \"\"", "did you mean `cache`?"),
            ("manifest = 1\n[static]\ndir = \"../x\"", "--> shop.zip/app.toml:3:7"),
            ("manifest = 1\n[session]\ntimeout = 5", "2s"),
            ("manifest = 1\n[egress]\nallow = [\"x\"]", "api.example:443"),
            ("manifest = 1\ncomponent = ", "--> shop.zip/app.toml"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
