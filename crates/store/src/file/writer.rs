//! The thread that owns the log. Saves that wait together become durable together, with one sync.

use tokio::sync::{mpsc, oneshot};

use super::index::Spot;
use super::log::{Log, Refused, Staged};
use crate::error::{Damaged, StoreError};
use crate::key::Key;
use crate::record::Record;
use crate::store::Outcome;

/// How many jobs may wait; who comes later waits to be let in.
pub(super) const QUEUE: usize = 256;
/// Jobs are grouped until they are so many bytes.
const GROUP_BYTES: usize = 8 << 20;

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Job {
    Save(Vec<Record>, Reply<Vec<Outcome>>),
    Purge { now_millis: u64, reply: Reply<u64> },
    PutAside { key: Key, spot: Spot, frame: bytes::Bytes, cause: &'static str, reply: Reply<Damaged> },
    Close(Reply<()>),
}

pub(super) struct Writer {
    name: String,
    log: Log,
    jobs: mpsc::Receiver<Job>,
}

impl Writer {
    pub(super) fn new(name: String, log: Log, jobs: mpsc::Receiver<Job>) -> Self {
        Self { name, log, jobs }
    }

    /// Works until the store is closed or dropped. All that was asked for before is done first.
    pub(super) fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                match job {
                    Job::Save(records, reply) => next = self.save(records, reply),
                    Job::Purge { now_millis, reply } => {
                        let purged = self.log.purge(now_millis).map_err(|refused| self.failure(&refused));
                        let _ = reply.send(purged);
                    }
                    Job::PutAside { key, spot, frame, cause, reply } => {
                        let _ = reply.send(Ok(self.log.put_aside(key, &spot, &frame, cause)));
                    }
                    Job::Close(reply) => return self.close(reply),
                }
            }
            self.tidy();
        }
    }

    /// Saves this and what waits behind it; gives back the first job that is none.
    fn save(&mut self, records: Vec<Record>, reply: Reply<Vec<Outcome>>) -> Option<Job> {
        let mut staged = Staged::default();
        let mut answers = vec![(self.stage(&records, &mut staged), reply)];
        let mut next = None;
        while staged.bytes() < GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Job::Save(records, reply)) => answers.push((self.stage(&records, &mut staged), reply)),
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let appended = self.log.append(staged);
        for (outcomes, reply) in answers {
            let answer = match &appended {
                Ok(()) => Ok(outcomes),
                Err(refused) => Err(self.failure(refused)),
            };
            let _ = reply.send(answer);
        }
        next
    }

    fn stage(&self, records: &[Record], staged: &mut Staged) -> Vec<Outcome> {
        let outcome = |record: &Record| match record.check() {
            Err(malformed) => Outcome::Failed(StoreError::unusable(&self.name, malformed)),
            Ok(()) if self.log.stage(record, staged) => Outcome::Saved,
            Ok(()) => Outcome::Superseded,
        };
        records.iter().map(outcome).collect()
    }

    fn tidy(&mut self) {
        while self.jobs.is_empty() {
            match self.log.tidy() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(store = self.name, %error, "cannot clean up behind the log; it goes on growing");
                    return;
                }
            }
        }
    }

    fn close(self, reply: Reply<()>) {
        let Self { log, mut jobs, .. } = self;
        jobs.close();
        drop(log);
        let _ = reply.send(Ok(()));
    }

    fn failure(&self, refused: &Refused) -> StoreError {
        match refused {
            Refused::Full { max_bytes } => StoreError::full(
                &self.name,
                format!("its sessions take three quarters of `max_bytes` = {max_bytes}; raise it, or purge"),
            ),
            Refused::Io(error) => super::failure(&self.name, error),
        }
    }
}
