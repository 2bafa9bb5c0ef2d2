//! Entries of the audit log, added and read.
//!
//! An entry is durable when it is answered. Never decides what is worth one.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::Store;
use crate::store::access::audit::{self, AuditEntry, AuditFilter, Deed};
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;

/// About what an entry adds to a transaction, in bytes.
const ENTRY_BYTES: usize = 1024;

/// A part of the audit log.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// The entries, in the order that was asked for.
    pub items: Vec<AuditEntry>,
    /// Behind which entry to go on, also of a page that is short; `None` if this is the end.
    pub next: Option<u64>,
}

impl Store {
    /// Adds what somebody did to the audit log. An error means that it may not be there.
    pub async fn record(&self, deed: Deed) -> Result<AuditEntry, Error> {
        self.ask(|reply| Record { deed, reply }).await
    }

    /// The entries that match, behind the one with this number, newest first or oldest first.
    pub async fn audit(
        &self,
        filter: AuditFilter,
        behind: Option<u64>,
        limit: usize,
        is_oldest_first: bool,
    ) -> Result<AuditPage, Error> {
        self.aside(move |shared| {
            let rows = shared.file.read()?.kept(Kept::Audit)?;
            let (items, next) = audit::page(&rows, &filter, behind, limit, is_oldest_first)?;
            Ok(AuditPage { items, next })
        })
        .await
    }
}

/// An entry to add.
#[derive(Debug)]
struct Record {
    deed: Deed,
    reply: Reply<AuditEntry>,
}

impl Operation for Record {
    fn bytes(&self) -> usize {
        ENTRY_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        let recorded = match audit::append(draft, &self.deed, now) {
            // Whoever asked learns it; nobody else's operation fails for that.
            Err(Failure::Damaged(damaged)) => Err(Error::Damaged(damaged)),
            recorded => Ok(recorded?),
        };
        if recorded.is_ok() {
            draft.leave_segment();
        }
        self.reply.keep(recorded);
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
