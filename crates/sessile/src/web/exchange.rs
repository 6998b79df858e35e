//! One request and its response: the gate, the cookie, the session, and after the application the commit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use http::header::{HeaderName, SET_COOKIE};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response};
use sessile_core::{Absent, Proof, Receipt};

use super::accounting::Route;
use super::answers::{self, RECEIPT, UNPROCESSED};
use super::app::AppSessions;
use super::client_session::{ClientSession, key_of};
use super::cookie::Presented;
use super::draft::Draft;
use super::error::SessionError;
use super::session::{Access, Session};
use super::sessions::Sessions;
use super::settings::SessionSettings;
use super::state::{Closing, CookieChange};
use crate::cluster::host::{NotServing, OpenSession, Running, Settlement};
use crate::config::{OnEnded, Secure};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What became of changes that went into a cookie: the browser has the only copy, as it should.
const IN_COOKIE: Receipt =
    Receipt { copies: 1, wanted: 1, ended: false, unconfirmed_for: None, stored: None };

/// A request on its way through. Dropping it, in whatever way the application ended, closes the session.
pub(crate) struct Exchange {
    app: Arc<AppSessions>,
    session: Session,
    /// Keeps the session open until the exchange is over.
    _open: Option<OpenSession>,
    /// A graceful stop waits for the request.
    _running: Running,
    /// The cookie that came, if it is to be made anew: it names another node than it should, or its tag is of a
    /// secret that will be dropped.
    outdated: Option<Presented>,
    /// Whose bytes are counted.
    account: Route,
    /// The other node that a cookie of the answer names; without one it names this node.
    kept_route: Option<String>,
    secure: bool,
    began: Instant,
    cluster_time: Duration,
}

impl Exchange {
    /// Passes the gate, opens the session that the cookie proves, and puts it into the request.
    pub(crate) async fn begin<B>(
        app: Arc<AppSessions>,
        request: &mut Request<B>,
    ) -> Result<Self, NotServing> {
        let (began, running) = (Instant::now(), app.host.request());
        let access = access(&app.settings, request.uri().path());
        app.statistics.count_request(access == Access::ReadOnly);
        let presented = app.signer.find(request.headers(), app.shape.name());
        let client_session = app
            .client_cipher
            .as_ref()
            .and_then(|client_cipher| client_cipher.find(request.headers(), app.shape.name()));
        let opened = match app.host.admitted().await {
            Ok(()) if app.client_cipher.is_some() => {
                Ok((open_client_session(&app, client_session, access).await, None))
            }
            Ok(()) => open(&app, presented.as_ref()).await,
            Err(not_serving) => Err(not_serving),
        };
        let (draft, open) = opened.inspect_err(|_| app.statistics.count_unprocessed())?;
        let held = presented.filter(|_| open.is_some());
        let previous_route =
            held.as_ref().map(|held| held.route.as_str()).filter(|route| *route != app.node_name);
        let kept_route = previous_route.filter(|_| !app.controls.rewrites_route()).map(str::to_owned);
        let session = Session::new(Arc::clone(&app), access, previous_route, draft);
        let secure = secure(&app.settings, request);
        let outer = request.extensions_mut().remove::<Sessions>();
        request.extensions_mut().insert(Sessions::within(outer, session.clone()));
        request.extensions_mut().insert(session.clone());
        let cluster_time = began.elapsed();
        // What matches the filter may be cached by anybody: the next page rewrites the cookie.
        let route = kept_route.as_ref().unwrap_or(&app.node_name);
        let outdated =
            held.filter(|held| access == Access::ReadWrite && (held.route != *route || !held.is_current));
        Ok(Self {
            app,
            session,
            _open: open,
            _running: running,
            outdated,
            account: Route::of(request.method(), request.uri(), request.extensions()),
            kept_route,
            secure,
            began,
            cluster_time,
        })
    }

    /// Commits what the application wrote and releases its response once that is settled.
    pub(crate) async fn finish<B: From<String>>(&self, mut response: Response<B>) -> Response<B> {
        response.headers_mut().remove(UNPROCESSED);
        let answered = Instant::now();
        let passage = self.session.passage().await;
        let mut closing = self.session.commit(passage, &self.account);
        let commits = !closing.settlements.is_empty();
        let cookie = std::mem::replace(&mut closing.cookie, CookieChange::Keep);
        let (used, wrote) = (closing.used, closing.wrote);
        let settled = self.settle(closing, answered).await;
        // Without the lease another side may have moved on: what was read or written here must not be told.
        let response = if used && self.app.host.admitted().await.is_err() {
            answers::outcome_unknown()
        } else {
            self.conclude(settled, wrote, cookie, response)
        };
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
        wrote: bool,
        cookie: CookieChange,
        mut response: Response<B>,
    ) -> Response<B> {
        let (receipt, cookie) = match settled {
            Ok(None) if matches!(cookie, CookieChange::SetClientSession(_)) && wrote => {
                (Some(IN_COOKIE), cookie)
            }
            Ok(receipt) => (receipt, cookie),
            Err(SessionError::Ended) => {
                if wrote && self.app.settings.session.on_ended == OnEnded::Conflict {
                    response = answers::refused(&SessionError::Ended);
                }
                // Who ended one that its cookie carries has given the browser another cookie, or taken it away.
                let cookie =
                    if self.app.client_cipher.is_some() { CookieChange::Keep } else { CookieChange::Remove };
                (Some(Receipt { ended: true, ..Receipt::default() }), cookie)
            }
            Err(refusal) => {
                response = answers::refused(&refusal);
                (None, cookie)
            }
        };
        self.write_cookie(cookie, &mut response);
        self.write_receipt(receipt, &mut response);
        response
    }

    fn write_cookie<B>(&self, change: CookieChange, response: &mut Response<B>) {
        let route = self.kept_route.as_ref().unwrap_or(&self.app.node_name);
        let named = |identity| Some(self.app.signer.encode(identity, route));
        let value = match (change, &self.outdated) {
            (CookieChange::Set(identity), _) => named(identity),
            (CookieChange::Keep, Some(presented)) => named(presented.identity),
            (CookieChange::SetClientSession(client_session), _) => {
                self.app.client_cipher.as_ref().map(|client_cipher| client_cipher.seal(&client_session))
            }
            (CookieChange::Remove, _) => None,
            (CookieChange::Keep, None) => return,
        };
        let header = match value {
            Some(value) => self.app.shape.set(&value, self.secure),
            None => self.app.shape.remove(self.secure),
        };
        response.headers_mut().append(SET_COOKIE, header);
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

/// However the request ended, nobody who kept its session can write any more.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.session.close();
    }
}

/// The draft that the request begins with.
async fn open(
    app: &Arc<AppSessions>,
    presented: Option<&Presented>,
) -> Result<(Draft, Option<OpenSession>), NotServing> {
    let Some(Presented { identity, .. }) = presented else { return Ok((Draft::default(), None)) };
    match app.host.open(identity.key, Proof::Secret(identity.secret)).await {
        Ok((open, opened)) if opened.app == app.app => {
            let local = app.host.local_values(identity.key);
            Ok((Draft::held(*identity, opened.fields, local), Some(open)))
        }
        Err(Absent::Unknown) => Ok((Draft::unknown(identity.key), None)),
        Ok(_) | Err(Absent::Ended | Absent::WrongSecret) => Ok((Draft::default(), None)),
        Err(Absent::NoRoom) => Err(app.host.without_session()),
    }
}

/// The draft of a request whose cookie may carry its session, sealed with the active secret or not.
async fn open_client_session(
    app: &Arc<AppSessions>,
    found: Option<(ClientSession, bool)>,
    access: Access,
) -> Draft {
    let Some((client_session, is_current)) = found else { return Draft::default() };
    let (session, now) = (&app.settings.session, app.host.wall_time());
    if client_session.is_over(session, now) {
        return Draft::default();
    }
    for key in [client_session.identity.key, key_of(client_session.identity.secret)] {
        if app.host.has_ended(key).await {
            return Draft::default();
        }
    }
    let is_outdated = access == Access::ReadWrite && (!is_current || client_session.is_stale(session, now));
    Draft::client_side(client_session, is_outdated)
}

fn access(settings: &SessionSettings, path: &str) -> Access {
    match &settings.filter {
        Some(filter) if filter.matches(path) => Access::ReadOnly,
        _ => Access::ReadWrite,
    }
}

/// Whether a cookie set by the answer to `request` is to carry `Secure`.
fn secure<B>(settings: &SessionSettings, request: &Request<B>) -> bool {
    match settings.session.secure {
        Secure::Always => true,
        Secure::Never => false,
        Secure::Auto => request.uri().scheme() == Some(&Scheme::HTTPS) || forwarded_https(settings, request),
    }
}

/// Whether a proxy that is trusted says that its client came by https.
fn forwarded_https<B>(settings: &SessionSettings, request: &Request<B>) -> bool {
    let Some(proto) = request.headers().get(FORWARDED_PROTO) else { return false };
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else { return false };
    settings.trusted_proxies.iter().any(|network| network.contains(peer.ip()))
        && proto
            .to_str()
            .is_ok_and(|proto| proto.split(',').next().is_some_and(|first| first.trim() == "https"))
}
