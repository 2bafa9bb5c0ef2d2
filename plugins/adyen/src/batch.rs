//! A batch of payment notifications: `{"live":..,"notificationItems":[..]}`.
//!
//! Adyen signs each item by itself and does not sign the envelope. All items must hold, and a batch
//! without items proves nothing and is refused. The unsigned `live` is passed on as a label and
//! never decides anything.

use std::collections::BTreeMap;

use hookgate_sdk::{Claims, Event, Failure, Refusal, Worth, base64};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::item::{Item, Text};
use crate::settings::Settings;

/// Most items in a batch, and most pieces of evidence that the gateway accepts. Adyen sends at most
/// six items.
const ITEMS_MAX: usize = 64;
/// Bytes of HMAC-SHA256.
const DIGEST_BYTES: usize = 32;

#[derive(Debug, Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default)]
    live: Text<'a>,
    #[serde(borrow, rename = "notificationItems")]
    items: Vec<Envelope<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "NotificationRequestItem")]
    item: &'a RawValue,
}

type Items<'a> = Vec<(Item<'a>, &'a str)>;

pub(crate) fn claim(body: &[u8], settings: &Settings) -> Result<Claims, Refusal> {
    let mut evidence = Vec::new();
    let mut event_ids = Vec::new();
    for (item, _) in items(body).map_err(Refusal::new)?.1 {
        evidence.push(item.evidence(settings)?.worth(Worth::Unbound));
        event_ids.push(item.event_id());
    }
    if evidence.is_empty() {
        return Err(Refusal::new("the request has no header `HmacSignature`, and no items"));
    }
    Ok(Claims::all(evidence, event_ids))
}

pub(crate) fn parse(body: &[u8], settings: &Settings) -> Result<Vec<Event>, Failure> {
    let (live, items) = items(body).map_err(Failure::permanent)?;
    let event = |(item, written): &(Item<'_>, &str)| item.event(written, &live, settings);
    Ok(items.iter().map(event).collect())
}

/// The body with a signature in every item, in their order. Without digests the signatures are of
/// zeros. `None` if the body is not a batch.
pub(crate) fn sign(body: &[u8], digests: &[Vec<u8>]) -> Result<Option<Vec<u8>>, String> {
    let Ok(mut batch) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body) else {
        return Ok(None);
    };
    let Some(items) = batch.get("notificationItems") else { return Ok(None) };
    let envelopes: Vec<Envelope<'_>> = serde_json::from_str(items.get()).map_err(unreadable)?;
    if !digests.is_empty() && digests.len() != envelopes.len() {
        return Err(format!("there are {} digests for {} items", digests.len(), envelopes.len()));
    }
    let zeros = vec![0; DIGEST_BYTES];
    let digests = digests.iter().chain(std::iter::repeat(&zeros));
    let signed = envelopes.iter().zip(digests).map(|(envelope, digest)| {
        let item = signed(envelope.item, digest)?;
        Ok(BTreeMap::from([("NotificationRequestItem", item)]))
    });
    let signed: Result<Vec<_>, serde_json::Error> = signed.collect();
    let signed = to_raw_value(&signed.map_err(unreadable)?).map_err(unreadable)?;
    batch.insert("notificationItems".to_owned(), &signed);
    serde_json::to_vec(&batch).map(Some).map_err(unreadable)
}

/// The envelope's `live`, and every item with its text, which becomes the event's data.
fn items(body: &[u8]) -> Result<(Text<'_>, Items<'_>), String> {
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    if batch.items.len() > ITEMS_MAX {
        return Err(format!("the batch has more than {ITEMS_MAX} items"));
    }
    let mut items = Vec::with_capacity(batch.items.len());
    for envelope in batch.items {
        let written = envelope.item.get();
        items.push((serde_json::from_str(written).map_err(unreadable)?, written));
    }
    Ok((batch.live, items))
}

fn signed(item: &RawValue, digest: &[u8]) -> Result<Box<RawValue>, serde_json::Error> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(item.get())?;
    let data = fields.get("additionalData").map_or("{}", |data| data.get());
    let data: Option<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(data)?;
    let mut data = data.unwrap_or_default();
    data.insert("hmacSignature".to_owned(), to_raw_value(&base64::encode(digest))?);
    fields.insert("additionalData".to_owned(), to_raw_value(&data)?);
    to_raw_value(&fields)
}

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("the body is not a batch of notifications: {error}")
}
