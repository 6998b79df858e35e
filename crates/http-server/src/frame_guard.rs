//! Counts the HTTP/2 frames of a client that cost work and carry nothing. Pure: bytes and times in, a verdict
//! out.
//!
//! The HTTP engine bounds what each of them may occupy (streams, header lists, resets that were not yet
//! handled). It does not bound their rate: a client that opens and resets streams slowly enough, or sends
//! PING and SETTINGS without end, keeps a core busy for nothing (CVE-2019-9512, CVE-2019-9515,
//! CVE-2023-44487, CVE-2024-27316).

use std::time::Duration;

/// The client's first bytes (RFC 9113, section 3.4).
const PREFACE_LEN: usize = 24;
/// Length (3 bytes), type, flags, stream (4 bytes).
const HEADER_LEN: usize = 9;
/// Seconds over which the rate is averaged.
const WINDOW: Duration = Duration::from_secs(10);

const DATA: u8 = 0;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// Follows the frames of one connection.
#[derive(Debug)]
pub(crate) struct FrameGuard {
    /// Bytes to be skipped before the next frame's header.
    skip: usize,
    header: [u8; HEADER_LEN],
    filled: usize,
    /// Frames that may still come in this window.
    allowance: u32,
    window_began: Duration,
    per_window: u32,
}

/// The client sent more of these frames than it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyFrames;

impl FrameGuard {
    /// A connection that may send `rate` such frames a second.
    pub(crate) fn new(rate: u32) -> Self {
        let per_window = rate.saturating_mul(u32::try_from(WINDOW.as_secs()).unwrap_or(u32::MAX));
        Self {
            skip: PREFACE_LEN,
            header: [0; HEADER_LEN],
            filled: 0,
            allowance: per_window,
            window_began: Duration::ZERO,
            per_window,
        }
    }

    /// Reads the next bytes of the client, at a time since the connection began.
    pub(crate) fn read(&mut self, mut bytes: &[u8], now: Duration) -> Result<(), TooManyFrames> {
        if now.saturating_sub(self.window_began) >= WINDOW {
            (self.window_began, self.allowance) = (now, self.per_window);
        }
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER_LEN - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEADER_LEN {
                self.filled = 0;
                self.count()?;
            }
        }
        Ok(())
    }

    /// Takes the frame whose header is complete into account.
    fn count(&mut self) -> Result<(), TooManyFrames> {
        let [high, middle, low, kind, ..] = self.header;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let costs = match kind {
            PRIORITY | RST_STREAM | SETTINGS | PING | CONTINUATION => true,
            DATA => self.skip == 0,
            _ => false,
        };
        if costs {
            self.allowance = self.allowance.checked_sub(1).ok_or(TooManyFrames)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, len: usize) -> Vec<u8> {
        let mut frame = u32::try_from(len).expect("a small frame").to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 1]);
        frame.resize(HEADER_LEN + len, 0xab);
        frame
    }

    fn guard() -> FrameGuard {
        let mut guard = FrameGuard::new(1);
        guard.read(&[b'P'; PREFACE_LEN], Duration::ZERO).expect("the preface");
        guard
    }

    #[test]
    fn each_window_has_its_allowance() {
        let mut guard = guard();
        for second in [0, 10, 25] {
            let now = Duration::from_secs(second);
            for _ in 0..10 {
                assert_eq!(guard.read(&frame(PING, 8), now), Ok(()));
            }
            assert_eq!(guard.read(&frame(SETTINGS, 0), now), Err(TooManyFrames));
        }
    }

    #[test]
    fn what_carries_something_is_not_counted() {
        let mut guard = guard();
        for _ in 0..100 {
            for (kind, len) in [(DATA, 1), (1, 30), (8, 4)] {
                assert_eq!(guard.read(&frame(kind, len), Duration::ZERO), Ok(()));
            }
        }
        for kind in [DATA, PRIORITY, RST_STREAM, SETTINGS, PING, CONTINUATION] {
            let mut guard = self::guard();
            let counted = (0..11).map(|_| guard.read(&frame(kind, 0), Duration::ZERO)).collect::<Vec<_>>();
            assert_eq!(counted[10], Err(TooManyFrames), "frames of type {kind}");
        }
    }

    proptest! {
        #[test]
        fn where_reads_end_changes_nothing(
            frames in proptest::collection::vec((0_u8..12, 0_usize..40), 0..40),
            cut in 1_usize..17,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, len)| frame(*kind, *len)).collect();
            let whole = guard().read(&bytes, Duration::ZERO);
            let mut pieces = guard();
            let cut = bytes.chunks(cut).try_for_each(|piece| pieces.read(piece, Duration::ZERO));
            prop_assert_eq!(whole, cut);
        }
    }
}
