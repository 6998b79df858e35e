//! A port that is bound early and opened late: a conflict with another program fails at once, and until the
//! port is opened the system refuses every connection.

use std::io::ErrorKind;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;

/// A bound port that still refuses connections.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    socket: Socket,
    /// The table of the configuration that names it.
    table: &'static str,
    key: &'static str,
    listen: SocketAddr,
}

impl ReservedPort {
    /// Binds the port of `listen` in `[table]`.
    pub(crate) fn take(table: &'static str, listen: SocketAddr) -> Result<Self, Failure> {
        Self::take_key(table, "listen", listen)
    }

    /// Takes the port of `key` in `[table]`.
    pub(crate) fn take_key(
        table: &'static str,
        key: &'static str,
        listen: SocketAddr,
    ) -> Result<Self, Failure> {
        let taken = bind(listen).map_err(|error| failure(table, key, listen, &error))?;
        Ok(Self { socket: taken, table, key, listen })
    }

    /// From now on connections are held until they are accepted.
    pub(crate) fn open(self) -> Result<TcpListener, Failure> {
        let opened = self.socket.listen(BACKLOG).and_then(|()| TcpListener::from_std(self.socket.into()));
        opened.map_err(|error| failure(self.table, self.key, self.listen, &error))
    }
}

fn bind(listen: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
    // Without this, connections of the previous process in TIME_WAIT would block the port. On other systems
    // the option means something else and is not needed.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    Ok(socket)
}

fn failure(table: &str, key: &str, listen: SocketAddr, error: &std::io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::AddrNotAvailable => "write an address of this machine, or 0.0.0.0 for all of them",
        ErrorKind::PermissionDenied => {
            "choose a port from 1024 on, or give the process the right to this one"
        }
        _ => "choose another port, or stop the program that uses it",
    };
    Failure::Failed(format!("[{table}] {key} = \"{listen}\": {error}; {remedy}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_refuses_connections_until_it_is_opened() {
        let reserved = ReservedPort::take("http", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = reserved.socket.local_addr().unwrap().as_socket().unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let listener = reserved.open().unwrap();
        assert_eq!(listener.local_addr().unwrap(), address);
        assert!(TcpStream::connect(address).is_ok());

        let Err(Failure::Failed(taken)) = ReservedPort::take("http", address) else { panic!("it is taken") };
        assert!(taken.contains(&format!("[http] listen = \"{address}\"")) && taken.contains("another port"));
    }
}
