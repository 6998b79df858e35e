//! Histories that break a promise.

use sessile_history::{Action, Attribute, BrokenPromiseKind, OperationOutcome};

use crate::by_hand::{ByHand, R0};

#[test]
fn an_acknowledged_write_that_no_copy_holds_is_lost() {
    let mut hand = ByHand::new();
    hand.write(1, 7);
    hand.held(&[(1, Some(&[])), (2, Some(&[])), (3, Some(&[]))]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Lost]);
    let finding = &hand.broken_promises()[0];
    assert_eq!((finding.session, finding.operations.as_slice()), (0, [1].as_slice()));
    let told = finding.describe(&hand.history);
    assert!(told.contains("lost: session key0") && told.contains("write r0=7 → Ok"), "{told}");
}

#[test]
fn a_write_is_lost_though_its_writer_was_killed() {
    let mut hand = ByHand::new();
    hand.write(1, 7);
    hand.killed(1);
    hand.held(&[(2, Some(&[])), (3, Some(&[]))]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Lost]);
}

#[test]
fn a_missing_member_of_the_set_is_lost() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Write(vec![(Attribute::Member(5), Some(5))]), OperationOutcome::Ok);
    hand.held(&[(1, Some(&[]))]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Lost]);
}

#[test]
fn a_living_session_reported_absent_is_lost() {
    let mut hand = ByHand::new();
    hand.absent(2);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Lost]);
    hand.held(&[(1, None), (2, None)]);
    assert_eq!(hand.broken_promises().len(), 3);
}

#[test]
fn a_copy_that_forgets_after_a_stop_is_stale() {
    let mut hand = ByHand::new();
    hand.stopped(3);
    hand.write(1, 7);
    hand.went_on(3);
    hand.read(3, &[]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Stale]);
}

#[test]
fn a_replaced_value_that_comes_back_is_doubled() {
    let mut hand = ByHand::new();
    // Nobody answered the first write: it may take effect late, but once.
    hand.answered(0, 1, Action::Write(vec![(R0, Some(1))]), OperationOutcome::Unknown);
    hand.read(2, &[(R0, 1)]);
    hand.answered(0, 1, Action::Write(vec![(R0, Some(2))]), OperationOutcome::Unknown);
    hand.read(2, &[(R0, 2)]);
    hand.read(2, &[(R0, 1)]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Doubled]);
    assert_eq!(hand.broken_promises()[0].operations, [2, 4, 5]);
}

#[test]
fn writes_of_one_side_of_a_split_may_end_with_the_session_there() {
    for (divided, found) in [(true, vec![]), (false, vec![BrokenPromiseKind::Doubled])] {
        let mut hand = ByHand::new();
        hand.answered(0, 1, Action::Write(vec![(R0, Some(1))]), OperationOutcome::Unknown);
        hand.read(2, &[(R0, 1)]);
        if divided {
            hand.cut(None);
        }
        hand.answered(0, 2, Action::Write(vec![(R0, Some(2))]), OperationOutcome::Unknown);
        hand.read(2, &[(R0, 2)]);
        hand.history.sessions[0].ended_at = Some(hand.tick());
        hand.agreement(&[1, 2, 3]);
        hand.read(2, &[(R0, 1)]);
        assert_eq!(hand.kinds(), found, "divided: {divided}");
    }
}

#[test]
fn a_session_that_is_seen_after_its_logout_is_resurrected() {
    let mut hand = ByHand::new();
    hand.logout(1);
    hand.read(3, &[]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Resurrected]);
}

#[test]
fn a_copy_of_an_ended_session_is_resurrected() {
    let mut hand = ByHand::new();
    hand.logout(1);
    hand.held(&[(1, None), (2, Some(&[]))]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Resurrected, BrokenPromiseKind::Diverged]);
}

#[test]
fn a_secret_ended_by_a_login_opens_no_session() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Login(0, 1), OperationOutcome::Ok);
    hand.read(2, &[]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Resurrected]);
}

#[test]
fn half_a_pair_is_torn_and_so_are_other_bytes() {
    let mut hand = ByHand::new();
    let pair = vec![(Attribute::Pair(0), Some(4)), (Attribute::Pair(1), Some(4))];
    hand.answered(0, 1, Action::Write(pair), OperationOutcome::Unknown);
    let half = hand.read(1, &[(Attribute::Pair(0), 4)]);
    let damaged = hand.read(1, &[]);
    hand.history.operations[damaged].damaged = vec![R0];
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Torn]);
    let ops: Vec<_> = hand.broken_promises().iter().flat_map(|finding| finding.operations.clone()).collect();
    assert_eq!(ops, [half, damaged]);
}

#[test]
fn copies_that_differ_are_diverged() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Write(vec![(R0, Some(3))]), OperationOutcome::Unknown);
    hand.held(&[(1, Some(&[(R0, 3)])), (2, Some(&[]))]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Diverged]);
}

#[test]
fn copies_differ_for_a_moment_while_an_expiry_is_on_its_way() {
    for (ago, found) in [(1, vec![]), (5_000_000, vec![BrokenPromiseKind::Diverged])] {
        let mut hand = ByHand::new();
        for _ in 0..600_000 {
            hand.tick();
        }
        hand.history.sessions[0].ended_at = Some(hand.tick() - ago);
        hand.held(&[(1, None), (2, Some(&[]))]);
        assert_eq!(hand.kinds(), found, "{ago} us ago");
    }
}

#[test]
fn a_value_of_another_session_is_mixed_up() {
    let mut hand = ByHand::new();
    let other = hand.session();
    hand.answered(other, 1, Action::Write(vec![(R0, Some(8))]), OperationOutcome::Ok);
    hand.read(1, &[(R0, 8)]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::MixedUp]);
    let foreign = hand.read(1, &[]);
    hand.history.operations[foreign].seen = Some([(Attribute::Canary, 901)].into());
    assert_eq!(hand.broken_promises().len(), 2);
}

#[test]
fn a_read_of_a_certainly_replaced_value_is_stale() {
    let mut hand = ByHand::new();
    hand.write(1, 1);
    hand.write(2, 2);
    hand.read(3, &[(R0, 1)]);
    hand.read(3, &[(R0, 2)]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Stale]);
    assert_eq!(hand.broken_promises()[0].operations, [2, 3]);
}

#[test]
fn a_removed_value_that_is_read_is_stale() {
    let mut hand = ByHand::new();
    hand.write(1, 1);
    hand.answered(0, 1, Action::Write(vec![(R0, None)]), OperationOutcome::Ok);
    hand.read(3, &[(R0, 1)]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Stale]);
}

#[test]
fn a_split_excuses_only_what_is_on_the_other_side() {
    let mut hand = ByHand::new();
    hand.cut(Some(vec![0, 0, 1]));
    hand.write(1, 7);
    hand.read(3, &[]);
    assert!(hand.broken_promises().is_empty());
    hand.read(2, &[]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Stale]);
}

#[test]
fn a_split_excuses_nothing_after_the_heal() {
    let mut hand = ByHand::new();
    hand.cut(Some(vec![0, 0, 1]));
    hand.write(1, 7);
    hand.agreement(&[1, 2, 3]);
    hand.read(3, &[]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Stale]);
    hand.held(&[(3, Some(&[]))]);
    assert_eq!(hand.kinds(), [BrokenPromiseKind::Lost, BrokenPromiseKind::Stale]);
}
