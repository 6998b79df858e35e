//! `sessile store show KEY`.

use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};
use sessile::content::StoredSession;
use sessile::store::{Key, Record, Store, StoreError};

use super::damages::Damages;
use super::location::{IfMissing, failed};
use super::store_argument::StoreArgument;
use super::values;
use crate::failure::Failure;
use crate::output;

/// Which session to show, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The session's key, as `ls` and logs show it
    #[arg(value_name = "KEY", value_parser = values::parse_key)]
    key: Key,
    #[command(flatten)]
    which: StoreArgument,
    /// Also show the values of the attributes and the logged-in user
    #[arg(long)]
    values: bool,
}

impl Show {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.which.using(IfMissing::Refused, async |store, damages| self.show(store, damages).await)
    }

    async fn show(&self, store: &dyn Store, damages: &mut Damages) -> Result<(), Failure> {
        let record = match store.load(self.key).await {
            Ok(record) => record,
            Err(StoreError::Damaged(_)) => {
                damages.add(1);
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        let record = record.ok_or_else(|| {
            let key = values::shown_key(self.key);
            Failure::Failed(format!("there is no session {key} in the {} store", store.name()))
        })?;
        if self.values {
            output::tell("warning: these are a user's values; take care where this output goes");
        }
        let description = self.describe(&record)?;
        output::result(&description, &for_people(&description))
    }

    fn describe(&self, record: &Record) -> Result<Value, Failure> {
        let left = values::idle_left(&record.lifetime, SystemTime::now());
        let mut description = json!({
            "key": values::shown_key(record.key),
            "store_key": record.key.to_string(),
            "app": record.app.as_str(),
            "version": record.version.to_string(),
            "saved_at": values::shown_moment(record.lifetime.saved_at()),
            "kept_until": values::shown_moment(record.lifetime.garbage_after()),
            "ended": record.is_ended(),
        });
        if let Some(content) = record.content() {
            description["idle_left"] = values::shown_time(left).into();
            description["bytes"] = content.len().into();
            let session = StoredSession::read(content).map_err(|error| {
                Failure::Failed(format!(
                    "the stored content of session {} is not a session: {error}",
                    record.key
                ))
            })?;
            self.describe_content(&session, &mut description);
        }
        Ok(description)
    }

    fn describe_content(&self, session: &StoredSession<'_>, description: &mut Value) {
        description["age_when_saved"] = values::shown_time(session.age()).into();
        if let Some(idle) = session.max_inactive() {
            description["max_inactive"] = values::shown_time(idle).into();
        }
        description["logged_in"] = match (session.principal(), self.values) {
            (Some(principal), true) => principal.into(),
            (principal, _) => principal.is_some().into(),
        };
        let attributes = session.attributes().map(|(name, stamp, value)| {
            let mut attribute = json!({
                "name": name,
                "bytes": value.bytes.len(),
                "codec": values::codec_word(value.codec),
                "stamp": format!("{}@{}", stamp.counter, stamp.incarnation),
            });
            if self.values {
                attribute["value"] = values::json_of(value.codec, value.bytes);
            }
            attribute
        });
        description["attributes"] = attributes.collect();
    }
}

/// Fields of the description, in display order.
const ORDER: [&str; 12] = [
    "key",
    "store_key",
    "app",
    "ended",
    "saved_at",
    "idle_left",
    "max_inactive",
    "age_when_saved",
    "kept_until",
    "logged_in",
    "bytes",
    "version",
];

/// The description as lines; the attributes as a table.
fn for_people(description: &Value) -> String {
    let known = ORDER.iter().filter_map(|name| Some((name, description.get(name)?)));
    let mut text: String =
        known.map(|(name, value)| format!("{:<15} {}\n", name.replace('_', " "), plain(value))).collect();
    let Some(attributes) = description["attributes"].as_array() else { return text };
    text.push_str(&format!("\n{:<24} {:>9}  {:<6} {:<20}\n", "ATTRIBUTE", "BYTES", "CODEC", "TIMESTAMP"));
    for attribute in attributes {
        let cell = |name: &str| plain(&attribute[name]);
        let value = attribute.get("value").map_or(String::new(), |value| format!(" {value}"));
        let (name, bytes, codec, stamp) = (cell("name"), cell("bytes"), cell("codec"), cell("stamp"));
        text.push_str(&format!("{name:<24} {bytes:>9}  {codec:<6} {stamp:<20}{value}\n"));
    }
    text
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
