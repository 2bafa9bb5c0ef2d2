//! The store's own file as the place of its commits: records and rows in one synced transaction.
//!
//! Keeps the known ids, which lie in the same file. Never drafts anything.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::batch::{Batch, Replacement};
use super::derive::{Row, rows};
use super::look::Look;
use super::place::{Held, Place, Written};
use crate::store::error::{Error, Failure};
use crate::store::file::File;
use crate::store::file::change::{Change, SweptTable, Tables};
use crate::store::file::id_rows::IdView;
use crate::store::file::view::{Dead, Outcomes, Segments, View};
use crate::store::ids::{self, IdChanges, IdIndex, IdKey};
use crate::store::log::reader::LogReader;
use crate::store::log::record::Record;
use crate::store::owed::standing::Standing;
use crate::store::shared::Shared;
use crate::store::time::Bounds;

/// The store's file, and the ids that are known in it.
#[derive(Debug)]
pub(in crate::store) struct FilePlace {
    shared: Arc<Shared>,
    ids: IdIndex,
    /// What becomes of the ids if the last batch holds, of which that is not known.
    unsure: Option<(IdChanges, Held)>,
}

impl FilePlace {
    pub(in crate::store) fn new(shared: Arc<Shared>, ids: IdIndex) -> Self {
        Self { shared, ids, unsure: None }
    }

    /// Writes a batch into an open transaction.
    fn write(&mut self, batch: &mut Batch) -> Result<(Change, IdChanges, Held), Error> {
        let first = batch.first();
        self.ids.freeze_if_due(first, batch.time.now);
        if batch.settles > 0 {
            self.ids.freeze(first);
        }
        let change = self.shared.file.write()?;
        let held = {
            let mut tables = change.tables();
            put_rows(&change, &mut tables, batch)?;
            let (first, segment) = batch.records.finish();
            tables.put_segment(first, segment)?;
            Held { log_bytes: segment.len() }
        };
        let bound = batch.keys.len();
        let tidied = ids::tidy(&self.ids, &change, bound, batch.settles, batch.time)?;
        Ok((change, tidied, held))
    }

    /// A batch holds: its ids are known.
    fn learn(&mut self, batch: &Batch, changes: IdChanges) {
        self.ids.apply(batch.keys.iter().map(|(key, receipt)| (*key, *receipt)), changes);
        self.shared.id_mark.store(self.ids.mark(), Ordering::Relaxed);
    }
}

impl Place for FilePlace {
    fn clock(&self) -> Bounds {
        self.shared.clock.bounds()
    }

    fn look(&self) -> Result<impl Look, Error> {
        self.shared.file.check_spot()?;
        Ok(FileLook::new(&self.shared.file, &self.ids))
    }

    fn commit(&mut self, batch: &mut Batch) -> Written {
        let (change, changes, held) = match self.write(batch) {
            Ok(written) => written,
            Err(error) => return Written::Failed(error),
        };
        let file = &self.shared.file;
        // Before anybody is answered: what is in a file that was removed is not durable.
        match file.commit(change).and_then(|()| file.check_spot()) {
            Ok(()) => {
                self.learn(batch, changes);
                Written::Held(held)
            }
            Err(error) => {
                self.unsure = Some((changes, held));
                Written::Unsure(error)
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        Ok(self.shared.file.write().map(drop)?)
    }

    fn holds(&mut self, batch: &Batch) -> Result<Option<Held>, Error> {
        let log = self.shared.file.read()?.log()?;
        let is_there = log.key_up_to(batch.first())? == Some(batch.first());
        let Some((changes, held)) = self.unsure.take().filter(|_| is_there) else {
            return Ok(None);
        };
        self.learn(batch, changes);
        Ok(Some(held))
    }

    fn recover(&mut self) -> Result<(), Error> {
        // A file that was removed lives while it is open: it may be the only one.
        self.shared.file.check_spot()?;
        self.shared.file.reopen()
    }

    fn probe(&mut self) -> Result<(), Error> {
        self.shared.file.probe()
    }

    fn rest(&mut self, batch: &Batch) -> Result<(), Error> {
        self.shared.file.check_spot()?;
        loop {
            // Twice if some are on their way already.
            self.ids.freeze(batch.first());
            let change = self.shared.file.write()?;
            put_rows(&change, &mut change.tables(), batch)?;
            let changes = ids::flush(&self.ids, &change, batch.time)?;
            self.shared.file.commit(change)?;
            self.learn(batch, changes);
            if self.ids.mark() == batch.first() {
                return Ok(());
            }
        }
    }

    fn close(&mut self) {
        self.shared.file.close();
    }
}

/// Writes all of a batch but its records and ids.
fn put_rows(change: &Change, tables: &mut Tables<'_>, batch: &Batch) -> Result<(), Failure> {
    for row in batch.updates.iter().flat_map(|update| rows(update, batch.low_water)) {
        match row {
            Row::Outcome { work, standing: Some(standing) } => {
                tables.put_outcome(work, &standing.write())?;
            }
            Row::Outcome { work, standing: None } => tables.remove_outcome(work)?,
            Row::Open { work, is_open } => tables.put_open(work, is_open)?,
            Row::Letter { work, kind } => tables.put_letter(work, kind.map(|kind| kind as u8))?,
            Row::State { key, value } => tables.put_state(key, value)?,
            Row::Fact { name, value } => change.remember(name, value)?,
        }
    }
    if !batch.replaced.is_empty() {
        let mut swept = change.swept()?;
        for replaced in &batch.replaced {
            replace(tables, &mut swept, replaced)?;
        }
    }
    Ok(())
}

/// Puts packed segments in the place of others.
fn replace(
    tables: &mut Tables<'_>,
    swept: &mut SweptTable<'_>,
    replaced: &Replacement,
) -> Result<(), Failure> {
    for first in &replaced.gone {
        tables.remove_segment(*first)?;
        swept.remove(*first)?;
    }
    for packed in &replaced.packed {
        tables.put_segment(packed.first, &packed.bytes)?;
        swept.put(packed.first, packed.due, packed.bytes.len())?;
    }
    Ok(())
}

/// What is committed in the file. Most drafts ask little or nothing: whatever it takes to answer is
/// opened when somebody asks.
struct FileLook<'p> {
    file: &'p File,
    ids: &'p IdIndex,
    reader: LogReader,
    view: OnceCell<View>,
    id_rows: OnceCell<IdView>,
    log: OnceCell<Segments>,
    outcomes: OnceCell<Outcomes>,
    dead: OnceCell<Dead>,
}

impl<'p> FileLook<'p> {
    fn new(file: &'p File, ids: &'p IdIndex) -> Self {
        Self {
            file,
            ids,
            reader: LogReader::new(file.tag),
            view: OnceCell::new(),
            id_rows: OnceCell::new(),
            log: OnceCell::new(),
            outcomes: OnceCell::new(),
            dead: OnceCell::new(),
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
