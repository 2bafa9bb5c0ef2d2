//! The high-water marks in numbers: what is open and what is free, the marks, and what each of them
//! has put off.
//!
//! The gauges are set from the store and the disk right before somebody reads them. Never decides
//! whether a mark is reached.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Label, Metrics, count, counters, gauges};
use crate::ids::Name;

/// Which high-water mark keeps requests out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The open works of a source.
    Source,
    /// The open works of all sources together.
    Gateway,
    /// The room on the disk.
    Disk,
}

impl Mark {
    fn label(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Gateway => "gateway",
            Self::Disk => "disk",
        }
    }
}

/// What there is of marks in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Marks {
    backlog: Family<[(&'static str, Label); 1], Gauge>,
    backlog_mark: Family<[(&'static str, &'static str); 1], Gauge>,
    disk_free: Gauge,
    disk_free_mark: Gauge,
    over: Family<[(&'static str, Label); 2], Gauge>,
    put_off: Family<[(&'static str, Label); 2], Counter>,
}

impl Marks {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let help = "Open work at which the gateway puts off requests";
        let marks = Self {
            backlog: Family::default(),
            backlog_mark: gauges(registry, "backlog_mark", help),
            disk_free: Gauge::default(),
            disk_free_mark: Gauge::default(),
            over: Family::default(),
            put_off: counters(registry, "put_off", "Requests put off, by high-water mark"),
        };
        let help = "Open work by the source whose requests caused it; none if that is unknown";
        registry.register("backlog", help, marks.backlog.clone());
        let help = "1 while the gateway puts off requests because of a high-water mark";
        registry.register("over_mark", help, marks.over.clone());
        let help = "Free bytes of the data folder's file system";
        registry.register_with_unit("disk_free", help, Unit::Bytes, marks.disk_free.clone());
        let help = "Free bytes below which the gateway puts off requests";
        let mark = marks.disk_free_mark.clone();
        registry.register_with_unit("disk_free_mark", help, Unit::Bytes, mark);
        marks
    }

    fn set_over(&self, mark: Mark, source: Label, is_over: bool) {
        let labels = [("mark", Label::Case(mark.label())), ("source", source)];
        self.over.get_or_create(&labels).set(is_over.into());
    }
}

impl Metrics {
    /// A genuine request of a source was put off, because this mark is reached.
    pub(crate) fn put_off(&self, source: &Name, mark: Mark) {
        count(&self.marks.put_off, ("source", source), ("mark", mark.label()));
    }

    /// The number of open works that go back to this source, and whether it keeps requests out.
    pub(crate) fn set_open(&self, source: &Name, works: usize, is_over: bool) {
        let source = Label::Name(source.clone());
        self.marks.backlog.get_or_create(&[("source", source.clone())]).set(signed(works));
        self.marks.set_over(Mark::Source, source, is_over);
    }

    /// The number of those that go back to a source that is not known.
    pub(crate) fn set_open_of_unknown(&self, works: usize) {
        self.marks.backlog.get_or_create(&[("source", Label::Case(""))]).set(signed(works));
    }

    /// Whether all that is open together keeps every request out.
    pub(crate) fn set_over_gateway(&self, is_over: bool) {
        self.marks.set_over(Mark::Gateway, Label::Case(""), is_over);
    }

    /// The numbers of open works, of each source and of all, at which requests are put off.
    pub(crate) fn set_backlog_marks(&self, per_source: usize, all: usize) {
        for (of, mark) in [(Mark::Source, per_source), (Mark::Gateway, all)] {
            self.marks.backlog_mark.get_or_create(&[("of", of.label())]).set(signed(mark));
        }
    }

    /// The free bytes of the disk, the bytes below which requests are put off, and whether they
    /// are.
    pub(crate) fn set_disk(&self, free: u64, mark: u64, is_low: bool) {
        self.marks.disk_free.set(free.try_into().unwrap_or(i64::MAX));
        self.marks.disk_free_mark.set(mark.try_into().unwrap_or(i64::MAX));
        self.marks.set_over(Mark::Disk, Label::Case(""), is_low);
    }
}

fn signed(number: usize) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
