//! Encryption at rest: a store that wraps another one, which then sees only sealed content.
//!
//! ```text
//! sealed content:  version 1 │ id of the key 8 │ nonce 24 │ XChaCha20-Poly1305 of the content
//! ```
//! The session's key, its version and its application are authenticated: content moved to another session or
//! version is refused. An attacker who can write to the medium can still delete a record, restore a whole
//! older one, or write a tombstone. Keys, versions, applications and times are not secret.

use std::sync::Arc;
use std::time::SystemTime;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::key_ring::{KEY_ID, KeyRing};
use crate::record::{Record, RecordContent};
use crate::store::{SaveOutcome, Scan, ScanPage, Store, StoreFuture, StoreSize};

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const DOMAIN: &[u8] = b"sessile store content 1";

/// Encrypts content on its way into a store and decrypts it on its way out.
///
/// New content is encrypted with the first key of the ring, and any of its keys decrypts. To retire a key:
/// put the new one first, [`copy`](crate::copy) the store onto itself, remove the old one.
#[derive(Debug)]
pub struct Encrypted {
    name: String,
    store: Arc<dyn Store>,
    keys: KeyRing,
}

/// Why content cannot be decrypted.
enum DecryptError {
    /// A key is missing, or the content is not encrypted: an operator can fix it.
    Unusable(String),
    /// The content is not authentic.
    Forged,
}

impl Encrypted {
    /// Wraps `store`: content saved from now on is encrypted; existing content must be encrypted already.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: KeyRing) -> Self {
        Self { name: format!("encrypted {}", store.name()), store, keys }
    }

    fn seal(&self, mut record: Record) -> Result<Record, StoreError> {
        let RecordContent::Live(content) = &record.content else { return Ok(record) };
        // A migration that is repeated meets what it encrypted before.
        if is_sealed(content) && self.decrypt(&record, content).is_ok() {
            return Ok(record);
        }
        let (id, cipher) = self.keys.first();
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::unavailable(&self.name, error.to_string()))?;
        let bound = bound(&record);
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: content, aad: &bound })
            .map_err(|_| StoreError::unusable(&self.name, "the content is too long to be encrypted"))?;
        let content = [&[VERSION][..], id, &nonce, &sealed].concat();
        record.content = RecordContent::Live(content.into());
        Ok(record)
    }

    fn open(&self, mut record: Record) -> Result<Record, StoreError> {
        let RecordContent::Live(sealed) = &record.content else { return Ok(record) };
        match self.decrypt(&record, sealed) {
            Ok(content) => {
                record.content = RecordContent::Live(content.into());
                Ok(record)
            }
            Err(DecryptError::Unusable(cause)) => {
                Err(StoreError::Undecryptable { store: self.name.clone(), cause })
            }
            Err(DecryptError::Forged) => {
                let damaged = DamagedRecord {
                    key: Some(record.key),
                    place: format!("the {} store, where it was", self.store.name()),
                    cause: "its content is not authentic".into(),
                };
                tracing::error!(store = self.name, "{damaged}");
                Err(StoreError::Damaged(damaged))
            }
        }
    }

    fn decrypt(&self, record: &Record, sealed: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let plain = || {
            DecryptError::Unusable(format!(
                "session {} is not encrypted; `sessile store migrate` encrypts existing records",
                record.key
            ))
        };
        let (header, rest) = sealed.split_first_chunk::<{ 1 + KEY_ID }>().ok_or_else(plain)?;
        if header[0] != VERSION {
            return Err(plain());
        }
        let cipher = self.keys.get(&header[1..]).ok_or_else(|| {
            let id: String = header[1..].iter().map(|byte| format!("{byte:02x}")).collect();
            DecryptError::Unusable(format!(
                "session {} is encrypted with key {id}, which is not in the key file, or it is not encrypted",
                record.key
            ))
        })?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(DecryptError::Forged)?;
        decrypt(cipher, *nonce, sealed, &bound(record)).ok_or(DecryptError::Forged)
    }

    async fn save_sealed(&self, records: Vec<Record>) -> Result<Vec<SaveOutcome>, StoreError> {
        let sealed = records.into_iter().map(|record| self.seal(record)).collect::<Result<_, _>>()?;
        self.store.save(sealed).await
    }

    async fn load_opened(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.store.load(key).await?.map(|record| self.open(record)).transpose()
    }

    async fn scan_opened(&self, scan: Scan) -> Result<ScanPage, StoreError> {
        let ScanPage { records, mut damaged, mut undecryptable, next } = self.store.scan(scan).await?;
        let mut opened = Vec::with_capacity(records.len());
        for record in records {
            match self.open(record) {
                Ok(record) => opened.push(record),
                Err(StoreError::Damaged(one)) => damaged.push(one),
                Err(error) => undecryptable.push(error),
            }
        }
        Ok(ScanPage { records: opened, damaged, undecryptable, next })
    }
}

/// Whether content looks like that of an [`Encrypted`] store; content of other kinds may look like it too.
#[must_use]
pub fn is_sealed(content: &[u8]) -> bool {
    content.len() >= 1 + KEY_ID + NONCE + TAG && content[0] == VERSION
}

fn decrypt(cipher: &XChaCha20Poly1305, nonce: [u8; NONCE], sealed: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: bound }).ok()
}

/// The associated data of a record. Each part is preceded by its length, so that no two records have equal
/// data.
fn bound(record: &Record) -> Vec<u8> {
    let version = record.version.as_bytes();
    let length = u8::try_from(version.len()).expect("a version has at most 64 bytes");
    [DOMAIN, &record.key.0, &[length], version, record.app.as_str().as_bytes()].concat()
}

impl Store for Encrypted {
    fn name(&self) -> &str {
        &self.name
    }

    fn save(&self, records: Vec<Record>) -> StoreFuture<'_, Vec<SaveOutcome>> {
        Box::pin(self.save_sealed(records))
    }

    fn load(&self, key: Key) -> StoreFuture<'_, Option<Record>> {
        Box::pin(self.load_opened(key))
    }

    fn scan(&self, scan: Scan) -> StoreFuture<'_, ScanPage> {
        Box::pin(self.scan_opened(scan))
    }

    fn purge(&self, now: SystemTime) -> StoreFuture<'_, u64> {
        self.store.purge(now)
    }

    fn size(&self) -> StoreFuture<'_, StoreSize> {
        self.store.size()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.store.close()
    }
}
