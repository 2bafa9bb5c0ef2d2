//! Who makes room for whom, without a stream.

use std::future::pending;
use std::net::SocketAddr;

use tokio::task::JoinSet;

use super::*;

/// A table whose connections have no streams, at a time that a test sets.
struct Room {
    table: Table,
    tasks: JoinSet<()>,
    now: Instant,
}

impl Room {
    fn new(most: usize, most_of_one: usize) -> Self {
        let table = Table::new(most, most_of_one);
        Self { table, tasks: JoinSet::new(), now: Instant::now() }
    }

    fn enter(&mut self, address: &str) -> Arc<Connection> {
        let connection = Arc::new(Connection::new(SocketAddr::new(address.parse().unwrap(), 1)));
        let task = self.tasks.spawn(pending());
        self.table.enter(Arc::clone(&connection), task);
        connection
    }

    fn place(&mut self, address: &str) -> Place {
        self.table.place(address.parse().unwrap(), self.now).0
    }

    /// Lets this one wait for so long, and who waits already for longer.
    fn wait(&mut self, connection: &Connection, time: Duration) {
        let (_, since) = connection.waits().expect("it waits");
        self.now = since + time;
    }
}

fn is_open(connection: &Connection) -> bool {
    connection.waits().is_some()
}

#[tokio::test]
async fn the_silent_make_room_and_those_who_are_served_do_not() {
    let mut room = Room::new(3, 3);
    let first = room.enter("192.0.2.1");
    let second = room.enter("192.0.2.1");
    let served = room.enter("192.0.2.1");
    served.begin();
    assert_eq!(room.place("192.0.2.2"), Place::Full, "each may take half a second");

    room.wait(&second, YOUNG);
    assert_eq!(room.place("192.0.2.2"), Place::Free);
    assert!(!is_open(&first) && is_open(&second), "who waits longest goes first");
    served.answered();
    assert!(is_open(&served));
}

#[tokio::test]
async fn one_that_was_just_refused_stays_until_its_answer_can_be_written() {
    let mut room = Room::new(1, 1);
    let refused = room.enter("192.0.2.1");
    refused.begin();
    refused.refused();
    room.wait(&refused, Duration::ZERO);
    assert_eq!(room.place("192.0.2.2"), Place::Full);

    refused.answers();
    refused.answered();
    room.wait(&refused, TO_BE_ANSWERED - Duration::from_millis(1));
    assert_eq!(room.place("192.0.2.2"), Place::Full);
    assert!(is_open(&refused));
    room.wait(&refused, TO_BE_ANSWERED);
    assert_eq!(room.place("192.0.2.2"), Place::Free, "nothing of it was ever accepted");
    assert!(!is_open(&refused));
}

#[tokio::test]
async fn a_sender_whose_forged_request_waits_for_its_answer_stays_and_others_make_room() {
    let mut room = Room::new(3, 3);
    let silent = room.enter("192.0.2.1");
    let stranger = room.enter("192.0.2.2");
    stranger.begin();
    stranger.refused();
    let sender = room.enter("192.0.2.3");
    sender.begin();
    sender.accepted();
    sender.answered();
    sender.begin();
    sender.refused();

    room.wait(&sender, BETWEEN_REQUESTS - Duration::from_millis(1));
    for newcomer in ["192.0.2.4", "192.0.2.5"] {
        assert_eq!(room.place(newcomer), Place::Free);
        room.enter(newcomer).begin();
    }
    assert_eq!(room.place("192.0.2.6"), Place::Full);
    assert!(!is_open(&silent) && !is_open(&stranger) && is_open(&sender));
    sender.answers();
    sender.answered();
    assert!(sender.begin(), "it is answered, and may ask again");
}

#[tokio::test]
async fn the_address_with_the_most_connections_loses_one() {
    let mut room = Room::new(3, 3);
    let alone = room.enter("192.0.2.1");
    let first = room.enter("192.0.2.2");
    let second = room.enter("192.0.2.2");
    room.wait(&second, YOUNG);
    assert_eq!(room.place("192.0.2.3"), Place::Free);
    assert!(is_open(&alone) && !is_open(&first) && is_open(&second));
}

#[tokio::test]
async fn an_address_has_its_share_and_takes_more_only_from_itself() {
    let mut room = Room::new(10, 2);
    let served = room.enter("192.0.2.1");
    let silent = room.enter("192.0.2.1");
    served.begin();
    assert_eq!(room.place("192.0.2.1"), Place::Refused);
    assert_eq!(room.place("192.0.2.2"), Place::Free);
    room.wait(&silent, YOUNG);
    assert_eq!(room.place("192.0.2.1"), Place::Free);
    assert!(!is_open(&silent));
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_address_and_this_machine_has_no_share() {
    let mut room = Room::new(10, 1);
    room.enter("2001:db8::1").begin();
    assert_eq!(room.place("2001:db8::2"), Place::Refused);
    assert_eq!(room.place("2001:db8:0:1::1"), Place::Free);
    room.enter("::ffff:192.0.2.1").begin();
    assert_eq!(room.place("192.0.2.1"), Place::Refused);
    room.enter("127.0.0.1").begin();
    assert_eq!(room.place("127.0.0.1"), Place::Free);
}
