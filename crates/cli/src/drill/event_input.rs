//! Reads events of the cluster from standard input, one a line.

use tokio::io::{AsyncBufReadExt, BufReader};

use super::event::DrillEvent;
use super::history_recorder::HistoryRecorder;
use crate::failure::Failure;
use crate::output;

/// Records every event until the end of input.
pub(super) async fn listen(recorder: &HistoryRecorder) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Usage(format!("standard input: {error}"));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| failed(&error))? {
        let event: DrillEvent = line.parse().map_err(|error| failed(&error))?;
        recorder.note(event).map_err(|error| failed(&error))?;
        // Confirm that the event is in the history.
        output::tell(&format!("noted: {line}"));
    }
    Ok(())
}
