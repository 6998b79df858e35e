//! The applications that a Sessile node can host.
//!
//! An application is an axum router with the session layer around its handlers. It uses its sessions through
//! [`sessile::Session`], as any user's own service does, and must not know how they travel.
//!
//! Next: [`clusterapp`], the sample application; [`component`], applications in WebAssembly; [`archive`] for
//! what is deployed, [`site`] for where it is mounted, [`statics`] for files that are served as they are.

pub mod archive;
pub mod clusterapp;
pub mod component;
pub mod directories;
pub mod farm;
pub mod site;
pub mod statics;
