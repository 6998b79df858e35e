//! One question to a name server, and for how long its last answer is believed.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::time::Instant;

/// Answers are believed for their time to live, but at least and at most for so long.
const BELIEVED_MIN: Duration = Duration::from_secs(1);
const BELIEVED_MAX: Duration = Duration::from_secs(300);
/// For how long it is believed that a name has no address. A name server's own time for that may be many
/// minutes, in which a cluster that starts would not be found.
const NOTHING_BELIEVED: Duration = Duration::from_secs(5);
/// Longest pause before a name server that failed is asked again.
const FAILED_PAUSE_MAX: Duration = Duration::from_secs(15);
/// Most services of one SRV name.
const SERVICES_MAX: usize = 256;

/// What is asked.
#[derive(Debug, Clone)]
enum Kind {
    /// The addresses of a host, of one family.
    Addresses { family: RecordType, port: u16 },
    /// The hosts and ports of a service.
    Services,
}

/// One question, repeated when its answer is not believed any more.
#[derive(Debug)]
pub(super) struct Question {
    name: Name,
    kind: Kind,
    addresses: BTreeSet<SocketAddr>,
    is_answered: bool,
    ask_at: Instant,
    failed_pause: Duration,
}

/// What came of a question.
#[derive(Debug)]
pub(super) enum Answer {
    /// These addresses, or none, and for how long that holds.
    Known(BTreeSet<SocketAddr>, Duration),
    /// Nothing is known: no answer, or one that says that the name server cannot tell.
    Failed(String),
}

impl Question {
    /// The questions for a configured name; none if it is malformed.
    pub(super) fn of(text: &str) -> Option<Vec<Self>> {
        let allowed = |host: &str| {
            !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        };
        let parse = |host: &str| allowed(host).then(|| Name::from_utf8(host).ok()).flatten();
        let Some((host, port)) = text.rsplit_once(':') else {
            let is_service = text.starts_with('_') && text.contains("._");
            return Some(vec![Self::new(parse(text).filter(|_| is_service)?, Kind::Services)]);
        };
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let name = parse(host).filter(|_| !host.starts_with('_'))?;
        let of_family = |family| Self::new(name.clone(), Kind::Addresses { family, port });
        Some([RecordType::A, RecordType::AAAA].map(of_family).into())
    }

    fn new(name: Name, kind: Kind) -> Self {
        Self {
            name,
            kind,
            addresses: BTreeSet::new(),
            is_answered: false,
            ask_at: Instant::now(),
            failed_pause: BELIEVED_MIN,
        }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }

    /// Whether the name server ever answered it.
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.ask_at
    }

    /// Keeps the answer. One that failed leaves the last one in force.
    pub(super) fn take(&mut self, answer: Answer, now: Instant) {
        match answer {
            Answer::Known(addresses, believed) => {
                self.addresses = addresses;
                self.is_answered = true;
                self.ask_at = now + believed;
                self.failed_pause = BELIEVED_MIN;
            }
            Answer::Failed(_) => {
                self.ask_at = now + self.failed_pause;
                self.failed_pause = (self.failed_pause * 2).min(FAILED_PAUSE_MAX);
            }
        }
    }

    pub(super) fn ask(&self, resolver: TokioResolver) -> impl Future<Output = Answer> + Send + 'static {
        let (name, kind) = (self.name.clone(), self.kind.clone());
        async move {
            let answer = match kind {
                Kind::Addresses { family, port } => addresses_of(&resolver, name, family, port).await,
                Kind::Services => services_of(&resolver, name).await,
            };
            answer.unwrap_or_else(|error| Answer::Failed(error.to_string()))
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Addresses { family, .. } => write!(out, "{} {family}", self.name),
            Kind::Services => write!(out, "{} SRV", self.name),
        }
    }
}

/// The records of one type; that there are none is an answer as well.
async fn records(resolver: &TokioResolver, name: Name, kind: RecordType) -> Result<Vec<Record>, NetError> {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => Ok(lookup.answers().to_vec()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// How long these records may be believed.
fn believed(records: &[Record]) -> Duration {
    let least = records.iter().map(|record| Duration::from_secs(record.ttl.into())).min();
    least.map_or(NOTHING_BELIEVED, |ttl| ttl.clamp(BELIEVED_MIN, BELIEVED_MAX))
}

async fn addresses_of(
    resolver: &TokioResolver,
    name: Name,
    family: RecordType,
    port: u16,
) -> Result<Answer, NetError> {
    let records = records(resolver, name, family).await?;
    let addresses = records.iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    let addresses = addresses.map(|ip| SocketAddr::new(ip, port)).collect();
    Ok(Answer::Known(addresses, believed(&records)))
}

/// The services, and the addresses of the hosts that they name.
async fn services_of(resolver: &TokioResolver, name: Name) -> Result<Answer, NetError> {
    let services = records(resolver, name, RecordType::SRV).await?;
    let mut until = believed(&services);
    let mut found = BTreeSet::new();
    let named = services.iter().filter_map(|record| match &record.data {
        RData::SRV(service) => Some(service),
        _ => None,
    });
    for SRV { target, port, .. } in named.take(SERVICES_MAX) {
        for family in [RecordType::A, RecordType::AAAA] {
            match addresses_of(resolver, target.clone(), family, *port).await? {
                Answer::Known(addresses, _) if addresses.is_empty() => {}
                Answer::Known(addresses, believed) => {
                    until = until.min(believed);
                    found.extend(addresses);
                }
                failed @ Answer::Failed(_) => return Ok(failed),
            }
        }
    }
    Ok(Answer::Known(found, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_keeps_the_last_answer_and_is_retried_ever_more_rarely() {
        let mut question = Question::of("shop.example:4001").unwrap().remove(0);
        let address = SocketAddr::from(([10, 0, 0, 1], 4001));
        let now = Instant::now();
        question.take(Answer::Known([address].into(), Duration::from_secs(5)), now);
        assert!(!question.is_due(now + Duration::from_millis(4999)));
        assert!(question.is_due(now + Duration::from_secs(5)));
        for pause in [1, 2, 4, 8, 15, 15] {
            question.take(Answer::Failed(String::new()), now);
            assert!(!question.is_due(now + Duration::from_millis(pause * 1000 - 1)), "{pause}");
            assert!(question.is_due(now + Duration::from_secs(pause)), "{pause}");
            assert_eq!(question.addresses().collect::<Vec<_>>(), [address]);
        }
        question.take(Answer::Known(BTreeSet::new(), NOTHING_BELIEVED), now);
        assert_eq!(question.addresses().count(), 0, "a name without addresses is an answer");
    }
}
