//! A form's hidden field, and what tells one form from another.

use bytes::Bytes;
use futures_util::stream::once;
use http::HeaderValue;
use multer::Multipart;

/// The hidden field of a form.
pub(super) const FIELD: &str = "idempotency_key";
const URLENCODED: &str = "application/x-www-form-urlencoded";

/// Which form a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    None,
    UrlEncoded,
    /// Its parts are told apart by this text.
    Multipart(String),
}

/// What a body says.
#[derive(Default)]
pub(super) struct Content {
    /// The hidden field.
    pub(super) key: Option<String>,
    /// Of all of it; of a form with parts, of the parts: browsers draw another boundary for each try.
    pub(super) digest: [u8; 32],
}

impl Form {
    /// By the content type.
    pub(super) fn of(kind: Option<&HeaderValue>) -> Self {
        let text = kind.and_then(|kind| std::str::from_utf8(kind.as_bytes()).ok()).unwrap_or_default();
        let is_urlencoded =
            text.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(URLENCODED));
        match multer::parse_boundary(text) {
            _ if is_urlencoded => Self::UrlEncoded,
            Ok(boundary) => Self::Multipart(boundary),
            Err(_) => Self::None,
        }
    }

    pub(super) async fn read(&self, body: &Bytes) -> Content {
        let whole = *blake3::hash(body).as_bytes();
        match self {
            Self::None => Content { key: None, digest: whole },
            Self::UrlEncoded => {
                let field = form_urlencoded::parse(body).find(|(name, _)| name == FIELD);
                Content { key: field.map(|(_, key)| key.into_owned()), digest: whole }
            }
            // What is no form is still a body.
            Self::Multipart(boundary) => {
                parts(boundary, body.clone()).await.unwrap_or(Content { key: None, digest: whole })
            }
        }
    }
}

async fn parts(boundary: &str, body: Bytes) -> Result<Content, multer::Error> {
    let mut form = Multipart::new(once(async { Ok::<_, std::convert::Infallible>(body) }), boundary);
    let (mut hasher, mut key) = (blake3::Hasher::new(), None);
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let kind = field.content_type().map(ToString::to_string).unwrap_or_default();
        let file = field.file_name().unwrap_or_default().to_owned();
        let value = field.bytes().await?;
        for part in [name.as_bytes(), kind.as_bytes(), file.as_bytes(), &value] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        if name == FIELD && key.is_none() {
            key = Some(String::from_utf8_lossy(&value).into_owned());
        }
    }
    Ok(Content { key, digest: *hasher.finalize().as_bytes() })
}
