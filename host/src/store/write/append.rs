//! Append: an accepted request becomes a receipt, unless it is known.
//!
//! Whether an event id is known is decided here and in [`super::commit`], inside of the transaction
//! that gives it to a receipt: so also between requests that arrive at the same time. So is whether
//! what was parsed of it already holds: only if all that its source sent before was parsed.

use std::sync::Arc;

use super::commit::data_bytes;
use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::event::Request;
use crate::ids::{Id, IdKind};
use crate::store::committing::Heard;
use crate::store::error::{Error, Failure};
use crate::store::facts::{Appended, NewReceipt, Receipt};
use crate::store::ids::IdKey;
use crate::store::log::record::ReceiptRecord;
use crate::store::log::segment::RecordKind;
use crate::store::owed::works::Stored;
use crate::store::report::Parsed;

impl NewReceipt {
    /// The keys of its event ids, in their order.
    fn keys(&self) -> Vec<IdKey> {
        self.event_ids.iter().map(|event_id| IdKey::new(&self.source, event_id)).collect()
    }
}

/// An accepted request that becomes a receipt.
#[derive(Debug)]
pub(in crate::store) struct Append {
    receipt: NewReceipt,
    keys: Vec<IdKey>,
    parsed: Option<Parsed>,
    reply: Reply<(Appended, bool)>,
    /// Behind the reply.
    heard: Option<Heard>,
}

impl Append {
    pub(in crate::store) fn new(
        receipt: NewReceipt,
        parsed: Option<Parsed>,
        (reply, heard): (Reply<(Appended, bool)>, Option<Heard>),
    ) -> Self {
        Self { keys: receipt.keys(), receipt, parsed, reply, heard }
    }
}

impl Operation for Append {
    fn bytes(&self) -> usize {
        let Request { url, headers, body, .. } = &*self.receipt.request;
        let events = self.parsed.as_ref().map_or(0, |parsed| data_bytes(&parsed.events));
        url.len() + headers.bytes() + body.len() + events
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let appended = draft.append(&self.receipt, &self.keys, self.parsed.as_ref())?;
        self.reply.keep(Ok(appended));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }

    fn tell(&mut self) {
        self.reply.tell();
        self.heard = None;
    }

    fn refuse(&mut self, error: &Error) {
        self.reply.refuse(error);
        self.heard = None;
    }
}

impl Draft<'_> {
    /// Stores a receipt and gives it those of its event ids that nobody owns, or tells that all are
    /// owned. Tells too whether what was parsed of it was committed with it: not if an older
    /// receipt of its source waits for that, whose events come first.
    fn append(
        &mut self,
        new: &NewReceipt,
        keys: &[IdKey],
        parsed: Option<&Parsed>,
    ) -> Result<(Appended, bool), Failure> {
        let owners = keys
            .iter()
            .map(|key| self.owner(*key))
            .collect::<Result<Vec<Option<u64>>, Failure>>()?;

        let id = self.next_id(IdKind::Receipt);
        if let Some(Some(first)) = owners.first()
            && owners.iter().all(Option::is_some)
        {
            return Ok((Appended::Duplicate(Id { position: *first, ..id }), false));
        }
        for (key, _) in keys.iter().zip(&owners).filter(|(_, owner)| owner.is_none()) {
            self.bind(*key, &new.source, id.position);
        }
        let NewReceipt { source, request, event_ids, proven, plugin, trace } = new.clone();
        let known = event_ids.iter().zip(&owners).filter(|(_, owner)| owner.is_some());
        let taken = known.map(|(event_id, _)| event_id.clone()).collect();
        let body_expired = false;
        let receipt =
            Receipt { id, source, request, event_ids, taken, proven, plugin, trace, body_expired };
        let receipt = Arc::new(receipt);
        let stored = Stored::Receipt(Arc::clone(&receipt));
        let record = ReceiptRecord::of(&receipt);
        let parsed = parsed.filter(|_| self.is_all_parsed(&receipt.source));
        if let Some(parsed) = parsed {
            self.keep(stored, RecordKind::Receipt, 1, &record);
            self.parsed(&receipt, parsed)?;
        } else {
            self.leave_unparsed(&receipt.source);
            self.owe(stored, RecordKind::Receipt, 1, &record);
        }
        Ok((Appended::Stored(id), parsed.is_some()))
    }
}
