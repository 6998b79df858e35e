//! The store as each version of tower-sessions wants it. Their traits are the same text and different types.

/// A module that makes [`SessileStore`](crate::SessileStore) the store of the tower-sessions whose core is
/// `$core`.
macro_rules! store_for {
    ($version:ident, $core:ident) => {
        mod $version {
            use std::collections::HashMap;

            use async_trait::async_trait;
            use sessile_web::SessionError;
            use sessile_web::json_store::JsonMap;
            use time::OffsetDateTime;
            use $core::session::{Id, Record};
            use $core::session_store::{self, SessionStore};

            use crate::store::{SessileStore, StoreSessionId};

            /// Ids are random: a second collision in a row is no chance but a fault.
            const NEW_IDS_MAX: usize = 3;

            impl StoreSessionId for Id {
                fn number(&self) -> i128 {
                    self.0
                }
            }

            #[async_trait]
            impl SessionStore for SessileStore {
                /// Gives the record another id where its own is in use, or was.
                async fn create(&self, record: &mut Record) -> session_store::Result<()> {
                    let (map, idle) = (to_map(record)?, idle(record));
                    for _ in 0..NEW_IDS_MAX {
                        match self.sessions.create(self.key(&record.id), &map, idle).await {
                            Err(SessionError::Ended) => record.id = Id::default(),
                            created => return created.map_err(backend),
                        }
                    }
                    Err(session_store::Error::Backend(format!(
                        "{NEW_IDS_MAX} session ids in a row are in use already"
                    )))
                }

                /// Never makes a session: what was deleted stays so.
                async fn save(&self, record: &Record) -> session_store::Result<()> {
                    let key = self.key(&record.id);
                    if idle(record).is_zero() {
                        return self.sessions.end(key).await.map_err(backend);
                    }
                    self.sessions.save(key, &to_map(record)?, idle(record)).await.map_err(backend)
                }

                /// The record's expiry date is the latest that it can be: how long the session is idle is not
                /// looked up.
                async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
                    let Some(session) = self.sessions.load(self.key(id)).await.map_err(backend)? else {
                        return Ok(None);
                    };
                    let max_inactive = session.max_inactive.try_into().unwrap_or(time::Duration::MAX);
                    let expiry_date = OffsetDateTime::now_utc().saturating_add(max_inactive);
                    Ok(Some(Record { id: *id, data: from_map(&session.attributes)?, expiry_date }))
                }

                async fn delete(&self, id: &Id) -> session_store::Result<()> {
                    self.sessions.end(self.key(id)).await.map_err(backend)
                }
            }

            /// How long the session lives without another save; zero when it is over already. Both times are
            /// read from one clock here, so only their difference leaves this node.
            fn idle(record: &Record) -> std::time::Duration {
                (record.expiry_date - OffsetDateTime::now_utc()).try_into().unwrap_or_default()
            }

            fn to_map(record: &Record) -> session_store::Result<JsonMap> {
                let entries = record.data.iter().map(|(name, value)| {
                    let json = serde_json::to_vec(value)
                        .map_err(|error| session_store::Error::Encode(format!("`{name}`: {error}")))?;
                    Ok((name.clone(), json.into()))
                });
                entries.collect()
            }

            fn from_map(map: &JsonMap) -> session_store::Result<HashMap<String, serde_json::Value>> {
                let entries = map.iter().map(|(name, json)| {
                    let value = serde_json::from_slice(json)
                        .map_err(|error| session_store::Error::Decode(format!("`{name}`: {error}")))?;
                    Ok((name.clone(), value))
                });
                entries.collect()
            }

            fn backend(error: SessionError) -> session_store::Error {
                session_store::Error::Backend(error.to_string())
            }
        }
    };
}

#[cfg(feature = "v0_14")]
store_for!(v0_14, tower_sessions_core_0_14);
#[cfg(feature = "v0_15")]
store_for!(v0_15, tower_sessions_core);
