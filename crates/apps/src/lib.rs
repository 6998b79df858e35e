//! The applications that a Sessile node can host.
//!
//! An application is an axum router with the session layer around its handlers. It uses its sessions through
//! [`sessile::Session`], as any user's own service does, and must not know how they travel.
//!
//! Next: [`clusterapp`], the sample application; [`component`], applications in WebAssembly.

pub mod clusterapp;
pub mod component;
