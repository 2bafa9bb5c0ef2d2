//! What comes before a receipt is parsed: its plain body, if it was encrypted, and afterwards the
//! label that says what its proof is worth.
//!
//! What a request claims is not stored, so the plugin is asked for it again where its body may be
//! encrypted; for most providers it is not. Whether the claims hold, and what they prove, was found
//! out before the receipt was stored. Never stores a plain body.

use std::sync::Arc;

use super::{Dispatch, Reading};
use crate::event::{Event, Request};
use crate::plugin::{CallError, Called, Kept, PROOF_LABEL, Plugin};
use crate::provider::{Claims, Proven, ProviderInfo};
use crate::retry::Outcome;
use crate::signature;
use crate::store::Receipt;

/// A request as it is parsed, and what its events are labelled with.
#[derive(Debug)]
struct Opened {
    request: Arc<Request>,
    label: Option<&'static str>,
}

/// Labels events with what their proof is worth, if that is less than all.
pub(super) fn label_all(events: &mut [Event], label: Option<&'static str>) {
    let Some(label) = label else { return };
    for event in events {
        event.labels.push((PROOF_LABEL.to_owned(), label.to_owned()));
    }
}

impl Dispatch {
    /// The events of a receipt, labelled where its proof is worth less than all.
    pub(super) async fn parse_opened(
        &self,
        plugin: &Arc<Plugin>,
        info: &ProviderInfo,
        reading: &Reading,
        receipt: &Receipt,
    ) -> Called<Result<Vec<Event>, Outcome>> {
        let opened = match self.opened(plugin, info, reading, receipt).await {
            Ok(opened) => opened,
            Err(ended) => return *ended,
        };
        let settings = &reading.settings;
        let source = &receipt.source;
        let mut called = self.host.parse(plugin, settings, source, &opened.request).await;
        if let Ok(Ok(events)) = &mut called.ended {
            label_all(events, opened.label);
        }
        called
    }

    async fn opened(
        &self,
        plugin: &Arc<Plugin>,
        info: &ProviderInfo,
        reading: &Reading,
        receipt: &Receipt,
    ) -> Result<Opened, Box<Called<Result<Vec<Event>, Outcome>>>> {
        let request = Arc::clone(&receipt.request);
        // An earlier Hookgate did not store it: then it is what the source and its plugin say now.
        let proven = receipt.proven.or(reading.is_unverified.then_some(Proven::Nothing));
        if !info.claims_before_parse() {
            return Ok(Opened { request, label: proven.and_then(Proven::label) });
        }
        let settings = &reading.settings;
        let source = &receipt.source;
        // Decrypted on the threads of claims too: those of parsing would take a source for quick
        // whose claims are, although it spins when it parses.
        let open = {
            let (secrets, request) = (Arc::clone(&reading.secrets), Arc::clone(&request));
            move |claims: Claims, _: Option<Kept<'_>>| {
                let plain = signature::plain_body(&claims, &secrets, &request.body);
                (claims, plain)
            }
        };
        let opened = self.host.claims_and(plugin, settings, source, &request, open).await;
        let ended = |ended: Result<Result<Vec<Event>, Outcome>, CallError>| {
            Box::new(Called { ended, log: Vec::new(), denied: false })
        };
        // Without claims it was accepted by an earlier version of the plugin, or without a proof.
        let opened = opened.map_err(|error| ended(Err(error)))?;
        let (claims, plain) = opened.unwrap_or_else(|_| (Claims::default(), Ok(None)));
        let sealed = |error: signature::Error| {
            ended(Ok(Err(Outcome::permanent(format!("failed to open the body: {error}")))))
        };
        let request = match plain.map_err(sealed)? {
            Some(body) => Arc::new(Request { body, ..Request::clone(&request) }),
            None => request,
        };
        let proven = proven.unwrap_or_else(|| signature::worth(&claims, info).into());
        Ok(Opened { request, label: proven.label() })
    }
}
