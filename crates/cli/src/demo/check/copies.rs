//! Reads a node's own copies, without the balancer and without using a session.

use std::net::SocketAddr;

use futures_util::future::try_join_all;
use http::{Method, StatusCode};

use super::observation_log::ObservationLog;
use super::writer::WriteResponse;
use crate::connection::Connection;
use crate::failure::Failure;

/// Parallel reading connections.
const READERS: usize = 8;

/// Reads every acknowledged attribute from the copies of the node at `at`; the log judges the readings.
pub(super) async fn read_all(at: SocketAddr, log: &ObservationLog) -> Result<(), Failure> {
    let attributes = log.look(super::verdict::CheckVerdict::acknowledged_attributes);
    let part = attributes.len().div_ceil(READERS).max(1);
    try_join_all(attributes.chunks(part).map(|part| read(at, log, part))).await?;
    Ok(())
}

async fn read(at: SocketAddr, log: &ObservationLog, attributes: &[(String, String)]) -> Result<(), Failure> {
    let mut connection = Connection::new(at);
    for (sid, name) in attributes {
        let target = format!("/clusterapp/session?cmd=peek&sid={sid}&name={name}&sum=1");
        let answer = connection.send(Method::GET, &target, None).await;
        let answer = answer.map_err(|none| Failure::Failed(format!("GET {target} at {at}: {none}")))?;
        if answer.status != StatusCode::OK {
            return Err(Failure::Failed(format!("GET {target} at {at}: {}", answer.words())));
        }
        let seen = WriteResponse::of(&answer)?.read(sid.clone(), name.clone());
        log.note(seen)
            .map_err(|error| Failure::Failed(format!("the observations cannot be written: {error}")))?;
    }
    Ok(())
}
