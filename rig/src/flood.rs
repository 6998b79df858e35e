//! Floods a multicast group with random bytes and with replayed datagrams of members.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use socket2::{Domain, Protocol, Socket, Type};

/// Most datagrams kept for replay.
const REMEMBERED: usize = 64;

/// Arguments of a flood.
#[derive(Debug, Args)]
pub(crate) struct Flood {
    #[arg(long, default_value = "228.0.0.4:45564")]
    group: SocketAddrV4,
    #[arg(long)]
    interface: Ipv4Addr,
    #[arg(long)]
    seconds: u64,
    /// Datagrams in a millisecond
    #[arg(long, default_value_t = 20)]
    rate: u32,
}

impl Flood {
    /// Floods; prints the numbers of sent and of replayed datagrams.
    pub(crate) fn run(self) -> Result<()> {
        let socket = self.socket().context("the group")?;
        let to = self.group.into();
        let (mut sent, mut replayed, mut heard) = (0_u64, 0_u64, Vec::<Vec<u8>>::new());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(self.seconds) {
            listen(&socket, &mut heard);
            for number in 0..self.rate {
                let bytes = match heard.get(number as usize % REMEMBERED) {
                    // Half of the replays are unchanged, the rest have one flipped bit.
                    Some(heard) if number % 2 == 0 => heard.clone(),
                    Some(heard) => flipped(heard, sent),
                    None => sent.to_le_bytes().repeat(1 + (sent % 100) as usize),
                };
                replayed += u64::from(!heard.is_empty() && number % 2 == 0);
                sent += u64::from(socket.send_to(&bytes, &to).is_ok());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("{sent} {replayed}");
        Ok(())
    }

    fn socket(&self) -> std::io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV4::new(*self.group.ip(), self.group.port()).into())?;
        socket.join_multicast_v4(self.group.ip(), &self.interface)?;
        socket.set_multicast_if_v4(&self.interface)?;
        socket.set_multicast_loop_v4(false)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Keeps datagrams received since the last call.
fn listen(socket: &Socket, heard: &mut Vec<Vec<u8>>) {
    let udp: std::net::UdpSocket = match socket.try_clone() {
        Ok(socket) => socket.into(),
        Err(_) => return,
    };
    let mut buffer = [0; 2_048];
    while let Ok(read) = udp.recv(&mut buffer) {
        if heard.len() < REMEMBERED {
            heard.push(buffer[..read].to_vec());
        }
    }
}

fn flipped(bytes: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(place) = bytes.len().checked_sub(1).map(|last| number as usize % (last + 1)) {
        bytes[place] ^= 1 << (number % 8);
    }
    bytes
}
