//! Histories that break a promise.

use sessile_history::{Action, Attribute, Kind, Outcome};

use crate::by_hand::{ByHand, R0};

#[test]
fn an_acknowledged_write_that_no_copy_holds_is_lost() {
    let mut hand = ByHand::new();
    hand.write(1, 7);
    hand.held(&[(1, Some(&[])), (2, Some(&[])), (3, Some(&[]))]);
    assert_eq!(hand.kinds(), [Kind::Lost]);
    let finding = &hand.findings()[0];
    assert_eq!((finding.session, finding.operations.as_slice()), (0, [1].as_slice()));
    let told = finding.tell(&hand.history);
    assert!(told.contains("lost: session key0") && told.contains("write r0=7 → Ok"), "{told}");
}

#[test]
fn a_write_is_lost_though_its_writer_was_killed() {
    let mut hand = ByHand::new();
    hand.write(1, 7);
    hand.killed(1);
    hand.held(&[(2, Some(&[])), (3, Some(&[]))]);
    assert_eq!(hand.kinds(), [Kind::Lost]);
}

#[test]
fn a_member_of_the_set_that_is_not_there_is_lost() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Write(vec![(Attribute::Member(5), Some(5))]), Outcome::Ok);
    hand.held(&[(1, Some(&[]))]);
    assert_eq!(hand.kinds(), [Kind::Lost]);
}

#[test]
fn a_living_session_that_is_not_found_is_lost() {
    let mut hand = ByHand::new();
    hand.absent(2);
    assert_eq!(hand.kinds(), [Kind::Lost]);
    hand.held(&[(1, None), (2, None)]);
    assert_eq!(hand.findings().len(), 3);
}

#[test]
fn a_copy_that_forgets_after_a_stop_is_stale() {
    let mut hand = ByHand::new();
    hand.stopped(3);
    hand.write(1, 7);
    hand.went_on(3);
    hand.read(3, &[]);
    assert_eq!(hand.kinds(), [Kind::Stale]);
}

#[test]
fn a_value_that_was_replaced_and_comes_back_is_doubled() {
    let mut hand = ByHand::new();
    // Nobody answered the first write: it may take effect late, but once.
    hand.answered(0, 1, Action::Write(vec![(R0, Some(1))]), Outcome::Unknown);
    hand.read(2, &[(R0, 1)]);
    hand.answered(0, 1, Action::Write(vec![(R0, Some(2))]), Outcome::Unknown);
    hand.read(2, &[(R0, 2)]);
    hand.read(2, &[(R0, 1)]);
    assert_eq!(hand.kinds(), [Kind::Doubled]);
    assert_eq!(hand.findings()[0].operations, [2, 4, 5]);
}

#[test]
fn what_one_side_of_a_split_wrote_may_end_there_with_the_session() {
    for (divided, found) in [(true, vec![]), (false, vec![Kind::Doubled])] {
        let mut hand = ByHand::new();
        hand.answered(0, 1, Action::Write(vec![(R0, Some(1))]), Outcome::Unknown);
        hand.read(2, &[(R0, 1)]);
        if divided {
            hand.cut(None);
        }
        hand.answered(0, 2, Action::Write(vec![(R0, Some(2))]), Outcome::Unknown);
        hand.read(2, &[(R0, 2)]);
        hand.history.sessions[0].ended_at = Some(hand.tick());
        hand.harmony(&[1, 2, 3]);
        hand.read(2, &[(R0, 1)]);
        assert_eq!(hand.kinds(), found, "divided: {divided}");
    }
}

#[test]
fn a_session_that_is_seen_after_its_logout_is_resurrected() {
    let mut hand = ByHand::new();
    hand.logout(1);
    hand.read(3, &[]);
    assert_eq!(hand.kinds(), [Kind::Resurrected]);
}

#[test]
fn a_copy_of_an_ended_session_is_resurrected() {
    let mut hand = ByHand::new();
    hand.logout(1);
    hand.held(&[(1, None), (2, Some(&[]))]);
    assert_eq!(hand.kinds(), [Kind::Resurrected, Kind::Diverged]);
}

#[test]
fn a_secret_that_a_login_ended_opens_nothing() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Login(0, 1), Outcome::Ok);
    hand.read(2, &[]);
    assert_eq!(hand.kinds(), [Kind::Resurrected]);
}

#[test]
fn half_a_pair_is_torn_and_so_are_other_bytes() {
    let mut hand = ByHand::new();
    let pair = vec![(Attribute::Pair(0), Some(4)), (Attribute::Pair(1), Some(4))];
    hand.answered(0, 1, Action::Write(pair), Outcome::Unknown);
    let half = hand.read(1, &[(Attribute::Pair(0), 4)]);
    let damaged = hand.read(1, &[]);
    hand.history.operations[damaged].damaged = vec![R0];
    assert_eq!(hand.kinds(), [Kind::Torn]);
    let ops: Vec<_> = hand.findings().iter().flat_map(|finding| finding.operations.clone()).collect();
    assert_eq!(ops, [half, damaged]);
}

#[test]
fn copies_that_differ_are_diverged() {
    let mut hand = ByHand::new();
    hand.answered(0, 1, Action::Write(vec![(R0, Some(3))]), Outcome::Unknown);
    hand.held(&[(1, Some(&[(R0, 3)])), (2, Some(&[]))]);
    assert_eq!(hand.kinds(), [Kind::Diverged]);
}

#[test]
fn copies_differ_for_a_moment_while_an_expiry_is_on_its_way() {
    for (ago, found) in [(1, vec![]), (5_000_000, vec![Kind::Diverged])] {
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
fn what_belongs_to_another_session_is_mixed_up() {
    let mut hand = ByHand::new();
    let other = hand.session();
    hand.answered(other, 1, Action::Write(vec![(R0, Some(8))]), Outcome::Ok);
    hand.read(1, &[(R0, 8)]);
    assert_eq!(hand.kinds(), [Kind::MixedUp]);
    let foreign = hand.read(1, &[]);
    hand.history.operations[foreign].seen = Some([(Attribute::Canary, 901)].into());
    assert_eq!(hand.findings().len(), 2);
}

#[test]
fn a_read_of_what_was_surely_replaced_is_stale() {
    let mut hand = ByHand::new();
    hand.write(1, 1);
    hand.write(2, 2);
    hand.read(3, &[(R0, 1)]);
    hand.read(3, &[(R0, 2)]);
    assert_eq!(hand.kinds(), [Kind::Stale]);
    assert_eq!(hand.findings()[0].operations, [2, 3]);
}

#[test]
fn a_removed_value_that_is_read_is_stale() {
    let mut hand = ByHand::new();
    hand.write(1, 1);
    hand.answered(0, 1, Action::Write(vec![(R0, None)]), Outcome::Ok);
    hand.read(3, &[(R0, 1)]);
    assert_eq!(hand.kinds(), [Kind::Stale]);
}

#[test]
fn a_split_excuses_only_what_is_on_the_other_side() {
    let mut hand = ByHand::new();
    hand.cut(Some(vec![0, 0, 1]));
    hand.write(1, 7);
    hand.read(3, &[]);
    assert!(hand.findings().is_empty());
    hand.read(2, &[]);
    assert_eq!(hand.kinds(), [Kind::Stale]);
}

#[test]
fn after_the_heal_nothing_is_excused() {
    let mut hand = ByHand::new();
    hand.cut(Some(vec![0, 0, 1]));
    hand.write(1, 7);
    hand.harmony(&[1, 2, 3]);
    hand.read(3, &[]);
    assert_eq!(hand.kinds(), [Kind::Stale]);
    hand.held(&[(3, Some(&[]))]);
    assert_eq!(hand.kinds(), [Kind::Lost, Kind::Stale]);
}
