//! Addresses: to listen at, to connect to, and trusted networks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::{Form, Shape, Wrong, quoted, string};
use crate::{HostPort, Network};

/// An address to listen at: `"127.0.0.1:9080"`; a bare port is one on loopback; port 0 is a free one.
pub(crate) struct Address;

impl Form for Address {
    type Value = SocketAddr;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<SocketAddr, Wrong> {
        if let Some(number) = value.get_ref().as_integer() {
            let port = number.as_str().parse::<u16>().ok().filter(|_| number.radix() == 10);
            let port = port.ok_or_else(|| Wrong::new("is not a port").label("ports are 0 to 65535"))?;
            return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        let text = string(value, "an address such as \"127.0.0.1:9080\"")?;
        text.parse().map_err(|_| {
            let local = text.strip_prefix("localhost:").map(|port| format!("write \"127.0.0.1:{port}\""));
            let help = local.unwrap_or_else(|| {
                "write IP:PORT, for example \"127.0.0.1:9080\", \"0.0.0.0:9080\" or \"[::]:9080\"".to_owned()
            });
            Wrong::new("is not an IP address with a port").help(help)
        })
    }

    fn write(&self, value: &SocketAddr) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn shape(&self) -> Shape {
        let port = json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX });
        let address = json!({ "type": "string", "pattern": ":[0-9]+$" });
        Shape::new("`IP:PORT`, or a port on loopback", json!({ "anyOf": [address, port] }))
    }
}

/// The address of a multicast group.
pub(crate) struct MulticastGroup;

impl Form for MulticastGroup {
    type Value = IpAddr;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<IpAddr, Wrong> {
        let text = string(value, "a multicast address such as \"228.0.0.4\"")?;
        text.parse().ok().filter(IpAddr::is_multicast).ok_or_else(|| {
            Wrong::new("is not a multicast address").label("not a multicast address").help(
                "multicast addresses are 224.0.0.0 to 239.255.255.255, for example \"228.0.0.4\", and ff00:: to ffff::, \
                 for example \"ff15::5e55\"",
            )
        })
    }

    fn write(&self, value: &IpAddr) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn shape(&self) -> Shape {
        Shape::new(
            "multicast address, IPv4 or IPv6",
            json!({ "type": "string", "pattern": "^[0-9A-Fa-f.:]+$" }),
        )
    }
}

/// The address of a network interface of this machine.
pub(crate) struct Interface;

impl Form for Interface {
    type Value = IpAddr;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<IpAddr, Wrong> {
        let text = string(value, "the address of an interface")?;
        let address = text.parse().ok().filter(|address: &IpAddr| !address.is_multicast());
        address.ok_or_else(|| {
            Wrong::new("is not the address of an interface")
                .help("write an address of this machine, without a port: \"127.0.0.1\", \"10.0.0.5\" or \"fd00::5\"")
        })
    }

    fn write(&self, value: &IpAddr) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn shape(&self) -> Shape {
        Shape::new("address of an interface", json!({ "type": "string", "pattern": "^[0-9A-Fa-f.:]+$" }))
    }
}

/// A host and a port that another machine can reach.
pub(crate) struct Peer;

impl Form for Peer {
    type Value = HostPort;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<HostPort, Wrong> {
        let text = string(value, "a text \"host:port\"")?;
        text.parse().map_err(|error: super::super::host_port::NotHostPort| {
            Wrong::new(error.to_string()).help("write \"host:port\", for example \"tc02.example.org:4002\"")
        })
    }

    fn write(&self, value: &HostPort) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn shape(&self) -> Shape {
        Shape::new("`host:port`", json!({ "type": "string", "pattern": ":[0-9]+$" }))
    }
}

/// A range of addresses: `"10.0.0.0/8"`, or one address.
pub(crate) struct Cidr;

impl Form for Cidr {
    type Value = Network;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Network, Wrong> {
        let text = string(value, "a network such as \"10.0.0.0/8\"")?;
        let wrong = || {
            Wrong::new("holds something that is not a network").help("write \"10.0.0.0/8\" or \"10.0.0.5\"")
        };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(whole), str::parse).map_err(|_| wrong())?;
        Network::new(address, prefix).ok_or_else(|| {
            Wrong::new("holds a network whose prefix is too long").label(format!("at most /{whole}"))
        })
    }

    fn write(&self, value: &Network) -> Option<String> {
        Some(quoted(&value.to_string()))
    }

    fn shape(&self) -> Shape {
        Shape::new("network, `10.0.0.0/8` or one address", json!({ "type": "string" }))
    }
}
