//! `[session]`: how long sessions live, how big they may be, and their cookie.

use std::time::Duration;

use super::{DAY, SECOND};
use crate::form::{CookieDomain, CookieName, Flag, Number, OneOf, SecureWord, Size, Time, TimeOrNever};
use crate::keys::{Table, Visitor};

/// The longest lifetime of a session that can be configured, in milliseconds.
const TEN_YEARS: u64 = 3_650 * DAY;

/// The largest session that can be configured, in bytes: a copy of it travels in one frame, which holds 16
/// MiB.
const MAX_SESSION: usize = 8 << 20;

/// The longest age of a cookie in milliseconds: browsers keep none for longer than 400 days.
const MAX_COOKIE_AGE: u64 = 400 * DAY;

/// The longest grace time of a superseded secret, in milliseconds.
const MAX_GRACE: u64 = 5 * 60 * SECOND;

/// `[session]`; an application may say otherwise for itself, see [`App::session`](super::App::session).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// A session that is not used for this long ends.
    pub timeout: Duration,
    /// A session that is this old ends though it is used; `None`: none does.
    pub absolute_timeout: Option<Duration>,
    /// Where sessions live.
    pub keep: Keep,
    /// How many sessions may be created and live.
    pub max_active: u64,
    /// The largest attribute, in bytes as encoded.
    pub max_attribute_bytes: usize,
    /// The largest session, in bytes as encoded.
    pub max_session_bytes: usize,
    /// How many bytes all sessions together may take, copies included.
    pub max_table_bytes: usize,
    /// The name of the cookie, without the prefix `__Host-` that it gets where that fits. One that begins
    /// with `__Host-` itself is at `/` whatever the application's path is.
    pub cookie: String,
    /// The domain whose hosts all get the cookie; empty: this host alone.
    pub domain: String,
    /// How long a browser keeps the cookie; `None`: until it is closed.
    pub max_age: Option<Duration>,
    /// Whether browsers keep the cookie apart for each site that embeds this one.
    pub partitioned: bool,
    /// Whether the cookie is for https only.
    pub secure: Secure,
    /// The cookie's `SameSite`.
    pub same_site: SameSite,
    /// The response to a request whose session ended while it ran.
    pub on_ended: OnEnded,
    /// For so long a secret that a login superseded shows what was there before the login; zero: not at all.
    pub change_grace: Duration,
    /// What becomes of a request that came with a superseded secret and wrote.
    pub on_superseded: OnEnded,
    /// Whether a request whose answer is an error (5xx, or 408) commits what it wrote.
    pub commit_on_error: bool,
    /// Whether a graceful stop of a node ends the sessions that this node wrote last, on every node.
    pub expire_on_stop: bool,
    /// Whether these sessions go into the store, where there is one.
    pub persist: bool,
    /// When they are saved.
    pub save: Save,
    /// With [`Save::Idle`]: a session unused for this long is saved.
    pub backup_idle: Duration,
    /// Sessions unused for this long are kept in the store only; `None` keeps them in memory.
    pub swap_idle: Option<Duration>,
}

/// Where sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// In the memory of the nodes.
    Memory,
    /// In their cookies, encrypted: small ones, which then no node has.
    Cookie,
}

/// When a session is saved. A graceful stop saves all that is not yet saved, in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Save {
    /// Before the response that changed it goes.
    Through,
    /// Soon after each change, within [`Store::interval`](super::Store::interval).
    Behind,
    /// When it has not been used for [`Session::backup_idle`].
    Idle,
    /// Only at a graceful stop.
    Stop,
}

/// Whether the cookie is for https only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secure {
    /// When the request that created the session came by https.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// When a browser sends the cookie with requests that other sites start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// With links only.
    Lax,
    /// Never.
    Strict,
    /// Always; browsers then demand `Secure`.
    None,
}

/// What becomes of a request whose session ended while it ran, or whose secret a login had superseded. Its
/// changes are dropped either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnded {
    /// Its response goes out; the receipt says what happened.
    Ignore,
    /// It is answered with 409 Conflict.
    Conflict,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30 * 60),
            absolute_timeout: None,
            keep: Keep::Memory,
            max_active: 1_000_000,
            max_attribute_bytes: 1 << 20,
            max_session_bytes: 4 << 20,
            max_table_bytes: 2 << 30,
            cookie: "sid".to_owned(),
            domain: String::new(),
            max_age: None,
            partitioned: false,
            secure: Secure::Auto,
            same_site: SameSite::Lax,
            on_ended: OnEnded::Ignore,
            change_grace: Duration::from_secs(10),
            on_superseded: OnEnded::Ignore,
            commit_on_error: true,
            expire_on_stop: false,
            persist: true,
            save: Save::Behind,
            backup_idle: Duration::from_secs(30),
            swap_idle: None,
        }
    }
}

impl Table for Session {
    const NAME: &'static str = "session";
    const MEANING: &'static str = "how long sessions live, how big they may be, and their cookie";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let lifetime = SECOND..=TEN_YEARS;
        let active = Number::within(1..=1_000_000_000);
        visitor.key("timeout", Time(lifetime.clone()), &mut self.timeout, "unused for this long: ended");
        let absolute = &mut self.absolute_timeout;
        visitor.key("absolute_timeout", TimeOrNever(lifetime), absolute, "this old: ended, used or not");
        let keep = OneOf { built: &[("memory", Keep::Memory), ("cookie", Keep::Cookie)], later: &[] };
        visitor.key("keep", keep, &mut self.keep, "memory | cookie: small ones, encrypted in the browser");
        visitor.key("max_active", active, &mut self.max_active, "then no more can be created");
        visitor.key(
            "max_attribute_bytes",
            Size(1..=MAX_SESSION),
            &mut self.max_attribute_bytes,
            "of one attribute",
        );
        visitor.key(
            "max_session_bytes",
            Size(1..=MAX_SESSION),
            &mut self.max_session_bytes,
            "of one session",
        );
        visitor.key(
            "max_table_bytes",
            Size(1..=1 << 40),
            &mut self.max_table_bytes,
            "of all, copies included",
        );
        self.cookie_keys(visitor);
        self.outcome_keys(visitor);
        visitor.key("expire_on_stop", Flag, &mut self.expire_on_stop, "true: a node that stops ends its own");
        self.persistence_keys(visitor);
    }
}

impl Session {
    /// Whether clients carry the sessions, so that no node has them.
    #[must_use]
    pub fn is_carried(&self) -> bool {
        self.keep == Keep::Cookie
    }

    fn cookie_keys(&mut self, visitor: &mut impl Visitor) {
        let same_site = OneOf {
            built: &[("Lax", SameSite::Lax), ("Strict", SameSite::Strict), ("None", SameSite::None)],
            later: &[],
        };
        let age = TimeOrNever(SECOND..=MAX_COOKIE_AGE);
        visitor.key("cookie", CookieName, &mut self.cookie, "the cookie's name");
        visitor.key(
            "domain",
            CookieDomain,
            &mut self.domain,
            "hosts that get the cookie; \"\": this one alone",
        );
        visitor.key(
            "max_age",
            age,
            &mut self.max_age,
            "browsers keep the cookie so long; never: until closed",
        );
        visitor.key("secure", SecureWord, &mut self.secure, "https only: \"auto\" | true | false");
        visitor.key("same_site", same_site, &mut self.same_site, "Lax | Strict | None (implies Secure)");
        visitor.key("partitioned", Flag, &mut self.partitioned, "true: one cookie for each embedding site");
    }

    fn outcome_keys(&mut self, visitor: &mut impl Visitor) {
        const OUTCOMES: &[(&str, OnEnded)] = &[("ignore", OnEnded::Ignore), ("409", OnEnded::Conflict)];
        let outcome = || OneOf { built: OUTCOMES, later: &[] };
        let grace = Time(0..=MAX_GRACE);
        let on_ended = &mut self.on_ended;
        visitor.key("on_ended", outcome(), on_ended, "session ended during the request: ignore | 409");
        visitor.key(
            "change_grace",
            grace,
            &mut self.change_grace,
            "a superseded cookie shows what was before",
        );
        let on_superseded = &mut self.on_superseded;
        visitor.key("on_superseded", outcome(), on_superseded, "it wrote with such a cookie: ignore | 409");
        visitor.key(
            "commit_on_error",
            Flag,
            &mut self.commit_on_error,
            "false: a 5xx or 408 drops the writes",
        );
    }

    fn persistence_keys(&mut self, visitor: &mut impl Visitor) {
        let save = OneOf {
            built: &[
                ("through", Save::Through),
                ("behind", Save::Behind),
                ("idle", Save::Idle),
                ("stop", Save::Stop),
            ],
            later: &[],
        };
        let (backup, swap) = (Time(SECOND..=DAY), TimeOrNever(SECOND..=TEN_YEARS));
        visitor.key("persist", Flag, &mut self.persist, "false: never into the store");
        visitor.key("save", save, &mut self.save, "through | behind (the response) | idle | stop");
        visitor.key("backup_idle", backup, &mut self.backup_idle, "save = \"idle\": unused for so long");
        visitor.key("swap_idle", swap, &mut self.swap_idle, "unused for so long: only in the store");
    }
}
