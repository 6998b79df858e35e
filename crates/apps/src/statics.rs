//! Files that are served as they are: with an entity tag, in ranges, and never with a session or its cookie.
//!
//! The way of a request: `target` turns the path of its URL into a file below the root, `precondition` decides whether
//! all of it, a range of it or nothing is sent, `content_type` names what it is.
//!
//! Must not know: sessions, archives, whose files they are.

mod content_type;
mod precondition;
mod target;

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use precondition::{Part, part};
use target::{Target, target};

/// Bytes of a file that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A directory whose files are served. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Statics {
    root: Arc<PathBuf>,
    /// One for all files, where they never change; else each has its own, of its size and time.
    tag: Option<Arc<str>>,
    /// `Cache-Control` of every file.
    cache: Option<HeaderValue>,
    /// Removed with the last clone.
    _unpacked: Option<Arc<TempDir>>,
}

impl Statics {
    /// The files below `root`, which may change at any time. Links that lead out of it are not followed.
    ///
    /// # Errors
    /// It is no directory that can be read.
    pub fn of_directory(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        std::fs::read_dir(&root)?;
        Ok(Self { root: Arc::new(root), tag: None, cache: None, _unpacked: None })
    }

    /// The files of one version of an application: `digest` is the same for all nodes and for no other version.
    /// `within` is the directory of them in what was unpacked, which is removed when nobody serves it any more.
    ///
    /// # Errors
    /// There is no such directory in it.
    pub(crate) fn of_version(
        unpacked: &Arc<TempDir>,
        within: &str,
        digest: &str,
        cache: Option<HeaderValue>,
    ) -> io::Result<Self> {
        let root = unpacked.path().join(within).canonicalize()?;
        let tag = Some(Arc::from(format!("\"{digest}\"")));
        Ok(Self { root: Arc::new(root), tag, cache, _unpacked: Some(Arc::clone(unpacked)) })
    }

    /// Answers a request for the file at `path`, which is what follows the context path in the URL; `None` where there
    /// is none.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let file = match target(&self.root, path).await? {
            Target::File(file) => file,
            Target::Directory => return Some(with_slash(uri)),
        };
        if method != Method::GET && method != Method::HEAD {
            return Some((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response());
        }
        let sent = self.send(&file, method == Method::HEAD, headers).await;
        Some(sent.unwrap_or_else(|cause| {
            tracing::warn!(file = %file.display(), %cause, "a file cannot be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n").into_response()
        }))
    }

    /// The same for the page that stands for all paths that an application of one page draws itself.
    pub(crate) async fn index(&self, headers: &HeaderMap) -> Option<Response> {
        self.answer(&Method::GET, &Uri::default(), "/", headers).await
    }

    async fn send(&self, path: &Path, head_only: bool, asked: &HeaderMap) -> io::Result<Response> {
        let mut file = File::open(path).await?;
        let metadata = file.metadata().await?;
        let tag = self.tag.as_deref().map_or_else(|| tag_of(&metadata), str::to_owned);
        let length = metadata.len();
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
        // Browsers are to believe the type: a file that a user put there is not run as a script.
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

/// Changes whenever the file does.
fn tag_of(metadata: &std::fs::Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", modified.map_or(0, |at| at.as_nanos()), metadata.len())
}

/// Relative links of a page work only when the path of its directory ends in a slash.
fn with_slash(uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // One slash at the beginning: two would name another host.
    let location = format!("/{}/{query}", uri.path().trim_start_matches('/'));
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response()
}

/// `length` bytes of the file from where it stands.
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
