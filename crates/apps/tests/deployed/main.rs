//! What is deployed: archives, the files in them, and the site that they are mounted on.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod archives;
mod files;
mod sites;
mod zips;
