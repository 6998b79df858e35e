//! The trace of a run: always a fingerprint, and text if requested.

use std::fmt;
use std::hash::Hasher;

use sessile_core::Instant;

/// The trace of one run.
#[derive(Default)]
pub(crate) struct Trace {
    hash: Mixer,
    wordy: bool,
    lines: Vec<String>,
}

impl Trace {
    /// A trace that keeps its lines if it is `wordy`.
    pub(crate) fn new(wordy: bool) -> Self {
        Self { wordy, ..Self::default() }
    }

    /// Notes an event as numbers.
    pub(crate) fn mix(&mut self, now: Instant, numbers: &[u64]) {
        self.hash.write_u64(now.as_micros());
        numbers.iter().for_each(|number| self.hash.write_u64(*number));
    }

    /// Notes bytes that travelled.
    pub(crate) fn mix_bytes(&mut self, bytes: &[u8]) {
        self.hash.write(bytes);
    }

    /// Notes what a node decided.
    pub(crate) fn mix_text(&mut self, text: fmt::Arguments<'_>) {
        // A hash takes every text.
        let _always_fine = fmt::Write::write_fmt(&mut self.hash, text);
    }

    /// Notes an event in words, which are made only if somebody reads them.
    pub(crate) fn say(&mut self, now: Instant, words: fmt::Arguments<'_>) {
        if self.wordy {
            self.lines.push(format!("{:>12.6} {words}", now.as_micros() as f64 / 1e6));
        }
    }

    /// Whether anybody will read the words.
    pub(crate) fn is_wordy(&self) -> bool {
        self.wordy
    }

    /// Equal for equal runs.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.hash.finish()
    }

    /// The lines, empty unless the trace is wordy.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

/// FNV-1a over words: the standard library's hasher may change with its version.
struct Mixer(u64);

impl Default for Mixer {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl fmt::Write for Mixer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
