//! What is found out of a request right behind its proof, on the thread of the claims: whether its
//! events are known, and if they are not, what comes of an early parse.
//!
//! Whoever parses is told what was proven, and what became of it, also if the sender has gone by
//! then. Nothing that goes wrong there is anybody's but theirs: a request is never refused for its
//! parse. Knows nothing of events.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::error;

use super::Ingest;
use crate::causes::words;
use crate::effect::LogLine;
use crate::event::Request;
use crate::ids::{Id, Name};
use crate::plugin::{Kept, Plugin};
use crate::provider::Claims;
use crate::store::{Appended, Committing, Error, Parsed, Recalled, Store};
use crate::trace_context::TraceContext;

/// What a request waits for until it may be parsed.
pub(crate) type Turn<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What came of an append: whether its parse holds is said too.
type Answer = Result<(Appended, bool), Error>;

/// Somebody who parses requests before they are stored.
pub(crate) trait EarlyParse: fmt::Debug + Send + Sync {
    /// What a request with a body of this size should wait for before it is proven, because it may
    /// be parsed then; `None` if it should go on at once. Never takes long.
    fn turn<'a>(
        &'a self,
        source: &'a Name,
        plugin: &'a Plugin,
        body_bytes: usize,
    ) -> Option<Turn<'a>>;

    /// What a parse makes of a request whose evidence holds and that brings something new, in the
    /// instance of its claims if that is `kept`; `None` if it is to be stored without. May compute
    /// for a while. `trace` is the span of the request, if it has one.
    fn parse(
        &self,
        source: &Name,
        plugin: &Plugin,
        request: &Request,
        claims: &Claims,
        kept: Option<Kept<'_>>,
        trace: Option<TraceContext>,
    ) -> Option<Parsed>;

    /// What was parsed is stored with its receipt, and the plugin wrote this. `trace` is the span
    /// of the request, if it has one.
    fn stored(
        &self,
        source: &Name,
        plugin: &Name,
        receipt: Id,
        log: &[LogLine],
        trace: Option<TraceContext>,
    );
}

/// What is found out of a request before it is stored.
#[derive(Debug)]
pub(super) enum Found {
    /// The store knows all its events: there is nothing to store. By the receipt that first brought
    /// the first of them.
    Known(Id),
    /// What was parsed of it.
    Parsed(Box<Parsed>),
    /// It was parsed, and left to the writer, unless the store did not take it; since when, if its
    /// request has a span.
    Left(Result<Telling, Error>, Option<Instant>),
}

/// What is found out of a request whose evidence holds, if it brings events. Parses what brings
/// something new.
pub(super) fn found(
    store: &Store,
    source: &Name,
    claims: &Claims,
    parse: impl FnOnce() -> Option<Found>,
) -> Option<Found> {
    if claims.handshake.is_some() {
        return None;
    }
    let find = || match store.recall(source, &claims.event_ids) {
        Recalled::Known(receipt) => Some(Found::Known(receipt)),
        Recalled::New => parse(),
        Recalled::Untold => None,
    };
    catch_unwind(AssertUnwindSafe(find)).unwrap_or_else(|panic| {
        error!(source.name = %source, "the gateway panicked in an early parse: {}", words(&*panic));
        None
    })
}

/// Whom to tell of a parse that holds, and what the plugin wrote in it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) by: Arc<dyn EarlyParse>,
    pub(super) source: Name,
    pub(super) plugin: Name,
    pub(super) log: Vec<LogLine>,
    /// The span of the request, if it has one.
    pub(super) trace: Option<TraceContext>,
    /// Where that is told if nobody waits for it.
    pub(super) runtime: Handle,
}

impl Told {
    /// Of what the plugin of a source has parsed.
    pub(super) fn of(
        (ingest, runtime): (&Ingest, Handle),
        (source, trace): (&Name, Option<TraceContext>),
        plugin: &Plugin,
        parsed: &Parsed,
    ) -> Self {
        Self {
            by: Arc::clone(&ingest.early),
            source: source.clone(),
            plugin: plugin.name().clone(),
            log: parsed.report.log.clone(),
            trace,
            runtime,
        }
    }

    fn tell(&self, answer: &Answer) {
        if let Ok((Appended::Stored(id), true)) = answer {
            self.by.stored(&self.source, &self.plugin, *id, &self.log, self.trace);
        }
    }
}

/// Resolves when a receipt is stored with its parse, of which is told then. Where nobody waits any
/// more, because the sender has hung up, that is told all the same.
#[derive(Debug)]
pub(super) struct Telling(Option<(Committing<(Appended, bool)>, Told)>);

impl Telling {
    pub(super) fn new(committing: Committing<(Appended, bool)>, told: Told) -> Self {
        Self(Some((committing, told)))
    }
}

impl Future for Telling {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        // It is not asked again behind its end.
        let Some((committing, told)) = &mut self.0 else { return Poll::Pending };
        let answer = ready!(Pin::new(committing).poll(context));
        told.tell(&answer);
        self.0 = None;
        Poll::Ready(answer)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let Some((committing, told)) = self.0.take() else { return };
        // Also where the answer is there: the thread of the writer drops this then, and nothing is
        // committed while it waits for whoever reads the log.
        let runtime = told.runtime.clone();
        drop(runtime.spawn(async move { told.tell(&committing.await) }));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::clock::Clock;
    use crate::event::{Event, Timestamp};
    use crate::headers::Headers;
    use crate::json_text::JsonText;
    use crate::retry::{Outcome, Verdict};
    use crate::store::{Config, Heard, NewEvent, NewReceipt, Store, Try};

    /// Says what is stored.
    #[derive(Debug)]
    struct Saying(mpsc::UnboundedSender<Id>);

    impl EarlyParse for Saying {
        fn turn<'a>(&'a self, _: &'a Name, _: &'a Plugin, _: usize) -> Option<Turn<'a>> {
            None
        }

        fn parse(
            &self,
            _: &Name,
            _: &Plugin,
            _: &Request,
            _: &Claims,
            _: Option<Kept<'_>>,
            _: Option<TraceContext>,
        ) -> Option<Parsed> {
            None
        }

        fn stored(&self, _: &Name, _: &Name, receipt: Id, _: &[LogLine], _: Option<TraceContext>) {
            // It panics where no runtime is, as on the thread of the writer.
            drop(Handle::current());
            self.0.send(receipt).unwrap();
        }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn receipt(event_id: &str) -> NewReceipt {
        let request = Request {
            method: "POST".to_owned(),
            url: "/in/shop".to_owned(),
            headers: Headers::default(),
            body: "{}".into(),
            received_at: Timestamp(1_700_000_000_000),
        };
        NewReceipt {
            source: name("shop"),
            request: Arc::new(request),
            event_ids: vec![event_id.to_owned()],
            proven: None,
            plugin: None,
            trace: None,
        }
    }

    fn parsed(event_id: &str) -> Parsed {
        let at = Timestamp(1_700_000_000_000);
        let event = Event {
            source: name("shop"),
            id: event_id.to_owned(),
            event_type: "payment.failed".to_owned(),
            subject: None,
            time: at,
            money: None,
            labels: Vec::new(),
            data: JsonText::new("{}").unwrap(),
        };
        let (event, routes) = (Arc::new(event), Arc::default());
        let events = vec![NewEvent { event, routes, allowance: None, tenant: None, trace: None }];
        let (outcome, verdict) = (Outcome::Success, Verdict::Done);
        let (duration, log) = (std::time::Duration::ZERO, Vec::new());
        let report = Try { at, duration, plugin: None, outcome, verdict, log, reason: None };
        Parsed { report, events }
    }

    #[tokio::test]
    async fn what_is_known_is_not_parsed_and_a_panic_over_what_is_new_is_no_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let store = Store::open(&Config::at(folder.path()), clock).unwrap();
        let Appended::Stored(first) = store.append(receipt("e1")).await.unwrap() else {
            panic!("it is new")
        };
        let find = |event_id: &str, parse: fn() -> Option<Parsed>| {
            let claims = Claims { event_ids: vec![event_id.to_owned()], ..Claims::default() };
            let parse = || parse().map(|parsed| Found::Parsed(Box::new(parsed)));
            found(&store, &name("shop"), &claims, parse)
        };

        let known = find("e1", || panic!("there is nothing to parse"));
        assert!(matches!(known, Some(Found::Known(id)) if id == first), "{known:?}");
        let new = find("e2", || Some(parsed("e2")));
        assert!(matches!(&new, Some(Found::Parsed(it)) if it.events.len() == 1), "{new:?}");
        assert!(find("e2", || None).is_none());
        assert!(find("e2", || panic!("over what it says")).is_none());
    }

    #[tokio::test]
    async fn a_parse_that_holds_is_told_once_also_if_nobody_waits_for_that() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let store = Store::open(&Config::at(folder.path()), clock).unwrap();
        let (saying, mut said) = mpsc::unbounded_channel();
        let telling = |event_id: &str| {
            let committing = store.queue_parsed(receipt(event_id), Some(parsed(event_id))).unwrap();
            let by = Arc::new(Saying(saying.clone()));
            let (source, plugin) = (name("shop"), name("guest"));
            let (log, trace, runtime) = (Vec::new(), None, Handle::current());
            Telling::new(committing, Told { by, source, plugin, log, trace, runtime })
        };

        drop(telling("e1"));
        let first = said.recv().await.unwrap();
        let (Appended::Stored(second), true) = telling("e2").await.unwrap() else {
            panic!("it holds")
        };
        assert_ne!(first, second);
        assert_eq!(said.recv().await, Some(second));
        let (Appended::Duplicate(again), false) = telling("e2").await.unwrap() else {
            panic!("it is known")
        };
        assert_eq!(again, second);
        assert!(said.try_recv().is_err(), "of what does not hold nothing is told");

        // As where the sender has hung up: on a thread without a runtime, behind the answer. Take
        // the spawn out of the drop, and that thread panics.
        let (heard, hears) = oneshot::channel();
        let heard = Heard::new(move || heard.send(()).unwrap());
        let committing = store.queue_parsed_and(receipt("e3"), parsed("e3"), heard).unwrap();
        let (by, source, plugin) = (Arc::new(Saying(saying.clone())), name("shop"), name("guest"));
        let (log, trace, runtime) = (Vec::new(), None, Handle::current());
        let telling = Telling::new(committing, Told { by, source, plugin, log, trace, runtime });
        hears.await.unwrap();
        std::thread::spawn(move || drop(telling)).join().unwrap();
        said.recv().await.expect("it is told all the same");
    }
}
