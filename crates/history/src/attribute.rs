//! The attributes that clients use: each kind reveals a different fault.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An attribute of a session. Its name in the session is its `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Attribute {
    /// A register, `r0`: every write has a unique value, so a reader knows which write it sees.
    Register(u8),
    /// One half of a pair, `p0` and `p1`, that is always written together with one value.
    Pair(u8),
    /// A member of an append-only set, `m17`: added once under a unique number. Repeating the addition after
    /// a missing response changes nothing, so the set counts exactly once.
    Member(u64),
    /// `c`: a unique number of the session, written at its creation. Reveals a mix-up of sessions.
    Canary,
    /// `later`: a field that only the next version of the program knows, a register written with every
    /// change.
    Later,
}

/// The attributes of a session as read by a client or observer.
pub type Seen = BTreeMap<Attribute, u64>;

/// An invalid attribute name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an attribute of a history; attributes are r0…r255, p0, p1, m0… and c")]
pub struct UnknownAttribute(pub String);

impl FromStr for Attribute {
    type Err = UnknownAttribute;

    fn from_str(name: &str) -> Result<Self, UnknownAttribute> {
        let attribute = match name.split_at_checked(1) {
            Some(("r", number)) => number.parse().ok().map(Self::Register),
            Some(("p", number)) => number.parse().ok().map(Self::Pair),
            Some(("m", number)) => number.parse().ok().map(Self::Member),
            Some(("c", "")) => Some(Self::Canary),
            Some(("l", "ater")) => Some(Self::Later),
            _ => None,
        };
        attribute.ok_or_else(|| UnknownAttribute(name.to_owned()))
    }
}

impl TryFrom<String> for Attribute {
    type Error = UnknownAttribute;

    fn try_from(name: String) -> Result<Self, UnknownAttribute> {
        name.parse()
    }
}

impl From<Attribute> for String {
    fn from(attribute: Attribute) -> Self {
        attribute.to_string()
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(number) => write!(f, "r{number}"),
            Self::Pair(number) => write!(f, "p{number}"),
            Self::Member(number) => write!(f, "m{number}"),
            Self::Canary => f.write_str("c"),
            Self::Later => f.write_str("later"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_its_name() {
        let (register, pair, member) =
            (Attribute::Register(7), Attribute::Pair(1), Attribute::Member(u64::MAX));
        for attribute in [register, pair, member, Attribute::Canary, Attribute::Later] {
            assert_eq!(attribute.to_string().parse(), Ok(attribute));
        }
        for name in ["", "r", "r256", "x1", "cc", "p-1", "é"] {
            assert_eq!(name.parse::<Attribute>(), Err(UnknownAttribute(name.to_owned())));
        }
    }
}
