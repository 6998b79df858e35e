//! Correct histories, however unusual.

use sessile_history::{Action, BrokenPromiseKind, OperationOutcome, Settled, judge};

use crate::by_hand::{ByHand, R0};

#[test]
fn an_empty_history_is_clean() {
    assert!(judge(&sessile_history::History::default()).is_clean());
}

#[test]
fn an_unknown_write_may_be_there_or_not_and_may_come_late() {
    let mut hand = ByHand::new();
    hand.write(1, 1);
    hand.answered(0, 1, Action::Write(vec![(R0, Some(2))]), OperationOutcome::Unknown);
    hand.read(2, &[(R0, 1)]);
    hand.write(2, 3);
    hand.read(3, &[(R0, 3)]);
    hand.read(3, &[(R0, 2)]);
    assert_eq!(hand.broken_promises(), []);
    let verdict = judge(&hand.history);
    assert_eq!((verdict.acknowledged, verdict.unknown, verdict.failed), (6, 1, 0));
}

#[test]
fn an_unknown_logout_ends_the_session_or_not() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Logout, OperationOutcome::Unknown);
    hand.read(2, &[]);
    hand.absent(3);
    assert_eq!(hand.broken_promises(), []);
}

#[test]
fn an_unknown_creation_demands_nothing() {
    let mut hand = ByHand::new();
    hand.history.operations[0].outcome = OperationOutcome::Unknown;
    hand.absent(2);
    assert_eq!(hand.broken_promises(), []);
}

#[test]
fn a_value_of_a_failed_write_is_mixed_up() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Write(vec![(R0, Some(5))]), OperationOutcome::Failed);
    hand.write(1, 6);
    hand.read(2, &[(R0, 6)]);
    assert_eq!(hand.broken_promises(), []);
}

#[test]
fn writes_at_the_same_time_may_end_in_either_order() {
    for found in [1, 2] {
        let mut hand = ByHand::new();
        let one = hand.write(1, 1);
        let other = hand.write(2, 2);
        hand.history.operations[other].began = hand.history.operations[one].began;
        hand.read(3, &[(R0, found)]);
        assert_eq!(hand.broken_promises(), []);
    }
}

#[test]
fn a_session_that_died_with_all_copies_is_counted_but_not_lost() {
    let mut hand = ByHand::new();
    hand.killed(3);
    hand.write(1, 7);
    hand.killed(1);
    hand.killed(2);
    hand.history.lives.push(sessile_history::Life {
        process: 4,
        node: 0,
        from: 10_000,
        to: None,
        pauses: Vec::new(),
    });
    hand.absent(4);
    assert_eq!(hand.broken_promises(), []);
    assert_eq!(judge(&hand.history).gone_with_all_copies, 1);
}

#[test]
fn a_receipt_of_one_copy_promises_one() {
    for (copies, expected) in [(1, Vec::new()), (3, vec![BrokenPromiseKind::Lost])] {
        let mut hand = ByHand::new();
        let write = hand.write(1, 7);
        let at = hand.history.operations[write].ended.expect("it was answered");
        hand.history.operations[write].settled = Some(Settled { at, copies });
        hand.killed(1);
        hand.held(&[(2, Some(&[])), (3, Some(&[]))]);
        assert_eq!(hand.kinds(), expected, "{copies} copies");
    }
}

#[test]
fn in_async_mode_a_write_needs_time_to_spread() {
    let mut hand = ByHand::new();
    hand.history.asynchronous = true;
    hand.write(1, 7);
    hand.read(2, &[]);
    assert_eq!(hand.broken_promises(), []);
    hand.logout(1);
    hand.read(2, &[]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Resurrected], "an end is confirmed in every mode");
}

#[test]
fn a_stopped_process_knows_nothing_until_all_nodes_agree() {
    let mut hand = ByHand::new();
    hand.stopped(3);
    hand.went_on(3);
    hand.write(1, 7);
    hand.killed(1);
    hand.killed(2);
    hand.held(&[(3, Some(&[]))]);
    assert_eq!(hand.broken_promises(), []);
}
