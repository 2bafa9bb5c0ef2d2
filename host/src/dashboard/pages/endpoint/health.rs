//! How an endpoint fares: what is wrong with it, and its attempts of the last day.
//!
//! Pure. What is wrong is said with its cause, since when, and what happens next. Never guesses a
//! cause that no attempt has.

use serde::Deserialize;

use super::deliveries::Waiting;
use super::known::Endpoint;
use crate::dashboard::chart::{self, Series};
use crate::dashboard::figure;
use crate::dashboard::markup::{self, Markup, Mood};
use crate::event::Timestamp;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// The hours that are shown.
const HOURS: u64 = 24;
/// A label stands under every one of these many hours.
const TICK_HOURS: usize = 6;

/// The attempts of the last day.
#[derive(Deserialize)]
pub(super) struct Stats {
    hours: Vec<Hour>,
    total: Attempts,
}

#[derive(Deserialize)]
struct Hour {
    hour: Timestamp,
    attempts: u64,
    successes: u64,
    latency_ms: Latency,
}

#[derive(Deserialize)]
struct Attempts {
    attempts: u64,
    successes: u64,
    bytes: u64,
    latency_ms: Latency,
}

#[derive(Deserialize)]
struct Latency {
    p50: Option<u64>,
    p99: Option<u64>,
}

/// Something that is wrong.
pub(super) struct Trouble {
    /// The class of the note.
    pub(super) class: &'static str,
    /// What it is, and since when.
    pub(super) title: String,
    /// What happens next.
    pub(super) next: &'static str,
}

/// One figure, with what is to say of it.
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) unit: &'static str,
    pub(super) note: String,
    /// `bad` if the note is bad news.
    pub(super) class: &'static str,
    pub(super) spark: Markup,
}

/// The attempts of each hour of a day, those without any too.
pub(super) struct Day {
    pub(super) chart: Markup,
    pub(super) legend: Markup,
}

/// What keeps deliveries from an endpoint, or is about to.
pub(super) fn troubles(now: Timestamp, endpoint: &Endpoint) -> Vec<Trouble> {
    let ago = |at: Timestamp| figure::distance(now, at);
    let mut found = Vec::new();
    let mut say = |mood: Mood, title: String, next| {
        found.push(Trouble { class: mood.class(), title, next });
    };
    let since = ago(endpoint.since);
    match (&*endpoint.state, endpoint.reason.as_deref()) {
        ("paused", _) => say(
            Mood::Info,
            format!("Paused {since}."),
            "Its deliveries wait, and lose no try. Resume it, and they go out.",
        ),
        ("disabled", reason) => {
            let why = match reason {
                Some("gone") => "by the gateway: it answered 410, which says that it is gone",
                Some("failing") => "by the gateway: nothing but failures came back",
                _ => "by an operator",
            };
            say(
                Mood::Bad,
                format!("Disabled {since} {why}."),
                "Deliveries to it are dead at once. Enable it when it is mended, and replay its \
                 dead letters.",
            );
            // What follows says that they wait.
            return found;
        }
        _ => (),
    }
    if endpoint.locked {
        say(
            Mood::Bad,
            "A secret of it does not open.".to_owned(),
            "Its deliveries wait, and lose no try. Give the gateway the master key that sealed \
             the secret, or rotate the secret.",
        );
    }
    let breaker = &endpoint.breaker;
    let failing = breaker.failing_since.map(|at| format!(" Attempts fail, first {}.", ago(at)));
    let failing = failing.unwrap_or_default();
    match (&*breaker.state, breaker.until) {
        ("open", Some(until)) if until > now => say(
            Mood::Bad,
            format!("The breaker is open.{failing} The next probe goes {}.", ago(until)),
            "Its deliveries wait, and lose no try. After a success they go out, few at first.",
        ),
        ("open" | "half_open", _) => say(
            Mood::Bad,
            format!("The breaker is open.{failing} A probe is on its way or is next."),
            "Its deliveries wait, and lose no try. After a success they go out, few at first.",
        ),
        _ if !failing.is_empty() => say(
            Mood::Warn,
            failing.trim_start().to_owned(),
            "The gateway tries each again by its schedule.",
        ),
        _ => (),
    }
    found
}

/// What an hour had.
struct Slot {
    at: Timestamp,
    good: u64,
    bad: u64,
    p99: Option<u64>,
}

/// Each hour up to now, those without attempts too: the API leaves them out.
fn slots(now: Timestamp, hours: &[Hour]) -> Vec<Slot> {
    let last = now.0 / HOUR_MS;
    let slot = |number: u64| {
        let at = Timestamp(number * HOUR_MS);
        let hour = hours.iter().find(|hour| hour.hour == at);
        let (attempts, good) = hour.map_or((0, 0), |hour| (hour.attempts, hour.successes));
        let p99 = hour.and_then(|hour| hour.latency_ms.p99);
        Slot { at, good, bad: attempts.saturating_sub(good), p99 }
    };
    (last.saturating_sub(HOURS - 1)..=last).map(slot).collect()
}

/// The chart of a day.
pub(super) fn day(now: Timestamp, stats: &Stats) -> Day {
    let slots = slots(now, &stats.hours);
    let label =
        |(at, slot): (usize, &Slot)| (at, format!("{:02}:00", slot.at.seconds() / 3600 % 24));
    let ticks: Vec<_> = slots.iter().enumerate().step_by(TICK_HOURS).map(label).collect();
    let bars: Vec<_> = slots.iter().map(|slot| (slot.good as f64, slot.bad as f64)).collect();
    let Attempts { attempts, successes, .. } = stats.total;
    let said = format!(
        "Attempts in each of the last 24 hours: {} of {} succeeded",
        figure::number(successes),
        figure::number(attempts)
    );
    let key = |label, class| Series { label, class, values: Vec::new() };
    Day {
        chart: chart::bars(&said, &bars, &ticks),
        legend: chart::legend(&[key("succeeded", "accent"), key("failed", "bad")]),
    }
}

/// The figures of a day, and what waits now.
pub(super) fn tiles(now: Timestamp, stats: &Stats, waiting: Waiting) -> Vec<Tile> {
    let slots = slots(now, &stats.hours);
    let spark = |mood, of: fn(&Slot) -> u64| {
        let values: Vec<f64> = slots.iter().map(|slot| of(slot) as f64).collect();
        chart::spark(&values, mood)
    };
    let Attempts { attempts, successes, bytes, ref latency_ms } = stats.total;
    let failed = attempts.saturating_sub(successes);
    let millis = |ms: Option<u64>| ms.map(|ms| figure::micros(ms.saturating_mul(1_000)));
    let note = if waiting.is_none() { "nothing waits" } else { "not done yet" };
    let is_bad = |bad: bool| if bad { Mood::Bad.class() } else { "" };
    let tiles = [
        Tile {
            label: "Succeeded, 24 h",
            value: figure::share(successes, attempts),
            unit: "",
            note: format!("{} of {}", figure::number(successes), figure::number(attempts)),
            class: is_bad(failed > 0),
            spark: spark(Mood::Plain, |slot| slot.good),
        },
        Tile {
            label: "Answer",
            value: millis(latency_ms.p99).unwrap_or_else(|| "-".to_owned()),
            unit: "p99",
            note: millis(latency_ms.p50).map_or_else(String::new, |p50| format!("p50 {p50}")),
            class: "",
            spark: spark(Mood::Plain, |slot| slot.p99.unwrap_or_default()),
        },
        Tile {
            label: "Failed, 24 h",
            value: figure::number(failed),
            unit: if failed == 1 { "attempt" } else { "attempts" },
            note: format!("{} sent", figure::bytes(bytes)),
            class: "",
            spark: spark(Mood::Bad, |slot| slot.bad),
        },
        Tile {
            label: "Waiting",
            value: waiting.shown(),
            unit: if waiting.is_one() { "delivery" } else { "deliveries" },
            note: note.to_owned(),
            class: "",
            spark: markup::long("", 1),
        },
    ];
    tiles.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn hour(ago: u64, attempts: u64, successes: u64) -> Hour {
        let hour = Timestamp((NOW.0 / HOUR_MS - ago) * HOUR_MS);
        Hour { hour, attempts, successes, latency_ms: Latency { p50: None, p99: Some(9) } }
    }

    /// Guards the hours that the API leaves out: without them a quiet night would be no longer than
    /// an hour.
    #[test]
    fn a_day_has_each_of_its_hours() {
        let slots = slots(NOW, &[hour(30, 9, 9), hour(23, 7, 5), hour(0, 1, 1)]);
        assert_eq!(slots.len(), 24);
        assert_eq!((slots[0].good, slots[0].bad, slots[0].p99), (5, 2, Some(9)));
        assert_eq!((slots[1].good, slots[1].bad, slots[1].p99), (0, 0, None));
        assert_eq!((slots[23].good, slots[23].bad), (1, 0));
    }

    fn endpoint(changes: &[(&str, serde_json::Value)]) -> Endpoint {
        let mut shown = serde_json::json!({
            "id": "ep_1", "name": "crm", "url": "https://crm.example/", "origin": "api",
            "state": "enabled", "since": NOW, "locked": false, "events": ["*"],
            "breaker": { "state": "closed", "until": null, "failing_since": null },
            "created_at": NOW, "updated_at": NOW,
        });
        for (name, value) in changes {
            shown[*name] = value.clone();
        }
        serde_json::from_str(&shown.to_string()).unwrap()
    }

    /// Guards each branch of [`troubles`].
    #[test]
    fn what_is_wrong_is_said_and_nothing_else() {
        let said = |changes: &[(&str, serde_json::Value)]| {
            let found = troubles(NOW, &endpoint(changes));
            found.into_iter().map(|it| it.title).collect::<Vec<_>>()
        };
        assert!(said(&[]).is_empty());
        assert_eq!(said(&[("state", "paused".into())]), ["Paused now."]);
        assert_eq!(said(&[("locked", true.into())]), ["A secret of it does not open."]);
        let gone = said(&[("state", "disabled".into()), ("reason", "gone".into())]);
        assert!(gone[0].contains("410"), "{gone:?}");
        let disabled = said(&[("state", "disabled".into()), ("locked", true.into())]);
        assert_eq!(disabled, ["Disabled now by an operator."], "nothing waits for it");
        let breaker = |state: &str, until: Timestamp| {
            let since = Timestamp(NOW.0 - 240_000);
            serde_json::json!({ "state": state, "until": until, "failing_since": since })
        };
        let later = NOW.after(std::time::Duration::from_secs(38));
        let open = said(&[("breaker", breaker("open", later))]);
        assert_eq!(
            open,
            ["The breaker is open. Attempts fail, first 4 min ago. The next probe goes in 38 s."]
        );
        assert_eq!(
            said(&[("breaker", breaker("closed", NOW))]),
            ["Attempts fail, first 4 min ago."]
        );
        assert!(said(&[("breaker", breaker("half_open", NOW))])[0].contains("A probe"));
    }
}
