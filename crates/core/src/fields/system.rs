//! Names of the system's own fields: a zero byte in front keeps them from applications.

/// Begins the names of system fields. No attribute can have such a name, so neither can hit the other.
pub(super) const SYSTEM: char = '\0';

/// Begins, after [`SYSTEM`], the names of notes.
pub(super) const NOTE: &str = "note.";

/// How long nobody may use the session before it expires.
pub(crate) const MAX_INACTIVE: &str = "\0inactive";
/// How old it may get, however much it is used.
pub(crate) const MAX_AGE: &str = "\0age";
/// The logged-in user.
pub(crate) const PRINCIPAL: &str = "\0principal";
/// How that was found out.
pub(crate) const AUTH_TYPE: &str = "\0auth";

/// Begins the names of the fields that say whether a secret is live; the secret's hash follows in 22
/// characters.
pub(super) const SECRET: &str = "\0secret.";

/// Names that many sessions have: a number stands for each, in memory and in frames of several copies. Never
/// changed.
pub(super) const KNOWN: [&str; 4] = [MAX_INACTIVE, MAX_AGE, PRINCIPAL, AUTH_TYPE];
