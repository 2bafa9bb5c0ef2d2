//! The dead letters by why they died, with the money that they hold up.
//!
//! Counts the newest letters for a bounded time, so a number may be the least that it can be. Reads
//! the event that a letter is about, which its work has read already. Never removes one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Snapshot;
use super::times::SEGMENTS_MIN;
use crate::event::{Money, MoneySums};
use crate::failure::Reason;
use crate::store::Store;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::kind::WorkKind;
use crate::store::owed::works::Stored;
use crate::store::read::filter::DeadFilter;
use crate::store::read::view::{DeadGroup, DeadLetter, DeadReasons};

/// The most letters that are counted.
const LETTERS_MAX: usize = 10_000;
/// They are counted for this time.
const COUNT_TIME: Duration = Duration::from_millis(50);

/// Letters that died of the same.
struct Group {
    count: u64,
    money: MoneySums,
    newest: DeadLetter,
}

impl Store {
    /// The newest dead letters that match, by kind and reason: at most 10,000, or as many as are
    /// counted in 50 ms.
    pub async fn dead_reasons(&self, filter: &DeadFilter) -> Result<DeadReasons, Error> {
        let filter = filter.clone();
        self.ask_view(move |snapshot| snapshot.reasons(&filter, LETTERS_MAX, COUNT_TIME)).await
    }
}

impl Snapshot<'_> {
    /// The newest dead letters that match, by kind and reason: at most so many, for a time.
    pub(in crate::store) fn reasons(
        &self,
        filter: &DeadFilter,
        most: usize,
        time: Duration,
    ) -> Result<DeadReasons, Failure> {
        let started = Instant::now();
        let ways = self.ways(filter)?;
        let mut groups: BTreeMap<(WorkKind, Reason), Group> = BTreeMap::new();
        let (mut before, mut read, mut at_least) = (u64::MAX, 0, false);
        while let Some(position) = self.letter_before(&ways, before)? {
            let is_late = read >= SEGMENTS_MIN && started.elapsed() >= time;
            if is_late || read == most {
                at_least = true;
                break;
            }
            (before, read) = (position, read + 1);
            let Some(letter) = self.matching_letter(position, filter)? else { continue };
            let money = self.money_of(&letter)?;
            let begin = || Group { count: 0, money: MoneySums::default(), newest: letter.clone() };
            let group = groups.entry((letter.kind, letter.reason)).or_insert_with(begin);
            group.count += 1;
            money.iter().for_each(|money| group.money.add(money));
        }
        let group = |((kind, reason), Group { count, money, newest })| DeadGroup {
            kind,
            reason,
            count,
            money: money.into_money(),
            newest,
        };
        let mut groups: Vec<DeadGroup> = groups.into_iter().map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(DeadReasons { at_least, groups })
    }

    /// The letter at this position, if it matches. One that can't be read matches nothing.
    fn matching_letter(
        &self,
        position: u64,
        filter: &DeadFilter,
    ) -> Result<Option<DeadLetter>, Failure> {
        let Some(kind) = self.dead.letter(position)? else { return Ok(None) };
        let damages = &self.shared.damages;
        let kind = WorkKind::read(kind).ok_or(Damaged { position });
        let Some(kind) = damages.pass(kind)? else { return Ok(None) };
        if filter.kind.is_some_and(|wanted| wanted != kind) {
            return Ok(None);
        }
        let letter = damages.pass(self.dead_letter(kind, position))?;
        let Some(letter) = letter.filter(|letter| filter.matches(letter)) else { return Ok(None) };
        Ok(if self.is_of(&letter, filter)? { Some(letter) } else { None })
    }

    /// How much the event of a letter is about.
    fn money_of(&self, letter: &DeadLetter) -> Result<Option<Money>, Failure> {
        let Some(id) = letter.event else { return Ok(None) };
        match self.shared.damages.pass(self.find(id))?.flatten() {
            Some(Stored::Event(event)) => Ok(event.event.money.clone()),
            _ => Ok(None),
        }
    }
}
