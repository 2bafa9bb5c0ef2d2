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
        self.table.place(address.parse().unwrap(), true, self.now).0
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

/// Has the gateway work on a request for as long as the test goes on.
fn keep_busy(connection: &Connection) {
    std::mem::forget(connection.begin().expect("it is open"));
}

#[tokio::test]
async fn the_silent_make_room_and_those_who_are_served_do_not() {
    let mut room = Room::new(3, 3);
    let first = room.enter("192.0.2.1");
    let second = room.enter("192.0.2.1");
    let served = room.enter("192.0.2.1");
    let begun = served.begin().unwrap();
    assert_eq!(room.place("192.0.2.2"), Place::Full, "each may take half a second");

    room.wait(&second, YOUNG);
    assert_eq!(room.place("192.0.2.2"), Place::Free);
    assert!(!is_open(&first) && is_open(&second), "who waits longest goes first");
    begun.answered();
    assert!(is_open(&served));
}

#[tokio::test]
async fn one_that_was_just_refused_stays_until_its_answer_can_be_written() {
    let mut room = Room::new(1, 1);
    let refused = room.enter("192.0.2.1");
    let begun = refused.begin().unwrap();
    let held_back = refused.refused();
    room.wait(&refused, Duration::ZERO);
    assert_eq!(room.place("192.0.2.2"), Place::Full);

    drop(held_back);
    begun.answered();
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
    let _begun = stranger.begin().unwrap();
    let _held_back = stranger.refused();
    let sender = room.enter("192.0.2.3");
    let first = sender.begin().unwrap();
    sender.accepted();
    first.answered();
    let begun = sender.begin().unwrap();
    let held_back = sender.refused();

    room.wait(&sender, BETWEEN_REQUESTS - Duration::from_millis(1));
    for newcomer in ["192.0.2.4", "192.0.2.5"] {
        assert_eq!(room.place(newcomer), Place::Free);
        keep_busy(&room.enter(newcomer));
    }
    assert_eq!(room.place("192.0.2.6"), Place::Full);
    assert!(!is_open(&silent) && !is_open(&stranger) && is_open(&sender));
    drop(held_back);
    begun.answered();
    assert!(sender.begin().is_some(), "it is answered, and may ask again");
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
    keep_busy(&served);
    assert_eq!(room.place("192.0.2.1"), Place::Refused);
    assert_eq!(room.place("192.0.2.2"), Place::Free);
    room.wait(&silent, YOUNG);
    assert_eq!(room.place("192.0.2.1"), Place::Free);
    assert!(!is_open(&silent));
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_address_and_this_machine_has_no_share() {
    let mut room = Room::new(10, 1);
    keep_busy(&room.enter("2001:db8::1"));
    assert_eq!(room.place("2001:db8::2"), Place::Refused);
    assert_eq!(room.place("2001:db8:0:1::1"), Place::Free);
    keep_busy(&room.enter("::ffff:192.0.2.1"));
    assert_eq!(room.place("192.0.2.1"), Place::Refused);
    keep_busy(&room.enter("127.0.0.1"));
    assert_eq!(room.place("127.0.0.1"), Place::Free);
    let proxy = "192.0.2.1".parse().unwrap();
    assert_eq!(room.table.place(proxy, false, room.now).0, Place::Free, "nor has a proxy");
}
