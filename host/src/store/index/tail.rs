//! The newest receipts and events, which are in no block yet: a few bytes of each in memory.
//!
//! Pure. Items come in the order of their positions, and go when a block has them. Never larger
//! than a block and what one commit adds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::block::{Block, BlockWriter};
use super::hours::{self, Count, Counts};
use super::key::Part;
use super::row;
use super::spans::{self, Span};
use super::wanted::{Kind, MANY, NewItem, Tried, Wanted};
use crate::event::Timestamp;

/// The newest receipts and events.
#[derive(Debug, Default)]
pub(in crate::store) struct Tail {
    /// It has all items from this position on.
    first: u64,
    /// No item behind this has come yet.
    end: u64,
    items: Vec<Item>,
    texts: Texts,
    /// All records before this position were looked at.
    seen_to: u64,
    /// Where events and parcels go, in the order of their positions.
    owed: Vec<(u32, u64)>,
    /// Tries by their hour, kind and verdict.
    tries: BTreeMap<(u64, u8, u8), u64>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    position: u64,
    at: Timestamp,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Receipt {
        source: u32,
    },
    Event {
        source: u32,
        event_type: u32,
        subject: Option<[u8; 4]>,
    },
    Parcel,
    /// It could not be read, and may be anything.
    Unread,
}

/// Texts of which there are few, by number.
#[derive(Debug, Default)]
struct Texts {
    numbers: FxHashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("a tail has fewer items");
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// The numbers of all, in the order of their texts.
    fn sorted(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..).take(self.texts.len()).collect();
        numbers.sort_unstable_by_key(|number| self.text(*number));
        numbers
    }
}

impl Tail {
    /// One that will have all items from this position on.
    pub(in crate::store) fn new(first: u64) -> Self {
        Self { first, end: first, ..Self::default() }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many deliveries they are together.
    pub(super) fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Adds an item behind all others. One that came before is known already.
    pub(in crate::store) fn push(&mut self, new: NewItem<'_>) {
        if new.position < self.end {
            return;
        }
        let what = match new.event {
            None if new.is_parcel => What::Parcel,
            None => What::Receipt { source: self.texts.number(new.source) },
            Some((event_type, subject)) => What::Event {
                source: self.texts.number(new.source),
                event_type: self.texts.number(event_type),
                subject: subject.map(row::hash),
            },
        };
        for term in new.terms() {
            self.owed.push((self.texts.number(term), new.position));
        }
        self.put(Item { position: new.position, at: new.at, what });
    }

    /// Adds what could not be read: each list will come to it.
    pub(super) fn push_unread(&mut self, position: u64) {
        if position >= self.end {
            let at = self.items.last().map_or(Timestamp(0), |item| item.at);
            self.put(Item { position, at, what: What::Unread });
        }
    }

    fn put(&mut self, item: Item) {
        self.end = item.position + 1;
        self.items.push(item);
    }

    /// The items before this position are in a block now.
    pub(super) fn written(&mut self, to: u64) {
        let left = self.items.split_off(self.items.partition_point(|item| item.position < to));
        let old = std::mem::take(&mut self.texts);
        self.items = left;
        self.owed = self.owed.split_off(self.owed.partition_point(|(_, at)| *at < to));
        self.first = self.first.max(to);
        self.end = self.end.max(to);
        self.tries.clear();
        let texts = &mut self.texts;
        for item in &mut self.items {
            match &mut item.what {
                What::Receipt { source } => *source = texts.number(old.text(*source)),
                What::Event { source, event_type, .. } => {
                    *source = texts.number(old.text(*source));
                    *event_type = texts.number(old.text(*event_type));
                }
                What::Parcel | What::Unread => (),
            }
        }
        for (endpoint, _) in &mut self.owed {
            *endpoint = texts.number(old.text(*endpoint));
        }
    }

    /// Whether this is the first look at records that end at `end`.
    pub(super) fn sees(&mut self, end: u64) -> bool {
        let is_new = end > self.seen_to;
        self.seen_to = self.seen_to.max(end);
        is_new
    }

    /// Forgets all that was looked at: what comes is all that it has.
    pub(super) fn forget_seen(&mut self) {
        self.written(self.seen_to);
    }

    /// Counts a try.
    pub(super) fn tried(&mut self, Tried { at, kind, verdict }: Tried) {
        *self.tries.entry((hours::hour(at), kind as u8, verdict)).or_default() += 1;
    }

    /// Whether a receipt stands there; `None` if it came before all items.
    pub(super) fn is_receipt(&self, position: u64) -> Option<bool> {
        let found = self.items.binary_search_by_key(&position, |item| item.position);
        let what = found.ok().map(|at| self.items[at].what);
        let is_receipt = matches!(what, Some(What::Receipt { .. }));
        (position >= self.first).then_some(is_receipt)
    }

    /// What came in each hour.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        let text = |number: u32| self.texts.text(number).to_owned();
        // Most items of a source and type come in one hour.
        let mut numbers: FxHashMap<(u64, u32, Option<u32>), u64> = FxHashMap::default();
        for Item { at, what, .. } in &self.items {
            let (source, event_type) = match *what {
                What::Receipt { source } => (source, None),
                What::Event { source, event_type, .. } => (source, Some(event_type)),
                What::Parcel | What::Unread => continue,
            };
            *numbers.entry((hours::hour(*at), source, event_type)).or_default() += 1;
        }
        let mut numbers: Vec<_> = numbers.into_iter().collect();
        // Of very many types, those with the most events are told apart.
        numbers.sort_unstable_by_key(|(what, number)| (Reverse(*number), *what));
        for ((hour, source, event_type), number) in numbers {
            let source = text(source);
            let count = match event_type {
                None => Count::Receipts { source },
                Some(event_type) => Count::Events { source, event_type: text(event_type) },
            };
            hours::count((hour, count), number, &mut counts, hours::ROW_COUNTS_MAX);
        }
        for ((hour, kind, verdict), number) in &self.tries {
            let (kind, verdict) = (*kind, *verdict);
            counts.insert((*hour, Count::Tries { kind, verdict }), *number);
        }
        counts
    }

    /// The positions that may match, in ascending order.
    pub(super) fn find(&self, wanted: &Wanted) -> Vec<u64> {
        if let Some(endpoints) = &wanted.endpoints {
            return self.going_to(endpoints);
        }
        let is_wanted: Vec<bool> = match &wanted.types {
            None => Vec::new(),
            Some(types) => self.texts.texts.iter().map(|text| types.matches(text)).collect(),
        };
        let source = wanted.source.as_deref().map(|text| self.texts.numbers.get(text));
        let subject = wanted.subject.as_deref().map(row::hash);
        let is_in_time = |at: Timestamp| {
            wanted.after.is_none_or(|after| at >= after)
                && wanted.before.is_none_or(|before| at < before)
        };
        let fits = |item: &&Item| {
            let from = |number: u32| source.is_none_or(|source| source == Some(&number));
            match item.what {
                What::Unread => true,
                What::Parcel => false,
                What::Receipt { source } => {
                    wanted.kind == Kind::Receipt && from(source) && is_in_time(item.at)
                }
                What::Event { source, event_type, subject: about } => {
                    wanted.kind == Kind::Event
                        && from(source)
                        && is_wanted.get(event_type as usize).is_none_or(|is_wanted| *is_wanted)
                        && subject.is_none_or(|subject| about == Some(subject))
                        && is_in_time(item.at)
                }
            }
        };
        self.items.iter().filter(fits).map(|item| item.position).collect()
    }

    /// The positions of what goes to one of these endpoints, or may, in ascending order.
    fn going_to(&self, endpoints: &[String]) -> Vec<u64> {
        let texts = endpoints.iter().map(String::as_str).chain([MANY]);
        let numbers: Vec<u32> =
            texts.filter_map(|text| self.texts.numbers.get(text).copied()).collect();
        let owed = self.owed.iter().filter(|(endpoint, _)| numbers.contains(endpoint));
        let unread = self.items.iter().filter(|item| matches!(item.what, What::Unread));
        let mut found: Vec<u64> = owed.map(|(_, at)| *at).collect();
        found.extend(unread.map(|item| item.position));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Writes all items as a block of the lowest level that ends here, in which it begins.
    pub(super) fn block(&self, end: u64) -> (Block, BlockWriter, Vec<Span>) {
        let block = Block { first: self.first, level: 0, end, has_endpoints: true };
        let mut writer = BlockWriter::new(block.id());
        let lists = || vec![Vec::new(); self.texts.texts.len()];
        // The positions of each text, by its number: a commit waits for all of this.
        let (mut sources, mut types, mut receipts) = (lists(), lists(), lists());
        let mut endpoints = lists();
        self.owed.iter().for_each(|(endpoint, at)| endpoints[*endpoint as usize].push(*at));
        let (mut subjects, mut unread) = (Vec::new(), Vec::new());
        for Item { position, what, .. } in &self.items {
            match *what {
                What::Receipt { source } => receipts[source as usize].push(*position),
                What::Event { source, event_type, subject } => {
                    sources[source as usize].push(*position);
                    types[event_type as usize].push(*position);
                    subjects.extend(subject.map(|subject| (subject, *position)));
                }
                What::Parcel => (),
                What::Unread => unread.push(*position),
            }
        }
        subjects.sort_unstable();
        let sorted = self.texts.sorted();
        for part in Part::ALL {
            let by_text = match part {
                Part::EventSource => &sources,
                Part::EventType => &types,
                Part::ReceiptSource => &receipts,
                Part::Endpoint => &endpoints,
                Part::Subject => {
                    subjects.iter().for_each(|(subject, at)| writer.push(part, subject, *at));
                    continue;
                }
                Part::Unread => {
                    unread.iter().for_each(|at| writer.push(part, &[], *at));
                    continue;
                }
            };
            for number in &sorted {
                let term = row::term(self.texts.text(*number));
                by_text[*number as usize].iter().for_each(|at| writer.push(part, term, *at));
            }
        }
        let times: Vec<_> = self.items.iter().map(|item| (item.position, item.at)).collect();
        (block, writer, spans::of(self.first, end, &times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;
    use crate::store::index::wanted::Types;
    use crate::store::kind::WorkKind;

    fn event<'i>(
        position: u64,
        (source, event_type): (&'i str, &'i str),
        subject: Option<&'i str>,
    ) -> NewItem<'i> {
        let (at, event) = (Timestamp(position), Some((event_type, subject)));
        NewItem { position, at, source, event, endpoints: &[], is_parcel: false }
    }

    fn receipt(position: u64, source: &str) -> NewItem<'_> {
        let at = Timestamp(position);
        NewItem { position, at, source, event: None, endpoints: &[], is_parcel: false }
    }

    fn tail() -> Tail {
        let mut tail = Tail::new(1);
        tail.push(receipt(1, "stripe"));
        tail.push(event(3, ("stripe", "payment.failed"), Some("pi_1")));
        tail.push(event(7, ("ledger", "payment.made"), Some("pi_2")));
        tail.push(receipt(9, "adyen"));
        tail.push(event(10, ("stripe", "refund.made"), None));
        tail
    }

    fn found(tail: &Tail, change: impl FnOnce(&mut Wanted)) -> Vec<u64> {
        let mut wanted = Wanted::all(Kind::Event);
        change(&mut wanted);
        tail.find(&wanted)
    }

    #[test]
    fn the_tail_finds_what_every_filter_asks_for() {
        let tail = tail();
        let types = |text: &str, is_prefix| Some(Types { text: text.into(), is_prefix });
        assert_eq!(found(&tail, |_| ()), [3, 7, 10]);
        assert_eq!(found(&tail, |it| it.source = Some("stripe".into())), [3, 10]);
        assert_eq!(found(&tail, |it| it.source = Some("unknown".into())), [0; 0]);
        assert_eq!(found(&tail, |it| it.types = types("payment.", true)), [3, 7]);
        assert_eq!(found(&tail, |it| it.types = types("payment.made", false)), [7]);
        assert_eq!(found(&tail, |it| it.subject = Some("pi_2".into())), [7]);
        assert_eq!(found(&tail, |it| it.after = Some(Timestamp(7))), [7, 10]);
        assert_eq!(found(&tail, |it| it.before = Some(Timestamp(7))), [3]);
        assert_eq!(found(&tail, |it| it.kind = Kind::Receipt), [1, 9]);
    }

    #[test]
    fn what_goes_to_an_endpoint_is_found_until_a_block_has_it_and_of_very_many_they_count_as_all() {
        let names = |count: usize| -> Vec<Name> {
            (0..count).map(|number| format!("crm-{number}").parse().unwrap()).collect()
        };
        let (two, many) = (names(2), names(1000));
        let mut tail = tail();
        tail.push(NewItem { endpoints: &two, ..event(20, ("stripe", "a"), None) });
        tail.push(NewItem { endpoints: &two[1..], is_parcel: true, ..receipt(21, "") });
        tail.push(NewItem { endpoints: &many, ..event(22, ("stripe", "a"), None) });
        assert_eq!(tail.owed(), 4, "the last counts once");
        let to = |tail: &Tail, name: &str| tail.find(&Wanted::going_to(vec![name.to_owned()]));
        assert_eq!(to(&tail, "crm-0"), [20, 22]);
        assert_eq!(to(&tail, "crm-1"), [20, 21, 22]);
        assert_eq!(to(&tail, "crm-9"), [22], "it may be that");
        assert_eq!(found(&tail, |it| it.source = Some("stripe".into())), [3, 10, 20, 22]);
        assert_eq!(found(&tail, |it| it.kind = Kind::Receipt), [1, 9], "a parcel is no receipt");
        tail.written(21);
        assert_eq!(to(&tail, "crm-1"), [21, 22]);
    }

    #[test]
    fn what_could_not_be_read_is_found_by_every_list() {
        let mut tail = tail();
        tail.push_unread(12);
        assert_eq!(found(&tail, |it| it.source = Some("ledger".into())), [7, 12]);
        assert_eq!(found(&tail, |it| it.kind = Kind::Receipt), [1, 9, 12]);
    }

    #[test]
    fn an_item_that_comes_again_is_not_there_twice() {
        let mut tail = tail();
        tail.push(event(7, ("ledger", "payment.made"), None));
        assert_eq!(found(&tail, |_| ()), [3, 7, 10]);
    }

    #[test]
    fn what_came_is_counted_by_its_hour() {
        let mut tail = tail();
        let later = Timestamp(3 * 60 * 60 * 1000);
        tail.push(NewItem { at: later, ..receipt(20, "stripe") });
        tail.push(NewItem { at: later, ..receipt(21, "stripe") });
        for verdict in [2, 2, 0] {
            tail.tried(Tried { at: later, kind: WorkKind::Run, verdict });
        }
        let source = || "stripe".to_owned();
        let counts = tail.counts();
        assert_eq!(counts[&(0, Count::Receipts { source: source() })], 1);
        assert_eq!(counts[&(3, Count::Receipts { source: source() })], 2);
        let event_type = "payment.failed".to_owned();
        assert_eq!(counts[&(0, Count::Events { source: source(), event_type })], 1);
        assert_eq!(counts[&(3, Count::Tries { kind: 1, verdict: 2 })], 2);
        assert!(tail.sees(22) && !tail.sees(22) && tail.sees(23));
        assert_eq!([20, 10, 0].map(|at| tail.is_receipt(at)), [Some(true), Some(false), None]);
        tail.written(30);
        assert!(tail.counts().is_empty());
    }

    #[test]
    fn of_very_many_types_all_events_are_counted_and_the_frequent_ones_by_their_type() {
        let mut tail = Tail::new(1);
        let count = 3 * hours::ROW_COUNTS_MAX as u64;
        for number in 0..count {
            let event_type = format!("pay.t{number}");
            tail.push(event(1 + 2 * number, ("stripe", event_type.as_str()), None));
            tail.push(event(2 + 2 * number, ("stripe", "pay.often"), None));
        }
        let counts = tail.counts();
        assert!(counts.len() <= hours::ROW_COUNTS_MAX + 1, "{}", counts.len());
        assert_eq!(counts.values().sum::<u64>(), 2 * count);
        let of = |text: &str| {
            let (source, event_type) = ("stripe".to_owned(), text.to_owned());
            counts.get(&(0, Count::Events { source, event_type })).copied()
        };
        assert_eq!(of("pay.often"), Some(count));
        assert!(of(hours::OTHER_TYPES).is_some());
    }

    #[test]
    fn what_a_block_has_goes_and_the_rest_is_found_as_before() {
        let mut tail = tail();
        tail.written(9);
        assert_eq!((tail.first(), tail.len()), (9, 2));
        assert_eq!(found(&tail, |it| it.source = Some("stripe".into())), [10]);
        assert_eq!(found(&tail, |it| it.source = Some("ledger".into())), [0; 0]);
        tail.push(event(10, ("stripe", "refund.made"), None));
        assert_eq!(tail.len(), 2);
    }
}
