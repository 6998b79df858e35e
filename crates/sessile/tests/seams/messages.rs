//! Messages of the application's own between two and three nodes.

use sessile::messages::{Message, MessageError, Messages, NoMessage, To};
use tokio::time::timeout;

use crate::town::{LIMIT, Town, until};

async fn next(messages: &mut Messages) -> Message {
    timeout(LIMIT, messages.recv()).await.expect("a message in time").unwrap()
}

#[tokio::test]
async fn a_message_goes_to_all_others_or_to_one_in_order() {
    let town = Town::new();
    let one = town.node("tc01", 1).await;
    let two = town.node("tc02", 2).await;
    let three = town.node("tc03", 3).await;
    until("three members", || one.members().len() == 3 && two.members().len() == 3).await;
    let topic = "Größe/λ/🦀";
    let (mut at_one, mut at_two, mut at_three) =
        (one.messages(topic), two.messages(topic), three.messages(topic));
    let mut elsewhere = two.messages("another topic");
    for number in 0..100_u8 {
        assert_eq!(one.send(To::All, topic, vec![number]), Ok(2));
    }
    assert_eq!(one.send(To::Member("tc03"), topic, "for you"), Ok(1));
    assert_eq!(two.send(To::All, "another topic", "nobody listens"), Ok(2));
    for messages in [&mut at_two, &mut at_three] {
        for number in 0..100_u8 {
            let message = next(messages).await;
            assert_eq!((message.from.as_str(), &message.content[..]), ("tc01", &[number][..]));
            assert_eq!(message.incarnation, one.members()[0].incarnation);
        }
    }
    assert_eq!(next(&mut at_three).await.content, "for you");
    three.send(To::All, topic, "").unwrap();
    for messages in [&mut at_one, &mut at_two] {
        let message = next(messages).await;
        assert_eq!(
            (message.from.as_str(), message.content.len()),
            ("tc03", 0),
            "nothing else came before it"
        );
    }
    for node in [one, two, three] {
        node.leave().await;
    }
    for messages in [&mut at_one, &mut at_two, &mut at_three, &mut elsewhere] {
        assert_eq!(timeout(LIMIT, messages.recv()).await.unwrap(), Err(NoMessage::Closed));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_by_name() {
    let town = Town::new();
    let one = town.node("tc01", 1).await;
    assert_eq!(one.send(To::All, "x", "nobody else is here"), Ok(0));
    let two = town.node("tc02", 2).await;
    until("two members", || one.members().len() == 2).await;
    let own = MessageError::Own { name: "tc01".to_owned() };
    assert_eq!(one.send(To::Member("tc01"), "x", ""), Err(own));
    let unknown = MessageError::NoSuchMember { name: "tc09".to_owned() };
    assert_eq!(one.send(To::Member("tc09"), "x", ""), Err(unknown));
    let long = "x".repeat(257);
    assert_eq!(one.send(To::All, &long, ""), Err(MessageError::TopicTooLong { bytes: 257 }));
    let large = vec![0; (1 << 20) + 1];
    assert_eq!(one.send(To::All, "x", large), Err(MessageError::ContentTooLong { bytes: (1 << 20) + 1 }));
    let mut messages = two.messages("x");
    assert_eq!(one.send(To::All, "x", vec![7; 1 << 20]), Ok(1), "what is allowed arrives");
    assert_eq!(next(&mut messages).await.content, vec![7; 1 << 20]);
}

#[tokio::test]
async fn members_that_cannot_be_reached_are_named_and_the_others_are_reached() {
    let town = Town::new();
    let one = town.node("tc01", 1).await;
    let two = town.node("tc02", 2).await;
    let three = town.node("tc03", 3).await;
    until("three members", || one.members().len() == 3 && two.members().len() == 3).await;
    let mut messages = three.messages("x");
    // What waits for a member is bounded; this one was told so much that it cannot take more at once.
    let large = vec![0; 1 << 20];
    let error = loop {
        match one.send(To::Member("tc02"), "flood", large.clone()) {
            Ok(reached) => assert_eq!(reached, 1),
            Err(error) => break error,
        }
    };
    let MessageError::Unreached { reached: 0, missed } = &error else { panic!("{error}") };
    assert_eq!(missed[0].0, "tc02");
    let error = one.send(To::All, "x", large.clone()).unwrap_err();
    assert!(matches!(error, MessageError::Unreached { reached: 1, .. }), "{error}");
    assert!(error.to_string().contains("tc02 (the queue"), "{error}");
    assert_eq!(next(&mut messages).await.content, large);
}

#[tokio::test]
async fn messages_travel_over_real_connections() {
    let town = Town::new();
    let mut config = town.config("tc01");
    config.membership.kind = sessile::config::MembershipKind::Static;
    config.membership.members = vec!["127.0.0.1:1".parse().unwrap()];
    let one = sessile::Cluster::join(config.clone()).await.unwrap();
    config.node.name = "tc02".to_owned();
    config.membership.members = vec![one.members()[0].address.parse().unwrap()];
    let two = sessile::Cluster::join(config).await.unwrap();
    until("two members", || one.members().len() == 2).await;
    let (mut at_one, mut at_two) = (one.messages("ping"), two.messages("ping"));
    one.send(To::All, "ping", "from one").unwrap();
    assert_eq!(next(&mut at_two).await.content, "from one");
    two.send(To::Member("tc01"), "ping", "from two").unwrap();
    let answer = next(&mut at_one).await;
    assert_eq!((answer.from.as_str(), &answer.content[..]), ("tc02", &b"from two"[..]));
    assert!(one.metrics().contains("sessile_messages_sent_total{kind=\"message\"} 1"));
}
