//! The streams of events and of deliveries: each one as it comes, to those who come back too.

mod cut;

use reqwest::Response;

use super::*;

/// Somebody who listens to the stream.
struct Listener {
    response: Response,
    heard: String,
    /// The id that came last.
    last: String,
}

/// What came.
#[derive(Debug)]
struct Message {
    event: String,
    data: Value,
}

impl Listener {
    /// Begins to listen, behind what came last if anything did.
    async fn open(gateway: &Harness, query: &str, last: &str) -> Self {
        Self::open_at(gateway.admin(), gateway, query, last).await
    }

    /// The same at another address, behind which the gateway is.
    async fn open_at(address: &str, gateway: &Harness, query: &str, last: &str) -> Self {
        Self::of(format!("{address}/v1/events/stream?{query}"), gateway, last).await
    }

    /// The same of another stream.
    async fn of(url: String, gateway: &Harness, last: &str) -> Self {
        let request = gateway.client().get(url).header("last-event-id", last);
        let response = request.send().await.expect("the gateway answers");
        assert_eq!(response.status(), 200);
        let mut listener = Self { response, heard: String::new(), last: last.to_owned() };
        // It says how far it is before it has anything to say.
        let begin = listener.block().await.expect("it begins");
        assert!(begin.contains("retry: "), "{begin}");
        listener
    }

    /// What stands up to the next empty line; `None` if the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.heard.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                let id = block.lines().find_map(|line| line.strip_prefix("id: "));
                self.last = id.map_or_else(|| self.last.clone(), str::to_owned);
                self.heard = rest;
                return Some(block);
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.heard += std::str::from_utf8(&chunk).expect("it is text");
        }
    }

    /// The next message; `None` if the stream has ended.
    async fn next(&mut self) -> Option<Message> {
        loop {
            let block = self.block().await?;
            let part = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(event), Some(data)) = (part("event: "), part("data: ")) {
                let data = serde_json::from_str(data).expect("it is JSON");
                return Some(Message { event: event.to_owned(), data });
            }
        }
    }

    /// The id that its source gave the next event.
    async fn event_id(&mut self) -> String {
        self.next().await.expect("an event comes").event_id()
    }
}

impl Message {
    /// The id that its source gave the event that this is.
    #[track_caller]
    fn event_id(&self) -> String {
        assert_eq!(self.event, "event", "{self:?}");
        text(&self.data["event_id"])
    }
}

#[tokio::test]
async fn an_event_is_sent_when_it_is_stored_as_it_is_in_the_list() {
    let gateway = Setup::guest().start().await;
    gateway.guest(&json!({ "id": "before" })).await.accepted();
    gateway.settle().await;
    let mut listener = Listener::open(&gateway, "", "").await;

    gateway.guest(&json!({ "id": "1", "subject": "pi_1" })).await.accepted();
    let message = listener.next().await.expect("it is sent");

    let listed = gateway.ask("/v1/events?subject=pi_1").await.json()["items"][0].clone();
    let but_state = |event: &Value| {
        let mut event = event.clone();
        event["state"] = Value::Null;
        event
    };
    assert_eq!((message.event.as_str(), but_state(&message.data)), ("event", but_state(&listed)));
}

#[tokio::test]
async fn a_delivery_is_sent_when_an_attempt_of_it_has_ended() {
    let receiver = Receiver::answering(500).await;
    let setup = Setup::guest().endpoint_with("crm", &receiver, &["order.*"], "retries = [\"10s\"]");
    let gateway = setup.start().await;
    let url = format!("{}/v1/deliveries/stream?endpoint=crm", gateway.admin());
    let mut all = Listener::of(url.clone(), &gateway, "").await;
    let mut dead = Listener::of(format!("{url}&state=dead"), &gateway, "").await;

    gateway.guest(&json!({ "id": "1", "type": "order.paid" })).await.accepted();
    gateway.settle().await;
    let first = all.next().await.expect("the first attempt");
    assert_eq!((first.event.as_str(), &first.data["state"]), ("delivery", &json!("pending")));
    assert_eq!(first.data["last_attempt"]["status"], 500);
    let seen = all.last.clone();
    gateway.advance(MINUTE).await;
    let second = all.next().await.expect("the second attempt").data;
    assert_eq!((&second["state"], &second["id"]), (&json!("dead"), &first.data["id"]));
    assert_eq!(second["reason"], "endpoint_refused");

    assert_eq!(dead.next().await.expect("it is dead").data, second);
    let mut again = Listener::of(url, &gateway, &seen).await;
    assert_eq!(again.next().await.expect("what it missed").data, second);
}

#[tokio::test]
async fn a_filter_selects_as_in_the_list_and_a_time_begins_in_the_past() {
    let gateway = four_events().await;

    let mut listener =
        Listener::open(&gateway, "source=stripe&after=2023-11-14T22:13:20Z", "").await;
    assert_eq!([listener.event_id().await, listener.event_id().await], ["evt_1", "evt_2"]);
    let last = listener.last.clone();
    let query = format!("source=stripe&after=2023-11-14T22:13:20Z&cursor={last}");
    let mut again = Listener::open(&gateway, &query, "").await;
    gateway.guest(&json!({ "id": "5" })).await.accepted();
    gateway.stripe(&payment("evt_6", "pi_6", "succeeded")).await.accepted();
    assert_eq!([listener.event_id().await, again.event_id().await], ["evt_6", "evt_6"]);

    for (query, last, reason) in [
        ("state=done", "", "`state` is not a parameter"),
        ("source=guest", last.as_str(), "other filters"),
        ("", "17", "`Last-Event-ID` must be"),
        ("types=pay*", "", "`types` must be"),
        ("replays=yes", "", "`replays` must be true or false"),
        ("cursor=17", "", "`cursor` must be"),
    ] {
        let url = format!("{}/v1/events/stream?{query}", gateway.admin());
        let request = gateway.client().get(url).header("last-event-id", last);
        check_refused(&crate::harness::answer(request).await, 400, reason);
    }
}

/// Take the `event` out of `Snapshot::stored_now`, and nobody gets the data. That a replay comes
/// once for all works of its event, the store's own tests hold.
#[tokio::test]
async fn several_types_come_with_their_data_and_again_when_they_are_replayed() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).start().await;
    let query = "types=payment.succeeded,refund.*&data=true&replays=true";
    let mut listener = Listener::open(&gateway, query, "").await;
    for (id, what) in [("evt_1", "payment_failed"), ("evt_2", "succeeded")] {
        gateway.stripe(&payment(id, "pi_1", what)).await.accepted();
    }
    gateway.settle().await;
    let first = listener.next().await.expect("it comes");
    assert_eq!((first.event.as_str(), &first.data["event_id"]), ("event", &json!("evt_2")));
    let whole = gateway.ask(&format!("/v1/events/{}", text(&first.data["id"]))).await.json();
    assert_eq!(first.data["event"], whole["event"]);
    assert!(first.data["event"]["data"].is_object(), "{first:?}");

    let replayed = gateway.tell("/v1/replay", &json!({ "ids": [first.data["id"]] })).await;
    assert_eq!(replayed.json()["reopened"], 1, "{}", replayed.body);

    let again = listener.next().await.expect("it comes again");
    assert_eq!((again.event.as_str(), &again.data["id"]), ("replay", &first.data["id"]));
    assert!(again.data["replayed_at"].is_string(), "{again:?}");
    assert_eq!(again.data["event"], whole["event"]);
}

/// Guards I8: who listens is hung up on ten times, and misses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_with_the_last_id_misses_nothing_and_gets_nothing_twice() {
    const EVENTS: usize = 300;
    let gateway = Setup::guest().start().await;
    let mut listener = Listener::open(&gateway, "", "").await;

    let posting = async {
        for number in 0..EVENTS {
            gateway.guest(&json!({ "id": number.to_string() })).await.accepted();
        }
    };
    let listening = async {
        let mut heard = Vec::new();
        for round in 0..10 {
            for _ in 0..round * 3 {
                heard.push(listener.event_id().await);
            }
            // What it has of a message that did not come whole is lost with the connection.
            listener = Listener::open(&gateway, "", &listener.last).await;
        }
        while heard.len() < EVENTS {
            heard.push(listener.event_id().await);
        }
        heard
    };
    let ((), heard) = tokio::join!(posting, listening);

    gateway.settle().await;
    assert_eq!(heard, listed(&gateway, "").await);
    let gateway = gateway.restart().await;
    let mut listener = Listener::open(&gateway, "", &listener.last).await;
    gateway.guest(&json!({ "id": "last" })).await.accepted();
    assert_eq!(listener.event_id().await, "last");
}

#[tokio::test]
async fn a_cursor_that_the_retention_has_passed_is_told_so_and_goes_on() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let gateway = Setup::guest().table("[retention]\nevents = \"2d\"").start().await;
    let mut listener = Listener::open(&gateway, "", "").await;
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    listener.event_id().await;
    let last = listener.last.clone();
    gateway.guest(&json!({ "id": "2" })).await.accepted();
    gateway.settle().await;
    // A sweep leaves alone what a start would read, and after an orderly stop that is nothing.
    let gateway = gateway.restart().await;
    gateway.advance(DAY * 4).await;
    while !listed(&gateway, "").await.is_empty() {
        tokio::task::yield_now().await;
    }
    gateway.guest(&json!({ "id": "3" })).await.accepted();

    let mut listener = Listener::open(&gateway, "", &last).await;
    let gap = listener.next().await.expect("it is told");
    assert_eq!((gap.event.as_str(), &gap.data["reason"]), ("gap", &json!("removed")));
    assert_eq!(listener.event_id().await, "3");
}

/// Guards I10.
#[tokio::test]
async fn a_stop_ends_a_stream_and_a_revoked_token_hears_nothing_more() {
    let gateway = Setup::guest().start().await;
    let mut open = Listener::open(&gateway, "", "").await;
    // The gateway asks for a token from now on, and this one has none.
    let made = gateway.tell("/v1/tokens", &json!({ "name": "ci", "scopes": ["read"] })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    assert!(open.next().await.is_none());

    let token = text(&made.json()["token"]);
    let url = format!("{}/v1/events/stream", gateway.admin());
    let mut response = gateway.client().get(url).bearer_auth(token).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some(), "it begins");
    let stopped = tokio::time::timeout(Duration::from_secs(20), gateway.stop()).await;
    assert!(stopped.is_ok(), "it takes too long");
    assert!(response.chunk().await.unwrap().is_none(), "it ends in order");
}

#[tokio::test]
async fn no_more_listen_than_may_and_others_are_answered_all_the_same() {
    let gateway = Setup::guest().start().await;
    let mut listeners = Vec::new();
    for _ in 0..32 {
        listeners.push(Listener::open(&gateway, "", "").await);
    }

    check_refused(&gateway.ask("/v1/events/stream").await, 503, "too many streams");
    assert_eq!(gateway.ask("/v1/events").await.status, 200);
    drop(listeners);
    while gateway
        .client()
        .get(format!("{}/v1/events/stream", gateway.admin()))
        .send()
        .await
        .unwrap()
        .status()
        == 503
    {
        tokio::task::yield_now().await;
    }
}
