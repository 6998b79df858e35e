//! The tower layer that gives sessions to an application.

use std::sync::Arc;

use http::Request;
use tower_layer::Layer;

use super::app::AppSessions;
use super::detached_sessions::DetachedSessions;
use super::same_origin::is_same_origin;
use super::service::SessionService;
use super::settings::SessionSettings;
use super::statistics::Statistics;
use crate::Controls;
use sessile_node::host::SessionHost;

/// Wraps an application's services so that their requests carry a [`Session`](super::Session).
#[derive(Clone)]
pub struct SessionLayer {
    app: Arc<AppSessions>,
}

impl SessionLayer {
    /// The layer of the application that `settings` describe, on the node called `node_name`. `controls`
    /// are that node's, `statistics` those of all layers of these sessions.
    #[must_use]
    pub fn new(
        host: Arc<SessionHost>,
        node_name: &str,
        controls: Arc<Controls>,
        settings: SessionSettings,
        statistics: Arc<Statistics>,
    ) -> Self {
        controls.cookie_names.add(&settings.session.cookie);
        Self { app: Arc::new(AppSessions::new(host, node_name, controls, settings, statistics)) }
    }

    /// The cookie's name, as a balancer must look for it: the configured one, behind `__Host-` where
    /// `secure = true` and the application is at `/`.
    pub fn cookie_name(&self) -> &str {
        self.app.shape.name()
    }

    /// Whether a cookie of this name belongs to the sessions of any application that this node had since it
    /// started, or accompanies such a cookie. Code that is not trusted with other applications' sessions must
    /// neither see nor set it.
    #[must_use]
    pub fn is_session_cookie(&self, name: &[u8]) -> bool {
        self.app.controls.cookie_names.contains(name)
    }

    /// Whether a request may change something: it comes from the site's own page, from the address bar, or
    /// from a program, and not from a page of another site.
    ///
    /// `Sec-Fetch-Site` decides where the browser sends it, else `Origin`, which is compared with `Host`, or
    /// with the host that one of `[http] trusted_proxies` reports. A program sends neither, and passes.
    /// `SameSite=Lax` keeps the session cookie from most requests of other sites, but not from links, and not
    /// from other ports and subdomains of the same site; so ask this wherever a request changes the session,
    /// also by GET.
    ///
    /// ```
    /// # use sessile_web::SessionLayer;
    /// # use axum::{extract::Request, http::StatusCode, middleware::Next, response::{IntoResponse, Response}};
    /// async fn own_forms_only(layer: SessionLayer, request: Request, next: Next) -> Response {
    ///     if request.method().is_safe() || layer.is_same_origin(&request) {
    ///         next.run(request).await
    ///     } else {
    ///         (StatusCode::FORBIDDEN, "this form comes from another site").into_response()
    ///     }
    /// }
    /// ```
    pub fn is_same_origin<B>(&self, request: &Request<B>) -> bool {
        is_same_origin(&self.app, request)
    }

    /// The application's sessions for callers outside HTTP.
    pub fn sessions(&self) -> DetachedSessions {
        DetachedSessions::new(Arc::clone(&self.app))
    }

    /// What this layer, and others of the same sessions on this node, did so far.
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.app.statistics)
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, Arc::clone(&self.app))
    }
}
