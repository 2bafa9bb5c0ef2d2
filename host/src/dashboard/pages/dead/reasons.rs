//! The dead letters by why they died: how many there are, how much money they hold up, and the
//! newest of them.
//!
//! Reads `/v1/dead/reasons`, which counts for a bounded time. Never says a number of some as one of
//! all.

use serde::Deserialize;

use super::choices::{kind_said, reason_said};
use super::endpoints::Endpoints;
use super::{DeadLetter, TEXT_BYTES_MAX, replay};
use crate::dashboard::chart;
use crate::dashboard::figure::Money;
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::{Failed, Visitor, figure, link};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::token::Scope;

/// The most currencies that one row shows.
const CURRENCIES_MAX: usize = 3;

/// The letters that match, by reason.
#[derive(Deserialize)]
pub(super) struct Groups {
    at_least: bool,
    groups: Vec<Group>,
    /// Whether whoever looks may replay them.
    #[serde(skip)]
    can_replay: bool,
}

#[derive(Deserialize)]
struct Group {
    kind: String,
    reason: Reason,
    count: u64,
    money: Vec<Money>,
    newest: DeadLetter,
}

/// The letters of one reason.
pub(super) struct GroupRow {
    /// Leads to the list of them.
    pub(super) reason: Markup,
    pub(super) kind: &'static str,
    pub(super) meter: Markup,
    pub(super) count: String,
    pub(super) money: String,
    /// The newest of them, what it is of, and why it failed.
    pub(super) newest: Markup,
    pub(super) of: Markup,
    pub(super) detail: Markup,
    pub(super) at: Markup,
    /// The preview of a replay of all of them.
    pub(super) replay: Option<String>,
}

impl Groups {
    /// Those that match the filters of the page.
    pub(super) async fn counted(
        visitor: &Visitor,
        filters: &[(&str, &str)],
    ) -> Result<Self, Failed> {
        let path = link::with_query("/v1/dead/reasons", filters.iter().copied());
        let groups: Self = visitor.get(&path).await?;
        Ok(Self { can_replay: visitor.can(Scope::Replay), ..groups })
    }

    pub(super) fn newest(&self) -> impl Iterator<Item = &DeadLetter> {
        self.groups.iter().map(|group| &group.newest)
    }

    fn all(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// How many there are, in words.
    pub(super) fn said(&self) -> String {
        let many = figure::counted(self.all(), "dead letter", "dead letters");
        if self.at_least { format!("At least {many}: not all were counted.") } else { many }
    }

    pub(super) fn rows(
        &self,
        now: Timestamp,
        filters: &[(&str, &str)],
        endpoints: &Endpoints,
    ) -> Vec<GroupRow> {
        let all = self.all();
        let row = |group: &Group| {
            let Group { kind, reason, count, money, newest } = group;
            let own = [("kind", kind.as_str()), ("reason", reason.as_str())];
            let rest =
                filters.iter().copied().filter(|(name, _)| !own.iter().any(|it| it.0 == *name));
            let own: Vec<(&str, &str)> = own.into_iter().chain(rest).collect();
            let place = link::with_query("/dead", own.iter().copied());
            GroupRow {
                reason: markup::link(&place, reason_said(*reason)),
                kind: kind_said(kind),
                meter: chart::meter(*count as f64, all as f64, Mood::Bad),
                count: figure::number(*count),
                money: said(money),
                newest: newest.link(),
                of: newest.of(endpoints),
                detail: markup::sentence(&newest.detail, TEXT_BYTES_MAX),
                at: markup::when(now, newest.died_at),
                replay: replay::place(&own).filter(|_| self.can_replay),
            }
        };
        self.groups.iter().map(row).collect()
    }
}

/// Sums of money; of many currencies the first few.
fn said(money: &[Money]) -> String {
    let mut sums: Vec<String> = money.iter().take(CURRENCIES_MAX).map(Money::shown).collect();
    if let more @ 1.. = money.len().saturating_sub(CURRENCIES_MAX) {
        sums.push(figure::counted(more as u64, "more currency", "more currencies"));
    }
    if sums.is_empty() { "-".to_owned() } else { sums.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that nothing is said of letters that nobody has counted: there may be none.
    #[test]
    fn a_number_of_some_is_no_number_of_all() {
        let said = |at_least| Groups { at_least, groups: Vec::new(), can_replay: true }.said();
        assert_eq!(said(true), "At least 0 dead letters: not all were counted.");
        assert_eq!(said(false), "0 dead letters");
    }

    #[test]
    fn of_many_currencies_a_few_are_shown_and_the_rest_counted() {
        let money =
            |currency: &str| Money { amount: "1.50".to_owned(), currency: currency.to_owned() };
        assert_eq!(said(&[]), "-");
        assert_eq!(said(&["EUR", "USD"].map(money)), "1.50 EUR, 1.50 USD");
        let five = ["AA", "BB", "CC", "DD", "EE"].map(money);
        assert_eq!(said(&five), "1.50 AA, 1.50 BB, 1.50 CC, 2 more currencies");
    }
}
