//! The high-water marks as an operator hears of them: once when one is reached, and once when it is
//! not any more.
//!
//! A task of the gateway beside the path of events: it looks at the disk, and waits for the store
//! to reach a mark or to leave it. Never decides about a request: that is ingest's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::admin::{Lack, NotReady};
use crate::disk::{Disk, Space};
use crate::event::OWN_SOURCE;
use crate::ids::Name;
use crate::store::{Marks, Open, OpenWorks, Store};

/// Between two looks at the disk: in that time nobody writes as much as the usual mark.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct HighWater {
    pub(super) store: Store,
    pub(super) disk: Arc<Disk>,
}

/// A mark that is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Over {
    Source(Name),
    Gateway,
    Disk,
}

/// Looks at the disk now. If the system can't say, what it said last stays.
pub(super) async fn look(disk: &Arc<Disk>) {
    let looked_at = Arc::clone(disk);
    let looked = tokio::task::spawn_blocking(move || looked_at.look()).await;
    if let Ok(Err(error)) = looked {
        // The store says what is wrong with its folder, and stops accepting.
        debug!("failed to find out how much of the disk is free: {error}");
    }
}

/// Why the gateway accepts no request of any source; empty if it does.
pub(super) fn reached(store: &Store, disk: &Disk) -> Vec<NotReady> {
    let OpenWorks { all, marks, .. } = store.open_works();
    let backlog = all.is_over.then(|| too_much(all.works, marks.all));
    let backlog = backlog.map(|why| NotReady::new(Lack::Backlog, why));
    let space = disk.space().filter(|space| space.is_low);
    let space = space.map(|space| NotReady::new(Lack::DiskFree, too_little(space)));
    backlog.into_iter().chain(space).collect()
}

fn too_much(open: usize, mark: usize) -> String {
    let low = Marks::low(mark);
    format!(
        "the gateway has {open} open works; it reached limits.backlog = {mark}, and accepts \
         requests again at {low}"
    )
}

fn too_little(Space { free, mark, .. }: Space) -> String {
    format!(
        "the file system of the data folder has {free} free bytes; the gateway accepts requests \
         again when it has a little more than limits.disk_free_bytes, which is {mark}"
    )
}

impl HighWater {
    /// Tells of marks until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.watch() => (),
        }
    }

    async fn watch(&self) {
        let mut crossings = self.store.crossings();
        // Not by the clock: if somebody sets that back, the looks must go on.
        let mut looks = interval(PAUSE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = BTreeSet::new();
        loop {
            told = self.tell(&told);
            tokio::select! {
                // This never fails: the store has the sender.
                _ = crossings.changed() => (),
                _ = looks.tick() => look(&self.disk).await,
            }
        }
    }

    /// Logs which marks were reached or left since it told this, and gives those that are reached.
    fn tell(&self, told: &BTreeSet<Over>) -> BTreeSet<Over> {
        let open = self.store.open_works();
        let space = self.disk.space();
        let now = over(&open, space);
        now.difference(told).for_each(|over| warn_of(over, &open, space));
        told.difference(&now).for_each(tell_end);
        now
    }
}

/// The marks that are reached.
fn over(open: &OpenWorks, space: Option<Space>) -> BTreeSet<Over> {
    // Nobody posts what the gateway raises itself.
    let is_over = |name: &str, open: &Open| open.is_over && name != OWN_SOURCE;
    let sources = open.sources.iter().filter(|(name, open)| is_over(name.as_str(), open));
    let sources = sources.map(|(name, _)| Over::Source(name.clone()));
    let gateway = open.all.is_over.then_some(Over::Gateway);
    let disk = space.is_some_and(|space| space.is_low).then_some(Over::Disk);
    sources.chain(gateway).chain(disk).collect()
}

fn warn_of(over: &Over, open: &OpenWorks, space: Option<Space>) {
    match over {
        Over::Source(name) => {
            let works = open.sources.get(name).map_or(0, |open| open.works);
            let mark = open.marks.per_source;
            let low = Marks::low(mark);
            warn!(
                source.name = %name,
                "source {name} has {works} open works; it reached limits.backlog_per_source = \
                 {mark}, and gets 429 until {low} are left"
            );
        }
        Over::Gateway => {
            let reason = too_much(open.all.works, open.marks.all);
            warn!("every source gets 503: {reason}");
        }
        Over::Disk => {
            let reason = space.map(too_little).unwrap_or_default();
            warn!("every source gets 503: {reason}");
        }
    }
}

fn tell_end(over: &Over) {
    match over {
        Over::Source(name) => {
            info!(source.name = %name, "source {name} has less open work: it is accepted again");
        }
        Over::Gateway => info!("the gateway has less open work: it accepts requests again"),
        Over::Disk => info!("the data folder has more room: the gateway accepts requests again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store;

    fn high_water(folder: &std::path::Path) -> HighWater {
        let store = Store::open(&store::Config::at(folder), Clock::System);
        let store = store.expect("the folder is empty");
        HighWater { store, disk: Arc::new(Disk::of(folder.to_owned())) }
    }

    #[tokio::test]
    async fn a_mark_is_told_once_when_it_is_reached_and_once_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let high_water = high_water(folder.path());
        look(&high_water.disk).await;
        high_water.disk.set_mark(Some(u64::MAX));

        let reached = high_water.tell(&BTreeSet::new());
        assert_eq!(reached, BTreeSet::from([Over::Disk]));
        assert_eq!(high_water.tell(&reached), reached, "and nothing is left to tell");
        let why = super::reached(&high_water.store, &high_water.disk);
        assert!(why.len() == 1 && why[0].name == Lack::DiskFree, "{why:?}");
        assert!(why[0].detail.contains("limits.disk_free_bytes"), "{why:?}");

        high_water.disk.set_mark(Some(0));
        assert_eq!(high_water.tell(&reached), BTreeSet::new());
        assert!(super::reached(&high_water.store, &high_water.disk).is_empty());
    }

    #[test]
    fn each_source_that_reached_its_mark_is_told_and_the_gateway_by_itself() {
        let name = |text: &str| -> Name { text.parse().unwrap() };
        let (low, high) = (Open { works: 3, is_over: false }, Open { works: 9, is_over: true });
        let open = OpenWorks {
            all: high,
            sources: [(name("one"), high), (name("other"), low), (name(OWN_SOURCE), high)].into(),
            unknown: 0,
            marks: Marks { all: 9, per_source: 9 },
        };
        assert_eq!(over(&open, None), BTreeSet::from([Over::Source(name("one")), Over::Gateway]));
    }
}
