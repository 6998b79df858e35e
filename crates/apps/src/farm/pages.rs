//! The farm's pages at the admin port: `/apps` lists applications and nodes; three more deploy, remove and
//! roll back.
//!
//! | path | what it does |
//! |---|---|
//! | GET `/apps` | `{apps: [{path, archive, version, digest, bytes, since_ms, previous, nodes: [{name, digest, agrees}]}], mounted: [path], warnings, under_way}` |
//! | POST `/apps/deploy?name=shop.zip&path=/x` | deploys the body; `path` overrides the path of the name |
//! | POST `/apps/undeploy?path=/shop` | removes it |
//! | POST `/apps/rollback?path=/shop` | deploys the previous archive again |
//!
//! A POST answers when every node has answered, with `{path, digest, nodes: [{name, result}], grants: [{key,
//! value, before}], took_ms: {prepared, carried, switched}}`, or with `{error}`. `before` is what the version
//! before was granted, where that is another value. Requests need the admin token:
//! [`AdminPort::guarded`](sessile::admin::AdminPort::guarded) checks it. If the farm has a deploy key, a POST
//! needs that too, in the header `Sessile-Deploy-Key`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::archive_ref::Digest;
use super::view::AppRow;
use super::{DeployOutcome, Farm, NodeResult, OperatorAnswer};
use crate::archive::ArchiveName;

const NO_KEY: &str = "this node wants the deploy key of its [farm] deploy_key_file beside the admin token: name the file with \
     `--deploy-key-file`, or send what `sessile secret token --deploy --config FILE` prints as the header `Sessile-Deploy-Key`";
/// Most bytes of a refused upload that are read so that its client can receive the error.
const DRAINED_BYTES: usize = 64 << 20;

/// The pages: first they answer that the node is not ready, then they serve its farm. Clones share one state.
#[derive(Clone, Default)]
pub struct FarmPages {
    served: Arc<OnceLock<ServedFarm>>,
}

/// The farm behind the pages.
struct ServedFarm {
    farm: Option<Farm>,
    /// Paths mounted by the configuration.
    mounted: Vec<String>,
}

/// An error response.
struct PageError(StatusCode, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadQuery {
    name: String,
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathQuery {
    path: String,
}

#[derive(Serialize)]
struct AppsPage {
    apps: Vec<AppRow>,
    mounted: Vec<String>,
    warnings: Vec<String>,
    under_way: usize,
}

impl FarmPages {
    /// Connects the pages with `farm`; `mounted` are the paths mounted by the configuration. A second call
    /// changes nothing.
    pub fn follow(&self, farm: Option<Farm>, mounted: Vec<String>) {
        // A process has one farm: the first one stays.
        let _ = self.served.set(ServedFarm { farm, mounted });
    }

    /// The routes of the pages.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/apps", get(apps))
            .route("/apps/deploy", post(deploy))
            .route("/apps/undeploy", post(undeploy))
            .route("/apps/rollback", post(roll_back))
            .with_state(self.clone())
    }

    fn served(&self) -> Result<&ServedFarm, PageError> {
        let words = "this node has not joined its cluster yet; /readyz says when it has";
        self.served.get().ok_or_else(|| PageError(StatusCode::SERVICE_UNAVAILABLE, words.to_owned()))
    }

    /// The farm, for a request that is allowed to change it.
    fn farm(&self, headers: &HeaderMap) -> Result<&Farm, PageError> {
        let words = "this node is not part of a farm: add a [farm] table to its configuration with `deploy_dir` or `watch_dir`";
        let farm = self.served()?.farm.as_ref();
        let farm = farm.ok_or_else(|| PageError(StatusCode::NOT_IMPLEMENTED, words.to_owned()))?;
        match farm.may_change(headers) {
            true => Ok(farm),
            false => Err(PageError(StatusCode::FORBIDDEN, NO_KEY.to_owned())),
        }
    }
}

async fn apps(State(pages): State<FarmPages>) -> Result<Json<AppsPage>, PageError> {
    let served = pages.served()?;
    let view = served.farm.as_ref().map(|farm| Arc::clone(&farm.view.borrow())).unwrap_or_default();
    let (apps, warnings, under_way) = (view.apps.clone(), view.warnings.clone(), view.under_way);
    Ok(Json(AppsPage { apps, mounted: served.mounted.clone(), warnings, under_way }))
}

async fn deploy(
    State(pages): State<FarmPages>,
    upload: Result<Query<UploadQuery>, QueryRejection>,
    headers: HeaderMap,
    mut body: Body,
) -> Response {
    match take(&pages, upload, &headers, &mut body).await {
        Ok(done) => done,
        Err(refusal) => {
            // A client that is still sending would not read the error.
            drain(&mut body).await;
            refusal.into_response()
        }
    }
}

async fn take(
    pages: &FarmPages,
    upload: Result<Query<UploadQuery>, QueryRejection>,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<Response, PageError> {
    let farm = pages.farm(headers)?;
    let Query(upload) = upload.map_err(|wrong| bad(wrong.body_text()))?;
    let name: ArchiveName = upload.name.parse().map_err(|error| bad(format!("{error}")))?;
    let name = match &upload.path {
        Some(path) => name.at(path).map_err(|error| bad(error.to_string()))?,
        None => name,
    };
    let path = name.path.clone();
    let draft = farm.store.draft().map_err(failed)?;
    let (digest, bytes) = receive(body, &draft, farm.archive_bytes).await?;
    let outcome = farm.deploy(name, draft, digest, bytes).await;
    answer(path, Some(digest), "active", outcome)
}

/// Reads and drops the rest of the body, within a bound.
async fn drain(body: &mut Body) {
    let mut left = DRAINED_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, |part| part.len());
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}

async fn undeploy(
    State(pages): State<FarmPages>,
    place: Result<Query<PathQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Query(place) = place.map_err(|wrong| bad(wrong.body_text()))?;
    let outcome = pages.farm(&headers)?.undeploy(place.path.clone()).await;
    answer(place.path, None, "removed", outcome)
}

async fn roll_back(
    State(pages): State<FarmPages>,
    place: Result<Query<PathQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Query(place) = place.map_err(|wrong| bad(wrong.body_text()))?;
    let farm = pages.farm(&headers)?;
    let outcome = farm.roll_back(place.path.clone()).await;
    answer(place.path, None, "active", outcome)
}

/// Writes the body to `draft`, up to the size limit.
async fn receive(
    body: &mut Body,
    draft: &tempfile::NamedTempFile,
    limit: u64,
) -> Result<(Digest, u64), PageError> {
    let mut file = tokio::fs::File::from_std(draft.reopen().map_err(failed)?);
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0_u64);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|broken| bad(format!("the upload broke: {broken}")))?;
        let Ok(part) = frame.into_data() else { continue };
        bytes += part.len() as u64;
        if bytes > limit {
            let words = format!("the archive is larger than the {limit} bytes of [farm] max_archive_bytes");
            return Err(PageError(StatusCode::PAYLOAD_TOO_LARGE, words));
        }
        hasher.update(&part);
        file.write_all(&part).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    if bytes == 0 {
        return Err(bad("the body is empty: send the archive as the body".to_owned()));
    }
    Ok((Digest::from(*hasher.finalize().as_bytes()), bytes))
}

fn answer(
    path: String,
    digest: Option<Digest>,
    done: &'static str,
    answer: Option<OperatorAnswer>,
) -> Result<Response, PageError> {
    let conflict = |words: String| Err(PageError(StatusCode::CONFLICT, words));
    let (outcome, grants) = match answer {
        Some(OperatorAnswer { outcome, grants }) => (Some(outcome), grants),
        None => (None, Vec::new()),
    };
    match outcome {
        Some(DeployOutcome::Done { nodes, took }) => {
            let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let [prepared, carried, switched] = [took.prepared, took.carried, took.switched].map(ms);
            let took = json!({ "prepared": prepared, "carried": carried, "switched": switched });
            let row = |(name, result)| json!({ "name": name, "result": word(result, done) });
            let nodes: Vec<_> = nodes.into_iter().map(row).collect();
            Ok(Json(
                json!({ "path": path, "digest": digest, "nodes": nodes, "grants": grants, "took_ms": took }),
            )
            .into_response())
        }
        Some(DeployOutcome::Refused { by, reason }) => {
            conflict(format!("{by} refused the archive: {reason}"))
        }
        Some(DeployOutcome::TimedOut { waiting }) => conflict(format!(
            "given up: {} did not prepare the archive within [farm] deploy_time",
            waiting.join(", ")
        )),
        Some(DeployOutcome::Busy) => conflict(format!("another deployment of {path} is under way")),
        None => conflict("the node is leaving, or its farm has failed: see its log".to_owned()),
    }
}

/// `done` is what a node did that switched.
fn word(result: NodeResult, done: &'static str) -> &'static str {
    match result {
        NodeResult::Active => done,
        NodeResult::Superseded => "superseded",
        NodeResult::Left => "left",
        NodeResult::NoFarm => "no farm yet",
        NodeResult::Unconfirmed => "unconfirmed",
    }
}

fn bad(words: String) -> PageError {
    PageError(StatusCode::BAD_REQUEST, words)
}

fn failed(cause: std::io::Error) -> PageError {
    PageError(StatusCode::INTERNAL_SERVER_ERROR, format!("the archive cannot be stored: {cause}"))
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
