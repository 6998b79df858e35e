//! The configuration of a node: [`Config::load`] reads it from TOML, [`Config::default`] is the sample's node
//! `tc01`.
//!
//! Every key is declared once, in its table (`table/`), with its form, its field and its meaning; reading,
//! printing ([`Config::effective_toml`]), suggesting keys, the schema for editors ([`json_schema`]) and the
//! reference ([`reference()`]) all walk those declarations. What two keys must agree on is in `agreement.rs`.
//! This crate opens no port, reads no secret and knows no application.
//!
//! Next: `keys.rs` for how a table is declared, `read.rs` for how it is read.

mod agreement;
mod catalog;
mod environment;
mod fault;
mod foreign;
mod form;
mod host_port;
mod keys;
mod notice;
mod places;
mod read;
mod reference;
mod schema;
mod setting_error;
mod show;
mod suggest;
mod table;
mod tomcat;
mod unknown;

use std::path::{Path, PathBuf};

use environment::Environment;
pub use environment::Override;
pub use fault::{ConfigError, Finding, Findings, Severity};
pub use foreign::{Refused, load_toml, parse_toml};
pub use form::filter_elements;
pub use host_port::HostPort;
pub use notice::{listed_members, notice_lines};
pub use reference::reference;
pub use schema::json_schema;
pub use sessile_http_server::{Limits as HttpLimits, Network, TlsConfig as HttpTls};
pub use setting_error::SettingError;
pub use table::{
    Admin, Ajp, App, Builtin, Cluster, Farm, Grants, Http, Keep, Manager, Membership, MembershipKind, Mode,
    Node, OnEnded, QueueFull, Receiver, Replication, Restore, SameSite, Save, Secure, Sender, Session, Store,
    StoreKind,
};

/// Everything that one node is told before it starts.
///
/// A `Config` that was put together in code, or changed after loading, is checked by [`Config::validate`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Who this node is.
    pub node: Node,
    /// The port that serves applications.
    pub http: Http,
    /// The port that serves applications to Apache httpd.
    pub ajp: Ajp,
    /// The port that serves operators.
    pub admin: Admin,
    /// Which cluster the node belongs to and what is copied to whom.
    pub cluster: Cluster,
    /// How nodes find each other and when one counts as lost.
    pub membership: Membership,
    /// How changes travel to the other members.
    pub sender: Sender,
    /// Where the changes of other members arrive.
    pub receiver: Receiver,
    /// Which requests replicate.
    pub replication: Replication,
    /// How long sessions live, how big they may be, and their cookie.
    pub session: Session,
    /// Where sessions are kept longer than any process lives.
    pub store: Store,
    /// Where applications are dropped, and how they reach every node.
    pub farm: Farm,
    /// The applications that `sessile serve` hosts; a service that uses the library has none here.
    pub apps: Vec<App>,
    /// The directory that relative paths of the file start from: the file's own.
    pub directory: PathBuf,
    /// The keys whose values came from the environment.
    pub overrides: Vec<Override>,
}

impl Config {
    /// Reads the file at `path`; what is suspicious but allowed is logged as a warning.
    ///
    /// A variable of the process's environment replaces a value of the file: `SESSILE_CLUSTER__NAME` that of
    /// `name` in `[cluster]`, `SESSILE_HTTP__LIMITS__HEADERS` that of `headers` in `[http.limits]`.
    ///
    /// # Errors
    /// [`ConfigError`] holds everything that is wrong with the file, each with its place and its remedy.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let (config, warnings) = Self::check(path)?;
        for warning in &warnings.list {
            tracing::warn!("{}: {}", warnings.place(warning), warning.message);
        }
        Ok(config)
    }

    /// Reads the file at `path`, and the environment, and returns the warnings beside the configuration.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn check(path: impl AsRef<Path>) -> Result<(Self, Findings), ConfigError> {
        let path = path.as_ref();
        let text = read::text_of(path)?;
        read::config(path, &text, Environment::of(std::env::vars_os(), &text))
    }

    /// Reads `text` and no environment; `path` names it in messages, and its directory is where relative
    /// paths start.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<(Self, Findings), ConfigError> {
        read::config(path.as_ref(), text, Environment::default())
    }

    /// Checks a configuration that did not come from a file, by the same rules.
    ///
    /// # Errors
    /// As [`Config::load`]; the places are those in [`Config::effective_toml`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        Self::parse(self.directory.join("(configuration made in code)"), &self.effective_toml()).map(|_| ())
    }

    /// Every path of a file or directory that it gives.
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { admin, ajp, http, cluster, store, farm, apps, .. } = self;
        let stored = [&mut store.path, &mut store.url_file, &mut store.ca_file, &mut store.key_file];
        let farm = [&mut farm.watch_dir, &mut farm.deploy_dir, &mut farm.temp_dir, &mut farm.deploy_key_file];
        let apps = apps.iter_mut().flat_map(|app| [&mut app.file, &mut app.directory]);
        let optional = stored.into_iter().chain(farm).chain(apps).flatten();
        let optional = optional.chain(&mut ajp.secret_file).chain(&mut admin.socket);
        optional.chain([&mut cluster.secret_file]).chain(http.tls.paths())
    }

    /// Where operators of this machine reach the node: `[admin] socket`, or `NAME.sock` beside the secret
    /// where there is an admin port.
    #[must_use]
    pub fn admin_socket(&self) -> Option<PathBuf> {
        let beside = || self.cluster.secret_file.with_file_name(format!("{}.sock", self.node.name));
        self.admin.socket.clone().or_else(|| self.admin.listen.map(|_| beside()))
    }

    /// What is copied of the sessions of `app`, and to whom. Of those that their cookies carry it is the ends
    /// alone, which every member has to know.
    #[must_use]
    pub fn manager_of(&self, app: &App) -> Manager {
        match app.session.keep {
            Keep::Cookie => self.cluster.manager,
            Keep::Memory if app.distributable => app.manager.unwrap_or(self.cluster.manager),
            Keep::Memory => Manager::Local,
        }
    }

    /// Every key with the value in force and its meaning, as TOML that reads back to this configuration.
    #[must_use]
    pub fn effective_toml(&self) -> String {
        show::effective(self)
    }
}

#[cfg(test)]
mod tests;
