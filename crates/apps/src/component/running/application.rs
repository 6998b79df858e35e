//! A component as an application: an axum router inside a session layer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, HeaderName};
use http_body::Body as _;
use sessile::{IdempotencyLayer, Session, SessionLayer};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::{ServiceBuilder, service_fn};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::admission::{AdmissionPermit, AdmissionQueue};
use super::call::{GuestBody, GuestCall};
use super::cookies;
use super::failure::GuestFailure;
use super::guest::Guest;
use super::instances::Instances;
use super::session_locks::{SessionLocks, one_by_one};
use super::settings::ComponentSettings;
use super::threads::GuestThreads;

/// The header that passes the context path to the guest, as proxies do.
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// A component that is ready to serve. Clones share its instances and its limits.
#[derive(Clone)]
pub struct Component(Arc<ComponentState>);

struct ComponentState {
    settings: ComponentSettings,
    admission: AdmissionQueue,
    instances: Arc<Instances>,
    threads: GuestThreads,
}

/// A mounted component.
struct MountedComponent {
    component: Component,
    /// The context path, without a slash at its end.
    base_path: Arc<str>,
    prefix: HeaderValue,
    /// Knows the session cookies of all applications.
    sessions: SessionLayer,
}

impl Component {
    pub(super) fn new(pre: ProxyPre<Guest>, settings: ComponentSettings, threads: GuestThreads) -> Self {
        Self(Arc::new(ComponentState {
            admission: AdmissionQueue::new(&settings.limits),
            instances: Arc::new(Instances::new(pre, settings.clone())),
            settings,
            threads,
        }))
    }

    /// The application at `base_path` (`/shop`; `/` or empty at the root) with its full paths: it answers
    /// every path below. Its sessions are those of `sessions`; a request's changes are committed when the
    /// response head is set, and dropped if the guest fails before. A request with an idempotency key takes
    /// effect once, see [`IdempotencyLayer`].
    pub fn router(&self, base_path: &str, sessions: SessionLayer) -> Router {
        let base_path = base_path.trim_end_matches('/');
        let cookie = sessions.cookie_name();
        let locks = self.0.settings.serialize.then(|| SessionLocks::new(cookie, &self.0.settings.limits));
        let application = Arc::new(MountedComponent {
            component: self.clone(),
            base_path: base_path.into(),
            prefix: HeaderValue::try_from(base_path).unwrap_or(HeaderValue::from_static("")),
            sessions: sessions.clone(),
        });
        let serve = move |request| Arc::clone(&application).serve(request);
        // A failure passes the layer as an error, so nothing is committed.
        let service = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(std::future::ready::<GuestFailure>))
            .layer(sessions)
            .layer(IdempotencyLayer::new())
            .service(service_fn(serve));
        let router = Router::new().fallback_service(service);
        match locks {
            Some(locks) => router.layer(from_fn_with_state(Arc::new(locks), one_by_one)),
            None => router,
        }
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl MountedComponent {
    async fn serve(self: Arc<Self>, request: Request) -> Result<Response, GuestFailure> {
        let answered = self.answer(request).await;
        answered.inspect_err(|failure| failure.log(&self.base_path))
    }

    async fn answer(&self, mut request: Request) -> Result<Response, GuestFailure> {
        let max_body = self.component.0.settings.limits.body as u64;
        if request.body().size_hint().lower() > max_body || declared(&request) > max_body {
            return Err(GuestFailure::TooLarge);
        }
        let session = request.extensions().get::<Session>().cloned().expect("the session layer is around");
        let is_session_cookie = |name: &[u8]| self.sessions.is_session_cookie(name);
        cookies::hide(request.headers_mut(), is_session_cookie);
        request.headers_mut().insert(PREFIX, self.prefix.clone());
        let mut response = self.call(request, session).await?.map(Body::new);
        cookies::refuse(response.headers_mut(), is_session_cookie);
        Ok(response)
    }

    /// Passes the request to a guest and waits for the response head. If the client disconnects before, the
    /// guest is ended.
    async fn call(&self, request: Request, session: Session) -> Result<Response<GuestBody>, GuestFailure> {
        let place = self.component.0.admission.place().await?;
        let (head, comes) = oneshot::channel();
        let (head_is_set, is_too_large) = (Arc::default(), Arc::default());
        let call = GuestCall {
            app: Arc::clone(&self.base_path),
            request,
            session,
            head,
            head_is_set: Arc::clone(&head_is_set),
            is_too_large: Arc::clone(&is_too_large),
        };
        let mut guest = self.start(call, place);
        let head = comes.await;
        if is_too_large.load(Ordering::Acquire) {
            return Err(GuestFailure::TooLarge);
        }
        match head {
            Ok(Ok(response)) => {
                guest.go_on();
                Ok(response)
            }
            Ok(Err(code)) => Err(GuestFailure::Refused(code)),
            Err(_) => Err(guest.failure().await),
        }
    }

    fn start(&self, call: GuestCall, place: AdmissionPermit) -> RunningGuest {
        let shared = Arc::clone(&self.component.0);
        let (app, head_is_set) = (Arc::clone(&self.base_path), Arc::clone(&call.head_is_set));
        let run = async move {
            let _place = place;
            let ended = call.run(&shared.instances, &shared.settings.limits).await;
            match ended {
                Err(failure) if head_is_set.load(Ordering::Acquire) => failure.log(&app),
                Err(failure) => return Err(failure),
                Ok(()) => (),
            }
            Ok(())
        };
        RunningGuest(Some(self.component.0.threads.handle().spawn(run)))
    }
}

/// A running guest. It is ended when its waiting request is dropped, unless [`go_on`](Self::go_on) was
/// called.
struct RunningGuest(Option<JoinHandle<Result<(), GuestFailure>>>);

impl RunningGuest {
    /// The head is set: let the guest write the body.
    fn go_on(&mut self) {
        self.0 = None;
    }

    /// Why the guest set no head.
    async fn failure(mut self) -> GuestFailure {
        let Some(running) = &mut self.0 else { return GuestFailure::NoResponse };
        match running.await {
            Ok(ended) => ended.err().unwrap_or(GuestFailure::NoResponse),
            Err(ended) if ended.is_panic() => {
                GuestFailure::Trapped(wasmtime::Error::msg("the host panicked"))
            }
            Err(_) => GuestFailure::Stopping,
        }
    }
}

impl Drop for RunningGuest {
    fn drop(&mut self) {
        if let Some(running) = &self.0 {
            running.abort();
        }
    }
}

fn declared(request: &Request) -> u64 {
    let length = request.headers().get(CONTENT_LENGTH);
    length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0)
}
