//! The thread that owns the log. Concurrent saves become durable together, with one sync.

use tokio::sync::{mpsc, oneshot};

use super::index::FrameLocation;
use super::log::{AppendError, Log, StagedFrames};
use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::record::Record;
use crate::store::SaveOutcome;

/// Capacity of the job queue; further callers wait.
pub(super) const QUEUE: usize = 256;
/// Most bytes of one group of saves.
const GROUP_BYTES: usize = 8 << 20;

pub(super) type ReplySender<T> = oneshot::Sender<Result<T, StoreError>>;

/// Jobs of the thread.
#[derive(Debug)]
pub(super) enum WriterJob {
    Save(Vec<Record>, ReplySender<Vec<SaveOutcome>>),
    Purge {
        now_millis: u64,
        reply: ReplySender<u64>,
    },
    PutAside {
        key: Key,
        spot: FrameLocation,
        frame: bytes::Bytes,
        cause: &'static str,
        reply: ReplySender<DamagedRecord>,
    },
    Close(ReplySender<()>),
}

pub(super) struct LogWriter {
    name: String,
    log: Log,
    jobs: mpsc::Receiver<WriterJob>,
}

impl LogWriter {
    pub(super) fn new(name: String, log: Log, jobs: mpsc::Receiver<WriterJob>) -> Self {
        Self { name, log, jobs }
    }

    /// Runs until the store is closed or dropped. Earlier jobs are done first.
    pub(super) fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                match job {
                    WriterJob::Save(records, reply) => next = self.save(records, reply),
                    WriterJob::Purge { now_millis, reply } => {
                        let purged = self.log.purge(now_millis).map_err(|refused| self.failure(&refused));
                        let _ = reply.send(purged);
                    }
                    WriterJob::PutAside { key, spot, frame, cause, reply } => {
                        let _ = reply.send(Ok(self.log.put_aside(key, &spot, &frame, cause)));
                    }
                    WriterJob::Close(reply) => return self.close(reply),
                }
            }
            self.tidy();
        }
    }

    /// Saves these records and all directly following saves; returns the first other job.
    fn save(&mut self, records: Vec<Record>, reply: ReplySender<Vec<SaveOutcome>>) -> Option<WriterJob> {
        let mut staged = StagedFrames::default();
        let mut answers = vec![(self.stage(&records, &mut staged), reply)];
        let mut next = None;
        while staged.bytes() < GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(WriterJob::Save(records, reply)) => {
                    answers.push((self.stage(&records, &mut staged), reply))
                }
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

    fn stage(&self, records: &[Record], staged: &mut StagedFrames) -> Vec<SaveOutcome> {
        let outcome = |record: &Record| match record.check() {
            Err(malformed) => SaveOutcome::Failed(StoreError::unusable(&self.name, malformed)),
            Ok(()) if self.log.stage(record, staged) => SaveOutcome::Saved,
            Ok(()) => SaveOutcome::Superseded,
        };
        records.iter().map(outcome).collect()
    }

    fn tidy(&mut self) {
        while self.jobs.is_empty() {
            match self.log.tidy() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(store = self.name, %error, "the log cannot be compacted; it keeps growing");
                    return;
                }
            }
        }
    }

    fn close(self, reply: ReplySender<()>) {
        let Self { log, mut jobs, .. } = self;
        jobs.close();
        drop(log);
        let _ = reply.send(Ok(()));
    }

    fn failure(&self, refused: &AppendError) -> StoreError {
        match refused {
            AppendError::Full { max_bytes } => StoreError::full(
                &self.name,
                format!("its sessions take three quarters of `max_bytes` = {max_bytes}; raise it, or purge"),
            ),
            AppendError::Io(error) => super::failure(&self.name, error),
        }
    }
}
