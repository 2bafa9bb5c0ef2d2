//! The high-water marks: whether so many works are open that no more requests should come in, and
//! how many receipts of a source are not parsed.
//!
//! Asked with every request, so nothing in here waits for a lock but [`Store::set_marks`]. The
//! store itself takes what it is given: whoever lets requests in refuses them.

use tokio::sync::watch;

use super::Store;
use super::owed::tally::{Marks, OpenWorks, Reached, Tallies};
use crate::ids::Name;

impl Store {
    /// How many works may be open from now on. Until then there are no marks.
    pub fn set_marks(&self, marks: Marks) {
        let shared = &self.handle.shared;
        shared.backlog().set_marks(marks);
        // Parses that waited may be due now.
        shared.owed.stir();
    }

    /// The mark that keeps a request of this source out now, if one does. More than a mark may be
    /// open: what is accepted already goes on, and so does all that comes of it.
    pub fn mark_reached(&self, source: &Name) -> Option<Reached> {
        self.tallies().reached(source)
    }

    /// Whether the receipts of this source should wait, because more would be open by their parses
    /// than a quarter above a mark, or with the receipts themselves more than half above that of
    /// the source. Runs and deliveries go on, so that it ends.
    pub fn holds_parses(&self, source: &Name) -> bool {
        self.tallies().holds(source)
    }

    /// How many receipts of this source may be parsed now or are being parsed, as of the last
    /// commit.
    pub fn unparsed(&self, source: &Name) -> usize {
        self.tallies().unparsed(source)
    }

    /// Resolves when there are none of those, at once if there are none now.
    pub fn all_parsed(&self, source: &Name) -> impl Future<Output = ()> + Send + use<> {
        let unparsed = self.tallies().watch_unparsed(source);
        async move {
            if let Some(mut unparsed) = unparsed {
                // Of a store that is closed nobody waits for anything either.
                drop(unparsed.wait_for(|unparsed| *unparsed == 0).await);
            }
        }
    }

    /// Changes whenever a mark was reached, or is not any more.
    pub fn crossings(&self) -> watch::Receiver<()> {
        self.tallies().crossings()
    }

    /// The open works at a glance, by the source that they go back to.
    pub fn open_works(&self) -> OpenWorks {
        self.tallies().open()
    }

    fn tallies(&self) -> &Tallies {
        &self.handle.shared.owed.tallies
    }
}
