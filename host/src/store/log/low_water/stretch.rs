//! A stretch of the log: what a few commits have added one after the other, and which works of that
//! are open.
//!
//! Pure. Never knows where the mark is.

use super::Waiting;
use super::names::Names;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// A stretch with so many commits takes no more.
const COMMITS_MAX: usize = 16;
/// So does one with so many works.
const WORKS_MAX: usize = 256;

/// How much there is of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    pub(super) commits: usize,
    /// Of the records, before they are compressed.
    pub(super) bytes: usize,
    /// That were opened, whether they are finished or not.
    pub(super) works: usize,
}

impl Size {
    pub(super) fn add(&mut self, more: Self) {
        self.commits += more.commits;
        self.bytes += more.bytes;
        self.works += more.works;
    }

    pub(super) fn subtract(&mut self, less: Self) {
        self.commits -= less.commits;
        self.bytes -= less.bytes;
        self.works -= less.works;
    }
}

/// What a few commits have added.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Where the last of them ended the log.
    pub(super) end: u64,
    /// When that was.
    pub(super) at: Timestamp,
    pub(super) size: Size,
    /// The open works, by their positions, and some that are finished.
    works: Vec<Work>,
    /// How many of these are finished.
    finished: usize,
}

/// An open work. Of 24 bytes, because there may be half a million.
#[derive(Debug, Clone, Copy)]
struct Work {
    position: u64,
    since: Timestamp,
    /// The number of the name of its group; [`FINISHED`] if it is not open.
    group: u32,
    /// In the lower bits what it is; in the others the number of the name of its root and one, or
    /// zero without a root.
    what: u32,
}

/// In the place of a group.
const FINISHED: u32 = u32::MAX;

const KIND: u32 = 0b0011;
const WAITS: u32 = 0b0100;
const OF_PARCEL: u32 = 0b1000;
const WHAT_BITS: u32 = 4;

impl Work {
    fn new(position: u64, waiting: &Waiting<&Name>, names: &mut Names) -> Self {
        let Waiting { kind, group, since, waits, is_parcel, root } = *waiting;
        let root = root.map_or(0, |root| names.take(root) + 1);
        let waits = if waits { WAITS } else { 0 };
        let of_parcel = if is_parcel { OF_PARCEL } else { 0 };
        let what = (root << WHAT_BITS) | of_parcel | waits | u32::from(kind as u8);
        Self { position, since, group: names.take(group), what }
    }

    fn is_open(&self) -> bool {
        self.group != FINISHED
    }

    fn kind(&self) -> Option<WorkKind> {
        WorkKind::read((self.what & KIND) as u8)
    }

    fn is_parcel(&self) -> bool {
        self.what & OF_PARCEL != 0
    }

    fn root(&self) -> Option<u32> {
        (self.what >> WHAT_BITS).checked_sub(1)
    }

    fn waiting(&self, names: &Names) -> Option<Waiting> {
        let kind = self.kind().filter(|_| self.is_open())?;
        let (group, root) = (names.name(self.group).clone(), self.root());
        Some(Waiting {
            kind,
            group,
            since: self.since,
            waits: self.what & WAITS != 0,
            is_parcel: self.is_parcel(),
            root: root.map(|root| names.name(root).clone()),
        })
    }

    /// It is not open any more.
    fn finish(&mut self, names: &mut Names) {
        names.give_back(self.group);
        self.root().into_iter().for_each(|root| names.give_back(root));
        self.group = FINISHED;
    }
}

impl Stretch {
    /// One with a commit.
    pub(super) fn of(end: u64, at: Timestamp, size: Size) -> Self {
        Self { end, at, size, works: Vec::new(), finished: 0 }
    }

    /// Whether it takes no more commits.
    pub(super) fn is_full(&self) -> bool {
        self.size.commits >= COMMITS_MAX || self.size.works >= WORKS_MAX
    }

    /// Takes one more commit.
    pub(super) fn extend(&mut self, end: u64, at: Timestamp, size: Size) {
        (self.end, self.at) = (end, at);
        self.size.add(size);
    }

    /// It takes no more, and no more memory than it needs.
    pub(super) fn close(&mut self) {
        self.works.shrink_to_fit();
    }

    /// How many of its works are open.
    pub(super) fn open(&self) -> usize {
        self.works.len() - self.finished
    }

    /// A work was opened.
    pub(super) fn opened(&mut self, position: u64, waiting: &Waiting<&Name>, names: &mut Names) {
        let work = Work::new(position, waiting, names);
        if self.works.last().is_none_or(|last| last.position < position) {
            return self.works.push(work);
        }
        match self.works.binary_search_by_key(&position, |it| it.position) {
            Ok(at) if self.works[at].is_open() => {
                self.works[at].finish(names);
                self.works[at] = work;
            }
            Ok(at) => {
                self.finished -= 1;
                self.works[at] = work;
            }
            Err(at) => self.works.insert(at, work),
        }
    }

    /// A work was finished, if it was open.
    pub(super) fn finished(&mut self, position: u64, names: &mut Names) {
        let Some(work) = self.find_mut(position) else { return };
        work.finish(names);
        self.finished += 1;
        // Where half of them are, those go: none is moved often.
        if 2 * self.finished >= self.works.len() {
            self.works.retain(Work::is_open);
            self.works.shrink_to_fit();
            self.finished = 0;
        }
    }

    /// An open work may be tried since another time.
    pub(super) fn put_off(&mut self, position: u64, since: Timestamp, waits: bool) {
        if let Some(work) = self.find_mut(position) {
            work.since = since;
            work.what = (work.what & !WAITS) | if waits { WAITS } else { 0 };
        }
    }

    /// Since when an open work may be tried.
    pub(super) fn since(&self, position: u64) -> Option<Timestamp> {
        self.find(position).map(|at| self.works[at].since)
    }

    /// The last open work before this position that is of such a kind, and of a parcel or not.
    pub(super) fn last_open(
        &self,
        before: u64,
        is_wanted: &impl Fn(WorkKind, bool) -> bool,
    ) -> Option<u64> {
        let end = self.works.partition_point(|work| work.position < before);
        let fits = |work: &&Work| {
            let kind = work.kind().filter(|_| work.is_open());
            kind.is_some_and(|kind| is_wanted(kind, work.is_parcel()))
        };
        self.works[..end].iter().rfind(fits).map(|work| work.position)
    }

    /// Where its open works wait.
    pub(super) fn waiting(&self, names: &Names) -> impl Iterator<Item = (u64, Waiting)> {
        self.works.iter().filter_map(|work| Some((work.position, work.waiting(names)?)))
    }

    /// Whatever of it is open is known elsewhere from now on.
    pub(super) fn let_go(mut self, names: &mut Names) {
        self.works.iter_mut().filter(|work| work.is_open()).for_each(|work| work.finish(names));
    }

    fn find(&self, position: u64) -> Option<usize> {
        let found = self.works.binary_search_by_key(&position, |work| work.position).ok()?;
        self.works[found].is_open().then_some(found)
    }

    fn find_mut(&mut self, position: u64) -> Option<&mut Work> {
        self.find(position).map(|at| &mut self.works[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting<'n>(group: &'n Name, root: Option<&'n Name>) -> Waiting<&'n Name> {
        let (kind, since) = (WorkKind::Delivery, Timestamp(5));
        Waiting { kind, group, since, waits: false, is_parcel: true, root }
    }

    fn positions(stretch: &Stretch, names: &Names) -> Vec<u64> {
        stretch.waiting(names).map(|(position, _)| position).collect()
    }

    #[test]
    fn open_works_are_known_as_they_were_told_and_finished_ones_take_no_memory() {
        let (crm, stripe): (Name, Name) = ("crm".parse().unwrap(), "stripe".parse().unwrap());
        let mut names = Names::default();
        let mut stretch = Stretch::of(1000, Timestamp(5), Size::default());
        for position in 1..=100 {
            let root = (position % 2 == 0).then_some(&stripe);
            stretch.opened(position, &waiting(&crm, root), &mut names);
        }
        stretch.put_off(4, Timestamp(9), true);
        for position in (1..=100).filter(|position| position % 4 != 0) {
            stretch.finished(position, &mut names);
            stretch.finished(position, &mut names);
        }

        assert_eq!(
            (stretch.open(), stretch.since(3), stretch.since(8)),
            (25, None, Some(Timestamp(5)))
        );
        assert!(stretch.works.capacity() < 60, "{}", stretch.works.capacity());
        let (group, root) = (crm.clone(), Some(stripe.clone()));
        let (kind, since) = (WorkKind::Delivery, Timestamp(9));
        let put_off = Waiting { kind, group, since, waits: true, is_parcel: true, root };
        assert_eq!(stretch.waiting(&names).next(), Some((4, put_off)));

        // A replay opens again what was finished, also where something still says so.
        stretch.opened(3, &waiting(&crm, None), &mut names);
        stretch.finished(8, &mut names);
        stretch.opened(8, &waiting(&crm, None), &mut names);
        stretch.opened(8, &waiting(&crm, None), &mut names);
        assert_eq!(positions(&stretch, &names)[..4], [3, 4, 8, 12]);
        assert_eq!(stretch.open(), 26);

        stretch.let_go(&mut names);
        assert_eq!(names.len(), 0, "nothing has them");
    }

    #[test]
    fn the_last_open_work_of_a_kind_is_found() {
        let crm: Name = "crm".parse().unwrap();
        let mut names = Names::default();
        let mut stretch = Stretch::of(1000, Timestamp(5), Size::default());
        let works = [(1, WorkKind::Run), (3, WorkKind::Delivery), (5, WorkKind::Delivery)];
        for (position, kind) in works {
            let waiting = Waiting { kind, is_parcel: position == 5, ..waiting(&crm, None) };
            stretch.opened(position, &waiting, &mut names);
        }
        let last = |stretch: &Stretch, before| {
            stretch.last_open(before, &|kind, is_parcel| kind == WorkKind::Delivery && !is_parcel)
        };
        assert_eq!([9, 4, 3].map(|before| last(&stretch, before)), [Some(3), Some(3), None]);
        stretch.finished(3, &mut names);
        assert_eq!(last(&stretch, 9), None);
    }
}
