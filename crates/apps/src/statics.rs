//! Static files: with entity tags and ranges, never with a session or its cookie.
//!
//! Path of a request: `target` opens the file of the URL below the root, `content_tag` digests it,
//! `precondition` decides whether the whole file, a range or nothing is sent, `content_type` gives its type.
//!
//! Must not know: sessions, archives, applications.

mod content_tag;
mod content_type;
mod precondition;
mod target;

use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use content_tag::ContentTags;
use precondition::{Part, part};
use target::{Target, target};

/// Bytes of one read.
const CHUNK_BYTES: usize = 64 * 1024;

/// A directory of static files. Clones share one state.
#[derive(Clone, Debug)]
pub struct Statics {
    /// Everything is opened beneath it.
    root: Arc<Dir>,
    tags: Tags,
    /// `Cache-Control` of every file.
    cache: Option<HeaderValue>,
    /// Removed with the last clone.
    _unpacked: Option<Arc<TempDir>>,
}

/// Where entity tags come from.
#[derive(Clone, Debug)]
enum Tags {
    /// One tag for all files of an immutable version.
    Version(Arc<str>),
    /// A digest of each file's content.
    Content(Arc<ContentTags>),
}

impl Statics {
    /// The files below `root`, which may change at any time. Links to the outside are not followed.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn of_directory(root: &Path) -> io::Result<Self> {
        let root = Dir::open_ambient_dir(root, ambient_authority())?;
        root.entries()?;
        Ok(Self { root: Arc::new(root), tags: Tags::Content(Arc::default()), cache: None, _unpacked: None })
    }

    /// The files of one version of an application: `digest` identifies the version on all nodes. `within` is
    /// their directory in the unpacked archive, which is removed with the last clone.
    ///
    /// # Errors
    /// The archive has no such directory.
    pub(crate) fn of_version(
        unpacked: &Arc<TempDir>,
        within: &str,
        digest: &str,
        cache: Option<HeaderValue>,
    ) -> io::Result<Self> {
        let root = Dir::open_ambient_dir(unpacked.path().join(within), ambient_authority())?;
        let tags = Tags::Version(Arc::from(format!("\"{digest}\"")));
        Ok(Self { root: Arc::new(root), tags, cache, _unpacked: Some(Arc::clone(unpacked)) })
    }

    /// Answers a request for the file at `path` (relative to the context path); `None` if there is no such
    /// file.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let (root, asked) = (Arc::clone(&self.root), path.to_owned());
        // A panic is logged by its hook.
        let found = tokio::task::spawn_blocking(move || target(&root, &asked)).await.ok()??;
        let (file, name) = match found {
            Target::File(file, name) => (file, name),
            Target::Directory => return Some(with_slash(uri)),
        };
        if method != Method::GET && method != Method::HEAD {
            return Some((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response());
        }
        let sent = self.send(file, &name, method == Method::HEAD, headers).await;
        Some(sent.unwrap_or_else(|cause| {
            tracing::warn!(file = %name.display(), %cause, "a file cannot be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n").into_response()
        }))
    }

    /// The same for the index page of a single-page application.
    pub(crate) async fn index(&self, headers: &HeaderMap) -> Option<Response> {
        self.answer(&Method::GET, &Uri::default(), "/", headers).await
    }

    async fn send(
        &self,
        file: std::fs::File,
        path: &Path,
        head_only: bool,
        asked: &HeaderMap,
    ) -> io::Result<Response> {
        let (file, tag) = match &self.tags {
            Tags::Version(tag) => (file, tag.to_string()),
            Tags::Content(tags) => tags.of(file).await?,
        };
        let mut file = File::from_std(file);
        let length = file.metadata().await?.len();
        let mut response = match part(asked, &tag, length) {
            Part::Unchanged => StatusCode::NOT_MODIFIED.into_response(),
            Part::Outside => {
                (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, format!("bytes */{length}"))])
                    .into_response()
            }
            Part::Whole => content(file, length, head_only),
            Part::Range(range) => {
                file.seek(SeekFrom::Start(*range.start())).await?;
                let shown = format!("bytes {}-{}/{length}", range.start(), range.end());
                let mut response = content(file, range.end() - range.start() + 1, head_only);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                put(response.headers_mut(), CONTENT_RANGE, &shown);
                response
            }
        };
        self.describe(response.headers_mut(), path, &tag);
        Ok(response)
    }

    fn describe(&self, headers: &mut HeaderMap, path: &Path, tag: &str) {
        put(headers, ETAG, tag);
        put(headers, ACCEPT_RANGES, "bytes");
        put(headers, CONTENT_TYPE, content_type::of(path));
        // Browsers must trust the type, so that an uploaded file does not run as a script.
        put(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
        let cache = self.cache.clone().unwrap_or(HeaderValue::from_static("no-cache"));
        headers.insert(CACHE_CONTROL, cache);
    }
}

fn put(headers: &mut HeaderMap, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Redirects to the path with a slash, so that relative links of a page work.
fn with_slash(uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // A single leading slash: two would name another host.
    let location = format!("/{}/{query}", uri.path().trim_start_matches('/'));
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response()
}

/// `length` bytes from the file's current position.
fn content(file: File, length: u64, head_only: bool) -> Response {
    let body = if head_only { Body::empty() } else { Body::from_stream(chunks(file.take(length))) };
    ([(CONTENT_LENGTH, length)], body).into_response()
}

fn chunks(rest: tokio::io::Take<File>) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(rest, async |mut rest| {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = rest.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(chunk), rest)))
    })
}
