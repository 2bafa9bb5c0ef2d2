//! The endpoints that the API makes: made, changed, deleted, and noted as they fare.
//!
//! Each change is durable when it is answered. Never checks a setting, and never opens a secret.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::endpoint::Standing;
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::store::Store;
use crate::store::endpoints::health::{self, EndpointNote, Health, StatsHour};
use crate::store::endpoints::{
    self, EndpointChange, EndpointRows, NewEndpoint, StoredEndpoint, Tombstone,
};
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;

/// About what a change of an endpoint adds to a transaction, in bytes.
const ENDPOINT_BYTES: usize = 4 << 10;
/// About what a note of one adds.
const NOTE_BYTES: usize = 256;
/// Most notes, or tombstones, of one commit.
const BATCH_MAX: usize = 4_096;

impl Store {
    /// All that the store knows of endpoints. What can't be read is left out.
    pub async fn endpoints(&self) -> Result<EndpointRows, Error> {
        self.aside(|shared| {
            let rows = shared.file.read()?.kept(Kept::Endpoints)?;
            Ok(EndpointRows::read(&rows, shared.file.tag, &shared.damages)?)
        })
        .await
    }

    /// The id of an endpoint that is to be made: nothing else ever has it.
    pub async fn endpoint_id(&self) -> Result<Id, Error> {
        self.ask(|reply| TakeId { reply }).await
    }

    /// Adds an endpoint that is made now. If its tenant has one of that name it is
    /// [`Error::EndpointExists`], and beyond a hundred thousand [`Error::TooManyEndpoints`].
    pub async fn create_endpoint(&self, new: NewEndpoint) -> Result<StoredEndpoint, Error> {
        self.ask(|reply| CreateEndpoint { new, reply }).await
    }

    /// Changes an endpoint that has this revision: if it has another it is
    /// [`Error::EndpointChanged`], and [`Error::NoSuchEndpoint`] if there is none.
    pub async fn change_endpoint(
        &self,
        id: Id,
        revision: u64,
        change: EndpointChange,
    ) -> Result<StoredEndpoint, Error> {
        self.ask(|reply| ChangeEndpoint { id, revision, change, reply }).await
    }

    /// Removes an endpoint, and leaves its tombstone. What is owed to it stays owed until
    /// [`Store::end_owed`] ends it.
    pub async fn delete_endpoint(&self, id: Id) -> Result<Tombstone, Error> {
        self.ask(|reply| DeleteEndpoint { id, reply }).await
    }

    /// Nothing is owed any more to an endpoint that was deleted.
    pub async fn drained(&self, id: Id) -> Result<(), Error> {
        self.ask(|reply| NoteEndpoints { note: Note::Drained(id), reply }).await
    }

    /// Forgets endpoints that were deleted.
    pub async fn bury_endpoints(&self, ids: Vec<Id>) -> Result<(), Error> {
        for ids in ids.chunks(BATCH_MAX) {
            let note = Note::Buried(ids.to_vec());
            self.ask(|reply| NoteEndpoints { note, reply }).await?;
        }
        Ok(())
    }

    /// Notes how endpoints fare. At most one note of each.
    pub async fn note_endpoints(&self, notes: Vec<EndpointNote>) -> Result<(), Error> {
        for notes in notes.chunks(BATCH_MAX) {
            let note = Note::Fares(notes.to_vec());
            self.ask(|reply| NoteEndpoints { note, reply }).await?;
        }
        Ok(())
    }

    /// An endpoint of the configuration stands so from now on. Gives how it fares.
    pub async fn stand_endpoint(&self, key: Name, standing: Standing) -> Result<Health, Error> {
        self.ask(|reply| StandEndpoint { key, standing, reply }).await
    }

    /// The hours with attempts of an endpoint, from the one on in which this time lies.
    pub async fn endpoint_stats(
        &self,
        key: Name,
        after: Timestamp,
    ) -> Result<Vec<StatsHour>, Error> {
        self.aside(move |shared| {
            let rows = shared.file.read()?.kept(Kept::Endpoints)?;
            Ok(health::hours(&rows, &key, after)?)
        })
        .await
    }
}

/// A position that nothing else takes.
#[derive(Debug)]
struct TakeId {
    reply: Reply<Id>,
}

impl Operation for TakeId {
    fn bytes(&self) -> usize {
        NOTE_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        // The position of this record is in the id.
        let id = draft.next_id(IdKind::Endpoint);
        draft.leave_segment();
        self.reply.keep(Ok(id));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// An endpoint to make.
#[derive(Debug)]
struct CreateEndpoint {
    new: NewEndpoint,
    reply: Reply<StoredEndpoint>,
}

impl Operation for CreateEndpoint {
    fn bytes(&self) -> usize {
        ENDPOINT_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        let added = endpoints::add(draft, &self.new, now)?;
        if added.is_ok() {
            draft.leave_segment();
        }
        self.reply.keep(added);
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// A change of an endpoint.
#[derive(Debug)]
struct ChangeEndpoint {
    id: Id,
    revision: u64,
    change: EndpointChange,
    reply: Reply<StoredEndpoint>,
}

impl Operation for ChangeEndpoint {
    fn bytes(&self) -> usize {
        ENDPOINT_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let (now, which) = (draft.now, (self.id, self.revision));
        let changed = endpoints::change(draft, which, &self.change, now)?;
        if changed.is_ok() {
            draft.leave_segment();
        }
        self.reply.keep(changed);
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// An endpoint to remove.
#[derive(Debug)]
struct DeleteEndpoint {
    id: Id,
    reply: Reply<Tombstone>,
}

impl Operation for DeleteEndpoint {
    fn bytes(&self) -> usize {
        ENDPOINT_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        let deleted = endpoints::delete(draft, self.id, now)?;
        if deleted.is_ok() {
            draft.leave_segment();
        }
        self.reply.keep(deleted);
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// What there is to note of endpoints.
#[derive(Debug)]
enum Note {
    Fares(Vec<EndpointNote>),
    Drained(Id),
    Buried(Vec<Id>),
}

/// Notes of endpoints.
#[derive(Debug)]
struct NoteEndpoints {
    note: Note,
    reply: Reply<()>,
}

impl Operation for NoteEndpoints {
    fn bytes(&self) -> usize {
        match &self.note {
            Note::Fares(notes) => notes.len() * NOTE_BYTES,
            Note::Drained(_) => NOTE_BYTES,
            Note::Buried(ids) => ids.len() * NOTE_BYTES,
        }
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        match &self.note {
            Note::Fares(notes) => health::note(draft, notes, now)?,
            Note::Drained(id) => endpoints::drained(draft, *id)?,
            Note::Buried(ids) => endpoints::bury(draft, ids),
        }
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Where an endpoint of the configuration stands.
#[derive(Debug)]
struct StandEndpoint {
    key: Name,
    standing: Standing,
    reply: Reply<Health>,
}

impl Operation for StandEndpoint {
    fn bytes(&self) -> usize {
        NOTE_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let stands = health::stand(draft, &self.key, self.standing)?;
        draft.leave_segment();
        self.reply.keep(Ok(stands));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
