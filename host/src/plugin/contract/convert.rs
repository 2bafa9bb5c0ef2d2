//! Between the bindings' types and the values that everything shares.
//!
//! What goes in is lent; what comes out is checked against every limit of the contract before
//! anybody else sees it. Pure: no store, no engine, no clock.

mod answer;
mod claims;
mod lookup;
mod message;
mod setting;

use std::time::Duration;

use super::bindings::exports::hookgate::plugin::{handler, provider};
use super::bindings::hookgate::plugin::types;
use super::handler::{HandleContext, HandlerInfo};
use super::violation::{self, TEXT_BYTES_MAX, Violation, violation};
use crate::event::{Event, Request, Timestamp};
use crate::headers::Headers;
use crate::ids::Name;
use crate::provider::{ClockRule, ProofInfo, ProofKind, ProviderInfo, Refusal, Worth};
use crate::retry::Outcome;
use crate::route::Pattern;
use crate::tenant::Tenant;

pub(in crate::plugin) use self::claims::claims;

/// Most events in one receipt.
pub const EVENTS_MAX: usize = 1_000;
/// Most bytes that one call may yield: the effects of a run, and the events of a receipt beside as
/// many bytes as its body has.
pub const YIELD_BYTES_MAX: usize = 4 << 20;
/// Most proofs that a provider may declare.
const PROOFS_MAX: usize = 16;
/// Most root certificates that a plugin may pin, and the largest of them.
const ROOTS_MAX: usize = 8;
const ROOT_BYTES_MAX: usize = 8 << 10;
/// Most event types that a plugin may name.
const TYPES_MAX: usize = 256;
/// Longest name and version of a plugin.
const NAME_BYTES_MAX: usize = 64;
/// Longest text on how a provider signs, in bytes.
const SCHEME_BYTES_MAX: usize = 200;
/// What the gateway says itself of the proof of an event.
pub const PROOF_LABEL: &str = "proof";
/// Most headers of a request that a plugin makes.
const HEADERS_MAX: usize = 256;

/// Lends a request to a guest for the time of `call`.
pub(in crate::plugin) fn lend_request<T>(
    request: &Request,
    call: impl FnOnce(types::RequestParam<'_>) -> T,
) -> T {
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| types::HeaderParam { name, value }).collect();
    call(types::RequestParam {
        method: &request.method,
        url: &request.url,
        headers: &headers,
        body: &request.body,
        received_at: request.received_at.0,
    })
}

/// Lends an event to a guest for the time of `call`.
pub(in crate::plugin) fn lend_event<T>(
    event: &Event,
    call: impl FnOnce(types::EventParam<'_>) -> T,
) -> T {
    let labels: Vec<_> =
        event.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let money = event.money.as_ref();
    call(types::EventParam {
        id: &event.id,
        type_: &event.event_type,
        subject: event.subject.as_deref(),
        time: Some(event.time.0),
        money: money
            .map(|money| types::MoneyParam { amount: &money.amount, currency: &money.currency }),
        labels: &labels,
        data: event.data.as_str(),
    })
}

/// Lends a handler's context.
pub(in crate::plugin) fn lend_context(context: &HandleContext) -> handler::Context<'_> {
    handler::Context {
        source: &context.source,
        event_id: &context.event_id,
        run_id: &context.run_id,
        attempt: context.attempt,
        now: context.now.0,
        replay: context.replay_by.as_deref().map(|by| handler::Replay { by }),
        tenant: context.tenant.as_ref().map(Tenant::as_str),
    }
}

/// What a provider says of itself.
pub(in crate::plugin) fn provider_info(
    info: provider::ProviderInfo,
) -> Result<ProviderInfo, Violation> {
    let patterns = patterns("provider-info.types", info.types)?;
    if !(400..=499).contains(&info.refusal_status) {
        let reason = format!("must be 400 to 499, not {}", info.refusal_status);
        return Err(violation("provider-info.refusal-status", reason));
    }
    let proofs = violation::at_most("provider-info.proofs", info.proofs, PROOFS_MAX)?;
    let reply = |it| answer::reply("provider-info.reply", it, &[]);
    Ok(ProviderInfo {
        name: violation::line("provider-info.name", info.name, NAME_BYTES_MAX)?,
        version: violation::line("provider-info.version", info.version, NAME_BYTES_MAX)?,
        scheme: violation::line("provider-info.scheme", info.scheme, SCHEME_BYTES_MAX)?,
        types: patterns.iter().map(ToString::to_string).collect(),
        proofs: proofs.into_iter().map(proof_info).collect(),
        clock: match info.clock {
            provider::ClockRule::Past => ClockRule::Past,
            provider::ClockRule::Both => ClockRule::Both,
        },
        tolerance: info.tolerance_ms.map(Duration::from_millis),
        reply: info.reply.map(reply).transpose()?,
        refusal_status: info.refusal_status,
        methods: answer::event_methods(&info.methods)?,
        handshakes: answer::methods(info.handshakes)?,
        key_places: lookup::places(info.key_places)?,
        roots: roots(info.roots)?,
        settings: setting::settings("provider-info.settings", info.settings)?,
    })
}

fn roots(roots: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Violation> {
    let roots = violation::at_most("provider-info.roots", roots, ROOTS_MAX)?;
    match roots.iter().find(|root| !(1..=ROOT_BYTES_MAX).contains(&root.len())) {
        None => Ok(roots),
        Some(root) => {
            let reason = format!("has a root of {} bytes, not 1 to {ROOT_BYTES_MAX}", root.len());
            Err(violation("provider-info.roots", reason))
        }
    }
}

/// What a handler says of itself.
pub(in crate::plugin) fn handler_info(
    info: handler::HandlerInfo,
) -> Result<HandlerInfo, Violation> {
    Ok(HandlerInfo {
        name: violation::line("handler-info.name", info.name, NAME_BYTES_MAX)?,
        version: violation::line("handler-info.version", info.version, NAME_BYTES_MAX)?,
        types: patterns("handler-info.types", info.types)?,
        emits: patterns("handler-info.emits", info.emits)?,
        settings: setting::settings("handler-info.settings", info.settings)?,
        states: setting::states(info.states)?,
    })
}

/// Why a provider found no evidence.
pub(in crate::plugin) fn refusal(refusal: &provider::Refusal) -> Refusal {
    Refusal { reason: violation::shortened(&refusal.reason, TEXT_BYTES_MAX) }
}

/// How a call ended whose plugin says why it failed.
pub(in crate::plugin) fn failure(failure: &types::Failure) -> Outcome {
    let reason = violation::shortened(&failure.reason, TEXT_BYTES_MAX);
    match failure.kind {
        types::FailureKind::Transient => Outcome::Transient {
            reason,
            retry_after: failure.retry_after_ms.map(Duration::from_millis),
        },
        types::FailureKind::Permanent => Outcome::Permanent { reason },
    }
}

/// The events of a receipt, of at most `bytes_max` bytes. One that says no time happened when the
/// request was received.
pub(in crate::plugin) fn events(
    events: Vec<types::EventResult>,
    source: &Name,
    received_at: Timestamp,
    bytes_max: usize,
) -> Result<Vec<Event>, Violation> {
    let events = violation::at_most("events", events, EVENTS_MAX)?;
    let bytes: usize = events.iter().map(event_bytes).sum();
    if bytes > bytes_max {
        return Err(violation("events", format!("have {bytes} bytes; the limit is {bytes_max}")));
    }
    events.into_iter().map(|event| one_event(event, source, received_at)).collect()
}

fn event_bytes(event: &types::EventResult) -> usize {
    let labels: usize = event.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    event.id.len() + event.type_.len() + event.data.len() + labels
}

fn one_event(
    event: types::EventResult,
    source: &Name,
    received_at: Timestamp,
) -> Result<Event, Violation> {
    let money = event.money;
    if event.labels.iter().any(|(name, _)| name == PROOF_LABEL) {
        return Err(violation("event.labels", "has `proof`, which the gateway sets itself"));
    }
    Ok(Event {
        source: source.clone(),
        id: violation::text("event.id", event.id, violation::ID_BYTES_MAX)?,
        event_type: violation::event_type("event.type", event.type_)?,
        subject: violation::subject("event.subject", event.subject)?,
        time: event.time.map_or(Ok(received_at), |time| timestamp("event.time", time))?,
        money: money
            .map(|money| violation::money("event.money", money.amount, money.currency))
            .transpose()?,
        labels: violation::labels("event.labels", event.labels)?,
        data: violation::json("event.data", event.data)?,
    })
}

/// The request that a provider would send.
pub(in crate::plugin) fn request(request: types::RequestResult) -> Result<Request, Violation> {
    let headers = violation::at_most("request.headers", request.headers, HEADERS_MAX)?;
    let header = |header: types::HeaderResult| {
        let name = header.name.parse::<http::HeaderName>();
        let value = http::HeaderValue::from_str(&header.value);
        match (name, value) {
            (Ok(name), Ok(_)) => Ok((name, header.value)),
            _ => Err(violation("request.headers", "has a header with an invalid name or value")),
        }
    };
    let method = http::Method::from_bytes(request.method.as_bytes());
    if method.is_err() {
        return Err(violation("request.method", "is not an HTTP method"));
    }
    Ok(Request {
        method: request.method,
        url: violation::text("request.url", request.url, 8 << 10)?,
        headers: headers.into_iter().map(header).collect::<Result<Headers, _>>()?,
        body: request.body.into(),
        received_at: timestamp("request.received-at", request.received_at)?,
    })
}

fn proof_info(proof: provider::ProofInfo) -> ProofInfo {
    let kind = match proof.kind {
        provider::ProofKind::Mac => ProofKind::Mac,
        provider::ProofKind::Hash => ProofKind::Hash,
        provider::ProofKind::Signature => ProofKind::Signature,
        provider::ProofKind::Jws => ProofKind::Jws,
        provider::ProofKind::Token => ProofKind::Token,
        provider::ProofKind::Decrypted => ProofKind::Decrypted,
    };
    ProofInfo { kind, worth: worth(proof.worth) }
}

fn worth(worth: provider::Worth) -> Worth {
    match worth {
        provider::Worth::Bound => Worth::Bound,
        provider::Worth::Unbound => Worth::Unbound,
        provider::Worth::Weak => Worth::Weak,
    }
}

fn patterns(field: &'static str, types: Vec<String>) -> Result<Vec<Pattern>, Violation> {
    let types = violation::at_most(field, types, TYPES_MAX)?;
    let pattern = |text: String| {
        text.parse().map_err(|_| {
            let shown = violation::shortened(&text, NAME_BYTES_MAX);
            violation(field, format!("has `{shown}`, not an event type such as payment.* or *"))
        })
    };
    types.into_iter().map(pattern).collect()
}

fn timestamp(field: &'static str, milliseconds: u64) -> Result<Timestamp, Violation> {
    let time = Timestamp(milliseconds);
    if time <= Timestamp::MAX {
        Ok(time)
    } else {
        Err(violation(field, format!("is {milliseconds}, which is after the year 9999")))
    }
}

#[cfg(test)]
mod tests;
