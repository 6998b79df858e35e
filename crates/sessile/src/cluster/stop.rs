//! A graceful stop: announced, worked off, and said goodbye. In that order, because who leaves first acknowledges
//! requests that nobody receives any more.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Cluster;
use super::error::{DrainIncomplete, OwedTo};

/// How often a draining node looks whether anything is left to do.
const DRAIN_POLL: Duration = Duration::from_millis(20);

impl Cluster {
    /// Announces that this node goes, so that balancers choose others, and waits until no request runs here and
    /// every member has everything. The node stays a member and goes on serving what still comes. Dropping the
    /// future does not undo the announcement.
    ///
    /// # Errors
    /// After `at_most` something was left; the error lists it.
    pub async fn drain(&self, at_most: Duration) -> Result<(), DrainIncomplete> {
        let until = Instant::now() + at_most;
        for engine in self.engines() {
            engine.step(|node, now, effects| node.drain(now, effects));
        }
        loop {
            let left = self.left_to_do();
            if left.requests == 0 && left.debts.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(left);
            }
            sleep(DRAIN_POLL).await;
        }
    }

    /// Says goodbye, sends what still waits, closes all links and ends this node's tasks. From now on its session
    /// layers answer 503. Call [`drain`](Self::drain) before.
    pub async fn leave(&self) {
        for engine in self.engines() {
            engine.step(|node, now, effects| node.leave(now, effects));
        }
        if let Some(outlet) = &self.inner.shared.outlet {
            outlet.channel.stop().await;
        }
        self.inner.tasks.abort();
        self.inner.shared.post.close();
    }

    fn left_to_do(&self) -> DrainIncomplete {
        let engine = &self.inner.shared;
        let now = engine.clock.now();
        let names = engine.node.members(now);
        let name = |boot| names.iter().find(|row| row.boot == boot).map(|row| row.name.clone());
        let debts = engine.node.debts(now).into_iter().map(|debt| OwedTo {
            member: name(debt.to).unwrap_or_else(|| debt.to.to_string()),
            sessions: debt.owed,
            unacknowledged: debt.unacknowledged,
        });
        DrainIncomplete {
            requests: self.engines().map(|engine| engine.running()).sum(),
            debts: debts.collect(),
        }
    }
}
