//! Events that the gateway raises itself: no receipt brings them, and no run emits them.
//!
//! Whoever raises one says where it goes, and gives it an id by which it is stored once, also if a
//! crash leaves it open whether it is. Never judges what is worth an event.

use super::commit::data_bytes;
use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::ids::Id;
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::facts::NewEvent;

impl Store {
    /// Stores events that the gateway raises, all of them in one commit, and gives their ids. In
    /// place of one whose id its source has brought before, that is the one from then.
    pub async fn raise(&self, events: Vec<NewEvent>) -> Result<Vec<Id>, Error> {
        self.ask(|reply| Raise { events, reply }).await
    }
}

/// Events to store.
#[derive(Debug)]
struct Raise {
    events: Vec<NewEvent>,
    reply: Reply<Vec<Id>>,
}

impl Operation for Raise {
    fn bytes(&self) -> usize {
        data_bytes(&self.events)
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let ids = self.events.iter().map(|new| draft.raised(new)).collect::<Result<_, _>>()?;
        self.reply.keep(Ok(ids));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
