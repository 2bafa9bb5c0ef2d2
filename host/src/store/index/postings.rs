//! The positions that have a term in a block, and those that fit several terms, newest first.
//!
//! Each answers one question: which is the greatest position up to this one? So several are held
//! against each other without reading what none of them has. Reads a row at a time, and never the
//! log.

use super::block::Block;
use super::key::{self, Part};
use super::row;
use super::wanted::{Kind, MANY, Wanted};
use crate::store::error::{Damaged, Failure};
use crate::store::file::index_rows::IndexRows;

/// Of a pattern with more types, the positions are read at once, if they are not too many.
const TERMS_MAX: usize = 256;
/// So many are read at once. Of a pattern with more, each event is looked at: many fit.
const POSITIONS_MAX: usize = 1 << 16;
/// Terms that have nothing in common are not held against each other for longer: then a position
/// is named that does not fit, so that whoever lists can look at the clock.
const STEPS_MAX: usize = 256;

/// The positions of a term in a block, asked for in descending order.
#[derive(Debug)]
struct Postings {
    part: Part,
    term: Vec<u8>,
    /// What was read last: all positions from the first of these up to what was asked for.
    held: Vec<u64>,
    /// Nothing is left: later questions ask for less.
    is_over: bool,
}

impl Postings {
    fn of(part: Part, term: Vec<u8>) -> Self {
        Self { part, term, held: Vec::new(), is_over: false }
    }

    /// These positions and no more, in ascending order.
    fn known(part: Part, held: Vec<u64>) -> Self {
        Self { part, term: Vec::new(), held, is_over: true }
    }

    /// The greatest position up to this one.
    fn at_most(
        &mut self,
        rows: &impl IndexRows,
        block: Block,
        position: u64,
    ) -> Result<Option<u64>, Failure> {
        if self.held.first().is_none_or(|first| *first > position) {
            if self.is_over {
                return Ok(None);
            }
            self.held = self.read(rows, block, position)?;
            self.is_over = self.held.is_empty();
        }
        let behind = self.held.partition_point(|held| *held <= position);
        Ok(behind.checked_sub(1).map(|at| self.held[at]))
    }

    /// The positions up to this one that stand in one row with the greatest of them.
    fn read(
        &self,
        rows: &impl IndexRows,
        block: Block,
        position: u64,
    ) -> Result<Vec<u64>, Failure> {
        let from = key::part_begin(block.id(), self.part);
        let until = key::row(block.id(), self.part, &self.term, position);
        let mut found = Vec::new();
        if let Some((_, row)) = rows.last_up_to(&from, &until)? {
            let read = row::each(&row, block.first, |term, positions| {
                if term == self.term {
                    let behind = positions.partition_point(|held| *held <= position);
                    found.extend(&positions[..behind]);
                }
                term < self.term.as_slice()
            });
            read.ok_or(Damaged { position: block.first })?;
        }
        Ok(found)
    }
}

/// Positions that have one of some terms.
#[derive(Debug)]
struct Union(Vec<Postings>);

impl Union {
    fn at_most(
        &mut self,
        rows: &impl IndexRows,
        block: Block,
        position: u64,
    ) -> Result<Option<u64>, Failure> {
        let mut greatest: Option<u64> = None;
        for postings in &mut self.0 {
            greatest = greatest.max(postings.at_most(rows, block, position)?);
        }
        Ok(greatest)
    }
}

/// The positions of a block that may be wanted.
#[derive(Debug)]
pub(super) struct Matches {
    block: Block,
    /// Each has them.
    all: Vec<Union>,
    unread: Postings,
}

impl Matches {
    /// Those of a block.
    pub(super) fn of(
        rows: &impl IndexRows,
        block: Block,
        wanted: &Wanted,
    ) -> Result<Self, Failure> {
        let by_source = match wanted.kind {
            Kind::Event => Part::EventSource,
            Kind::Receipt => Part::ReceiptSource,
        };
        let unread = Postings::of(Part::Unread, Vec::new());
        if let Some(endpoints) = &wanted.endpoints {
            let terms = endpoints.iter().map(String::as_str).chain([MANY]);
            let terms = terms.map(|text| row::term(text).to_vec()).collect();
            return Ok(Self { block, all: vec![union(Part::Endpoint, terms)], unread });
        }
        let one = |part, term: &[u8]| Union(vec![Postings::of(part, term.to_vec())]);
        let mut all = Vec::new();
        if let Some(source) = &wanted.source {
            all.push(one(by_source, row::term(source)));
        }
        if let Some(subject) = &wanted.subject {
            all.push(one(Part::Subject, &row::hash(subject)));
        }
        match &wanted.types {
            Some(types) if types.is_prefix => {
                all.extend(below(rows, block, Part::EventType, row::term(&types.text))?);
            }
            Some(types) => all.push(one(Part::EventType, row::term(&types.text))),
            None => (),
        }
        if all.is_empty() {
            let terms = terms(rows, block, by_source, &[], usize::MAX)?;
            all.push(union(by_source, terms));
        }
        Ok(Self { block, all, unread })
    }

    /// The greatest position up to this one that may be wanted.
    pub(super) fn at_most(
        &mut self,
        rows: &impl IndexRows,
        position: u64,
    ) -> Result<Option<u64>, Failure> {
        let matching = self.matching(rows, position)?;
        Ok(matching.max(self.unread.at_most(rows, self.block, position)?))
    }

    fn matching(&mut self, rows: &impl IndexRows, position: u64) -> Result<Option<u64>, Failure> {
        let (mut wanted, mut steps) = (position, 0);
        loop {
            let mut least = wanted;
            for union in &mut self.all {
                match union.at_most(rows, self.block, least)? {
                    Some(found) => least = found,
                    None => return Ok(None),
                }
            }
            // Each has been asked for what the one before it has.
            if self.all.len() < 2 || least == wanted || steps == STEPS_MAX {
                return Ok(Some(least));
            }
            (wanted, steps) = (least, steps + 1);
        }
    }
}

fn union(part: Part, terms: Vec<Vec<u8>>) -> Union {
    Union(terms.into_iter().map(|term| Postings::of(part, term)).collect())
}

/// Those of the terms that begin so; `None` if there are too many of both terms and positions.
fn below(
    rows: &impl IndexRows,
    block: Block,
    part: Part,
    prefix: &[u8],
) -> Result<Option<Union>, Failure> {
    let terms = terms(rows, block, part, prefix, TERMS_MAX + 1)?;
    if terms.len() <= TERMS_MAX {
        return Ok(Some(union(part, terms)));
    }
    let positions = positions_below(rows, block, part, prefix)?;
    Ok(positions.map(|positions| Union(vec![Postings::known(part, positions)])))
}

/// The positions of the terms that begin so; `None` if there are too many.
fn positions_below(
    rows: &impl IndexRows,
    block: Block,
    part: Part,
    prefix: &[u8],
) -> Result<Option<Vec<u64>>, Failure> {
    let (begin, end) = (key::part_begin(block.id(), part), key::part_end(block.id(), part));
    let from = key::term_begin(block.id(), part, prefix);
    let mut found = Vec::new();
    // The first may stand in a row that begins with a term before it.
    let mut next = match rows.last_up_to(&begin, &from)? {
        Some(row) => Some(row),
        None => rows.first_from(&from, &end)?,
    };
    while let Some((mut key, row)) = next {
        let mut is_over = false;
        let read = row::each(&row, block.first, |term, positions| {
            let fits = term.starts_with(prefix);
            if fits {
                found.extend(positions);
            }
            is_over = !fits && term > prefix;
            !is_over
        });
        read.ok_or(Damaged { position: block.first })?;
        if found.len() > POSITIONS_MAX {
            return Ok(None);
        }
        if is_over {
            break;
        }
        key.push(0);
        next = rows.first_from(&key, &end)?;
    }
    found.sort_unstable();
    Ok(Some(found))
}

/// The terms of a part that begin so, at most so many.
fn terms(
    rows: &impl IndexRows,
    block: Block,
    part: Part,
    prefix: &[u8],
    most: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let begin = key::part_begin(block.id(), part);
    let end = key::part_end(block.id(), part);
    let mut found: Vec<Vec<u8>> = Vec::new();
    // The least term that is still to be looked for.
    let mut from = prefix.to_vec();
    while found.len() < most {
        // It may stand in a row that begins with a term before it, or else begins the next.
        let until = key::term_begin(block.id(), part, &from);
        let before = rows.last_up_to(&begin, &until)?.map(|(_, row)| row);
        let behind = rows.first_from(&until, &end)?.map(|(_, row)| row);
        let mut next: Option<Vec<u8>> = None;
        for row in [before, behind].into_iter().flatten() {
            let read = row::each(&row, block.first, |term, _| {
                let is_it = term >= from.as_slice();
                if is_it && next.is_none() {
                    next = Some(term.to_vec());
                }
                !is_it
            });
            read.ok_or(Damaged { position: block.first })?;
        }
        let Some(term) = next.filter(|term| term.starts_with(prefix)) else { break };
        from.clone_from(&term);
        // Behind all rows of this term, and before those of any other: no text has such a byte.
        from.push(1);
        found.push(term);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::index::block::BlockWriter;
    use crate::store::index::block::tests::{Rows, make};
    use crate::store::index::wanted::Types;

    const BLOCK: Block = Block { first: 1, level: 0, end: 40_000, has_endpoints: true };

    /// Events of two sources, of a type for each remainder, and one subject for each seventh.
    fn rows(types: u64) -> Rows {
        let mut writer = BlockWriter::new(BLOCK.id());
        for (rest, source) in [(0, "adyen"), (1, "stripe")] {
            let own = (1..30_000).filter(|at| at % 2 == rest);
            own.for_each(|at| writer.push(Part::EventSource, source.as_bytes(), at));
        }
        let mut names: Vec<_> = (0..types).map(|rest| (format!("pay.t{rest}"), rest)).collect();
        names.sort();
        for (name, rest) in names {
            let own = (rest..30_000).step_by(types as usize).filter(|at| *at > 0);
            own.for_each(|at| writer.push(Part::EventType, name.as_bytes(), at));
        }
        let mut subjects: Vec<_> =
            (1..30_000).map(|at| (row::hash(&format!("pi_{}", at / 7)), at)).collect();
        subjects.sort_unstable();
        subjects.iter().for_each(|(hash, at)| writer.push(Part::Subject, hash, *at));
        writer.push(Part::Unread, &[], 35_000);
        let mut rows = Rows::new();
        make(&mut rows, writer.finish());
        rows
    }

    /// All positions, newest first, but for that of what could not be read.
    fn all(rows: &Rows, change: impl FnOnce(&mut Wanted)) -> Vec<u64> {
        let mut wanted = Wanted::all(Kind::Event);
        change(&mut wanted);
        let mut matches = Matches::of(rows, BLOCK, &wanted).unwrap();
        let (mut found, mut position) = (Vec::new(), BLOCK.end - 1);
        while let Some(at) = matches.at_most(rows, position).unwrap() {
            found.push(at);
            position = at - 1;
        }
        assert_eq!(found.first(), Some(&35_000), "what was not read comes to every list");
        found.remove(0);
        found
    }

    fn expected(matches: impl Fn(u64) -> bool) -> Vec<u64> {
        (1..30_000).rev().filter(|at| matches(*at)).collect()
    }

    #[test]
    fn each_filter_and_several_together_give_what_fits_newest_first() {
        let rows = rows(40);
        let types = |text: &str, is_prefix| Some(Types { text: text.into(), is_prefix });
        let stripe = || Some("stripe".to_owned());
        assert_eq!(all(&rows, |_| ()), expected(|_| true));
        assert_eq!(all(&rows, |it| it.source = stripe()), expected(|at| at % 2 == 1));
        assert_eq!(all(&rows, |it| it.types = types("pay.t7", false)), expected(|at| at % 40 == 7));
        let ones = expected(|at| at % 40 == 1 || (10..20).contains(&(at % 40)));
        assert_eq!(all(&rows, |it| it.types = types("pay.t1", true)), ones);
        assert_eq!(all(&rows, |it| it.types = types("refund.", true)), [0; 0]);
        assert_eq!(all(&rows, |it| it.subject = Some("pi_9".into())), expected(|at| at / 7 == 9));
        let both = all(&rows, |it| {
            (it.source, it.types) = (stripe(), types("pay.t2", true));
        });
        let fits = |at| at % 2 == 1 && (at % 40 == 2 || (20..30).contains(&(at % 40)));
        assert_eq!(both, expected(fits));
        let none = all(&rows, |it| {
            (it.source, it.types) = (stripe(), types("pay.t8", false));
        });
        let named = none.len();
        assert!(named < 10, "those of even types are of the other source: {named}");
    }

    #[test]
    fn a_search_for_what_nothing_has_in_common_comes_back_now_and_then() {
        let rows = rows(2);
        let mut wanted = Wanted::all(Kind::Event);
        wanted.source = Some("stripe".into());
        wanted.types = Some(Types { text: "pay.t0".into(), is_prefix: false });
        let mut matches = Matches::of(&rows, BLOCK, &wanted).unwrap();
        let first = matches.at_most(&rows, 29_999).unwrap();
        assert!(first.is_some_and(|at| at > 29_000), "{first:?}");
        let (mut position, mut named) = (29_999, 0);
        while let Some(at) = matches.at_most(&rows, position).unwrap() {
            (position, named) = (at - 1, named + 1);
        }
        assert!((50..70).contains(&named), "{named}");
    }

    #[test]
    fn the_events_of_a_pattern_with_very_many_types_are_named_and_no_others() {
        let rows = rows(4000);
        let types = |text: &str| Some(Types { text: text.into(), is_prefix: true });
        assert_eq!(all(&rows, |it| it.types = types("pay.")).len(), 29_999);
        let below = all(&rows, |it| it.types = types("pay.t39"));
        assert_eq!(below, expected(|at| (at % 4000).to_string().starts_with("39")));
        let below = all(&rows, |it| it.types = types("pay.t3"));
        assert_eq!(below, expected(|at| (at % 4000).to_string().starts_with('3')));
    }

    #[test]
    fn a_row_that_is_damaged_is_an_error_and_no_answer() {
        let mut rows = rows(40);
        let damaged = rows.values_mut().nth(1).unwrap();
        damaged[99] ^= 4;
        let mut matches = Matches::of(&rows, BLOCK, &Wanted::all(Kind::Event)).unwrap();
        let mut position = BLOCK.end - 1;
        let result = loop {
            match matches.at_most(&rows, position) {
                Ok(Some(at)) => position = at - 1,
                other => break other,
            }
        };
        assert!(matches!(result, Err(Failure::Damaged(_))), "{result:?}");
    }
}
