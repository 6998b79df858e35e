//! Requests of all kinds: each part is drawn from good and bad ones, most of them good.

/// Draws requests; the same seed draws the same ones.
pub(crate) struct Generator(u64);

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "OPTIONS"];
const BAD_METHODS: &[&str] = &["G\tT", "", "GE(T", "get\u{7f}", "CONNECT"];
// Two oddities, of which nginx refuses one alone and HAProxy the other, would look like a refusal that both
// share. So there is no fragment (HAProxy refuses it, nginx and ours cut it off) and no length twice the same
// (nginx refuses it, HAProxy and ours take one).
const BAD_TARGETS: &[&str] = &["/a b/{}", "/\u{1}/{}", "*{}", "{}", "//{}\\..", "http://[::1/{}", "/%zz/{}"];
const VERSIONS: &[&str] = &["HTTP/1.1"];
const BAD_VERSIONS: &[&str] =
    &["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1", "HTTP/1.1 ", "HTTP/11", "XTTP/1.1", ""];
const HOSTS: &[&str] = &["Host: shop.example\r\n"];
const BAD_HOSTS: &[&str] = &[
    "",
    "Host: a\r\nHost: b\r\n",
    "Host: a b\r\n",
    "Host:\r\n",
    "Host : a\r\n",
    "Host: a, b\r\n",
    "Host: a\r\nHost: a\r\n",
];
const ODD_HEADERS: &[&str] = &[
    "X-Odd: a\r\n b\r\n",
    "X Odd: a\r\n",
    ": a\r\n",
    "X-Odd\r\n",
    "X-Odd: \u{0}\r\n",
    "X-Odd: a\rb\r\n",
    "X-Odd: a\nX-More: b\r\n",
    " X-Odd: a\r\n",
    "X-\u{1}: a\r\n",
    "Connection: Content-Length, Host\r\n",
    "Connection: Transfer-Encoding\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    "Content_Length: 5\r\n",
    "Transfer_Encoding: chunked\r\n",
    "X-Long: ",
];
const LENGTHS: &[&str] = &[
    "Content-Length: {}\r\nContent-Length: 3\r\n",
    "Content-Length: +{}\r\n",
    "Content-Length: {}, {}\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Content-Length: \u{b}{}\r\n",
    "Content-Length : {}\r\n",
    "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length:\r\n",
];
const CODINGS: &[&str] = &[
    "Transfer-Encoding: Chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding:\tchunked\r\n",
    "Transfer-Encoding: \u{b}chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
];
const CHUNKED: &[&str] = &[
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n",
    "05\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5;\u{0}\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "5;a=\"\r\nhello\r\n0\r\n\r\n",
];

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A request that records itself under this number; what it hides is recorded as hidden.
    pub(crate) fn request(&mut self, id: usize) -> Vec<u8> {
        let method = self.pick(12, METHODS, BAD_METHODS);
        let good_target = format!("/d/{id}");
        let target = if self.one_in(8) {
            self.any(BAD_TARGETS).replace("{}", &format!("d/{id}"))
        } else {
            good_target
        };
        let (version, host) = (self.pick(12, VERSIONS, BAD_VERSIONS), self.pick(8, HOSTS, BAD_HOSTS));
        let mut text = format!("{method} {target} {version}\r\n{host}X-Id: {id}\r\n");
        if self.one_in(3) {
            text += self.any(ODD_HEADERS);
            if text.ends_with("X-Long: ") {
                // Others have smaller bounds of a head than ours.
                let length = 1 << (6 + self.next() % 7);
                text += &format!("{}\r\n", "x".repeat(length));
            }
        }
        let body = self.framing(&mut text);
        text += "Connection: close\r\n\r\n";
        text += &body;
        if self.one_in(4) {
            text += &format!("GET /hidden/{id} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
        }
        let mut bytes = text.into_bytes();
        if self.one_in(10) {
            self.flip(&mut bytes);
        }
        bytes
    }

    /// Adds the headers that say where the body ends; the body.
    fn framing(&mut self, text: &mut String) -> String {
        match self.next() % 8 {
            0..3 => String::new(),
            3 => {
                *text += "Content-Length: 5\r\n";
                "hello".into()
            }
            4 => {
                *text += "Transfer-Encoding: chunked\r\n";
                self.any(CHUNKED).into()
            }
            5 => {
                *text += &self.any(LENGTHS).replace("{}", "5");
                "hello".into()
            }
            6 => {
                *text += self.any(CODINGS);
                self.any(&CHUNKED[..3]).into()
            }
            _ => {
                *text += &self.any(LENGTHS).replace("{}", "5");
                *text += self.any(CODINGS);
                self.any(&CHUNKED[..3]).into()
            }
        }
    }

    /// Changes one byte.
    fn flip(&mut self, bytes: &mut [u8]) {
        const BYTES: &[u8] = b"\r\n\0\t :;,\"\x0b\x7f\xff0A/";
        let (place, byte) = (self.below(bytes.len()), self.below(BYTES.len()));
        bytes[place] = BYTES[byte];
    }

    /// One of the bad ones once in so many times.
    fn pick(&mut self, rarity: u64, good: &[&'static str], bad: &[&'static str]) -> &'static str {
        if self.one_in(rarity) { self.any(bad) } else { self.any(good) }
    }

    fn any(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}
