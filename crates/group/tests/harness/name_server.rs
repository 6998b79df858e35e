//! A name server on a free port of this machine, whose records and moods a test changes while it runs.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answers,
    /// It says that it failed.
    Fails,
    /// It says nothing.
    Silent,
}

#[derive(Debug)]
struct State {
    records: HashMap<(String, RecordType), Vec<(RData, u32)>>,
    mood: Mood,
    asked: HashMap<(String, RecordType), usize>,
}

/// The server; it ends with the value.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let state = State { records: HashMap::new(), mood: Mood::Answers, asked: HashMap::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            let mut datagram = [0; 4096];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut datagram).await else { continue };
                if let Some(answer) = answer(&datagram[..length], &mut shared.lock()) {
                    let _ = socket.try_send_to(&answer, from);
                }
            }
        });
        Self { address, state, serving }
    }

    pub(crate) fn feels(&self, mood: Mood) {
        self.state.lock().mood = mood;
    }

    /// From now on this name has these IPv4 addresses.
    pub(crate) fn set_addresses(&self, name: &str, addresses: &[Ipv4Addr], ttl: u32) {
        let records = addresses.iter().map(|ip| (RData::A(A(*ip)), ttl)).collect();
        self.state.lock().records.insert((key(name), RecordType::A), records);
    }

    /// From now on this name has these services, each at a host of its own.
    pub(crate) fn set_services(&self, name: &str, addresses: &[SocketAddr], ttl: u32) {
        let mut services = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            let host = format!("pod{number}.{name}");
            let SocketAddr::V4(v4) = address else { panic!("only IPv4 is served") };
            self.set_addresses(&host, &[*v4.ip()], ttl);
            services.push((RData::SRV(SRV::new(0, 0, address.port(), Name::from_utf8(&host).unwrap())), ttl));
        }
        self.state.lock().records.insert((key(name), RecordType::SRV), services);
    }

    /// How often it was asked for the addresses of a name.
    pub(crate) fn asked_for_addresses(&self, name: &str) -> usize {
        self.state.lock().asked.get(&(key(name), RecordType::A)).copied().unwrap_or(0)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn key(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_lowercase())
}

fn answer(datagram: &[u8], state: &mut State) -> Option<Vec<u8>> {
    let question = Message::from_vec(datagram).ok()?;
    let query = question.queries.first()?.clone();
    let asked = (query.name().to_string().to_lowercase(), query.query_type());
    *state.asked.entry(asked.clone()).or_default() += 1;
    let (id, kind) = (question.metadata.id, question.metadata.op_code);
    let mut answer = match state.mood {
        Mood::Silent => return None,
        Mood::Fails => Message::error_msg(id, kind, ResponseCode::ServFail),
        Mood::Answers => Message::response(id, kind),
    };
    answer.metadata.recursion_available = true;
    answer.metadata.authoritative = true;
    if state.mood == Mood::Answers {
        let is_known =
            state.records.iter().any(|((name, _), records)| *name == asked.0 && !records.is_empty());
        match state.records.get(&asked) {
            Some(records) if !records.is_empty() => {
                answer.add_answers(
                    records
                        .iter()
                        .map(|(data, ttl)| Record::from_rdata(query.name().clone(), *ttl, data.clone())),
                );
            }
            _ if is_known => {}
            _ => answer.metadata.response_code = ResponseCode::NXDomain,
        }
    }
    answer.add_query(query);
    answer.to_vec().ok()
}
