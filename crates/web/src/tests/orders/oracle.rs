//! What must hold of every trial.

use http::header::SET_COOKIE;

use super::*;
use crate::cookie::Identity;

/// How often what is interesting happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) trials: u64,
    /// Answers that gave the same secret another route.
    pub(super) renames: u64,
    /// Requests that saw a view from before a login.
    pub(super) views: u64,
    /// Answers that were right when they left, and were overtaken by the answer of a login or a logout that
    /// came later.
    pub(super) overtaken: u64,
    /// Answers that took a dead cookie back.
    pub(super) removals: u64,
}

pub(super) struct Oracle<'t> {
    nodes: &'t Nodes,
    trial: &'t Trial,
    seen: Vec<Arc<Mutex<Seen>>>,
    was_valid: Vec<bool>,
    sent: Vec<Option<Presented>>,
    /// Writes that were acknowledged, and in which session.
    acknowledged: Vec<(SessionKey, &'static str)>,
    /// Cookies that a login superseded, each with the number of writes that were acknowledged before it.
    superseded: Vec<(Presented, usize)>,
    /// What each answer sets, where that was valid when the answer left.
    left_valid: Vec<Option<Presented>>,
    /// Every cookie that an answer left with, in the order in which they were made.
    made: Vec<Identity>,
    /// Those of sessions that a write made because its request had none: two such requests at once make two.
    without_session: Vec<Identity>,
    /// How many there were when each answer left.
    made_before: Vec<usize>,
    /// Valid ones that a logout's answer removed: the logout was of another session, which came before.
    removed: Vec<Identity>,
    received_login: bool,
    has_logout: bool,
}

impl<'t> Oracle<'t> {
    pub(super) fn new(nodes: &'t Nodes, trial: &'t Trial) -> Self {
        let count = trial.plans.len();
        Self {
            nodes,
            trial,
            seen: (0..count).map(|_| Arc::default()).collect(),
            was_valid: vec![false; count],
            sent: vec![None; count],
            acknowledged: Vec::new(),
            superseded: Vec::new(),
            left_valid: vec![None; count],
            made: Vec::new(),
            without_session: Vec::new(),
            made_before: vec![0; count],
            removed: Vec::new(),
            received_login: false,
            has_logout: trial.plans.iter().any(|plan| plan.kind == Kind::Logout),
        }
    }

    pub(super) fn arrives(&mut self, index: usize, sent: Option<Presented>) -> Arc<Mutex<Seen>> {
        self.was_valid[index] = sent.as_ref().is_some_and(|sent| self.nodes.is_valid(sent));
        self.sent[index] = sent;
        Arc::clone(&self.seen[index])
    }

    pub(super) fn finishes(&mut self, index: usize, receipt: Option<&Receipt>) -> Result<(), String> {
        let (kind, seen) = (self.trial.plans[index].kind, self.seen[index].lock().clone());
        // Fixation: whoever kept the cookie from before sees nothing of the login and of what came later.
        if !self.was_valid[index] {
            let same = |cookie: &Presented| {
                self.sent[index].as_ref().is_some_and(|sent| sent.identity == cookie.identity)
            };
            let before = self.superseded.iter().find(|(cookie, _)| same(cookie)).map(|(_, before)| *before);
            let later = &self.acknowledged[before.unwrap_or(self.acknowledged.len())..];
            if let Some((_, name)) = later.iter().find(|(_, name)| seen.names.iter().any(|seen| seen == name))
            {
                return Err(format!("request {index} sees `{name}` with a cookie from before the login"));
            }
            if seen.principal.is_some() {
                return Err(format!("request {index} sees who is logged in with a cookie from before"));
            }
        }
        let Some(key) = seen.left else { return Ok(()) };
        let took = receipt.is_some_and(|receipt| !receipt.ended && !receipt.superseded);
        if matches!(kind, Kind::Write | Kind::Login) && took {
            if kind == Kind::Login
                && let Some(sent) = self.sent[index].clone().filter(|_| self.was_valid[index])
                && !self.superseded.iter().any(|(cookie, _)| cookie.identity == sent.identity)
            {
                self.superseded.push((sent, self.acknowledged.len()));
            }
            self.acknowledged.push((key, NAMES[index]));
        }
        Ok(())
    }

    /// An answer that leaves sets what is valid at that moment, and removes only what a logout ended.
    pub(super) fn leaves(&mut self, index: usize, answer: &Response<Body>) -> Result<(), String> {
        let mut cookies = answer.headers().get_all(SET_COOKIE).iter();
        let Some(set) = cookies.next() else { return Ok(()) };
        if cookies.next().is_some() {
            return Err(format!("answer {index} sets two cookies"));
        }
        let mut browser = Browser::new();
        browser.receive(&self.nodes.page, answer);
        let presented = self.nodes.presented(&browser);
        self.left_valid[index] = presented.clone().filter(|cookie| self.nodes.is_valid(cookie));
        if let Some(made) = presented.as_ref().filter(|made| !self.made.contains(&made.identity)) {
            self.made.push(made.identity);
            if self.trial.plans[index].kind == Kind::Write {
                self.without_session.push(made.identity);
            }
        }
        self.made_before[index] = self.made.len();
        // Of a session that ended long ago each answer may take the cookie back; `receives` sees that it
        // takes no other.
        let may_remove = self.trial.plans[index].kind == Kind::Logout || self.trial.is_dead;
        match (presented, &self.left_valid[index]) {
            (None, _) if may_remove => Ok(()),
            (None, _) => Err(format!("answer {index} removes the cookie: {set:?}")),
            (Some(_), None) => Err(format!("answer {index} sets a cookie that opens nothing")),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    /// No answer takes a valid cookie away, but a logout's, or one that was right when it left and was
    /// overtaken.
    pub(super) fn receives(
        &mut self,
        index: usize,
        before: Option<Presented>,
        after: Option<Presented>,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let kind = self.trial.plans[index].kind;
        self.received_login |= kind == Kind::Login && self.left_valid[index].is_some();
        tally.views +=
            u64::from(!self.was_valid[index] && self.seen[index].lock().names.contains(&"cart".to_owned()));
        let (Some(before), Some(now)) = (before.clone(), after.clone()) else {
            tally.removals += u64::from(before.is_some() && after.is_none());
            let lost = before.filter(|before| self.nodes.is_valid(before));
            self.removed.extend(lost.as_ref().map(|lost| lost.identity));
            // It left before the session began whose cookie it takes away.
            let made = |lost: &Presented| self.made.iter().position(|made| *made == lost.identity);
            let is_overtaken = lost.as_ref().is_some_and(|lost| made(lost) >= Some(self.made_before[index]));
            tally.overtaken += u64::from(is_overtaken);
            let excused = kind == Kind::Logout || lost.is_none() || is_overtaken;
            return if excused { Ok(()) } else { Err(format!("answer {index} removes a valid cookie")) };
        };
        if before == now || !self.nodes.is_valid(&before) {
            return Ok(());
        }
        let same_session = before.identity.key == now.identity.key;
        tally.renames += u64::from(before.identity == now.identity);
        if !self.nodes.is_valid(&now) {
            // A login or a logout came after it had left.
            tally.overtaken += 1;
            let left = self.left_valid[index].is_some();
            return if left {
                Ok(())
            } else {
                Err(format!("answer {index} replaces a valid cookie by a dead one"))
            };
        }
        let made = |cookie: &Presented| self.made.iter().position(|made| *made == cookie.identity);
        if !same_session && made(&before) >= Some(self.made_before[index]) {
            tally.overtaken += 1;
            return Ok(());
        }
        // Another session takes its place only when it is newer, when that request logged in, or when it had
        // no session to write to.
        if made(&now) > made(&before)
            || self.removed.contains(&now.identity)
            || self.without_session.contains(&before.identity)
        {
            return Ok(());
        }
        let made_it = kind == Kind::Login || (kind == Kind::Write && !self.was_valid[index]);
        if same_session || made_it { Ok(()) } else { Err(format!("answer {index} changes the session")) }
    }

    pub(super) fn ends(&self, last: Option<Presented>) -> Result<(), String> {
        let Some(cookie) = last.filter(|cookie| self.nodes.is_valid(cookie)) else { return Ok(()) };
        let key = cookie.identity.key;
        let fields = self.nodes.host.copy(key).ok_or("a valid cookie of a session that is not there")?;
        let lost = self.acknowledged.iter().find(|(written, name)| *written == key && !fields.contains(name));
        if let Some((_, name)) = lost {
            return Err(format!(
                "`{name}` was acknowledged, and the session that the browser reaches lacks it"
            ));
        }
        if !self.has_logout && !self.trial.is_dead && !fields.contains("cart") {
            return Err("the cart is gone".to_owned());
        }
        // Two requests without a session that both begin one: the answer that arrives last counts.
        let began_apart = self.trial.is_dead && self.without_session.contains(&cookie.identity);
        if !self.has_logout && self.received_login && fields.principal().is_none() && !began_apart {
            return Err("the login is gone".to_owned());
        }
        Ok(())
    }
}
