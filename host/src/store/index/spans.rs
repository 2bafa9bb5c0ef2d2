//! When the items of a stretch of the log were stored: the first and the last time of each span.
//!
//! Pure. A list between two times passes over the spans that lie outside. Never in the order of
//! time, only of positions: somebody may set the clock.

use super::row::{push_number, sealed, take_number, unsealed};
use crate::event::Timestamp;

/// Items of one span.
pub(super) const SPAN_ITEMS: usize = 1024;

/// A stretch of the log, and when its items were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    /// The first position behind it.
    pub(super) end: u64,
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
}

impl Span {
    fn overlaps(&self, after: Option<Timestamp>, before: Option<Timestamp>) -> bool {
        after.is_none_or(|after| self.latest >= after)
            && before.is_none_or(|before| self.earliest < before)
    }
}

/// The spans of a stretch from `first` to `end`, of items in the order of their positions.
pub(super) fn of(first: u64, end: u64, items: &[(u64, Timestamp)]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for chunk in items.chunks(SPAN_ITEMS) {
        let times = || chunk.iter().map(|(_, at)| *at);
        let (Some(earliest), Some(latest)) = (times().min(), times().max()) else { continue };
        let begin = if spans.is_empty() { first } else { chunk[0].0 };
        if let Some(last) = spans.last_mut() {
            last.end = begin;
        }
        spans.push(Span { first: begin, end, earliest, latest });
    }
    spans
}

/// A row of spans, which follow each other without a gap.
pub(super) fn write(spans: &[Span]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Span { first, end, earliest, latest } in spans {
        bytes = push_number(end - first, bytes);
        bytes = push_number(earliest.0, bytes);
        bytes = push_number(latest.0 - earliest.0, bytes);
    }
    sealed(bytes)
}

/// The spans of a row that begins at `first`; `None` if it is damaged.
pub(super) fn read(first: u64, row: &[u8]) -> Option<Vec<Span>> {
    let mut rest = unsealed(row)?;
    let (mut spans, mut first) = (Vec::new(), first);
    while !rest.is_empty() {
        let (length, behind) = take_number(rest)?;
        let (earliest, behind) = take_number(behind)?;
        let (longest, behind) = take_number(behind)?;
        rest = behind;
        let (end, latest) = (first.checked_add(length)?, earliest.checked_add(longest)?);
        spans.push(Span { first, end, earliest: Timestamp(earliest), latest: Timestamp(latest) });
        first = end;
    }
    Some(spans)
}

/// The same, with a span of all times wherever there is none before `end`.
pub(super) fn without_gaps(spans: Vec<Span>, end: u64) -> Vec<Span> {
    let any = |first, end| {
        let (earliest, latest) = (Timestamp(0), Timestamp(u64::MAX));
        Span { first, end, earliest, latest }
    };
    let (mut whole, mut next) = (Vec::new(), 0);
    for span in spans.into_iter().filter(|span| span.first < span.end) {
        if span.first > next {
            whole.push(any(next, span.first));
        }
        if span.end > next {
            whole.push(Span { first: span.first.max(next), ..span });
            next = span.end;
        }
    }
    if end > next {
        whole.push(any(next, end));
    }
    whole
}

/// Where a list between two times has to look.
#[derive(Debug)]
pub(super) enum Within {
    /// Everywhere.
    All,
    /// In these stretches, in ascending order.
    Some(Vec<(u64, u64)>),
}

impl Within {
    /// The spans that overlap these times.
    pub(super) fn of(
        spans: impl Iterator<Item = Span>,
        (after, before): (Option<Timestamp>, Option<Timestamp>),
    ) -> Self {
        let mut stretches: Vec<(u64, u64)> = Vec::new();
        for Span { first, end, .. } in spans.filter(|span| span.overlaps(after, before)) {
            match stretches.last_mut() {
                Some(last) if last.1 == first => last.1 = end,
                _ => stretches.push((first, end)),
            }
        }
        Self::Some(stretches)
    }

    /// The greatest position up to this one at which a list has to look.
    pub(super) fn at_most(&self, position: u64) -> Option<u64> {
        let Self::Some(stretches) = self else { return Some(position) };
        let behind = stretches.partition_point(|(first, _)| *first <= position);
        let (_, end) = stretches.get(behind.checked_sub(1)?)?;
        Some(position.min(end - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_and_cover_all_of_their_stretch() {
        let times = |at: u64| (at, Timestamp(1000 + at % 5000));
        let items: Vec<_> = (10..10 + 3 * SPAN_ITEMS as u64 / 2).map(times).collect();
        let spans = of(7, 9000, &items);
        assert_eq!(read(7, &write(&spans)), Some(spans.clone()));
        assert_eq!((spans.len(), spans[0].first, spans[1].end), (2, 7, 9000));
        assert_eq!(spans[0].end, spans[1].first);
        assert!(of(7, 9000, &[]).is_empty());
        for (position, at) in items {
            let span = spans.iter().find(|span| (span.first..span.end).contains(&position));
            assert!(span.is_some_and(|span| span.earliest <= at && at <= span.latest));
        }
    }

    #[test]
    fn where_no_span_is_known_every_time_may_be() {
        let span = |first, end| {
            let at = Timestamp(5);
            Span { first, end, earliest: at, latest: at }
        };
        let whole = without_gaps(vec![span(10, 20), span(15, 30), span(40, 50)], 60);
        let ends: Vec<_> = whole.iter().map(|span| (span.first, span.end)).collect();
        assert_eq!(ends, [(0, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60)]);
        let all = whole.iter().filter(|span| span.latest == Timestamp(u64::MAX)).count();
        assert_eq!(all, 3);
    }

    #[test]
    fn a_list_passes_over_the_spans_outside_of_its_times() {
        let span = |first, end, earliest, latest| {
            let (earliest, latest) = (Timestamp(earliest), Timestamp(latest));
            Span { first, end, earliest, latest }
        };
        let spans = [span(1, 10, 5, 9), span(10, 20, 8, 12), span(20, 30, 13, 15)];
        let within = |after, before| {
            let times = (Some(Timestamp(after)), Some(Timestamp(before)));
            Within::of(spans.into_iter(), times)
        };
        let asked = [40, 25, 19, 5];
        let found = |within: Within| asked.map(|position| within.at_most(position));
        assert_eq!(found(within(0, 99)), [Some(29), Some(25), Some(19), Some(5)]);
        assert_eq!(found(within(8, 13)), [Some(19), Some(19), Some(19), Some(5)]);
        assert_eq!(found(within(13, 99)), [Some(29), Some(25), None, None]);
        assert_eq!(found(within(0, 5)), [None; 4], "before is before");
        assert_eq!(Within::All.at_most(7), Some(7));
    }
}
