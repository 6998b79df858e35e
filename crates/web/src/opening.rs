//! What a request begins with: the session that its cookie opens, and what that cookie is worth.
//!
//! The worth decides what the answer may do to the cookie although the application does nothing: see the
//! table in `docs/sessions.md`. Who comes with a cookie that was replaced or ended so lately that the browser
//! may have a newer one already, gets no cookie: the answers of one browser arrive in any order.

use std::sync::Arc;

use sessile_core::{Absent, Fields, Proof, SessionKey};

use super::app::AppSessions;
use super::client_session::{ClientSession, key_of};
use super::cookie::{Found, Presented};
use super::draft::{Draft, View};
use super::session::Access;
use sessile_node::host::{NotServing, OpenSession};

/// What a request begins with.
#[derive(Default)]
pub(crate) struct Opening {
    pub(crate) draft: Draft,
    /// Keeps the session open.
    pub(crate) open: Option<OpenSession>,
    pub(crate) cookie: CookieWorth,
    /// The session of a cookie that is dead.
    pub(crate) dead: Option<SessionKey>,
}

/// What the browser's cookie is worth to the request that brought it.
#[derive(Debug, Default)]
pub(crate) enum CookieWorth {
    /// There is none; or it is no cookie of this cluster, or of a session that nobody knows any more.
    #[default]
    Nothing,
    /// It opened the session.
    Valid(Presented),
    /// Its session ended, or its secret was superseded, less than `change_grace` ago.
    LatelyDead,
    /// The same, longer ago: the browser has no newer one, or it would not have sent this.
    Dead,
    /// There are several, of different sessions.
    Conflict,
}

impl CookieWorth {
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self, Self::LatelyDead | Self::Dead)
    }
}

impl Opening {
    /// For a request that only looks.
    pub(crate) fn preflight() -> Self {
        Self { draft: Draft::view(View::Preflight, Fields::default()), ..Self::default() }
    }

    /// For the cookie of `key`, where the end of `ended` is what it died of.
    fn dead(app: &AppSessions, key: SessionKey, ended: SessionKey) -> Self {
        let grace = app.settings.session.change_grace;
        let is_late = app.host.ended_for(ended).is_some_and(|since| since < grace);
        let cookie = if is_late { CookieWorth::LatelyDead } else { CookieWorth::Dead };
        Self { cookie, dead: Some(key), ..Self::default() }
    }

    fn conflict() -> Self {
        Self { cookie: CookieWorth::Conflict, ..Self::default() }
    }

    fn superseded(key: SessionKey, seen: Fields) -> Self {
        let draft = Draft::view(View::Superseded, seen);
        Self { draft, open: None, cookie: CookieWorth::LatelyDead, dead: Some(key) }
    }

    /// Opens the session of the cookies that verified.
    pub(crate) async fn of(app: &Arc<AppSessions>, found: Found<Presented>) -> Result<Self, NotServing> {
        let cookies = match found {
            Found::Nothing => return Ok(Self::default()),
            Found::Conflict => return Ok(Self::conflict()),
            Found::OfOneSession(cookies) => cookies,
        };
        let Some(mut cookie) = newest(app, &cookies).or_else(|| cookies.first().cloned()) else {
            return Ok(Self::default());
        };
        let mut opened = app.host.open(cookie.identity.key, Proof::Secret(cookie.identity.secret)).await;
        // The copy that knows which secret is the newest may have come only now.
        if let Some(newer) = newest(app, &cookies).filter(|newer| newer.identity != cookie.identity) {
            opened = app.host.open(newer.identity.key, Proof::Secret(newer.identity.secret)).await;
            cookie = newer;
        }
        let identity = cookie.identity;
        match opened {
            Ok((open, opened)) if opened.app == app.app => {
                let local = app.host.local_values(identity.key);
                let draft = Draft::held(identity, opened.fields, local);
                Ok(Self { draft, open: Some(open), cookie: CookieWorth::Valid(cookie), dead: None })
            }
            Ok(_) => Ok(Self::default()),
            Err(Absent::Unknown) => Ok(Self { draft: Draft::unknown(identity.key), ..Self::default() }),
            Err(Absent::Ended) => Ok(Self::dead(app, identity.key, identity.key)),
            Err(Absent::WrongSecret) => Ok(Self::with_old_secret(app, &cookie)),
            Err(Absent::NoRoom) => Err(app.host.without_session()),
        }
    }

    /// A login replaced the secret. Without a grace time nobody can say that the browser has no newer one.
    fn with_old_secret(app: &AppSessions, cookie: &Presented) -> Self {
        let (key, grace) = (cookie.identity.key, app.settings.session.change_grace);
        let dead = |cookie| Self { cookie, dead: Some(key), ..Self::default() };
        match app.host.before_change(key, cookie.identity.secret, grace) {
            Some((owner, seen)) if owner == app.app => Self::superseded(key, seen),
            _ if grace.is_zero() => dead(CookieWorth::LatelyDead),
            _ => dead(CookieWorth::Dead),
        }
    }

    /// The session that its cookie carries, sealed with the active secret or not.
    pub(crate) async fn of_client_session(
        app: &Arc<AppSessions>,
        found: Found<(ClientSession, bool)>,
        access: Access,
    ) -> Self {
        let (client_session, is_current) = match found {
            Found::Nothing => return Self::default(),
            Found::Conflict => return Self::conflict(),
            Found::OfOneSession(mut newest) => newest.swap_remove(0),
        };
        let (session, now) = (&app.settings.session, app.host.wall_time());
        if client_session.is_over(session, now) {
            return Self::default();
        }
        let identity = client_session.identity;
        if app.host.has_ended(identity.key).await {
            return Self::dead(app, identity.key, identity.key);
        }
        let replaced = key_of(identity.secret);
        if app.host.has_ended(replaced).await {
            let dead = Self::dead(app, identity.key, replaced);
            return match dead.cookie {
                // What it carries is what was there before the change.
                CookieWorth::LatelyDead => Self::superseded(identity.key, attributes(&client_session.fields)),
                _ => dead,
            };
        }
        let is_outdated =
            access == Access::ReadWrite && (!is_current || client_session.is_stale(session, now));
        Self { draft: Draft::client_side(client_session, is_outdated), ..Self::default() }
    }
}

/// Of several cookies of one session the one whose secret was created last, as far as this node knows.
fn newest(app: &AppSessions, cookies: &[Presented]) -> Option<Presented> {
    let [first, _, ..] = cookies else { return None };
    let secrets = cookies.iter().map(|cookie| cookie.identity.secret);
    let secret = app.host.newest_admitted(first.identity.key, secrets)?;
    cookies.iter().find(|cookie| cookie.identity.secret == secret).cloned()
}

fn attributes(fields: &Fields) -> Fields {
    fields.all().filter(|field| !field.is_system()).collect()
}
