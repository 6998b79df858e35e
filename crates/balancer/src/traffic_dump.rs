//! The traffic as text: what prints in ASCII is shown, everything else is a dot, as Pen does with `-a`.

use std::net::SocketAddr;

/// Longest line of the dump; longer ones are broken.
const LINE_BOUND: usize = 512;

/// Writes what passes on one client's connection to the log, a line each.
#[derive(Debug)]
pub(crate) struct TrafficDump(pub(crate) SocketAddr);

impl TrafficDump {
    /// Prints bytes from the client.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        self.show('>', bytes);
    }

    /// Prints bytes to the client.
    pub(crate) fn received(&self, bytes: &[u8]) {
        self.show('<', bytes);
    }

    fn show(&self, direction: char, bytes: &[u8]) {
        for line in lines(bytes) {
            tracing::info!("{} {direction} {line}", self.0);
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE_BOUND)).map(ascii)
}

fn ascii(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let shown = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' };
    line.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_a_dot_and_lines_stay_lines() {
        let shown: Vec<_> = lines(b"GET / HTTP/1.1\r\nA:\tb\x1b[31m\r\n\r\n\xc3\xa4\0~ ").collect();
        assert_eq!(shown, ["GET / HTTP/1.1", "A:.b.[31m", "", "...~ "]);
    }

    #[test]
    fn no_line_is_longer_than_the_bound() {
        let shown: Vec<_> = lines(&[b'x'; 2 * LINE_BOUND + 1]).map(|line| line.len()).collect();
        assert_eq!(shown, [LINE_BOUND, LINE_BOUND, 1]);
    }
}
