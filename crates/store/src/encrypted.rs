//! Encryption at rest: a store around another one, which then sees only sealed content.
//!
//! ```text
//! sealed content:  version 1 │ id of the key 8 │ nonce 24 │ XChaCha20-Poly1305 of the content
//! ```
//! The session's key, its version and its app are bound to the seal: content that was moved under another session or
//! another version is refused. Who can write to the medium can still delete a record, put a whole older one back, or
//! write a tombstone; keys, versions, apps and times are not secret.

use std::sync::Arc;
use std::time::SystemTime;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::error::{Damaged, StoreError};
use crate::key::Key;
use crate::key_ring::{KEY_ID, KeyRing};
use crate::record::{Content, Record};
use crate::store::{Answer, Outcome, Page, Scan, Size, Store};

const VERSION: u8 = 1;
const NONCE: usize = 24;
const DOMAIN: &[u8] = b"sessile store content 1";

/// Encrypts what goes into a store and decrypts what comes out of it.
///
/// New content is encrypted with the first key of the ring, and any of its keys decrypts. To retire a key: put the
/// new one first, [`copy`](crate::copy) the store onto itself, take the old one out.
#[derive(Debug)]
pub struct Encrypted {
    name: String,
    store: Arc<dyn Store>,
    keys: KeyRing,
}

/// Why content cannot be given out.
enum Sealed {
    /// A key is missing, or the content is plain: an operator mends it.
    Unusable(String),
    /// It is not what was saved.
    Forged,
}

impl Encrypted {
    /// Everything that goes into `store` from here on is encrypted; what is in it must be already.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: KeyRing) -> Self {
        Self { name: format!("encrypted {}", store.name()), store, keys }
    }

    fn seal(&self, mut record: Record) -> Result<Record, StoreError> {
        let Content::Live(content) = &record.content else { return Ok(record) };
        let (id, cipher) = self.keys.first();
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::unavailable(&self.name, error.to_string()))?;
        let bound = bound(&record);
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: content, aad: &bound })
            .map_err(|_| StoreError::unusable(&self.name, "the content is too long to be encrypted"))?;
        let content = [&[VERSION][..], id, &nonce, &sealed].concat();
        record.content = Content::Live(content.into());
        Ok(record)
    }

    fn open(&self, mut record: Record) -> Result<Record, StoreError> {
        let Content::Live(sealed) = &record.content else { return Ok(record) };
        match self.decrypt(&record, sealed) {
            Ok(content) => {
                record.content = Content::Live(content.into());
                Ok(record)
            }
            Err(Sealed::Unusable(cause)) => Err(StoreError::unusable(&self.name, cause)),
            Err(Sealed::Forged) => {
                let damaged = Damaged {
                    key: Some(record.key),
                    place: format!("the {} store, where it was", self.store.name()),
                    cause: "its content does not fit its seal".into(),
                };
                tracing::error!(store = self.name, "{damaged}");
                Err(StoreError::Damaged(damaged))
            }
        }
    }

    fn decrypt(&self, record: &Record, sealed: &[u8]) -> Result<Vec<u8>, Sealed> {
        let plain = || {
            Sealed::Unusable(format!(
                "session {} is not encrypted; `sessile store migrate` encrypts what was stored before",
                record.key
            ))
        };
        let (header, rest) = sealed.split_first_chunk::<{ 1 + KEY_ID }>().ok_or_else(plain)?;
        if header[0] != VERSION {
            return Err(plain());
        }
        let cipher = self.keys.get(&header[1..]).ok_or_else(|| {
            let id: String = header[1..].iter().map(|byte| format!("{byte:02x}")).collect();
            Sealed::Unusable(format!(
                "session {} is encrypted with key {id}, which is not in the key file, or it is not encrypted",
                record.key
            ))
        })?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Sealed::Forged)?;
        decrypt(cipher, *nonce, sealed, &bound(record)).ok_or(Sealed::Forged)
    }

    async fn save_sealed(&self, records: Vec<Record>) -> Result<Vec<Outcome>, StoreError> {
        let sealed = records.into_iter().map(|record| self.seal(record)).collect::<Result<_, _>>()?;
        self.store.save(sealed).await
    }

    async fn load_opened(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.store.load(key).await?.map(|record| self.open(record)).transpose()
    }

    async fn scan_opened(&self, scan: Scan) -> Result<Page, StoreError> {
        let Page { records, mut damaged, next } = self.store.scan(scan).await?;
        let mut opened = Vec::with_capacity(records.len());
        for record in records {
            match self.open(record) {
                Ok(record) => opened.push(record),
                Err(StoreError::Damaged(one)) => damaged.push(one),
                Err(error) => return Err(error),
            }
        }
        Ok(Page { records: opened, damaged, next })
    }
}

fn decrypt(cipher: &XChaCha20Poly1305, nonce: [u8; NONCE], sealed: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: bound }).ok()
}

/// What the content is bound to. Lengths before the parts, so that no two records have the same.
fn bound(record: &Record) -> Vec<u8> {
    let version = record.version.as_bytes();
    let length = u8::try_from(version.len()).expect("a version has at most 64 bytes");
    [DOMAIN, &record.key.0, &[length], version, record.app.as_str().as_bytes()].concat()
}

impl Store for Encrypted {
    fn name(&self) -> &str {
        &self.name
    }

    fn save(&self, records: Vec<Record>) -> Answer<'_, Vec<Outcome>> {
        Box::pin(self.save_sealed(records))
    }

    fn load(&self, key: Key) -> Answer<'_, Option<Record>> {
        Box::pin(self.load_opened(key))
    }

    fn scan(&self, scan: Scan) -> Answer<'_, Page> {
        Box::pin(self.scan_opened(scan))
    }

    fn purge(&self, now: SystemTime) -> Answer<'_, u64> {
        self.store.purge(now)
    }

    fn size(&self) -> Answer<'_, Size> {
        self.store.size()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.store.close()
    }
}
