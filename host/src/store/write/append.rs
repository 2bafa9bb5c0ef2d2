//! Append: an accepted request becomes a receipt, unless it is known.
//!
//! Whether an event id is known is decided here and in [`super::commit`], inside of the transaction
//! that gives it to a receipt: so also between requests that arrive at the same time.

use std::sync::Arc;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::event::Request;
use crate::ids::{Id, IdKind};
use crate::store::error::Failure;
use crate::store::facts::{Appended, NewReceipt, Receipt};
use crate::store::ids::IdKey;
use crate::store::log::record::ReceiptRecord;
use crate::store::log::segment::RecordKind;
use crate::store::owed::works::Stored;

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
    reply: Reply<Appended>,
}

impl Append {
    pub(in crate::store) fn new(receipt: NewReceipt, reply: Reply<Appended>) -> Self {
        Self { keys: receipt.keys(), receipt, reply }
    }
}

impl Operation for Append {
    fn bytes(&self) -> usize {
        let Request { url, headers, body, .. } = &*self.receipt.request;
        url.len() + headers.bytes() + body.len()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let appended = draft.append(&self.receipt, &self.keys)?;
        self.reply.keep(Ok(appended));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Draft<'_> {
    /// Stores a receipt and gives it those of its event ids that nobody owns, or tells that all are
    /// owned.
    fn append(&mut self, new: &NewReceipt, keys: &[IdKey]) -> Result<Appended, Failure> {
        let owners = keys
            .iter()
            .map(|key| self.owner(*key))
            .collect::<Result<Vec<Option<u64>>, Failure>>()?;

        let id = self.next_id(IdKind::Receipt);
        if let Some(Some(first)) = owners.first()
            && owners.iter().all(Option::is_some)
        {
            return Ok(Appended::Duplicate(Id { position: *first, ..id }));
        }
        for (key, _) in keys.iter().zip(&owners).filter(|(_, owner)| owner.is_none()) {
            self.bind(*key, &new.source, id.position);
        }
        let NewReceipt { source, request, event_ids, proven } = new.clone();
        let known = event_ids.iter().zip(&owners).filter(|(_, owner)| owner.is_some());
        let taken = known.map(|(event_id, _)| event_id.clone()).collect();
        let body_expired = false;
        let receipt = Receipt { id, source, request, event_ids, taken, proven, body_expired };
        let receipt = Arc::new(receipt);
        self.owe(
            Stored::Receipt(Arc::clone(&receipt)),
            RecordKind::Receipt,
            1,
            &ReceiptRecord::of(&receipt),
        );
        Ok(Appended::Stored(id))
    }
}
