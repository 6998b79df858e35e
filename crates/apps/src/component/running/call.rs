//! One request in the hands of one instance.

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

use super::failure::Failure;
use super::guest::Guest;
use super::instances::{Instance, Instances};
use super::limits::Limits;

/// What a guest goes on to write when the head of its response is set.
pub(super) type GuestBody = HyperOutgoingBody;

/// A request that waits for its head.
pub(super) struct Call {
    pub(super) app: Arc<str>,
    pub(super) request: Request,
    pub(super) session: Session,
    pub(super) head: oneshot::Sender<Result<Response<GuestBody>, ErrorCode>>,
    /// Set before the head is sent: what is written to the session afterwards is late.
    pub(super) head_is_set: Arc<AtomicBool>,
    /// Set when the request's body turned out too large.
    pub(super) is_too_large: Arc<AtomicBool>,
}

impl Call {
    /// Runs until the guest is done with the body of its response, if it may so long. A guest that fails is gone.
    pub(super) async fn run(self, instances: &Arc<Instances>, limits: &Limits) -> Result<(), Failure> {
        let running = async {
            let mut instance = instances.take(&self.app).await.map_err(Failure::of)?;
            self.handle(&mut instance, limits).await?;
            instances.give_back(instance);
            Ok(())
        };
        tokio::time::timeout(limits.request_time, running).await.unwrap_or(Err(Failure::OverRequestTime))
    }

    async fn handle(self, instance: &mut Instance, limits: &Limits) -> Result<(), Failure> {
        let Instance { store, proxy, .. } = instance;
        store.data_mut().begin(self.session.clone(), Arc::clone(&self.head_is_set), limits);
        store.set_epoch_deadline(1);
        let (request, out) = self.enter(store.data_mut(), limits.body)?;
        let handled = proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await;
        store.data_mut().end();
        handled.map_err(Failure::of)
    }

    /// Puts the request, and the place for its response, where the guest finds them.
    fn enter(
        self,
        guest: &mut Guest,
        max_body: usize,
    ) -> Result<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>), Failure> {
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
        let request = http.new_incoming_request(scheme, request).map_err(Failure::BadRequest)?;
        let out = http.new_response_outparam_from_callback(set).map_err(Failure::of)?;
        Ok((request, out))
    }
}

fn scheme<B>(request: &http::Request<B>) -> Scheme {
    if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http }
}

/// What the guest is told when the body ends early.
fn body_error(error: &(dyn std::error::Error + 'static), max: usize, is_too_large: &AtomicBool) -> Error {
    if error.is::<LengthLimitError>() {
        is_too_large.store(true, Ordering::Release);
        return Error::HttpRequestBodySize(Some(max as u64));
    }
    Error::ConnectionTerminated
}
