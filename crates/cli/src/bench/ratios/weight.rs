//! R5 and R6: the memory of a copy, and the speed of the transfer to a joining node.

use super::RatiosRun;
use crate::bench::client_pool::SessionContent;
use crate::bench::floor::Floor;
use crate::bench::grade::Bars;
use crate::bench::join::{JoinReport, join};
use crate::bench::memory::{KILOBYTE, SMALL, growth};
use crate::failure::Failure;

/// Sessions in memory, and in the transfer.
const SESSIONS: u64 = 50_000;
const QUICK: u64 = 300;
/// Bytes of the reference stream for a transfer.
const STREAM: u64 = 512 << 20;

pub(super) async fn measure(run: &mut RatiosRun) -> Result<(), Failure> {
    let sessions = if run.settings.quick() { QUICK } else { SESSIONS };
    memory(run, sessions).await?;
    rejoin(run, "small", sessions, SMALL, [Bars::at_most(5.0, 4.0), Bars::at_most(3.0, 1.5)]).await?;
    rejoin(run, "1 KB", sessions, KILOBYTE, [Bars::at_most(4.0, 3.0), Bars::at_most(3.0, 1.5)]).await
}

async fn memory(run: &mut RatiosRun, sessions: u64) -> Result<(), Failure> {
    if run.interrupt.is_requested() {
        return Ok(());
    }
    let small = growth(sessions, SMALL, &run.interrupt).await?;
    let large = growth(sessions, KILOBYTE, &run.interrupt).await?;
    // An interrupted fill has no meaningful growth.
    if run.interrupt.is_requested() {
        return Ok(());
    }
    run.ratio("R5 memory, small session", Some(small.ratio()), Bars::at_most(2.4, 2.0));
    run.ratio("R5 memory, 1 KB session", Some(large.ratio()), Bars::at_most(1.3, 1.15));
    run.ratio("R5 fixed bytes of a small session", Some(small.fixed_bytes()), Bars::at_most(170.0, 130.0));
    run.figure("bytes of a copy of 129 B", Some(small.copy_bytes));
    run.figure("bytes of a copy of 1 KB", Some(large.copy_bytes));
    Ok(())
}

async fn rejoin(
    run: &mut RatiosRun,
    kind: &str,
    sessions: u64,
    content: SessionContent,
    [transfer, foreground]: [Bars; 2],
) -> Result<(), Failure> {
    let mut tries = 0;
    while !run.interrupt.is_requested() {
        tries += 1;
        let bytes = if run.settings.quick() { STREAM / 64 } else { STREAM };
        let (plain, stream) = (Floor::stream(bytes)?, Floor::encrypted_stream(bytes)?);
        let (joined, usage) = join(sessions, content, run.settings.quick(), &run.interrupt).await?;
        if run.interrupt.is_requested() || run.settings.again(&usage, tries)? {
            continue;
        }
        run.found.circumstances.note(&usage);
        let JoinReport { transfer_seconds, wire_bytes, before, meanwhile, .. } = joined;
        let ratio = transfer_seconds / (wire_bytes / stream);
        run.ratio(&format!("R6 rejoin, {kind} (against an encrypted stream)"), Some(ratio), transfer);
        let felt = meanwhile.p99_us / before.p99_us;
        run.ratio(&format!("R6 foreground p99, {kind}"), Some(felt), foreground);
        run.figure(&format!("transfer of {sessions} sessions, {kind}, ms"), Some(transfer_seconds * 1e3));
        run.figure(&format!("bytes of it, {kind}, MB"), Some(wire_bytes / 1e6));
        run.figure(&format!("encrypted stream beside it, {kind}, MB a second"), Some(stream / 1e6));
        run.figure(&format!("plain stream beside it, {kind}, MB a second"), Some(plain / 1e6));
        run.figure(&format!("foreground p99 before, {kind}, us"), Some(before.p99_us));
        return Ok(());
    }
    Ok(())
}
