//! One request and its response: the gate, the cookie, the session, and after the application the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HOST, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use sessile_core::Receipt;

use super::accounting::Route;
use super::answers::{self, RECEIPT, UNPROCESSED};
use super::app::AppSessions;
use super::cache;
use super::client_session::ClientSession;
use super::cookie::{Found, Presented};
use super::cookie_age::CookieAge;
use super::dead_cookies::DeadCookie;
use super::error::SessionError;
use super::opening::{CookieWorth, Opening};
use super::request_facts::{access, is_preflight, secure};
use super::session::{Access, Session};
use super::sessions::Sessions;
use super::state::{Closing, CookieChange};
use sessile_config::OnEnded;
use sessile_node::host::{NotServing, OpenSession, Running, Settlement};

/// What became of changes that went into a cookie: the browser has the only copy, as it should.
const IN_COOKIE: Receipt =
    Receipt { copies: 1, wanted: 1, ended: false, superseded: false, unconfirmed_for: None, stored: None };

/// A request on its way through. Dropping it, in whatever way the application ended, closes the session.
pub(crate) struct Exchange {
    app: Arc<AppSessions>,
    session: Session,
    access: Access,
    /// Keeps the session open until the exchange is over.
    _open: Option<OpenSession>,
    /// A graceful stop waits for the request.
    _running: Running,
    /// What the cookie that came is worth.
    cookie: CookieWorth,
    /// Other requests with the same dead cookie see that this one runs.
    dead: Option<DeadCookie>,
    /// Where other cookies of that name may have been set.
    origin: Origin,
    /// Whose bytes are counted.
    account: Route,
    /// The other node that a cookie of the answer names; without one it names this node.
    kept_route: Option<String>,
    secure: bool,
    accepts_problems: bool,
    began: Instant,
    cluster_time: Duration,
}

/// The target of a request; only of one whose cookies conflict.
#[derive(Default)]
struct Origin {
    uri: Uri,
    host: Option<String>,
}

impl Exchange {
    /// Passes the gate, opens the session that the cookie proves, and puts it into the request.
    pub(crate) async fn begin<B>(
        app: Arc<AppSessions>,
        request: &mut Request<B>,
    ) -> Result<Self, NotServing> {
        let (began, running) = (Instant::now(), app.host.request());
        let access = access(&app.settings, request);
        app.statistics.count_request(access == Access::ReadOnly);
        let Opening { draft, open, cookie, dead } = open(&app, Brought::by(&app, request), access)
            .await
            .inspect_err(|_| app.statistics.count_unprocessed())?;
        let held = if let CookieWorth::Valid(held) = &cookie { Some(held) } else { None };
        let previous_route = held.map(|held| held.route.clone()).filter(|route| *route != app.node_name);
        let kept_route = previous_route.clone().filter(|_| !app.controls.rewrites_route());
        let session = Session::new(Arc::clone(&app), access, previous_route.as_deref(), draft);
        if cookie.is_dead() {
            session.came_dead();
        }
        let secure = secure(&app, request);
        let outer = request.extensions_mut().remove::<Sessions>();
        request.extensions_mut().insert(Sessions::within(outer, session.clone()));
        request.extensions_mut().insert(session.clone());
        Ok(Self {
            session,
            access,
            _open: open,
            _running: running,
            origin: if let CookieWorth::Conflict = cookie { Origin::of(request) } else { Origin::default() },
            cookie,
            dead: dead.map(|key| app.controls.dead_cookies.follow(key, app.settings.session.change_grace)),
            account: Route::of(request.method(), request.uri(), request.extensions()),
            kept_route,
            secure,
            accepts_problems: answers::accepts_problems(request.headers()),
            began,
            cluster_time: began.elapsed(),
            app,
        })
    }

    /// Commits what the application wrote and releases its response once that is settled.
    pub(crate) async fn finish<B: From<String>>(&self, mut response: Response<B>) -> Response<B> {
        response.headers_mut().remove(UNPROCESSED);
        let answered = Instant::now();
        if is_error(response.status()) && !self.app.settings.session.commit_on_error {
            self.session.discard();
        }
        let commit_permit = self.session.commit_permit().await;
        let mut closing = self.session.commit(commit_permit, &self.account);
        let commits = !closing.settlements.is_empty();
        let cookie = std::mem::replace(&mut closing.cookie, CookieChange::Keep);
        let did = Did {
            used: closing.used,
            wrote: closing.wrote,
            superseded: closing.superseded,
            cookie_age: closing.cookie_age,
        };
        let settled = self.settle(closing, answered).await;
        // Without the lease another side may have moved on: what was read or written here must not be told.
        let response = if did.used && self.app.host.admitted().await.is_err() {
            answers::outcome_unknown()
        } else {
            self.conclude(settled, did, cookie, response)
        };
        let response = if self.accepts_problems { answers::as_problem(response) } else { response };
        let now = Instant::now();
        let (request, overhead) = (now - self.began, now - answered);
        self.app.statistics.count_time(request, self.cluster_time + overhead);
        if commits {
            self.app.statistics.count_write(request, overhead);
        }
        response
    }

    /// Waits for what this request handed to the node, or, when that is nothing, for what it may have read
    /// of others.
    async fn settle(&self, closing: Closing, answered: Instant) -> Result<Option<Receipt>, SessionError> {
        let sends = !closing.settlements.is_empty();
        let sent = self.sent(closing.settlements, closing.ended_here).await;
        if sends {
            self.app.statistics.count_settled(answered.elapsed());
        }
        let receipt = sent?;
        if let Some(refusal) = closing.refusal {
            return Err(refusal);
        }
        if let (None, true, Some(key)) = (receipt, closing.used, closing.key) {
            self.app.host.settled(key).await;
        }
        Ok(receipt)
    }

    /// Waits until each was settled, and gives the last receipt.
    async fn sent(
        &self,
        settlements: Vec<Settlement>,
        ended_here: bool,
    ) -> Result<Option<Receipt>, SessionError> {
        let mut receipt = None;
        for settlement in settlements {
            self.app.statistics.count_send();
            let settled = settlement.receipt().await.ok_or(SessionError::OutcomeUnknown)?;
            if settled.ended && !ended_here {
                return Err(SessionError::Ended);
            }
            receipt = Some(settled);
        }
        Ok(receipt)
    }

    /// The response as it goes: the application's own, or the error that says why its writes were not taken.
    fn conclude<B: From<String>>(
        &self,
        settled: Result<Option<Receipt>, SessionError>,
        did: Did,
        cookie: CookieChange,
        mut response: Response<B>,
    ) -> Response<B> {
        let session = &self.app.settings.session;
        let (receipt, cookie) = match settled {
            Ok(_) if did.superseded => {
                if session.on_superseded == OnEnded::Conflict {
                    response = SessionError::Superseded.refused();
                }
                (Some(Receipt { superseded: true, ..Receipt::default() }), CookieChange::Keep)
            }
            Ok(None) if matches!(cookie, CookieChange::SetClientSession(_)) && did.wrote => {
                (Some(IN_COOKIE), cookie)
            }
            Ok(receipt) => (receipt, cookie),
            // The browser may have a newer cookie: this request began before the end.
            Err(SessionError::Ended) => {
                if did.wrote && session.on_ended == OnEnded::Conflict {
                    response = SessionError::Ended.refused();
                }
                (Some(Receipt { ended: true, ..Receipt::default() }), CookieChange::Keep)
            }
            Err(refusal) => {
                response = refusal.refused();
                (None, CookieChange::Keep)
            }
        };
        self.write_cookie(cookie, did, &mut response);
        if did.used {
            cache::vary_by_cookie(response.headers_mut());
        }
        self.write_receipt(receipt, &mut response);
        response
    }

    fn write_cookie<B>(&self, change: CookieChange, did: Did, response: &mut Response<B>) {
        let Did { used, cookie_age, .. } = did;
        let shape = &self.app.shape;
        let route = self.kept_route.as_ref().unwrap_or(&self.app.node_name);
        if let (CookieChange::Set(_) | CookieChange::SetClientSession(_), Some(dead)) = (&change, &self.dead)
        {
            dead.replaced();
        }
        let named = |identity| shape.set(&self.app.signer.encode(identity, route), cookie_age, self.secure);
        // What every cache may keep, and has nothing of the session, waits: the next answer sets the cookie.
        let may_add = self.access == Access::ReadWrite && (used || !cache::may_be_shared(response.headers()));
        let mut cookies = Vec::new();
        if let CookieWorth::Conflict = self.cookie
            && may_add
        {
            cookies = shape.remove_everywhere(&self.origin.uri, self.origin.host.as_deref(), self.secure);
        }
        cookies.extend(match (change, &self.cookie) {
            (CookieChange::Set(identity), _) => Some(named(identity)),
            (CookieChange::Extend(identity), _) => {
                self.app.host.admits(identity.key, identity.secret).then(|| named(identity))
            }
            (CookieChange::SetClientSession(content), _) => {
                let value = self.app.client_cipher.as_ref().map(|cipher| cipher.seal(&content));
                value.filter(|_| used || may_add).map(|value| shape.set(&value, cookie_age, self.secure))
            }
            (CookieChange::Remove, _) => Some(shape.remove(self.secure)),
            (CookieChange::Keep, CookieWorth::Valid(held)) if may_add && self.is_outdated(held, route) => {
                Some(named(held.identity))
            }
            (CookieChange::Keep, CookieWorth::Dead) if may_add && self.may_remove() => {
                Some(shape.remove(self.secure))
            }
            (CookieChange::Keep, _) => None,
        });
        if cookies.is_empty() {
            return;
        }
        for cookie in cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        cache::keep_private(response.headers_mut());
    }

    /// Whether a cookie that is dead may be taken back: no other request that brought it begins a session.
    fn may_remove(&self) -> bool {
        self.dead.as_ref().is_some_and(DeadCookie::may_be_removed)
    }

    /// Whether the cookie is to be made anew: it names another node than it should, or its tag is of a secret
    /// that will be dropped. Not when a login has replaced it, or another request may be one: the browser may
    /// have a newer cookie when this answer arrives.
    fn is_outdated(&self, held: &Presented, route: &str) -> bool {
        let (Presented { identity, .. }, quiet) = (held, self.app.settings.session.change_grace);
        (held.route != route || !held.is_current)
            && self.app.host.is_settled_secret(identity.key, identity.secret, quiet)
    }

    fn write_receipt<B>(&self, receipt: Option<Receipt>, response: &mut Response<B>) {
        let Some(receipt) = receipt else { return };
        self.session.keep_receipt(receipt);
        response.extensions_mut().insert(receipt);
        if self.app.settings.receipt_header {
            let header = HeaderValue::try_from(receipt.to_string());
            response.headers_mut().insert(RECEIPT, header.expect("a receipt is visible ASCII"));
        }
    }
}

/// What a request brought that may open a session.
enum Brought {
    Preflight,
    Cookies(Found<Presented>),
    ClientSessions(Found<(ClientSession, bool)>),
}

impl Brought {
    fn by<B>(app: &AppSessions, request: &Request<B>) -> Self {
        let (headers, name) = (request.headers(), app.shape.name());
        match &app.client_cipher {
            _ if is_preflight(request) => Self::Preflight,
            Some(cipher) => Self::ClientSessions(cipher.find(headers, name)),
            None => Self::Cookies(app.signer.find(headers, name)),
        }
    }
}

/// Passes the gate and opens the session.
async fn open(app: &Arc<AppSessions>, brought: Brought, access: Access) -> Result<Opening, NotServing> {
    app.host.admitted().await?;
    match brought {
        Brought::Preflight => Ok(Opening::preflight()),
        Brought::Cookies(found) => Opening::of(app, found).await,
        Brought::ClientSessions(found) => Ok(Opening::of_client_session(app, found, access).await),
    }
}

/// What a request did with its session.
#[derive(Clone, Copy)]
struct Did {
    used: bool,
    wrote: bool,
    superseded: bool,
    cookie_age: Option<CookieAge>,
}

impl Origin {
    fn of<B>(request: &Request<B>) -> Self {
        let host = request.headers().get(HOST).and_then(|host| std::str::from_utf8(host.as_bytes()).ok());
        let host = host.or_else(|| request.uri().host()).map(str::to_ascii_lowercase);
        Self { uri: request.uri().clone(), host }
    }
}

/// Whether the answer says that the request failed: what a timeout or a panic inside of this layer answers,
/// too.
fn is_error(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT
}

/// However the request ended, nobody who kept its session can write any more.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.session.close();
    }
}
