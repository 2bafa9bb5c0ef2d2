//! The streams: each event as it is stored, and each delivery as an attempt of it ends, for as long
//! as somebody listens.
//!
//! Server-sent events over the one answer to a request. Whoever comes back with the id that came
//! last misses nothing, or is told that events may be missing. A reader that is slow is read for
//! no faster, and one that does not read is hung up on by the listener; either may come back. Wakes
//! by the store's commits. Never keeps what nobody has read yet.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Frame;
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::delivered::ListedDelivery;
use super::operation::{Answer, Need, Operation, Parameter, Tenants, Turn, Verb};
use super::problem::Kind;
use super::query::{self, AttemptsQuery, StreamQuery};
use super::reach::{Foreign, Reach};
use super::schema::Schemas;
use super::sessions::{FORWARDED_PROTO, UNATTENDED};
use super::turns::{Asker, Listening};
use super::{Admin, Problem, deliveries, own};
use crate::event::Timestamp;
use crate::listener::Connection;
use crate::secrets::Redaction;
use crate::store::{self, Cursor, Following, Gap, Growth, News, Store};
use crate::token::Scope;

const CONTENT_TYPE: &str = "text/event-stream";
/// With what a client comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// After so long without an event something is sent all the same, so that nobody between takes the
/// connection for dead, and a client knows how far it is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Between two looks at what came: many commits in a second are one.
const PAUSE: Duration = Duration::from_millis(50);
/// Before the next look, if the store could not be read.
const AWAY_PAUSE: Duration = Duration::from_secs(1);
/// Most events of one look.
const EVENTS_MAX: usize = 100;
/// How soon a client comes back that has lost the connection.
const RETRY: Duration = Duration::from_secs(1);

const STREAM_CURSOR: Parameter = Parameter::query(
    "cursor",
    "The `id` that came last on a stream with the same filters, for clients that can't send \
     `Last-Event-ID`, which goes before it.",
    Schemas::of::<Cursor>,
);
const LAST_ID: Parameter = Parameter::header(
    "Last-Event-ID",
    "The `id` that came last on a stream with the same filters.",
    Schemas::of::<Cursor>,
);

pub(super) static OPERATIONS: [Operation; 2] = [
    Operation {
        verb: Verb::Get,
        path: "/v1/events/stream",
        id: "streamEvents",
        summary: "Sends each event when it is stored, as server-sent events: from now on, from \
                  `after` on, or from where a stream ended.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[
            query::SOURCE,
            query::TYPE,
            query::SUBJECT,
            query::TENANT,
            query::AFTER,
            query::TYPES_OF,
            query::REPLAYS,
            query::DATA,
            STREAM_CURSOR,
            LAST_ID,
        ],
        body: None,
        answers: &[Answer::text(
            "A stream that does not end: `event: event` with an event as in the list, `event: \
             replay` with one that comes again, and `event: gap` where events may be missing.",
            CONTENT_TYPE,
        )],
        problems: &[Kind::InvalidParameter, Kind::ForeignCursor],
        handler: || get(events),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/deliveries/stream",
        id: "streamDeliveries",
        summary: "Sends a delivery when an attempt of it has ended, or it has ended without one, \
                  as server-sent events: from now on, from `after` on, or from where a stream \
                  ended.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[
            query::ENDPOINT,
            query::STATE,
            query::REASON_OF,
            query::TYPE,
            query::SUBJECT,
            query::TENANT,
            query::AFTER,
            STREAM_CURSOR,
            LAST_ID,
        ],
        body: None,
        answers: &[Answer::text(
            "A stream that does not end: `event: delivery` with a delivery as in the list, and \
             `event: gap` where attempts may be missing.",
            CONTENT_TYPE,
        )],
        problems: &[Kind::InvalidParameter, Kind::ForeignCursor],
        handler: || get(attempts),
    },
];

async fn events(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    StreamQuery(mut filter, cursor): StreamQuery,
    request: Request,
) -> Result<Response, Problem> {
    let last = last_id(request.headers())?;
    let tenant = reach.narrowed(filter.events.tenant.take()).map_err(|Foreign| foreign())?;
    filter.events.tenant = tenant;
    begin(admin, reach, &request, |store| store.follow(filter, last.or(cursor)))
}

async fn attempts(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    AttemptsQuery { endpoint, mut filter, cursor }: AttemptsQuery,
    request: Request,
) -> Result<Response, Problem> {
    let last = last_id(request.headers())?;
    filter.tenant = reach.narrowed(filter.tenant.take()).map_err(|Foreign| foreign())?;
    filter.endpoint = endpoint.map(|endpoint| deliveries::key(&admin, endpoint));
    begin(admin, reach, &request, |store| store.follow_deliveries(filter, last.or(cursor)))
}

/// The answer to somebody who listens from here on.
fn begin(
    admin: Arc<Admin>,
    reach: Reach,
    request: &Request,
    follow: impl FnOnce(&Store) -> Result<Following, store::Error>,
) -> Result<Response, Problem> {
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    let headers = authorization(request.headers());
    // The gate let it through a moment ago. Who has no token by now is hung up on at once.
    let caller = admin.access.caller(&headers, connection.as_deref()).ok();
    let turn = admin.turns.stream(caller.as_ref().and_then(Asker::of))?;
    // Before it looks for the first time: no commit is missed, and no change of endpoints.
    let growth = admin.store.growth();
    let mut changes = admin.directory.changes();
    changes.mark_changed();
    let following = follow(&admin.store)?;
    let stream = Stream {
        connection,
        headers,
        admin,
        reach,
        following,
        growth,
        changes,
        is_new: true,
        _turn: turn,
    };
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(Messages::of(stream))).into_response())
}

/// The id that a client has got last.
fn last_id(headers: &HeaderMap) -> Result<Option<Cursor>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let cursor = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || {
        let detail = "`Last-Event-ID` must be the `id` that came last on the stream";
        Problem::new(Kind::InvalidParameter, detail).with("parameter", "Last-Event-ID")
    };
    cursor.map(Some).ok_or_else(wrong)
}

/// A stream on which nothing would ever come.
fn foreign() -> Problem {
    let detail = "`tenant` must be that of the token";
    Problem::new(Kind::InvalidParameter, detail).with("parameter", "tenant")
}

/// What the request says of who asks. A browser listens by itself, for as long as a page is open.
fn authorization(headers: &HeaderMap) -> HeaderMap {
    let sent = |name: HeaderName| {
        let values = headers.get_all(&name).iter().cloned();
        values.map(move |value: HeaderValue| (name.clone(), value))
    };
    let forwarded = HeaderName::from_static(FORWARDED_PROTO);
    let names = [header::AUTHORIZATION, header::COOKIE, forwarded];
    let mut kept: HeaderMap = names.into_iter().flat_map(sent).collect();
    kept.insert(UNATTENDED, HeaderValue::from_static("?1"));
    kept
}

/// Somebody who listens.
struct Stream {
    admin: Arc<Admin>,
    /// Who that is: a token may be revoked meanwhile.
    headers: HeaderMap,
    connection: Option<Arc<Connection>>,
    /// What it may show: a token may be given to another tenant meanwhile.
    reach: Reach,
    following: Following,
    growth: Growth,
    /// Of endpoints: those since the last look.
    changes: watch::Receiver<u64>,
    /// Nothing was sent yet.
    is_new: bool,
    _turn: Listening,
}

impl Stream {
    /// What is sent next, once there is something; `None` if the stream ends.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if std::mem::take(&mut self.is_new) {
            let retry = format!("retry: {}\n", RETRY.as_millis());
            let begin = retry + &at_ease("the stream begins", self.following.cursor());
            return self.send(begin);
        }
        let quiet_until = Instant::now() + KEEP_ALIVE;
        loop {
            self.count_own();
            let pause = match self.admin.store.news(&self.following, EVENTS_MAX).await {
                Ok(mut news) => {
                    own::news(&self.admin, &self.reach, &mut news);
                    let (is_all, is_empty) = (news.is_all, news.is_empty());
                    self.following = news.then.clone();
                    if !is_empty {
                        let shown = self.shown(news).await?;
                        return self.send(shown);
                    }
                    if !is_all && Instant::now() < quiet_until {
                        continue;
                    }
                    PAUSE
                }
                Err(store::Error::Unavailable(_)) => AWAY_PAUSE,
                Err(_) => return None,
            };
            let stopped = self.admin.turns.stopped();
            tokio::select! {
                biased;
                () = stopped => return None,
                () = sleep_until(quiet_until) => {
                    let text = at_ease("still here", self.following.cursor());
                    return self.send(text);
                }
                () = self.growth.grown() => (),
            }
            sleep(pause).await;
        }
    }

    /// Only what is within reach counts for the state of an event, as the endpoints are now.
    fn count_own(&mut self) {
        // The sender is in the directory.
        if !self.reach.is_all() && self.changes.has_changed().unwrap_or_default() {
            self.changes.mark_unchanged();
            self.following.count(own::endpoints(&self.admin, &self.reach));
        }
    }

    /// What came, as it is sent, without secrets. Events may be large: not on a thread that
    /// serves.
    async fn shown(&self, mut news: News) -> Option<String> {
        let redaction = self.admin.redaction.clone();
        let deliveries = std::mem::take(&mut news.deliveries).into_iter();
        let listed = |delivery| ListedDelivery::of(&self.admin, delivery);
        let deliveries: Vec<_> = deliveries.map(|(it, cursor)| (listed(it), cursor)).collect();
        let shown = move || messages(&redaction, &news, &deliveries);
        tokio::task::spawn_blocking(shown).await.ok()
    }

    /// Sends something, if whoever listens may still hear it.
    fn send(self, text: String) -> Option<(Bytes, Self)> {
        let caller = self.admin.access.caller(&self.headers, self.connection.as_deref());
        let is_allowed = caller
            .is_ok_and(|caller| caller.allowed(Scope::Read).is_ok() && self.reach.is_of(&caller));
        is_allowed.then(|| (text.into(), self))
    }
}

/// A comment, and how far the stream is.
fn at_ease(comment: &str, cursor: Option<Cursor>) -> String {
    let id = cursor.map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
    format!(": {comment}\n{id}\n")
}

fn messages(redaction: &Redaction, news: &News, deliveries: &[(ListedDelivery, Cursor)]) -> String {
    let mut text = String::new();
    let end = news.then.cursor();
    if let Some(gap) = news.gap {
        let next = news.events.first().map(|(event, _)| event.summary.recorded_at);
        text += &message("gap", None, &why(gap, next).to_string());
    }
    for (event, cursor) in &news.events {
        let name = if event.replayed_at.is_some() { "replay" } else { "event" };
        text += &told(name, event, *cursor, redaction);
    }
    for (delivery, cursor) in deliveries {
        text += &told("delivery", delivery, *cursor, redaction);
    }
    for damaged in &news.damaged {
        let detail = "a record here may be damaged, and can't be read";
        let data = json!({ "reason": "damaged", "detail": detail, "position": damaged.position });
        text += &message("gap", None, &data.to_string());
    }
    // All of them are behind whoever has come to the end of it.
    text + &at_ease("so far", end)
}

/// Something that came. It is a value of plain members.
fn told(event: &str, it: &impl Serialize, cursor: Cursor, redaction: &Redaction) -> String {
    let data = serde_json::to_string(it).unwrap_or_default();
    message(event, Some(cursor), &redaction.of_json(&data))
}

/// What a gap is, as the event that tells it says it.
fn why(gap: Gap, next: Option<Timestamp>) -> serde_json::Value {
    let (reason, detail) = match gap {
        Gap::Removed => (
            "removed",
            "events that were stored after the last one that you got were kept long enough and \
             are removed",
        ),
        Gap::ReplaysRemoved => (
            "replays_removed",
            "tries that were made after the last event that you got were kept long enough and are \
             removed: events may have been replayed then",
        ),
        Gap::Behind => (
            "restored",
            "the store was restored from a backup, or repaired: events that were stored after the \
             last one that you got may be lost",
        ),
    };
    json!({ "reason": reason, "detail": detail, "next": next })
}

/// A message with a line for each line of its data: that of an event may have some, as blanks
/// between its parts.
fn message(event: &str, id: Option<Cursor>, data: &str) -> String {
    let mut text = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    text += &format!("event: {event}\n");
    for line in data.split(['\r', '\n']) {
        text += "data: ";
        text += line;
        text += "\n";
    }
    text + "\n"
}

/// What is sent next, and who goes on listening.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Stream)>> + Send>>;

/// The body of the answer: what is sent, one piece after the other.
struct Messages {
    /// `None` at the end.
    next: Option<Next>,
}

impl Messages {
    fn of(stream: Stream) -> Self {
        Self { next: Some(Box::pin(stream.next())) }
    }
}

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        match ready!(next.as_mut().poll(cx)) {
            Some((bytes, stream)) => {
                self.next = Some(Box::pin(stream.next()));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            None => {
                self.next = None;
                Poll::Ready(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_for_each_of_its_parts_and_an_empty_one() {
        let cursor: Cursor = "v1.AAAAAAAAAAEAAAAAAAAAAg".parse().unwrap();
        let sent = message("event", Some(cursor), r#"{"id":"evt_1"}"#);
        let expected = format!("id: {cursor}\nevent: event\ndata: {{\"id\":\"evt_1\"}}\n\n");
        assert_eq!(sent, expected);
        let lines = message("event", None, "{\r\n}");
        assert_eq!(lines, "event: event\ndata: {\ndata: \ndata: }\n\n");
        assert_eq!(at_ease("still here", Some(cursor)), format!(": still here\nid: {cursor}\n\n"));
        assert_eq!(at_ease("still here", None), ": still here\n\n");
    }

    /// Guards that a stream uses no session: each look at who listens would keep it.
    #[test]
    fn whoever_listens_uses_no_session() {
        let cookie = (header::COOKIE, HeaderValue::from_static("hookgate-session=x"));
        let kept = authorization(&[cookie].into_iter().collect());
        assert!(kept.contains_key(header::COOKIE) && kept.contains_key(UNATTENDED));
    }

    #[test]
    fn a_last_id_that_is_no_cursor_is_refused_and_an_empty_one_is_none() {
        let sent = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            last_id(&[(LAST_EVENT_ID.parse().unwrap(), value)].into_iter().collect())
        };
        assert!(sent("v1.AAAAAAAAAAEAAAAAAAAAAg").unwrap().is_some());
        assert!(sent("").unwrap().is_none());
        assert_eq!(sent("17").unwrap_err().kind(), Kind::InvalidParameter);
    }
}
