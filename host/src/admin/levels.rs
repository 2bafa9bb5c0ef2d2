//! The metrics that say how much there is now: read from the store and the disk when somebody asks.
//!
//! Whatever is counted as it happens is counted there. Never changes anything but gauges.

use super::WaitRow;
use crate::disk::Disk;
use crate::ids::Name;
use crate::metrics::{Backlog, Kind, Metrics, PluginUse};
use crate::plugin::{Most, Usage};
use crate::store::{OpenWorks, Store, WorkKind};

/// Sets them to what is so now.
pub(super) fn set(metrics: &Metrics, store: &Store, disk: &Disk) {
    let stats = store.stats();
    metrics.set_damaged(stats.damaged);
    for (kind, works) in stats.works {
        let kind = counted_as(kind);
        let backlog = Backlog {
            pending: (works.pending() - works.retrying) as u64,
            retrying: works.retrying as u64,
            dead: works.dead,
        };
        metrics.set_backlog(kind, backlog);
    }
    for (kind, age) in store.waiting_for() {
        metrics.set_oldest(counted_as(kind), age.unwrap_or_default());
    }
    set_marks(metrics, store, disk);
}

/// What plugins used, by the names that operators see; a handler remembers under its own.
pub(super) fn set_plugins(metrics: &Metrics, store: &Store, plugins: Vec<(String, Usage)>) {
    let used = |(plugin, usage): (String, Usage)| {
        let handler = usage.runs.and_then(|_| plugin.parse::<Name>().ok());
        let state = handler.map(|name| {
            let (used, limit) = store.remembered(&name);
            Most { used, limit }
        });
        PluginUse { plugin, usage, state }
    };
    metrics.set_plugins(plugins.into_iter().map(used).collect());
}

/// Sets how much waits for plugins to this, which is all.
pub(super) fn set_waiting(metrics: &Metrics, waiting: Vec<WaitRow>) {
    let each = |wait: WaitRow| (counted_as(wait.kind), wait.name, wait.works);
    metrics.set_waiting(waiting.into_iter().map(each));
}

fn counted_as(kind: WorkKind) -> Kind {
    match kind {
        WorkKind::Parse => Kind::Receipt,
        WorkKind::Run => Kind::Run,
        WorkKind::Delivery => Kind::Delivery,
    }
}

fn set_marks(metrics: &Metrics, store: &Store, disk: &Disk) {
    let OpenWorks { all, sources, unknown, marks } = store.open_works();
    metrics.set_backlog_marks(marks.per_source, marks.all);
    metrics.set_over_gateway(all.is_over);
    metrics.set_open_of_unknown(unknown);
    for (source, open) in sources {
        metrics.set_open(&source, open.works, open.is_over);
    }
    if let Some(space) = disk.space() {
        metrics.set_disk(space.free, space.mark, space.is_low);
    }
}
