//! The store's own files as the place of its commits: records and changes of rows in one synced
//! frame of the log.
//!
//! Writes down the known ids, whose rows lie beside the others and are in no frame: what a failure
//! has lost of them is found again in the log. Never drafts anything.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockReadGuard};

use bytes::Bytes;

use super::batch::{Batch, Replacement};
use super::derive::{Row, all_rows};
use super::look::Look;
use super::place::{Held, Place, Written};
use crate::event::Timestamp;
use crate::store::access::Found;
use crate::store::error::{Error, Failure};
use crate::store::file::change::{Change, ChangedRows};
use crate::store::file::id_rows::IdView;
use crate::store::file::kept_rows::Kept;
use crate::store::file::redo::{OwedRow, Raw};
use crate::store::file::view::{Dead, Outcomes, Segments, States, View};
use crate::store::file::{self, File, Reopened};
use crate::store::ids::{self, IdChanges, IdIndex, IdKey, Shape};
use crate::store::index::{self, IndexChange};
use crate::store::log::low_water::Waiting;
use crate::store::log::reader::LogReader;
use crate::store::log::record::Record;
use crate::store::owed::lane::{lane, note};
use crate::store::owed::recovery::recover_ids;
use crate::store::owed::standing::Standing;
use crate::store::shared::Shared;
use crate::store::state::{self, Used};
use crate::store::time::Times;
use crate::store::time::line::Point;

/// The store's files, and the ids that are known in them.
#[derive(Debug)]
pub(in crate::store) struct FilePlace {
    shared: Arc<Shared>,
    shape: Shape,
    /// While nobody knows whether the last batch holds: what is known of it if it does.
    unsure: Option<Held>,
    /// What is in memory of the ids may not be what their rows say.
    has_lost_ids: bool,
    /// The commit under way writes a block of the index that ends here.
    indexed_to: Option<u64>,
}

impl FilePlace {
    pub(in crate::store) fn new(shared: Arc<Shared>, shape: Shape) -> Self {
        let indexed_to = None;
        Self { shared, shape, unsure: None, has_lost_ids: false, indexed_to }
    }

    /// Writes a batch into a change.
    fn write(&mut self, batch: &mut Batch) -> Result<(Change, IdChanges, Held), Error> {
        let first = batch.first();
        {
            let mut ids = self.shared.ids_mut();
            ids.freeze_if_due(first, batch.time.now);
            if batch.settles > 0 {
                ids.freeze(first);
            }
        }
        if batch.leaves_volumes {
            self.shared.file.leave_volumes()?;
        }
        let mut change = self.shared.file.write()?;
        let held = {
            let mut tables = change.tables();
            put_rows(&mut tables, batch)?;
            tables.remember(file::END, batch.next())?;
            let (first, segment) = batch.records.finish();
            tables.put_segment(first, segment);
            Held { log_bytes: segment.len() }
        };
        let bound = batch.keys.len();
        let tidied = ids::tidy(&self.shared.ids(), &change, bound, batch.settles, batch.time)?;
        self.write_index(&change, batch)?;
        put_kept(&change, batch)?;
        batch.blank.map_or(Ok(()), |blank| change.put_blank(blank))?;
        Ok((change, tidied, held))
    }

    /// Writes what changes of the index, and the block that is due.
    fn write_index(&mut self, change: &Change, batch: &Batch) -> Result<(), Failure> {
        let due = self.shared.index.due(batch.first());
        self.indexed_to = due.is_some().then(|| batch.first());
        if due.is_none() && batch.index.is_empty() {
            return Ok(());
        }
        let mut rows = change.index()?;
        let changes = batch.index.iter().flat_map(|changes| changes.iter());
        for change in changes.chain(due.iter().flatten()) {
            match change {
                IndexChange::Put { key, row } => rows.put(key, row)?,
                IndexChange::Remove { from, until, most } => {
                    rows.remove_within(from, until, *most)?;
                }
            }
        }
        Ok(())
    }

    /// Commits a batch that is written into a change.
    fn put(&mut self, batch: &Batch, change: Change, changes: IdChanges) -> Result<(), Error> {
        self.shared.file.commit(change)?;
        // Before anybody is answered: what is in a file that was removed is not durable.
        self.shared.file.check_spot()?;
        self.learn(batch, changes);
        if let Some(to) = self.indexed_to.take() {
            self.shared.index.written(to);
        }
        if batch.settles > 0 || !batch.kept.is_empty() {
            self.shared.file.checkpoint()?;
            self.publish_mark();
        }
        Ok(())
    }

    /// A batch holds: its ids are known.
    fn learn(&self, batch: &Batch, changes: IdChanges) {
        let mut ids = self.shared.ids_mut();
        ids.apply(batch.keys.iter().map(|(key, receipt)| (*key, *receipt)), changes);
    }

    /// The rows of the ids are durable: no start looks in the log for those before the mark.
    fn publish_mark(&self) {
        self.shared.id_mark.store(self.shared.ids().mark(), Ordering::Relaxed);
    }
}

impl Place for FilePlace {
    fn clock(&self) -> Times {
        self.shared.clock.times()
    }

    fn look(&self) -> Result<impl Look, Error> {
        self.shared.file.check_spot()?;
        Ok(FileLook::new(&self.shared.file, self.shared.ids()))
    }

    fn commit(&mut self, batch: &mut Batch) -> Written {
        let (change, changes, held) = match self.write(batch) {
            Ok(written) => written,
            Err(error) => return Written::Failed(error),
        };
        match self.put(batch, change, changes) {
            Ok(()) => Written::Held(held),
            Err(error) => {
                self.unsure = Some(held);
                Written::Unsure(error)
            }
        }
    }

    fn tend(&mut self) -> Result<(), Error> {
        if self.shared.file.checkpoint_if_due()? {
            self.publish_mark();
        }
        Ok(())
    }

    fn is_behind(&self) -> bool {
        self.shared.file.is_behind()
    }

    fn settle(&mut self) -> Result<(), Error> {
        // Not into a file that was removed.
        self.shared.file.check_spot()?;
        self.shared.file.checkpoint()?;
        self.publish_mark();
        Ok(())
    }

    fn check_ours(&self) -> Result<(), Error> {
        Ok(self.shared.file.check_begin()?)
    }

    fn check(&self) -> Result<(), Error> {
        Ok(self.shared.file.write().map(drop)?)
    }

    fn holds(&mut self, batch: &Batch) -> Result<Option<Held>, Error> {
        let log = self.shared.file.read()?.log()?;
        let is_there = log.key_up_to(batch.first())? == Some(batch.first());
        // Its ids are known by now: `recover` has read them in the log. What is kept beside the log
        // may be gone: whoever asked for that was refused, and asks again.
        Ok(self.unsure.take().filter(|_| is_there))
    }

    fn recover(&mut self) -> Result<(), Error> {
        // A file that was removed lives while it is open: it may be the only one.
        self.shared.file.check_spot()?;
        let had_lost = std::mem::replace(&mut self.has_lost_ids, true);
        let reopened = self.shared.file.reopen()?;
        if had_lost || self.unsure.is_some() || reopened == Reopened::FromLog {
            let Shared { file, terms, damages, .. } = &*self.shared;
            let known = recover_ids(file, (self.shape, &terms.load()), damages)?;
            *self.shared.ids_mut() = known;
            let (items, noting) = (self.shared.index.block_items(), (file.tag, &**damages));
            let tail = index::rebuild::tail(&file.read()?, items, noting)?;
            self.shared.index.renew(tail);
        }
        self.has_lost_ids = false;
        self.publish_mark();
        Ok(())
    }

    fn probe(&mut self) -> Result<(), Error> {
        self.shared.file.probe()
    }

    fn rest(&mut self, batch: &Batch) -> Result<(), Error> {
        self.shared.file.check_spot()?;
        loop {
            // Twice if some are on their way already.
            self.shared.ids_mut().freeze(batch.first());
            let mut change = self.shared.file.write()?;
            put_rows(&mut change.tables(), batch)?;
            let changes = ids::flush(&self.shared.ids(), &change, batch.time)?;
            self.shared.file.commit(change)?;
            self.learn(batch, changes);
            if self.shared.ids().mark() == batch.first() {
                return Ok(());
            }
        }
    }

    fn close(&mut self) {
        self.shared.file.close();
    }
}

/// Writes all of a batch but its records and ids.
fn put_rows(tables: &mut ChangedRows<'_>, batch: &Batch) -> Result<(), Failure> {
    for row in all_rows(batch) {
        match row {
            Row::Outcome { work, standing: Some(standing) } => {
                tables.put_outcome(work, &standing.write(work))?;
            }
            Row::Outcome { work, standing: None } => tables.remove_outcome(work)?,
            Row::Owed { work, waiting } => put_owed(tables, work, waiting)?,
            Row::Letter { work, kind } => tables.put_letter(work, kind.map(|kind| kind as u8))?,
            Row::Death { work, row } => tables.put_death(work, row)?,
            Row::State { key, value } => tables.put_state(key, value)?,
            Row::Used { handler, used } => {
                let value = (used != Used::default()).then(|| used.write());
                tables.put_state(&state::used_key(handler), value.as_deref())?;
            }
            Row::Replay { number, row } => tables.put_replay(number, row)?,
            Row::Fact { name, value } => tables.remember(name, value)?,
        }
    }
    if let Some((position, row)) = batch.time.point.map(Point::row) {
        tables.put_point(position, &row)?;
    }
    batch.replaced.iter().try_for_each(|replaced| replace(tables, replaced))
}

/// Writes the rows of a batch of which the log says nothing.
fn put_kept(change: &Change, batch: &Batch) -> Result<(), Failure> {
    let mut rows = batch.kept.iter();
    rows.try_for_each(|((kept, key), row)| change.put_kept(*kept, key, row.as_deref()))
}

/// Says where an open work before the low-water mark waits, or that it is not open.
fn put_owed(
    tables: &mut ChangedRows<'_>,
    work: u64,
    waiting: Option<&Waiting>,
) -> Result<(), Failure> {
    let Some(Waiting { kind, group, since, waits, is_parcel, root }) = waiting else {
        return tables.put_owed(work, None);
    };
    let (lane, note) = (lane(*kind, group), note(*waits, *is_parcel, root.as_ref()));
    let row = OwedRow { lane: Raw(&lane), since: since.0, note: Raw(&note) };
    tables.put_owed(work, Some(row))
}

/// Puts packed segments in the place of others.
fn replace(tables: &mut ChangedRows<'_>, replaced: &Replacement) -> Result<(), Failure> {
    for first in &replaced.gone {
        tables.remove_segment(*first)?;
    }
    for packed in &replaced.packed {
        tables.put_packed(packed.first, &packed.bytes, packed.due);
    }
    Ok(())
}

/// What is committed in the file. Most drafts ask little or nothing: whatever it takes to answer is
/// opened when somebody asks.
struct FileLook<'p> {
    file: &'p File,
    ids: RwLockReadGuard<'p, IdIndex>,
    reader: LogReader,
    view: OnceCell<View>,
    id_rows: OnceCell<IdView>,
    log: OnceCell<Segments>,
    outcomes: OnceCell<Outcomes>,
    dead: OnceCell<Dead>,
    states: OnceCell<States>,
    /// Whether there are rows of state that an older Hookgate wrote.
    has_old_states: OnceCell<bool>,
}

impl<'p> FileLook<'p> {
    fn new(file: &'p File, ids: RwLockReadGuard<'p, IdIndex>) -> Self {
        Self {
            file,
            ids,
            reader: LogReader::new(file.tag),
            view: OnceCell::new(),
            id_rows: OnceCell::new(),
            log: OnceCell::new(),
            outcomes: OnceCell::new(),
            dead: OnceCell::new(),
            states: OnceCell::new(),
            has_old_states: OnceCell::new(),
        }
    }

    fn view(&self) -> Result<&View, Failure> {
        once(&self.view, || self.file.read())
    }
}

impl Look for FileLook<'_> {
    fn owner(&self, key: IdKey) -> Result<Option<u64>, Failure> {
        self.ids.owner(key, || once(&self.id_rows, || self.view()?.ids()))
    }

    fn standing(&self, work: u64) -> Result<Option<Standing>, Failure> {
        Standing::find(once(&self.outcomes, || self.view()?.outcomes())?, work)
    }

    fn letter(&self, work: u64) -> Result<Option<u8>, Failure> {
        once(&self.dead, || self.view()?.dead())?.letter(work)
    }

    fn since(&self, work: u64) -> Result<Option<Timestamp>, Failure> {
        Ok(self.view()?.owed(work)?.map(|owed| Timestamp(owed.since)))
    }

    fn state(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        let states = once(&self.states, || self.view()?.state_rows())?;
        // Each run that sets a key for the first time asks for it as an older Hookgate spelled it.
        let has_old = || once(&self.has_old_states, || states.has_any(state::ALL_OLD));
        if key.starts_with(state::ALL_OLD) && !*has_old()? {
            return Ok(None);
        }
        states.get(key)
    }

    fn replays(&self) -> Result<BTreeMap<u64, Bytes>, Failure> {
        self.view()?.replays()
    }

    fn kept(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        self.view()?.kept(kept)?.get(key)
    }

    fn all_kept(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
        self.view()?.kept(kept)?.all()
    }

    fn kept_within(&self, kept: Kept, first: &[u8], last: &[u8]) -> Result<Found, Failure> {
        self.view()?.kept(kept)?.within(first, last)?.collect()
    }

    fn record(&self, position: u64) -> Result<Option<Record>, Failure> {
        self.reader.record(once(&self.log, || self.view()?.log())?, position)
    }
}

/// What was opened before, or is now.
fn once<T>(opened: &OnceCell<T>, open: impl FnOnce() -> Result<T, Failure>) -> Result<&T, Failure> {
    if let Some(opened) = opened.get() {
        return Ok(opened);
    }
    let now = open()?;
    Ok(opened.get_or_init(|| now))
}
