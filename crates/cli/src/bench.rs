//! `sessile bench`: what replication costs, measured on real nodes.
//!
//! `samples` holds what was measured, `report` writes it down. Must not know how sessions travel.

mod report;
mod samples;
