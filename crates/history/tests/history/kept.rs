//! A history survives serialisation.

use sessile_history::{Action, LineError, OperationOutcome, Settled, read, write};

use crate::by_hand::{ByHand, R0};

#[test]
fn a_history_round_trips_as_lines() {
    let mut hand = ByHand::new();
    let id = hand.write(1, 7);
    hand.history.operations[id].settled = Some(Settled { at: 40, copies: 3 });
    hand.history.operations[id].holders = Some(vec![1, 2]);
    hand.stopped(2);
    hand.cut(None);
    hand.went_on(2);
    hand.agreement(&[1, 2, 3]);
    hand.answered(0, 2, Action::Login(0, 1), OperationOutcome::WrongSecret);
    hand.killed(3);
    hand.read(1, &[(R0, 7)]);
    hand.held(&[(1, Some(&[(R0, 7)])), (2, None)]);
    let mut bytes = Vec::new();
    write(&hand.history, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 1 + 3 + 1 + 1 + 1 + 4 + 2, "{text}");
    assert_eq!(read(text.as_bytes()).unwrap(), hand.history);
}

#[test]
fn invalid_lines_are_refused_with_their_number() {
    let refused = |text: &str| read(text.as_bytes()).unwrap_err();
    assert!(matches!(refused("{}"), LineError::Form { line: 1, .. }));
    let newer = r#"{"history":{"version":2,"asynchronous":false,"nodes":[]}}"#;
    assert!(matches!(refused(newer), LineError::Version(2)));
    let stray =
        r#"{"operation":{"client":0,"session":4,"action":"read","began":1,"ended":2,"outcome":"ok"}}"#;
    assert!(matches!(refused(stray), LineError::Reference { line: 1 }));
    let session = r#"{"session":{"key":"k","canary":1,"created_by":0}}"#;
    assert!(matches!(refused(session), LineError::Reference { .. }));
}
