//! Tests whether multicast works on the loopback interface; in many containers it does not.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::local_cluster::GROUP;

/// Longest wait for the test datagram.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends a datagram to the group on a separate port; the error says why it did not arrive.
pub(super) fn try_it() -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    let local = Ipv4Addr::LOCALHOST;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into())?;
    socket.join_multicast_v4(&GROUP, &local)?;
    socket.set_multicast_if_v4(&local)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let port = socket.local_addr()?.as_socket_ipv4().map_or(0, |address| address.port());
    socket.send_to(&[1], &SocketAddrV4::new(GROUP, port).into())?;
    socket.recv(&mut [MaybeUninit::uninit(); 1])?;
    Ok(())
}
