//! Questions to every member about a session: one that is not here, or one that is about to expire (rules
//! 7.11 to 7.16).
//!
//! * There is at most one question about a session. It is over when every member that was asked has answered
//!   or is out.
//! * A question about an expiry is decided against the end if one member has the session in use, or was lost
//!   before it answered.
//!
//! Must not know what an answer does to the session, nor how a question is sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::{Incarnation, Instant, QuestionId, SessionKey};

/// Replies that are kept for requests which have not come back for them.
const REPLIES_MAX: usize = 1024;

/// The answers of the members about a session, as far as its copy does not show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replies {
    /// A member sent a copy for which there was no room.
    pub(crate) no_room: bool,
    /// A member does not agree that the session's time is over.
    pub(crate) in_use: bool,
    /// A member asked about the same expiry meanwhile, and may be the one that ends the session.
    pub(crate) contested: bool,
}

/// A question that is over.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) is_expiry: bool,
    pub(crate) askers: Vec<QuestionId>,
    pub(crate) replies: Replies,
}

/// A question as it is sent.
#[derive(Debug)]
pub(crate) struct Unanswered<'q> {
    pub(crate) id: u64,
    pub(crate) is_expiry: bool,
    pub(crate) members: &'q BTreeSet<Incarnation>,
}

#[derive(Debug)]
struct Question {
    id: u64,
    /// The asker means to end the session; a member where it is idle need not send a copy.
    is_expiry: bool,
    /// Requests that wait for the answers.
    askers: Vec<QuestionId>,
    /// Members that have not answered.
    members: BTreeSet<Incarnation>,
    asked_at: Instant,
    replies: Replies,
}

/// The questions of one shard.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    open: BTreeMap<SessionKey, Question>,
    /// Replies to questions that are over, until the request that asked opens the session again.
    replies: BTreeMap<SessionKey, Replies>,
    /// The same sessions, in the order in which their replies were kept.
    kept: VecDeque<SessionKey>,
}

impl Questions {
    /// Whether a question about a session is open.
    pub(crate) fn contains(&self, key: SessionKey) -> bool {
        self.open.contains_key(&key)
    }

    /// How many open questions are about expiries.
    pub(crate) fn expiries(&self) -> usize {
        self.open.values().filter(|question| question.is_expiry).count()
    }

    /// Begins a question under a number of its own. A question about the same session ends, and its askers
    /// wait for the new one.
    pub(crate) fn begin(
        &mut self,
        key: SessionKey,
        id: u64,
        is_expiry: bool,
        askers: Vec<QuestionId>,
        members: BTreeSet<Incarnation>,
        now: Instant,
    ) {
        let earlier = self.open.remove(&key).map(|question| question.askers).unwrap_or_default();
        let askers = earlier.into_iter().chain(askers).collect();
        let question =
            Question { id, is_expiry, askers, members, asked_at: now, replies: Replies::default() };
        self.open.insert(key, question);
    }

    /// A request waits for the open question of this kind; false if there is none.
    pub(crate) fn join(&mut self, key: SessionKey, is_expiry: bool, asker: QuestionId) -> bool {
        let open = self.open.get_mut(&key).filter(|question| question.is_expiry == is_expiry);
        open.map(|question| question.askers.push(asker)).is_some()
    }

    /// The open question about a session, to be sent to the members that have not answered.
    pub(crate) fn unanswered(&self, key: SessionKey) -> Option<Unanswered<'_>> {
        let question = self.open.get(&key)?;
        Some(Unanswered { id: question.id, is_expiry: question.is_expiry, members: &question.members })
    }

    /// Questions without an answer for this time, which are to be sent again now: frames may be lost.
    pub(crate) fn late(&mut self, timeout: Duration, now: Instant) -> Vec<SessionKey> {
        let is_late = |question: &Question| now.since(question.asked_at) >= timeout;
        let late = self.open.iter_mut().filter(|(_, question)| is_late(question));
        let late = late.map(|(key, question)| {
            question.asked_at = now;
            *key
        });
        late.collect()
    }

    /// Another member asks whether this session may expire; true if a request here waits for the session,
    /// which is a use. Of two members that ask at once neither may end the session for what the other one
    /// said before (rule 7.15).
    pub(crate) fn contest(&mut self, key: SessionKey) -> bool {
        let Some(question) = self.open.get_mut(&key) else { return false };
        question.replies.contested = true;
        !question.askers.is_empty()
    }

    /// A member answers question `id`; false if nothing is expected of it.
    pub(crate) fn answer(&mut self, key: SessionKey, id: u64, from: Incarnation) -> bool {
        self.open.get_mut(&key).is_some_and(|question| question.id == id && question.members.remove(&from))
    }

    /// The answer had a copy: there was room for it or not, and of an idle session it means that it is in
    /// use.
    pub(crate) fn note_copy(&mut self, key: SessionKey, no_room: bool) {
        if let Some(question) = self.open.get_mut(&key) {
            question.replies.no_room |= no_room;
            question.replies.in_use |= question.is_expiry;
        }
    }

    /// One more member has to answer. It is sent the question with the next repetition.
    pub(crate) fn add_member(&mut self, member: Incarnation) {
        for question in self.open.values_mut() {
            question.members.insert(member);
        }
    }

    /// This member need not answer. Whether it used the session stays unknown: that is no agreement (rule
    /// 7.16).
    pub(crate) fn remove_member(&mut self, key: SessionKey, member: Incarnation) {
        if let Some(question) = self.open.get_mut(&key) {
            let was_awaited = question.members.remove(&member);
            question.replies.in_use |= was_awaited && question.is_expiry;
        }
    }

    /// The sessions of all open questions.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.open.keys().copied().collect()
    }

    /// Takes a question that every member has answered.
    pub(crate) fn take_answered(&mut self, key: SessionKey) -> Option<Answered> {
        self.open.get(&key).filter(|question| question.members.is_empty())?;
        self.open.remove(&key).map(Question::over)
    }

    /// Gives all questions up, undecided: this node is out.
    pub(crate) fn take_all(&mut self) -> Vec<(SessionKey, Answered)> {
        let open = std::mem::take(&mut self.open).into_iter();
        let undecided = open.map(|(key, mut question)| {
            question.replies.in_use = true;
            (key, question.over())
        });
        undecided.collect()
    }

    /// Keeps replies for the requests that asked. Those that were kept first go when there are too many:
    /// their requests have hung up.
    pub(crate) fn keep_replies(&mut self, key: SessionKey, replies: Replies) {
        let is_new = self.replies.insert(key, replies).is_none();
        if is_new {
            self.kept.push_back(key);
        }
        while self.kept.len() > planted!(REPLIES_MAX => limit("replies", REPLIES_MAX, self.kept.len())) {
            if let Some(oldest) = self.kept.pop_front() {
                self.replies.remove(&oldest);
            }
        }
    }

    /// The replies about a session; none if nobody asked.
    pub(crate) fn take_replies(&mut self, key: SessionKey) -> Replies {
        let kept = self.replies.remove(&key);
        if kept.is_some() {
            self.kept.retain(|kept| *kept != key);
        }
        kept.unwrap_or_default()
    }
}

impl Question {
    fn over(self) -> Answered {
        Answered { is_expiry: self.is_expiry, askers: self.askers, replies: self.replies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey([1; 16]);
    const MEMBERS: [Incarnation; 2] = [Incarnation(2), Incarnation(3)];

    fn asked(is_expiry: bool, askers: &[u64]) -> Questions {
        let mut questions = Questions::default();
        let askers = askers.iter().copied().map(QuestionId).collect();
        questions.begin(KEY, 7, is_expiry, askers, MEMBERS.into(), Instant::ORIGIN);
        questions
    }

    #[test]
    fn a_question_is_over_when_all_members_answered_it_by_its_number() {
        let mut questions = asked(false, &[1]);
        assert!(!questions.answer(KEY, 6, MEMBERS[0]), "an answer to an earlier question");
        assert!(questions.answer(KEY, 7, MEMBERS[0]));
        assert!(!questions.answer(KEY, 7, MEMBERS[0]), "once more");
        assert!(questions.take_answered(KEY).is_none());
        assert!(questions.answer(KEY, 7, MEMBERS[1]));
        let answered = questions.take_answered(KEY).unwrap();
        assert_eq!((answered.askers, answered.replies), (vec![QuestionId(1)], Replies::default()));
    }

    #[test]
    fn askers_move_on_to_a_question_of_the_other_kind() {
        let mut questions = asked(false, &[1]);
        assert!(questions.join(KEY, false, QuestionId(2)));
        assert!(!questions.join(KEY, true, QuestionId(3)));
        questions.begin(KEY, 8, true, vec![QuestionId(3)], BTreeSet::new(), Instant::ORIGIN);
        let answered = questions.take_answered(KEY).unwrap();
        assert_eq!(answered.askers, [1, 2, 3].map(QuestionId));
    }

    #[test]
    fn a_lost_member_agrees_to_no_expiry() {
        for (is_expiry, in_use) in [(true, true), (false, false)] {
            let mut questions = asked(is_expiry, &[]);
            MEMBERS.iter().for_each(|member| questions.remove_member(KEY, *member));
            assert_eq!(questions.take_answered(KEY).unwrap().replies.in_use, in_use);
        }
        let mut questions = asked(true, &[]);
        assert!(questions.answer(KEY, 7, MEMBERS[0]) && questions.answer(KEY, 7, MEMBERS[1]));
        questions.remove_member(KEY, MEMBERS[0]);
        assert!(!questions.take_answered(KEY).unwrap().replies.in_use, "it had answered before");
    }

    #[test]
    fn a_question_of_another_member_contests_and_meets_a_use_where_a_request_waits() {
        assert!(!Questions::default().contest(KEY));
        assert!(!asked(true, &[]).contest(KEY));
        let mut questions = asked(true, &[1]);
        assert!(questions.contest(KEY));
        assert!(questions.take_all()[0].1.replies.contested);
    }

    #[test]
    fn a_question_is_repeated_after_the_timeout_to_those_who_owe_an_answer() {
        let (mut questions, timeout) = (asked(false, &[]), Duration::from_secs(1));
        assert!(questions.answer(KEY, 7, MEMBERS[0]));
        questions.add_member(Incarnation(4));
        assert_eq!(questions.late(timeout, Instant::ORIGIN), []);
        let later = Instant::after_origin(timeout);
        assert_eq!(questions.late(timeout, later), [KEY]);
        assert_eq!(questions.late(timeout, later), [], "it was just sent");
        let members = questions.unanswered(KEY).unwrap().members;
        assert_eq!(*members, [MEMBERS[1], Incarnation(4)].into());
    }

    #[test]
    fn kept_replies_are_bounded_and_taken_once() {
        let mut questions = Questions::default();
        let (full, key) =
            (Replies { no_room: true, ..Replies::default() }, |n: u128| SessionKey(n.to_le_bytes()));
        (0..=REPLIES_MAX as u128).for_each(|number| questions.keep_replies(key(number), full));
        assert_eq!(questions.take_replies(key(0)), Replies::default(), "the first request has hung up");
        assert_eq!(questions.take_replies(key(REPLIES_MAX as u128)), full, "a request of now gets its reply");
        assert_eq!(questions.take_replies(key(REPLIES_MAX as u128)), Replies::default());
        assert_eq!((questions.replies.len(), questions.kept.len()), (REPLIES_MAX - 1, REPLIES_MAX - 1));
    }
}
