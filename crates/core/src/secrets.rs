//! The secrets of a session: which one opens it, and what one that was changed still shows.
//!
//! Each secret is a field of the session, named by the secret's hash. Its value:
//!
//! ```text
//! valid:       1 │ predecessor 16, if a change made it
//! superseded:  0 │ created: counter 8, incarnation 4 │ age of the session at the change 8 (ms) │ predecessor 16, if any
//! ```
//! The timestamp of a valid one is when it was created. A change supersedes the old secret and creates the
//! new one in one commit, so the new one's creation *is* the change. Two logins at once create two successors
//! of one secret; the earlier change counts for what the old secret shows.
//!
//! The time of a change is the session's age, which every node counts on its own monotonic clock: no wall
//! clock is compared, and a copy that arrives later does not begin a new grace time.

use std::time::Duration;

use crate::session::secret_hash;
use crate::{
    FieldName, FieldRef, Fields, Incarnation, KEY_BYTES, NameRef, Secret, Timestamp, Value, ValueRef,
};

/// Superseded secrets that a session remembers: of more, those that were created first are forgotten, so that
/// a secret is never remembered without the changes that superseded it.
const SUPERSEDED_MAX: usize = 4;

const VALID: u8 = 1;
const SUPERSEDED: u8 = 0;

/// The hash by which a secret's field is named.
pub(crate) type SecretHash = [u8; KEY_BYTES];

/// The state of a secret, as its field says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SecretRecord {
    created: Timestamp,
    predecessor: Option<SecretHash>,
    /// The session's age at the change that took the right away.
    superseded_at: Option<Duration>,
}

impl SecretRecord {
    fn of(field: FieldRef<'_>) -> Option<Self> {
        let (kind, mut rest) = field.value?.bytes.split_first()?;
        let (created, superseded_at) = match *kind {
            VALID => (field.timestamp, None),
            SUPERSEDED => {
                let counter = u64::from_le_bytes(take(&mut rest)?);
                let created = Timestamp::new(counter, Incarnation(u32::from_le_bytes(take(&mut rest)?)));
                let age = Duration::from_millis(u64::from_le_bytes(take(&mut rest)?));
                (created, Some(age))
            }
            _ => return None,
        };
        Some(Self { created, predecessor: take(&mut rest), superseded_at })
    }

    fn superseded(self, age: Duration) -> Value {
        let mut bytes = vec![SUPERSEDED];
        bytes.extend(self.created.counter.to_le_bytes());
        bytes.extend(self.created.incarnation.0.to_le_bytes());
        bytes.extend(crate::session::millis(age).to_le_bytes());
        bytes.extend(self.predecessor.iter().flatten());
        Value::raw(bytes)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// The value of a valid secret; `predecessor` is the one that it supersedes.
pub(crate) fn valid(predecessor: Option<SecretHash>) -> Value {
    let mut bytes = vec![VALID];
    bytes.extend(predecessor.iter().flatten());
    Value::raw(bytes)
}

/// Whether the value of a secret's field says that the secret is valid.
pub(crate) fn is_valid(value: ValueRef<'_>) -> bool {
    value.bytes.first() == Some(&VALID)
}

/// The writes of a change from `old` to `new`, in a session that has `fields` and is `age` old.
pub(crate) fn change(
    fields: &Fields,
    old: SecretHash,
    new: SecretHash,
    age: Duration,
) -> Vec<(FieldName, Option<Value>)> {
    let mut superseded: Vec<_> =
        records(fields).filter(|(_, record)| record.superseded_at.is_some()).collect();
    let mut writes = vec![(FieldName::secret(new), Some(valid(Some(old))))];
    // Of two changes of one secret the first superseded it.
    let of_old = record(fields, old).filter(|record| record.superseded_at.is_none());
    if let Some(record) = of_old {
        writes.push((FieldName::secret(old), Some(record.superseded(age))));
        superseded.push((old, record));
    }
    superseded.sort_by_key(|(_, record)| record.created);
    let too_many = superseded.len().saturating_sub(SUPERSEDED_MAX);
    for (forgotten, _) in superseded.into_iter().take(too_many) {
        writes.retain(|(name, _)| *name != FieldName::secret(forgotten));
        writes.push((FieldName::secret(forgotten), None));
    }
    writes
}

fn record(fields: &Fields, hash: SecretHash) -> Option<SecretRecord> {
    SecretRecord::of(fields.find(NameRef::secret(hash))?)
}

fn records(fields: &Fields) -> impl Iterator<Item = (SecretHash, SecretRecord)> {
    let secrets = fields.all().take_while(|field| field.is_system());
    secrets.filter_map(|field| Some((field.name.secret_hash()?, SecretRecord::of(field)?)))
}

impl Fields {
    /// Whether a secret opens the session.
    pub fn admits(&self, secret: Secret) -> bool {
        let field = self.find(NameRef::secret(secret_hash(secret)));
        field.and_then(|field| field.value).is_some_and(is_valid)
    }

    /// Which of these secrets opens the session; of several the one that was created last.
    pub fn newest_admitted(&self, secrets: impl IntoIterator<Item = Secret>) -> Option<Secret> {
        let created = |secret: &Secret| record(self, secret_hash(*secret)).map(|record| record.created);
        secrets.into_iter().filter(|secret| self.admits(*secret)).max_by_key(created)
    }

    /// When the session, which is `age` old, was closed to this secret; `None` if it was not, or nobody
    /// remembers.
    pub(crate) fn superseded_for(&self, secret: Secret, age: Duration) -> Option<Duration> {
        let record = record(self, secret_hash(secret))?;
        Some(age.saturating_sub(record.superseded_at?))
    }

    /// Since when no secret of the session, which is `age` old, was changed; `None`: ever.
    pub(crate) fn changed_for(&self, age: Duration) -> Option<Duration> {
        let changes = records(self).filter_map(|(_, record)| record.superseded_at);
        changes.max().map(|last| age.saturating_sub(last))
    }

    /// The view of a superseded secret: the attributes that were written strictly before its first change.
    /// Neither who is logged in nor anything else of the system.
    pub(crate) fn before_change_of(&self, secret: Secret) -> Option<Self> {
        let hash = secret_hash(secret);
        let successors = records(self).filter(|(_, record)| record.predecessor == Some(hash));
        let closed = self.find(NameRef::secret(hash))?.timestamp;
        let change =
            successors.map(|(_, record)| record.created).min().map_or(closed, |first| first.min(closed));
        let is_seen = |field: &FieldRef<'_>| {
            !field.is_system() && field.value.is_some() && field.timestamp.counter < change.counter
        };
        Some(self.all().filter(is_seen).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Secret = Secret([1; 16]);

    fn secret(number: u8) -> Secret {
        Secret([number; 16])
    }

    fn at(counter: u64, writer: u32) -> Timestamp {
        Timestamp::new(counter, Incarnation(writer))
    }

    fn session() -> Fields {
        let mut fields = Fields::default();
        fields.merge(FieldName::secret(secret_hash(FIRST)).as_str(), at(1, 1), Some(&valid(None)));
        set(&mut fields, "cart", at(1, 1));
        fields
    }

    fn set(fields: &mut Fields, name: &str, timestamp: Timestamp) {
        fields.merge(name, timestamp, Some(&Value::raw(name.as_bytes().to_vec())));
    }

    fn apply(fields: &mut Fields, writes: &[(FieldName, Option<Value>)], timestamp: Timestamp) {
        for (name, value) in writes {
            fields.merge(name.as_str(), timestamp, value.as_ref());
        }
    }

    fn login(fields: &mut Fields, old: Secret, new: Secret, timestamp: Timestamp) {
        let age = Duration::from_secs(timestamp.counter);
        let writes = change(fields, secret_hash(old), secret_hash(new), age);
        apply(fields, &writes, timestamp);
    }

    fn seen(fields: &Fields, secret: Secret) -> Option<Vec<String>> {
        let view = fields.before_change_of(secret)?;
        Some(view.attributes().map(|(name, _)| name.to_owned()).collect())
    }

    #[test]
    fn a_change_closes_the_session_to_the_old_secret_and_keeps_when_that_was() {
        let mut fields = session();
        login(&mut fields, FIRST, secret(2), at(5, 1));
        assert!(!fields.admits(FIRST) && fields.admits(secret(2)));
        assert_eq!(fields.superseded_for(FIRST, Duration::from_secs(9)), Some(Duration::from_secs(4)));
        assert_eq!(fields.superseded_for(secret(2), Duration::from_secs(9)), None);
        assert_eq!(fields.superseded_for(secret(3), Duration::from_secs(9)), None);
    }

    #[test]
    fn the_old_secret_shows_what_was_there_strictly_before_the_change() {
        let mut fields = session();
        set(&mut fields, "seen", at(4, 9));
        login(&mut fields, FIRST, secret(2), at(5, 3));
        for (name, timestamp) in [("with", at(5, 3)), ("beside", at(5, 1)), ("later", at(6, 1))] {
            set(&mut fields, name, timestamp);
        }
        assert_eq!(seen(&fields, FIRST).unwrap(), ["cart", "seen"]);
        set(&mut fields, "cart", at(7, 1));
        assert_eq!(seen(&fields, FIRST).unwrap(), ["seen"], "what was overwritten is not shown");
    }

    #[test]
    fn of_two_logins_at_once_the_first_counts_in_every_order() {
        let (mut one, mut other) = (session(), session());
        login(&mut one, FIRST, secret(2), at(5, 1));
        set(&mut one, "account", at(6, 1));
        login(&mut other, FIRST, secret(3), at(8, 2));
        let (before_one, before_other) = (one.clone(), other.clone());
        for (into, from) in [(&mut one, before_other), (&mut other, before_one)] {
            from.all().for_each(|field| assert_ne!(into.merge_field(field), crate::Merge::Clash));
        }
        assert_eq!(one, other);
        assert!(one.admits(secret(2)) && one.admits(secret(3)) && !one.admits(FIRST));
        assert_eq!(seen(&one, FIRST).unwrap(), ["cart"], "nothing of either login");
        // A third one, of the second's successor, changes nothing of that.
        login(&mut one, secret(2), secret(4), at(12, 1));
        assert_eq!(seen(&one, FIRST).unwrap(), ["cart"]);
        assert_eq!(seen(&one, secret(2)).unwrap(), ["account", "cart"]);
    }

    #[test]
    fn a_change_of_a_superseded_secret_does_not_prolong_its_grace_time() {
        let mut fields = session();
        login(&mut fields, FIRST, secret(2), at(5, 1));
        login(&mut fields, FIRST, secret(3), at(60, 1));
        assert_eq!(fields.superseded_for(FIRST, Duration::from_secs(60)), Some(Duration::from_secs(55)));
        assert!(fields.admits(secret(2)) && fields.admits(secret(3)), "two logins at once both stay valid");
    }

    #[test]
    fn the_superseded_are_bounded_and_the_oldest_go_first() {
        let mut fields = session();
        for number in 1..=20 {
            login(&mut fields, secret(number), secret(number + 1), at(u64::from(number) * 2, 1));
        }
        let remembered = |number| fields.superseded_for(secret(number), Duration::from_secs(99)).is_some();
        assert_eq!((1..=21).filter(|number| remembered(*number)).collect::<Vec<_>>(), [17, 18, 19, 20]);
        assert!(fields.admits(secret(21)));
    }

    #[test]
    fn of_several_valid_secrets_the_newest_counts() {
        let mut fields = session();
        login(&mut fields, FIRST, secret(2), at(5, 1));
        login(&mut fields, FIRST, secret(3), at(6, 1));
        assert_eq!(fields.newest_admitted([FIRST, secret(3), secret(2)]), Some(secret(3)));
        assert_eq!(fields.newest_admitted([FIRST]), None);
    }
}
