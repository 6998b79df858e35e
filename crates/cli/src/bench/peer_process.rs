//! A process that measures starts another one, which connects back: so the closed connection ends it, however
//! the measuring process ends.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Longest wait for the other process.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Accepts the first connection, within [`PATIENCE`].
pub(super) fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let began = Instant::now();
    loop {
        match listener.accept() {
            Ok((tcp, _)) => {
                tcp.set_nonblocking(false)?;
                return Ok(tcp);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && began.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}
