//! What waits for an endpoint that nothing goes to: no more than its operator lets.

use super::{act, fail, one};
use crate::harness::{Receiver, delivery_to, stands};

/// Guards I8 and I11.
#[tokio::test]
async fn beyond_what_may_wait_the_oldest_are_dead_and_the_others_go_once_it_is_resumed() {
    let receiver = Receiver::start().await;
    let gateway = one(&receiver, "held = 2").await;
    act(&gateway, "pause").await;
    for number in 0..5 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    let dead = loop {
        let dead = gateway.dead().await;
        if dead.len() >= 3 {
            break dead;
        }
        tokio::task::yield_now().await;
    };

    assert!(dead.iter().all(|letter| letter["reason"] == "endpoint_unreachable"), "{dead:#?}");
    for (number, state) in [(0, "dead"), (1, "dead"), (2, "dead"), (3, "pending"), (4, "pending")] {
        let delivery = delivery_to(&gateway.event(&format!("evt_{number}")).await, "crm");
        assert_eq!(stands(&delivery), (state, 0), "{number}");
    }
    act(&gateway, "resume").await;
    receiver.arrived(2).await;
}
