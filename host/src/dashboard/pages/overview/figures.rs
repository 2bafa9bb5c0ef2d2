//! The figures of the overview, one tile each.
//!
//! Pure. Never shows a figure without what it counts.

use std::time::Duration;

use super::counted::{Overview, Point, Times};
use super::traffic::Sums;
use crate::dashboard::markup::{Markup, Mood};
use crate::dashboard::{chart, figure};

/// One figure, with what is to say of it.
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) unit: &'static str,
    pub(super) note: String,
    /// Whether the note is bad news.
    pub(super) is_bad: bool,
    pub(super) spark: Markup,
}

/// All of them: first how it comes in, then what becomes of it.
pub(super) fn tiles(overview: &Overview, sums: Option<&Sums>) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = incoming(overview, sums).into();
    tiles.extend(outgoing(overview, sums));
    tiles
}

fn incoming(overview: &Overview, sums: Option<&Sums>) -> [Tile; 5] {
    let total = &overview.total;
    let asked = total.accepted + total.duplicates + total.refused;
    let (accepted, unit, accepted_note) = match sums {
        Some(sums) => sums.accepted_shown(),
        None => rate(total.accepted, overview.counted_for()),
    };
    let turned_away = match (total.put_off, total.failed) {
        (0, 0) => figure::counted(total.refused, "request", "requests"),
        (put_off, 0) => format!("{} put off", figure::number(put_off)),
        (0, failed) => format!("{} failed", figure::number(failed)),
        (put_off, failed) => {
            format!("{} put off, {} failed", figure::number(put_off), figure::number(failed))
        }
    };
    let is_bad = total.put_off + total.failed > 0;
    let mood = mood_of(total.refused > 0, Mood::Bad);
    [
        Tile {
            label: "Accepted",
            value: accepted,
            unit,
            note: accepted_note,
            is_bad: false,
            spark: overview.spark(|it| it.figures.accepted, Mood::Plain),
        },
        Tile {
            label: "Duplicates",
            value: figure::share(total.duplicates, asked),
            unit: "",
            note: counted(total.duplicates),
            is_bad: false,
            spark: overview.spark(|it| it.figures.duplicates, Mood::Plain),
        },
        Tile {
            label: "Refused",
            value: figure::share(total.refused, asked),
            unit: "",
            note: turned_away,
            is_bad,
            spark: overview.spark(|it| it.figures.refused, mood),
        },
        timed("Answer", &total.answer_us, overview, |it| &it.figures.answer_us),
        made(
            ("Parsed", "failed try", "failed tries"),
            (total.parsed, total.parse_failures),
            overview.spark(|it| it.figures.parsed, Mood::Plain),
        ),
    ]
}

fn outgoing(overview: &Overview, sums: Option<&Sums>) -> [Tile; 5] {
    let total = &overview.total;
    let (delivered, unit) = match sums {
        Some(sums) => (figure::number(sums.delivered), ""),
        None => {
            let (value, unit, _) = rate(total.delivered, overview.counted_for());
            (value, unit)
        }
    };
    let attempts = total.delivered + total.attempt_failures;
    let waiting_for = overview.waiting_for_s.map(Duration::from_secs).map(figure::span);
    let mood = mood_of(overview.waiting > 0, Mood::Warn);
    [
        made(
            ("Run", "failed try", "failed tries"),
            (total.ran, total.run_failures),
            overview.spark(|it| it.figures.ran, Mood::Plain),
        ),
        Tile {
            label: "Delivered",
            value: delivered,
            unit,
            note: match attempts {
                0 => "no attempt".to_owned(),
                _ => format!("{} of attempts", figure::share(total.delivered, attempts)),
            },
            is_bad: total.attempt_failures > 0,
            spark: overview.spark(|it| it.figures.delivered, Mood::Info),
        },
        timed("To the endpoint", &total.delivery_us, overview, |it| &it.figures.delivery_us),
        Tile {
            label: "Waiting",
            value: figure::number(overview.waiting),
            unit: "",
            note: waiting_for.map_or("nothing waits".to_owned(), |it| format!("oldest {it}")),
            is_bad: false,
            spark: overview.spark(|it| it.waiting, mood),
        },
        Tile {
            label: "Dead letters",
            value: figure::number(overview.dead),
            unit: "",
            note: if overview.dead > 0 { "to look at" } else { "nothing is dead" }.to_owned(),
            is_bad: overview.dead > 0,
            spark: overview.spark(|it| it.dead, mood_of(overview.dead > 0, Mood::Bad)),
        },
    ]
}

/// The time within which something ended.
fn timed(
    label: &'static str,
    times: &Times,
    overview: &Overview,
    of: fn(&Point) -> &Times,
) -> Tile {
    let (value, unit, note) = match (times.p50, times.p99) {
        (Some(p50), Some(p99)) => {
            (figure::micros(p99), "p99", format!("p50 {}", figure::micros(p50)))
        }
        _ => ("-".to_owned(), "", "nothing yet".to_owned()),
    };
    let values = overview.points.iter().map(|it| of(it).p99.unwrap_or_default() as f64);
    let spark = chart::spark(&values.collect::<Vec<_>>(), Mood::Plain);
    Tile { label, value, unit, note, is_bad: false, spark }
}

/// What plugins made, and how often they failed at it.
fn made(
    (label, one, more): (&'static str, &str, &str),
    (many, failures): (u64, u64),
    spark: Markup,
) -> Tile {
    let note = match failures {
        0 => "none failed".to_owned(),
        _ => figure::counted(failures, one, more),
    };
    Tile { label, value: figure::number(many), unit: "", note, is_bad: failures > 0, spark }
}

fn mood_of(is_so: bool, mood: Mood) -> Mood {
    if is_so { mood } else { Mood::Plain }
}

/// `412 requests`; nothing is said in words.
fn counted(many: u64) -> String {
    if many == 0 { "none yet".to_owned() } else { figure::counted(many, "request", "requests") }
}

/// How many there were in a second, or in all where that is less than one in a second: value, unit
/// and note.
fn rate(many: u64, over: Duration) -> (String, &'static str, String) {
    match many {
        0 => ("0".to_owned(), "", "none yet".to_owned()),
        _ if many >= over.as_secs() => (figure::per_second(many, over), "/s", counted(many)),
        _ => (figure::number(many), "", "in the last hour".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the condition of `rate`: three a minute are not `<0.1 /s`.
    #[test]
    fn what_happens_rarely_is_counted_and_not_divided() {
        let hour = Duration::from_secs(3_600);
        let shown = |many| {
            let (value, unit, _) = rate(many, hour);
            format!("{value} {unit}")
        };
        assert_eq!([0, 180, 1_483_200].map(shown), ["0 ", "180 ", "412 /s"]);
    }
}
