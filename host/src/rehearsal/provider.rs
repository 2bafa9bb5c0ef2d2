//! The rehearsal of a provider: each accepted receipt proven and parsed again.
//!
//! Held against the source's secrets and settings of today, at the time at which it was received.
//! No key is fetched. An event that the store had from another receipt is no difference: a receipt
//! never brought it. No secret of the source gets into what is shown.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use twox_hash::XxHash3_64;

use super::Play;
use super::ask::{Ask, SourceSetup, Stage};
use super::compared::{Compared, Ended};
use super::difference::{Differences, Fields, NOTHING};
use super::emission;
use super::handler::miss_damaged;
use super::outcome::{End, GATEWAY_FAILED};
use super::tally::Tally;
use crate::event::{Event, Request};
use crate::ids::{Id, Name};
use crate::plugin::{CallError, Called, PROOF_LABEL, Spent};
use crate::proof::{self, Receiver, Unproven};
use crate::provider::{Claims, Proven, ProviderInfo};
use crate::retry::Outcome;
use crate::signature;
use crate::store::{self, Past, PastEnd, PastItem, PastTry, Receipt, Recorded, StoredEvent};

/// Most event ids of which it is known which receipt brought them.
const IDS_MAX: usize = 4 << 20;

/// A receipt to prove and to parse again.
pub(super) struct ParseAgain {
    receipt: Receipt,
    tried: Box<PastTry>,
    recorded: Recorded,
}

/// The receipts of a provider's sources.
pub(super) struct Providers<'a> {
    stage: &'a Stage,
    ask: &'a Ask,
    /// The positions of the receipts that brought events, by the hashes of these.
    brought: FxHashMap<u64, u64>,
    /// Nothing from this position on is looked at.
    end: u64,
}

impl<'a> Providers<'a> {
    pub(super) fn new(past: &Past, stage: &'a Stage, ask: &'a Ask) -> Self {
        Self { stage, ask, brought: FxHashMap::default(), end: past.end() }
    }

    /// What there is to make again of a receipt.
    fn again(
        &self,
        past: &Past,
        receipt: Receipt,
        tally: &mut Tally,
    ) -> Result<Option<ParseAgain>, store::Error> {
        let is_asked_for = self.ask.is_of(&receipt.source)
            && self.ask.is_within(receipt.request.received_at)
            && self.stage.sources.contains_key(&receipt.source);
        if !is_asked_for {
            return Ok(None);
        }
        let tried = match past.end_of(receipt.id)? {
            PastEnd::Ended(tried) if tried.position < self.end => tried,
            PastEnd::Ended(_) | PastEnd::Open => {
                tally.miss("not_tried_yet");
                return Ok(None);
            }
            PastEnd::Expired => {
                tally.miss("result_expired");
                return Ok(None);
            }
        };
        let recorded = past.recorded(&tried)?;
        let brings = |stored: &StoredEvent| {
            let types = self.ask.event_type.as_ref();
            types.is_none_or(|types| types.matches(&stored.event.event_type))
        };
        if self.ask.event_type.is_some() && !recorded.events.iter().any(brings) {
            return Ok(None);
        }
        let why = match (&tried.plugin, receipt.body_expired, recorded.is_whole) {
            (None, ..) => "not_run",
            (_, true, _) => "body_expired",
            (_, _, false) => "result_expired",
            _ => return Ok(Some(ParseAgain { receipt, tried, recorded })),
        };
        tally.miss(why);
        Ok(None)
    }
}

impl Play for Providers<'_> {
    type Work = ParseAgain;

    fn meet(
        &mut self,
        past: &Arc<Past>,
        item: PastItem,
        tally: &mut Tally,
        _: Option<u64>,
    ) -> Result<Option<ParseAgain>, store::Error> {
        match item {
            PastItem::Receipt(receipt) => {
                let again = self.again(past, receipt, tally);
                return again.or_else(|error| miss_damaged(error, tally).map(|()| None));
            }
            PastItem::Event(stored) => {
                // What a run emitted brings no receipt.
                if let (Some(receipt), None) = (stored.receipt, stored.cause)
                    && self.brought.len() < IDS_MAX
                {
                    let key = brought(&stored.event.source, &stored.event.id);
                    self.brought.entry(key).or_insert(receipt.position);
                }
            }
            PastItem::Try(_) => (),
            PastItem::Damaged(_) => tally.miss("damaged"),
        }
        Ok(None)
    }

    fn renewed(&mut self, _: &Past, _: u64) {}

    fn is_known(&self, receipt: Id, brings: u64) -> bool {
        self.brought.get(&brings).is_some_and(|position| *position != receipt.position)
    }
}

/// The hash of an event of a source.
fn brought(source: &Name, id: &str) -> u64 {
    let seed = XxHash3_64::oneshot(source.as_str().as_bytes());
    XxHash3_64::oneshot_with_seed(seed, id.as_bytes())
}

/// Proves and parses a receipt again, and compares.
pub(super) fn perform(stage: &Stage, ask: &Ask, again: ParseAgain) -> Compared {
    let ParseAgain { receipt, tried, recorded } = again;
    let mut compared = Compared {
        id: receipt.id,
        event: None,
        ended: Ended::Not(GATEWAY_FAILED),
        spent: Spent::default(),
        recorded: tried.duration,
        is_late: false,
    };
    let (setup, info) = (stage.sources.get(&receipt.source), ask.plugin.provider());
    if let (Some(setup), Some(info)) = (setup, info) {
        let parse = Parse { stage, ask, setup, info, receipt: &receipt };
        compared.ended = parse.compare((&*tried, &recorded), &mut compared);
    }
    compared
}

/// One receipt, and all that it is made again with.
struct Parse<'a> {
    stage: &'a Stage,
    ask: &'a Ask,
    setup: &'a SourceSetup,
    info: &'a ProviderInfo,
    receipt: &'a Receipt,
}

impl Parse<'_> {
    fn compare(&self, (tried, recorded): (&PastTry, &Recorded), compared: &mut Compared) -> Ended {
        let Some(then) = End::of_record(&tried.outcome) else {
            return Ended::Not(GATEWAY_FAILED);
        };
        let mut found = self.nothing();
        let claims = match self.claims() {
            Ok(claims) => claims,
            Err(unproven) => {
                compared.is_late = matches!(unproven, Unproven::Plugin(CallError::Deadline { .. }));
                return self.unproven(&unproven);
            }
        };
        if claims.handshake.is_some() {
            found.add("proof", "challenge", "an event", "a validation challenge");
            return Ended::Compared(found.into_all());
        }
        self.compare_claims(&mut found, &claims);
        let request = match self.opened(&claims) {
            Ok(request) => request,
            Err(ended) => return ended,
        };
        let Self { stage, ask, setup, receipt, .. } = self;
        let parsed =
            stage.host.alone(&ask.plugin).parse(&setup.settings, &receipt.source, &request);
        let (Called { ended, log, .. }, spent) = parsed;
        compared.spent = spent;
        compared.is_late = matches!(ended, Err(CallError::Deadline { .. }));
        let (end, mut events) = match ended {
            Ok(Ok(events)) => (Some(End::of_answer(&Outcome::Success)), events),
            Ok(Err(failure)) => (Some(End::of_answer(&failure)), Vec::new()),
            Err(error) => (End::of_error(&error), Vec::new()),
        };
        let Some(end) = end else { return Ended::Not(GATEWAY_FAILED) };
        if let Some(field) = then.differs(&end) {
            found.add("outcome", &field, then.words(), end.words());
        } else {
            self.label(&mut events, &claims);
            self.compare_events(&mut found, &recorded.events, &events);
            emission::logs(&mut found, &tried.log, &log);
        }
        Ended::Compared(found.into_all())
    }

    /// What the version claims now, if its evidence holds.
    fn claims(&self) -> Result<Claims, Unproven> {
        let Self { stage, ask, setup, receipt, .. } = self;
        let (host, plugin, request) = (&stage.host, &ask.plugin, &receipt.request);
        if setup.is_unverified || setup.is_redacted {
            let claimed = host.alone(plugin).claims(&setup.settings, request);
            // Nothing needs to be proven now, and so nothing needs to be claimed.
            return claimed.map(Result::unwrap_or_default).map_err(Unproven::Plugin);
        }
        let receiver = Receiver {
            name: &receipt.source,
            settings: &setup.settings,
            secrets: &setup.secrets,
            tolerance: setup.tolerance,
            keys_from: &[],
        };
        proof::prove_here(host, plugin, receiver, request)
    }

    /// How the comparison ends where nothing is proven.
    fn unproven(&self, unproven: &Unproven) -> Ended {
        match unproven {
            Unproven::Plugin(error) => self.broken(error),
            Unproven::Key(_) => Ended::Not("key_to_fetch"),
            Unproven::Claims(_) | Unproven::Evidence(_) => {
                let field = unproven.label().unwrap_or_default();
                self.not_proven(field, &unproven.to_string())
            }
        }
    }

    /// The version broke down over the claims, or the gateway did.
    fn broken(&self, error: &CallError) -> Ended {
        match End::of_error(error) {
            Some(end) => self.not_proven(end.word, end.words()),
            None => Ended::Not(GATEWAY_FAILED),
        }
    }

    /// What was genuine is not any more.
    fn not_proven(&self, field: &str, why: &str) -> Ended {
        let mut found = self.nothing();
        found.add("proof", field, "genuine", why);
        Ended::Compared(found.into_all())
    }

    /// No difference yet.
    fn nothing(&self) -> Differences {
        Differences::without(&self.stage.redaction)
    }

    fn compare_claims(&self, found: &mut Differences, claims: &Claims) {
        let receipt = self.receipt;
        if let Some(then) = receipt.proven {
            let now = self.proven(claims);
            found.texts("proof", "worth", Some(then.name()), Some(now.name()));
        }
        if receipt.event_ids != claims.event_ids {
            let text = |ids: &[String]| ids.join(", ");
            let (then, now) = (text(&receipt.event_ids), text(&claims.event_ids));
            found.add("event_ids", "event_ids", &then, &now);
        }
    }

    fn proven(&self, claims: &Claims) -> Proven {
        if self.setup.is_unverified {
            Proven::Nothing
        } else {
            signature::worth(claims, self.info).into()
        }
    }

    /// The request as it is parsed: with its plain body, if it was encrypted.
    fn opened(&self, claims: &Claims) -> Result<Arc<Request>, Ended> {
        let request = &self.receipt.request;
        if !self.info.claims_before_parse() {
            return Ok(Arc::clone(request));
        }
        match signature::plain_body(claims, &self.setup.secrets, &request.body) {
            Ok(None) => Ok(Arc::clone(request)),
            Ok(Some(body)) => Ok(Arc::new(Request { body, ..Request::clone(request) })),
            Err(_) => Err(Ended::Not("not_decrypted")),
        }
    }

    /// Labels events with what their proof was worth, as the gateway does.
    fn label(&self, events: &mut [Event], claims: &Claims) {
        let proven = self.receipt.proven.unwrap_or_else(|| self.proven(claims));
        let Some(label) = proven.label() else { return };
        for event in events {
            event.labels.push((PROOF_LABEL.to_owned(), label.to_owned()));
        }
    }

    /// Compares the events that the receipt brought with those that it brings now, by their ids.
    fn compare_events(&self, found: &mut Differences, recorded: &[StoredEvent], now: &[Event]) {
        let then: Vec<&Event> = recorded.iter().map(|stored| &*stored.event).collect();
        let mut own: Vec<&Event> = Vec::new();
        for event in now {
            // One that is there twice is brought once, and what is another receipt's by that one.
            let is_own = !self.receipt.taken.contains(&event.id);
            if is_own && !own.iter().any(|known| known.id == event.id) {
                own.push(event);
            }
        }
        let with_id = |events: &[&Event], id: &str| events.iter().any(|event| event.id == id);
        for event in &then {
            match own.iter().find(|own| own.id == event.id) {
                Some(now) => {
                    let (then, now) = (Fields::of_event(event), Fields::of_event(now));
                    found.fields("event_field", "", &then, &now);
                }
                None => {
                    found.texts("event_missing", &event.event_type, Some(&event.id), None);
                }
            }
        }
        for event in own.iter().filter(|event| !with_id(&then, &event.id)) {
            let brings = Some(brought(&event.source, &event.id));
            let shown = (NOTHING, event.id.as_str());
            found.add_brought("event_added", &event.event_type, shown, brings);
        }
        let order = |events: &[&Event], others: &[&Event]| {
            let both = events.iter().filter(|event| with_id(others, &event.id));
            both.map(|event| event.id.as_str()).collect::<Vec<_>>().join(", ")
        };
        let (was, is) = (order(&then, &own), order(&own, &then));
        found.texts("event_field", "order", Some(&was), Some(&is));
    }
}
