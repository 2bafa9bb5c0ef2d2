//! How the events differ: each one's source, type, subject and end, by its number alone.
//!
//! Sources and types are as uneven as in practice: each has half as many events as the one before,
//! so that a filter may select millions or a handful. Pure: the same number is the same event.

/// Each with half as many events as the one before.
pub(super) const SOURCES: [&str; 12] = [
    "stripe", "adyen", "paypal", "razorpay", "klarna", "mollie", "square", "shopify", "checkout",
    "wise", "coinbase", "legacy",
];

/// Each with half as many events as the one before.
pub(super) const TYPES: [&str; 20] = [
    "payment.succeeded",
    "payment.created",
    "payment.failed",
    "invoice.paid",
    "customer.updated",
    "refund.succeeded",
    "payout.paid",
    "subscription.updated",
    "payment.authorized",
    "subscription.created",
    "refund.initiated",
    "dispute.opened",
    "subscription.canceled",
    "payment.canceled",
    "refund.failed",
    "dispute.won",
    "dispute.lost",
    "payout.failed",
    "card.expired",
    "fraud.alert",
];

/// What selects several types.
pub(super) const PATTERNS: [&str; 8] = [
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "payout.*",
    "invoice.*",
    "card.*",
    "fraud.*",
];

/// Events of one receipt, which have one source.
pub(super) const PORTION: usize = 50;
/// Events about one subject, on average.
const EVENTS_A_SUBJECT: usize = 4;

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// No endpoint wants it.
    Unwanted,
    /// An endpoint took it.
    Delivered,
    /// It is a dead letter.
    Dead,
    /// It waits for another try.
    Waiting,
}

/// So many events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    events: usize,
}

/// What is drawn for an event, each by itself.
#[derive(Debug, Clone, Copy)]
enum Draw {
    Source,
    Type,
    Subject,
}

impl Spread {
    pub(crate) fn of(events: usize) -> Self {
        Self { events }
    }

    /// How many there are.
    pub(super) fn events(self) -> usize {
        self.events
    }

    pub(super) fn source(number: usize) -> &'static str {
        SOURCES[seldom(draw(Draw::Source, number / PORTION), SOURCES.len())]
    }

    pub(super) fn event_type(number: usize) -> &'static str {
        TYPES[seldom(draw(Draw::Type, number), TYPES.len())]
    }

    /// The subjects of neighbours differ, and each has its events all over the time.
    pub(super) fn subject(self, number: usize) -> String {
        let subjects = (self.events / EVENTS_A_SUBJECT).max(1) as u64;
        format!("pi_{:012}", draw(Draw::Subject, number) % subjects)
    }

    pub(super) fn fate(number: usize) -> Fate {
        match number % 1000 {
            7 => Fate::Dead,
            13 => Fate::Waiting,
            rest if rest % 5 == 0 => Fate::Delivered,
            _ => Fate::Unwanted,
        }
    }
}

/// The same for the same number.
fn draw(draw: Draw, number: usize) -> u64 {
    // Neighbours must have seeds that differ in many bits.
    let seed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    fastrand::Rng::with_seed(seed ^ ((draw as u64 + 1) << 60)).u64(..)
}

/// One of so many, each half as often as the one before.
fn seldom(random: u64, of: usize) -> usize {
    (random.leading_zeros() as usize).min(of - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_and_source_has_about_half_as_many_events_as_the_one_before() {
        let mut types = [0_usize; TYPES.len()];
        let mut sources = [0_usize; SOURCES.len()];
        let all = 400_000;
        for number in 0..all {
            let index = |of: &[&str], name| of.iter().position(|it| *it == name).unwrap();
            types[index(&TYPES, Spread::event_type(number))] += 1;
            sources[index(&SOURCES, Spread::source(number * PORTION))] += 1;
        }
        for counts in [&types[..6], &sources[..6]] {
            for (place, count) in counts.iter().enumerate() {
                let expected = all >> (place + 1);
                assert!(count.abs_diff(expected) < expected / 5, "{counts:?}");
            }
        }
        assert!(types[15..].iter().sum::<usize>() < 100, "{types:?}");
    }

    #[test]
    fn a_receipt_has_one_source_and_a_subject_a_few_events() {
        let of_receipt = |receipt: usize| {
            let events = receipt * PORTION..(receipt + 1) * PORTION;
            events.map(Spread::source).collect::<std::collections::BTreeSet<_>>()
        };
        assert!((0..20).all(|receipt| of_receipt(receipt).len() == 1));

        let spread = Spread::of(10_000);
        let subjects = (0..10_000).map(|number| spread.subject(number));
        let subjects = subjects.collect::<std::collections::BTreeSet<_>>().len();
        assert!((2_000..=2_500).contains(&subjects), "{subjects}");
    }

    #[test]
    fn one_in_a_thousand_is_dead_and_one_waits() {
        let count = |fate| (0..5_000).filter(|number| Spread::fate(*number) == fate).count();
        let counts = [Fate::Dead, Fate::Waiting, Fate::Delivered, Fate::Unwanted].map(count);
        assert_eq!(counts, [5, 5, 1_000, 3_990]);
    }
}
