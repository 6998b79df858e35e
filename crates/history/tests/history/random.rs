//! Random executions of a cluster that behaves as one map must be clean; the same with one deliberate loss
//! must be found.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sessile_history::{
    Action, Attribute, History, Holding, Life, Operation, OperationOutcome, SeededRng, Seen, SessionRecord,
    judge,
};

const CLIENTS: u64 = 4;
const SESSIONS: usize = 3;
const PROCESSES: u64 = 3;

/// The one map, and what clients see of it.
struct Run {
    rng: SeededRng,
    history: History,
    state: Vec<Option<Seen>>,
    /// Operations under way: when each takes effect and when it is answered.
    pending: BTreeMap<(u64, usize), u64>,
    /// Client by client, until when it is busy.
    busy: [u64; CLIENTS as usize],
    now: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut history = History::default();
        for node in 0..PROCESSES as usize {
            history.nodes.push(format!("n{node}"));
            history.lives.push(Life { process: node as u64, node, from: 0, to: None, pauses: Vec::new() });
        }
        for session in 0..SESSIONS {
            let (key, canary) = (format!("s{session}"), session as u64);
            history.sessions.push(SessionRecord { key, canary, created_by: session, ended_at: None });
            let mut create = Operation::new(0, session, Action::Create, 0);
            (create.ended, create.process, create.outcome) = (Some(1), Some(0), OperationOutcome::Ok);
            history.operations.push(create);
        }
        let state =
            (0..SESSIONS as u64).map(|canary| Some(Seen::from([(Attribute::Canary, canary)]))).collect();
        Self { rng: SeededRng::new(seed, 0), history, state, pending: BTreeMap::new(), busy: [2; 4], now: 2 }
    }

    fn play(mut self, operations: usize) -> History {
        while self.history.operations.len() < operations {
            self.now += 1 + self.rng.below(5);
            self.settle(self.now);
            let client = self.rng.below(CLIENTS) as usize;
            if self.busy[client] < self.now {
                self.begin(client);
            }
        }
        self.settle(u64::MAX);
        let sessions: BTreeMap<_, _> = (self.state.iter().enumerate())
            .filter_map(|(id, seen)| seen.clone().map(|seen| (id, seen)))
            .collect();
        for process in 0..PROCESSES {
            let holding = Holding { process, at: self.now + 1_000, sessions: sessions.clone() };
            self.history.holdings.push(holding);
        }
        self.history
    }

    fn begin(&mut self, client: usize) {
        let (id, session) = (self.history.operations.len(), self.rng.below(SESSIONS as u64) as usize);
        let value = Some(id as u64);
        let action = match self.rng.below(40) {
            0 => Action::Logout,
            1..=15 => Action::Write(vec![(Attribute::Register(self.rng.below(2) as u8), value)]),
            16..=18 => Action::Write(vec![(Attribute::Register(0), None)]),
            19..=22 => Action::Write(vec![(Attribute::Member(id as u64), value)]),
            23..=27 => Action::Write(vec![(Attribute::Pair(0), value), (Attribute::Pair(1), value)]),
            _ => Action::Read,
        };
        let mut operation = Operation::new(client as u32, session, action, self.now);
        operation.process = Some(self.rng.below(PROCESSES));
        let effect = self.now + 1 + self.rng.below(20);
        let answer = effect + 1 + self.rng.below(20);
        self.busy[client] = answer;
        // Some are never answered, and of those some take effect very late or never.
        match self.rng.below(10) {
            0 => {
                self.pending.insert((effect + self.rng.below(300), id), 0);
            }
            1 => {}
            2 => operation.outcome = OperationOutcome::Failed,
            _ => {
                self.pending.insert((effect, id), answer);
            }
        }
        self.history.operations.push(operation);
    }

    fn settle(&mut self, until: u64) {
        while let Some(((at, id), answer)) =
            self.pending.first_key_value().map(|(due, answer)| (*due, *answer))
        {
            if at >= until {
                return;
            }
            self.pending.pop_first();
            let operation = &mut self.history.operations[id];
            let state = &mut self.state[operation.session];
            let seen = state.clone();
            take_effect(state, &operation.action);
            if answer > 0 {
                operation.ended = Some(answer);
                operation.outcome =
                    if seen.is_some() { OperationOutcome::Ok } else { OperationOutcome::Absent };
                operation.seen = seen.filter(|_| operation.action == Action::Read);
            }
        }
    }
}

fn take_effect(state: &mut Option<Seen>, action: &Action) {
    let Some(session) = state else { return };
    match action {
        Action::Logout => *state = None,
        Action::Write(writes) => {
            for (name, value) in writes {
                match value {
                    Some(value) => session.insert(*name, *value),
                    None => session.remove(name),
                };
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_execution_like_one_map_is_clean(seed in any::<u64>(), operations in 10_usize..300) {
        let history = Run::new(seed).play(operations);
        let verdict = judge(&history);
        let told: Vec<_> = verdict.broken_promises.iter().map(|finding| finding.describe(&history)).collect();
        prop_assert!(told.is_empty(), "{}", told.join("\n"));
    }

    #[test]
    fn a_set_member_forgotten_by_every_copy_is_lost(seed in any::<u64>()) {
        let mut history = Run::new(seed).play(200);
        let added = history.operations.iter().find_map(|operation| match operation.written() {
            [(Attribute::Member(number), _)] if operation.over().is_some() => {
                Some((operation.session, Attribute::Member(*number)))
            }
            _ => None,
        });
        let Some((session, member)) = added else { return Ok(()) };
        let held = history.holdings.iter_mut().filter_map(|holding| holding.sessions.get_mut(&session));
        let forgot: Vec<_> = held.map(|copy| copy.remove(&member)).collect();
        prop_assume!(!forgot.is_empty());
        let verdict = judge(&history);
        let logouts = history.operations.iter().any(|operation| {
            operation.session == session && operation.action == Action::Logout && operation.outcome != OperationOutcome::Failed
        });
        prop_assert!(logouts || verdict.count(sessile_history::BrokenPromiseKind::Lost) == 3);
    }
}
