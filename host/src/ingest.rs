//! The way in: receive, claim, verify, parse where that is quick, append, answer.
//!
//! The only part that talks to payment gateways. It answers 2xx only after the store has synced the
//! receipt, or to a validation challenge, and it never tells a sender why evidence did not hold. A
//! request counts as one in progress only once its body is whole. It never looks into a body: that
//! is the provider plugin's.

mod early;
mod gate;
mod handover;
mod intake;
mod jwks;
mod methods;
mod notes;
mod pacing;
mod redacted;
mod refusals;
mod rejection;
mod reply;
mod respond;
mod routes;
mod source;
mod strays;
mod traced;
mod within;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::event::Request;
use crate::headers::Headers;
use crate::ids::Name;
use crate::keys::Keys;
use crate::listener::{Connection, Front};
use crate::metrics::{Answered, Mark, Metrics, Timed};
use crate::plugin::{self, Kept, Plugin, Registry};
use crate::proof::{self, Unproven};
use crate::provider::{Answer, Claims, Proven, ProviderInfo};
use crate::refused::RefusedRequests;
use crate::signature::{self, Asker};
use crate::store::{Appended, NewReceipt, Reached, Store};
use crate::telemetry::{Step, Telemetry};
use crate::trace_context::{TraceContext, log_fields};

pub(crate) use early::{EarlyParse, Turn};
use early::{Found, Telling, Told};
pub(crate) use gate::Gate;
use handover::{Handing, Handover};
pub(crate) use intake::{Bounds, Intake};
use notes::Note;
pub(crate) use notes::Notes;
pub(crate) use pacing::Pacing;
use rejection::Rejection;
use respond::{Rejected, refuse, respond};
pub(crate) use routes::Routes;
pub use source::Source;
pub(crate) use source::{Expected, Shares, Sources, Verify};
use traced::Verifying;
pub(crate) use within::Within;

#[derive(Debug)]
pub(crate) struct Ingest {
    pub(crate) host: plugin::Host,
    /// The plugins that are loaded.
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Store,
    /// Where the store is: nothing comes in while it has too little room.
    pub(crate) disk: Arc<Disk>,
    pub(crate) keys: Keys,
    /// Who parses what is proven, where that fits.
    pub(crate) early: Arc<dyn EarlyParse>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    /// Knows who speaks for whom.
    pub(crate) front: Arc<Front>,
    /// Where to post to.
    pub(crate) sources: Arc<Sources>,
    pub(crate) intake: Intake,
    /// Requests that are worked on at a time.
    pub(crate) requests: Semaphore,
    /// Logs what was not accepted.
    pub(crate) notes: Notes,
    /// What was not accepted last, for operators.
    pub(crate) refused: Arc<RefusedRequests>,
    /// The public keys of endpoints, once they are known.
    pub(crate) jwks: Arc<ArcSwapOption<Bytes>>,
    /// For requests to sources that there are not, and to no source.
    pub(crate) unknown: Pacing,
}

/// What became of a request that was not rejected.
enum Accepted {
    /// It is in the store; with the answer of its plugin, if that has one.
    Kept(Option<Response>, Appended),
    /// It was a validation challenge, whose sender proved all of it or is perhaps anybody.
    Asked(Response, Asker),
}

/// Where a request came in.
struct At<'r> {
    /// All that there are.
    sources: &'r Arc<BTreeMap<Name, Source>>,
    name: &'r Name,
    source: &'r Source,
    plugin: Arc<Plugin>,
    connection: &'r Connection,
    /// What the request is as a step, if it has a span.
    step: Option<Step>,
    /// That span.
    trace: Option<TraceContext>,
}

impl At<'_> {
    fn info(&self) -> &ProviderInfo {
        self.plugin.provider().expect("it was admitted")
    }

    fn refused(&self, unproven: Unproven) -> Rejection {
        Rejection::Unproven(unproven, self.info().refusal_status)
    }
}

impl Ingest {
    /// Receives and answers what came to the source of this name, which is none where it was no
    /// text.
    async fn receive(
        self: &Arc<Self>,
        name: Option<&str>,
        connection: &Connection,
        request: axum::extract::Request,
    ) -> Response {
        let started = Instant::now();
        let step = self.telemetry.request(request.headers());
        // As a whole: to be given its parts one by one would be to copy them.
        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
        let sources = self.sources.load_full();
        // What is no text is no name either.
        let found = name.and_then(|name| sources.get_key_value(name));
        let Some((name, source)) = found else {
            let unknown = Rejection::UnknownSource;
            return self.turn_away(connection, unknown, started, &headers, body).await;
        };
        let sender = self.front.sender(connection, &headers);
        let inside = source.gate.check(sender, connection, &self.clock);
        let admitted = inside.map_err(Rejection::Outside);
        let mut whole = None;
        let accepted = match admitted.and_then(|()| self.admit(source, &method, &body)) {
            Ok(plugin) => {
                let trace = step.map(|step| step.context);
                let at = At { sources: &sources, name, source, plugin, connection, step, trace };
                self.accept(&at, (&method, &uri, &headers), body, &mut whole).await
            }
            Err(rejection) => {
                self.pass_over(&headers, body);
                Err(rejection)
            }
        };
        let answered = match &accepted {
            Ok(Accepted::Kept(_, Appended::Stored(_))) => Answered::Accepted,
            Ok(Accepted::Kept(_, Appended::Duplicate(_))) => Answered::Duplicate,
            Ok(Accepted::Asked(..)) => Answered::Handshake,
            Err(rejection) => rejection.answered(),
        };
        let took = started.elapsed();
        let appended = match &accepted {
            Ok(Accepted::Kept(_, appended)) => Some(*appended),
            _ => None,
        };
        let is_kept = match &accepted {
            Ok(Accepted::Kept(..)) => true,
            // Anybody may ask.
            Ok(Accepted::Asked(..)) => false,
            Err(rejection) => rejection.is_behind_the_proof(),
        };
        let step = step.map(|step| if is_kept { step } else { self.telemetry.apart(step) });
        let trace = step.map(|step| step.context);
        self.metrics.request(name, answered, Timed::of(took, trace, &self.clock));
        let response = match accepted {
            Ok(accepted) => respond(connection, accepted),
            Err(rejection) => {
                let of = Rejected { name, source, connection, sender, started, trace };
                self.reject(of, (&method, &uri, &headers), whole, rejection).await
            }
        };
        if let Some(step) = step {
            let ended = (answered, appended, response.status());
            // The answer to what is refused may have waited since.
            self.received(&step, (name, &method), ended, started.elapsed());
        }
        response
    }

    /// What can be said of a request before its body is there.
    fn admit(
        &self,
        source: &Source,
        method: &Method,
        body: &Body,
    ) -> Result<Arc<Plugin>, Rejection> {
        if let Some(reason) = &source.stopped {
            return Err(Rejection::Stopped(reason.clone()));
        }
        let plugin = self
            .registry
            .get(&source.plugin)
            .filter(|plugin| plugin.provider().is_some())
            .ok_or_else(|| Rejection::NoPlugin(source.plugin.clone()))?;
        let info = plugin.provider().expect("a provider was looked for");
        if !methods::takes(info, method) {
            return Err(Rejection::Method(methods::allowed(info)));
        }
        self.intake.check_length(body)?;
        Ok(plugin)
    }

    /// Reads what comes of a body that is not wanted, unless its sender waits to be asked for it.
    fn pass_over(&self, headers: &HeaderMap, body: Body) {
        if !headers.contains_key(header::EXPECT) {
            self.intake.discard(body);
        }
    }

    /// Accepts a request, and leaves all of it in `whole` once its body is read.
    async fn accept(
        self: &Arc<Self>,
        at: &At<'_>,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        body: Body,
        whole: &mut Option<Arc<Request>>,
    ) -> Result<Accepted, Rejection> {
        let (name, source, info) = (at.name, at.source, at.info());
        let (body, _held) = self.intake.read(&source.held, at.connection, body).await?;
        let brings_events = methods::brings_events(info, method);
        // Before it counts as one that is worked on.
        if brings_events && let Some(turn) = self.early.turn(name, &at.plugin, body.len()) {
            turn.await;
        }
        let _permit = self.requests.try_acquire().map_err(|_| Rejection::Busy)?;
        let _share = source.requests.try_acquire().map_err(|_| Rejection::SourceBusy)?;
        let request = Arc::new(Request {
            method: method.as_str().to_owned(),
            url: path_of(uri).to_owned(),
            headers: headers_of(headers),
            body,
            received_at: self.clock.now(),
        });
        *whole = Some(Arc::clone(&request));
        // Where anything is redacted, nothing is made of the request as it came.
        let is_kept_so = brings_events && source.redact.is_none();
        let (claims, found) = self.prove(at, &request, is_kept_so).await?;
        let proven = match source.verify {
            Verify::Evidence => signature::worth(&claims, info).into(),
            Verify::None => Proven::Nothing,
        };
        let asker = Asker::of(info, &request.method, proven);
        if let Some(asked) = &claims.handshake {
            let answer = self.answer(at, asked, &claims, &request, asker).await?;
            if let Some(not_logged) = self.notes.admit(name, Note::Asked) {
                let method = &request.method;
                let own = at.step.map(|step| self.telemetry.apart(step).context);
                let (trace_id, span_id) = log_fields(own);
                info!(source.name = %name, method, not_logged, trace_id, span_id,
                    "answered a validation challenge");
            }
            return Ok(Accepted::Asked(answer, asker));
        }
        if !brings_events {
            return Err(Rejection::NothingAsked(info.refusal_status));
        }
        // What is left to the writer was let in before, and has no answer of its own.
        let reply = match found {
            Some(Found::Left(..)) => None,
            _ => self.let_in(at, &claims, &request, asker).await?,
        };
        let plugin = source.stamp(&at.plugin);
        let (request, event_ids, found) = match &source.redact {
            None => (request, claims.event_ids, found),
            Some(pseudonyms) => {
                let redacted = self.redact(at, pseudonyms, &request, claims).await?;
                (redacted.request, redacted.event_ids, redacted.found)
            }
        };
        let source = name.clone();
        let (proven, trace) = (Some(proven), at.trace);
        let receipt = NewReceipt { source, request, event_ids, proven, plugin, trace };
        let appended = self.append(at, receipt, found).await?;
        Ok(Accepted::Kept(reply, appended))
    }

    /// Lets a genuine request in, unless it is to come again later, and makes the answer that its
    /// plugin has for it.
    async fn let_in(
        &self,
        at: &At<'_>,
        claims: &Claims,
        request: &Arc<Request>,
        asker: Asker,
    ) -> Result<Option<Response>, Rejection> {
        self.check_marks(at.name)?;
        at.source.gate.pass(Instant::now()).map_err(Rejection::TooOften)?;
        let Some(reply) = signature::reply(at.info(), claims, asker) else { return Ok(None) };
        self.answer(at, reply, claims, request, asker).await.map(Some)
    }

    /// Stores a receipt, and says so.
    async fn append(
        &self,
        at: &At<'_>,
        receipt: NewReceipt,
        found: Option<Found>,
    ) -> Result<Appended, Rejection> {
        let began = match &found {
            Some(Found::Left(_, began)) => *began,
            _ => at.trace.map(|_| Instant::now()),
        };
        let appended = self.commit(at, receipt, found).await;
        self.appended((at.name, at.trace), began, &appended);
        let appended = appended?;
        let (trace_id, span_id) = log_fields(at.trace);
        debug!(source.name = %at.name, ?appended, trace_id, span_id, "accepted a request");
        Ok(appended)
    }

    /// Stores a receipt, with what was parsed of it if that is in its turn. Where it is known that
    /// there is nothing to store, nobody waits for the store.
    async fn commit(
        &self,
        at: &At<'_>,
        receipt: NewReceipt,
        found: Option<Found>,
    ) -> Result<Appended, Rejection> {
        let parsed = match found {
            None => return self.store.append(receipt).await.map_err(Rejection::Store),
            Some(Found::Known(first)) => return Ok(Appended::Duplicate(first)),
            Some(Found::Parsed(parsed)) => *parsed,
            Some(Found::Left(left, _)) => {
                let stored = left.map_err(Rejection::Store)?.await;
                return stored.map(|(appended, _)| appended).map_err(Rejection::Store);
            }
        };
        let by = (self, Handle::current());
        let told = Told::of(by, (at.name, at.trace), &at.plugin, &parsed);
        let committing = self.store.queue_parsed(receipt, Some(parsed));
        let committing = committing.map_err(Rejection::Store)?;
        let (appended, _) = Telling::new(committing, told).await.map_err(Rejection::Store)?;
        Ok(appended)
    }

    /// Puts a request off while too much is open or too little is free. Only what is genuine comes
    /// so far: a forger is refused as ever, and a validation challenge is answered, which stores
    /// nothing and without which a provider would give the source up.
    fn check_marks(&self, source: &Name) -> Result<(), Rejection> {
        let reached = match self.store.mark_reached(source) {
            Some(Reached::Source) => Some(Mark::Source),
            Some(Reached::All) => Some(Mark::Gateway),
            None => self.disk.is_low().then_some(Mark::Disk),
        };
        reached.map_or(Ok(()), |mark| Err(Rejection::PutOff(mark)))
    }

    /// What the request claims, once its evidence holds; and what was found out of it then, if it
    /// may bring events and that is quick.
    async fn prove(
        self: &Arc<Self>,
        at: &At<'_>,
        request: &Arc<Request>,
        brings_events: bool,
    ) -> Result<(Claims, Option<Found>), Rejection> {
        let (name, source, plugin) = (at.name, at.source, &at.plugin);
        if source.verify == Verify::None {
            let claims = self.host.claims(plugin, &source.settings, name, request).await;
            let claims = claims.map_err(|error| at.refused(Unproven::Plugin(error)))?;
            // Nothing needs to be proven, and so nothing needs to be claimed.
            return Ok((claims.unwrap_or_default(), None));
        }
        let verifying = Verifying::begin(at.trace);
        let told = verifying.clone();
        let handover = Handover::default();
        let handing = brings_events.then(|| Handing {
            ingest: Arc::clone(self),
            sources: Arc::clone(at.sources),
            source: name.clone(),
            plugin: Arc::clone(plugin),
            request: Arc::clone(request),
            handover: handover.clone(),
            runtime: Handle::current(),
            trace: at.trace,
            verifying,
        });
        let find = move |claims: &Claims, kept: Option<Kept<'_>>| handing?.find(claims, kept);
        let hand = move |tell| handover.hand(tell);
        let (host, keys, receiver) = (&self.host, &self.keys, source.receiver(name));
        let proven = proof::prove_and(host, keys, plugin, receiver, request, find, hand).await;
        if let (Some(verifying), Ok((claims, _))) = (told, &proven) {
            verifying.ended(&self.telemetry, name, claims);
        }
        proven.map_err(|unproven| at.refused(unproven))
    }

    /// The answer that the plugin has for this request. Made before anything is stored: where a
    /// digest in it can't be made, nothing is. To find the secret that proves the request takes as
    /// long as to verify it, and so has a turn of its own.
    async fn answer(
        &self,
        at: &At<'_>,
        answer: &Answer,
        claims: &Claims,
        request: &Arc<Request>,
        asker: Asker,
    ) -> Result<Response, Rejection> {
        let secrets = &at.source.secrets;
        let made = if answer.has_digest() {
            let (answer, claims) = (answer.clone(), claims.clone());
            let (secrets, request) = (Arc::clone(secrets), Arc::clone(request));
            let make = move || signature::answer(&answer, &claims, &secrets, &request.body, asker);
            let made = self.host.in_turn(at.name, make).await;
            made.map_err(|error| at.refused(Unproven::Plugin(error)))?
        } else {
            signature::answer(answer, claims, secrets, &request.body, asker)
        };
        let body = made.map_err(|error| at.refused(Unproven::Evidence(error)))?;
        Ok(reply::of_plugin(answer, body))
    }
}

/// The path of a request and its query.
fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |url| url.as_str())
}

fn headers_of(map: &HeaderMap) -> Headers {
    let bytes = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let mut headers = Headers::with_capacity(map.len(), bytes);
    for (name, value) in map {
        match str::from_utf8(value.as_bytes()) {
            Ok(value) => headers.push(name.as_str(), value),
            Err(_) => headers.push(name.as_str(), &String::from_utf8_lossy(value.as_bytes())),
        }
    }
    headers
}
