//! Any bytes as a PROXY header: refused, or read to its end and not a byte more, and what it says can be said
//! again.

use std::net::SocketAddr;

use sessile_http_server::proxy_protocol::{ProxyProtocol, read, write};
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;

/// The bytes after every header.
const REST: &[u8] = b"GET / HTTP/1.1\r\n";

/// The body of the target `proxy_header`.
pub(crate) fn proxy_header(input: &[u8]) {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut alone = input;
        let Ok(header) = read(&mut alone).await else { return };
        let length = input.len() - alone.len();
        assert!(length <= 16 + 4 * 1024, "{length} bytes are more than a header has");
        let bytes = [&input[..length], REST].concat();
        let mut stream = &bytes[..];
        assert_eq!(read(&mut stream).await.unwrap(), header);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, REST, "what follows the header belongs to the client");
        let Some(source) = header.source else { return };
        let local: SocketAddr = if source.is_ipv4() { "127.0.0.1:1" } else { "[::1]:1" }.parse().unwrap();
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            let written = write(version, source, local, header.is_tls);
            let again = read(&mut &written[..]).await.unwrap().source.unwrap();
            assert_eq!(
                (again.ip().to_canonical(), again.port()),
                (source.ip().to_canonical(), source.port())
            );
        }
    });
}
