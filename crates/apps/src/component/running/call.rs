//! One request on one instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use http::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sessile::Session;
use tokio::sync::oneshot;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{Error, WasiHttpView as _};

use super::failure::GuestFailure;
use super::guest::Guest;
use super::instances::{Instance, Instances};
use super::limits::GuestLimits;

/// The response body, which a guest writes after the head.
pub(super) type GuestBody = HyperOutgoingBody;

/// A request that waits for its response head.
pub(super) struct GuestCall {
    pub(super) app: Arc<str>,
    pub(super) request: Request,
    pub(super) session: Session,
    pub(super) head: oneshot::Sender<Result<Response<GuestBody>, ErrorCode>>,
    /// Set before the head is sent: later writes to the session are refused.
    pub(super) head_is_set: Arc<AtomicBool>,
    /// Set when the request's body exceeds the limit.
    pub(super) is_too_large: Arc<AtomicBool>,
}

impl GuestCall {
    /// Runs until the guest has finished the response body, within the time limit. A failed instance is
    /// dropped.
    pub(super) async fn run(
        self,
        instances: &Arc<Instances>,
        limits: &GuestLimits,
    ) -> Result<(), GuestFailure> {
        let running = async {
            let mut instance = instances.take(&self.app).await.map_err(GuestFailure::of)?;
            self.handle(&mut instance, limits).await?;
            instances.give_back(instance);
            Ok(())
        };
        tokio::time::timeout(limits.request_time, running).await.unwrap_or(Err(GuestFailure::OverRequestTime))
    }

    async fn handle(self, instance: &mut Instance, limits: &GuestLimits) -> Result<(), GuestFailure> {
        let Instance { store, proxy, .. } = instance;
        store.data_mut().begin(self.session.clone(), Arc::clone(&self.head_is_set), limits);
        store.set_epoch_deadline(1);
        let (request, out) = self.enter(store.data_mut(), limits.body)?;
        let handled = proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await;
        store.data_mut().end();
        handled.map_err(GuestFailure::of)
    }

    /// Creates the guest's handles of the request and the response.
    fn enter(
        self,
        guest: &mut Guest,
        max_body: usize,
    ) -> Result<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>), GuestFailure> {
        let is_too_large = self.is_too_large;
        let request = self.request.map(|body| {
            Limited::new(body, max_body).map_err(move |error| body_error(&*error, max_body, &is_too_large))
        });
        let (head, head_is_set) = (self.head, self.head_is_set);
        let set = move |response| {
            head_is_set.store(true, Ordering::Release);
            // Its client may have gone.
            let _ = head.send(response);
        };
        let mut http = guest.http();
        let scheme = scheme(&request);
        let request = http.new_incoming_request(scheme, request).map_err(GuestFailure::BadRequest)?;
        let out = http.new_response_outparam_from_callback(set).map_err(GuestFailure::of)?;
        Ok((request, out))
    }
}

fn scheme<B>(request: &http::Request<B>) -> Scheme {
    if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http }
}

/// The guest's error for a body that ends early.
fn body_error(error: &(dyn std::error::Error + 'static), max: usize, is_too_large: &AtomicBool) -> Error {
    if error.is::<LengthLimitError>() {
        is_too_large.store(true, Ordering::Release);
        return Error::HttpRequestBodySize(Some(max as u64));
    }
    Error::ConnectionTerminated
}
