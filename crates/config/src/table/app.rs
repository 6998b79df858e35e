//! `[[app]]`: an application that `sessile serve` hosts.

use std::path::PathBuf;

use super::{Manager, Session};
use crate::form::{File, Flag, OneOf, Optional, UrlPath};
use crate::keys::{Table, Visitor};

/// `[[app]]`. It is one of a builtin application, a file and a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Where it is mounted: its context path.
    pub path: String,
    /// Whose sessions it has; `None`: its own. See [`session_path`](Self::session_path).
    pub session_path: Option<String>,
    /// An application that comes with the program.
    pub builtin: Option<Builtin>,
    /// An archive: a WebAssembly component, or a zip with its manifest, component and static files.
    pub file: Option<PathBuf>,
    /// A directory whose files are served as they are; it has no sessions.
    pub directory: Option<PathBuf>,
    /// Whether its sessions are copied; without, they stay on their node.
    pub distributable: bool,
    /// The manager of its sessions; `None` for that of `[cluster]`. See
    /// [`Config::manager_of`](crate::Config::manager_of).
    pub manager: Option<Manager>,
    /// Whether it answers questions that measure it; they need no cookie.
    pub diagnostics: bool,
    /// Settings of its sessions: `[session]`, overridden by the keys of this table.
    pub session: Session,
}

/// An application that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// The sample application of the article.
    Clusterapp,
}

impl App {
    /// An application at `/` whose sessions live as `session` says: the sample, until another one is put in
    /// its place.
    #[must_use]
    pub fn with_session(session: Session) -> Self {
        let path = "/".to_owned();
        Self {
            path,
            session_path: None,
            builtin: Some(Builtin::Clusterapp),
            file: None,
            directory: None,
            distributable: true,
            manager: None,
            diagnostics: false,
            session,
        }
    }
}

impl App {
    /// The path of its sessions, which is also that of their cookie: its own, or one above it. Applications
    /// that name one path have the same sessions. (Tomcat: `sessionCookiePath`.)
    #[must_use]
    pub fn session_path(&self) -> &str {
        self.session_path.as_deref().unwrap_or(&self.path)
    }
}

impl Table for App {
    const NAME: &'static str = "app";
    const MEANING: &'static str = "an application that `sessile serve` hosts";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let builtin = OneOf { built: &[("clusterapp", Builtin::Clusterapp)], later: &[] };
        visitor.key("path", UrlPath, &mut self.path, "where it is mounted");
        let shared = "whose sessions it has, above its own path; also the cookie's path";
        visitor.key("session_path", Optional(UrlPath), &mut self.session_path, shared);
        let builtin = Optional(builtin);
        visitor.key("builtin", builtin, &mut self.builtin, "an application of the program, or");
        visitor.key("file", Optional(File), &mut self.file, "an archive, .wasm, .zip or .wapp, or");
        visitor.key("directory", Optional(File), &mut self.directory, "files that are served as they are");
        visitor.key("distributable", Flag, &mut self.distributable, "false: its sessions stay on their node");
        let manager = &mut self.manager;
        visitor.key("manager", Optional(Manager::WORDS), manager, "else what [cluster] says");
        visitor.key("diagnostics", Flag, &mut self.diagnostics, "peek and stats");
        self.session.keys(visitor);
    }
}
