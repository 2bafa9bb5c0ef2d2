//! A report of a rehearsal, for a person: what it came to, then a line for each kind of difference.
//!
//! Says nothing that differs from one rehearsal of the same store to the next. Never judges.

use crate::cli::output::cell;
use crate::rehearsal::{Group, Report, Sample};

/// Most characters of a value; JSON has more of it.
const VALUE_CHARS_MAX: usize = 60;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// Prints a report.
pub(super) fn print(report: &Report, memory_limit_bytes: u64) -> anyhow::Result<()> {
    lines(report, memory_limit_bytes).iter().try_for_each(|line| say!("{line}"))
}

fn lines(report: &Report, memory_limit_bytes: u64) -> Vec<String> {
    let Report { plugin, version, digest, role, compared, equal, differing, .. } = report;
    let not_compared: u64 = report.not_compared.values().sum();
    let what = if role == "provider" { "requests" } else { "runs" };
    let all = spaced(compared + not_compared);
    let [equal, differing, missed] = [*equal, *differing, not_compared].map(spaced);
    let digest = digest.get(..8).unwrap_or(digest);
    let mut lines = vec![format!(
        "{plugin} {version} ({digest}..) over {all} {what}: {equal} equal, {differing} differ, \
         {missed} not compared"
    )];
    let widths = |of: fn(&Group) -> String| {
        report.groups.iter().map(|group| of(group).chars().count()).max().unwrap_or(0)
    };
    let (count, field) = (widths(|it| spaced(it.count)), widths(|it| cell(&it.field)));
    for group in &report.groups {
        let Group { kind, samples, .. } = group;
        let sample = samples.first().map(difference).unwrap_or_default();
        let more = match samples.len().saturating_sub(1) {
            0 => String::new(),
            more => format!("   ({more} more: --json)"),
        };
        let shown = format!(
            "  {:>count$}  {kind:<14}  {:<field$}   {sample}{more}",
            spaced(group.count),
            cell(&group.field)
        );
        lines.push(shown.trim_end().to_owned());
    }
    if not_compared > 0 {
        let why =
            |(why, count): (&String, &u64)| format!("{} {}", why.replace('_', " "), spaced(*count));
        let why: Vec<String> = report.not_compared.iter().map(why).collect();
        lines.push(format!("not compared: {}", why.join(", ")));
    }
    if *compared > 0 {
        let [used, limit] =
            [report.memory_bytes, memory_limit_bytes].map(|bytes| bytes as f64 / MEBIBYTE);
        lines.push(format!("memory  at most {used:.1} MiB of {limit:.0} MiB"));
    }
    lines
}

fn difference(sample: &Sample) -> String {
    let Sample { id, recorded, now, .. } = sample;
    format!("{id}: {} -> {}", value(recorded), value(now))
}

/// A value, cut where it is long.
fn value(text: &str) -> String {
    let text = cell(text);
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

/// A number with its thousands apart.
fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ids::{Id, IdKind};

    fn report() -> Report {
        let sample = |position: u64, now: &str| Sample {
            id: Id { kind: IdKind::Run, position, tag: 7 },
            event: None,
            recorded: "3".to_owned(),
            now: now.to_owned(),
        };
        let group = |kind: &str, field: &str, count: u64, samples: Vec<Sample>| Group {
            kind: kind.to_owned(),
            field: field.to_owned(),
            count,
            samples,
        };
        Report {
            plugin: "dunning".to_owned(),
            version: "1.5.0".to_owned(),
            digest: "3f9a0b1c2d".to_owned(),
            role: "handler".to_owned(),
            compared: 99_990,
            equal: 98_789,
            differing: 1_201,
            not_compared: BTreeMap::from([("unknown_state".to_owned(), 10)]),
            memory_bytes: 1_153_434,
            groups: vec![
                group(
                    "effect_field",
                    "notice data.failures",
                    1_200,
                    vec![sample(1, "4"), sample(2, "5")],
                ),
                group("log", "lines", 1, vec![sample(3, "a\nb")]),
            ],
            measured: None,
        }
    }

    #[test]
    fn a_report_is_a_line_for_the_whole_and_one_for_each_kind_of_difference() {
        let lines = lines(&report(), 32 << 20);
        let first = Id { kind: IdKind::Run, position: 1, tag: 7 };
        let third = Id { kind: IdKind::Run, position: 3, tag: 7 };
        let expected = [
            "dunning 1.5.0 (3f9a0b1c..) over 100,000 runs: 98,789 equal, 1,201 differ, 10 not \
             compared"
                .to_owned(),
            format!(
                "  1,200  effect_field    notice data.failures   {first}: 3 -> 4   (1 more: --json)"
            ),
            format!("      1  log             lines                  {third}: 3 -> a\\u000ab"),
            "not compared: unknown state 10".to_owned(),
            "memory  at most 1.1 MiB of 32 MiB".to_owned(),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_many_has_its_thousands_apart() {
        assert_eq!(value(&"é".repeat(61)), format!("{}..", "é".repeat(60)));
        assert_eq!([0, 999, 1_000, 1_234_567].map(spaced), ["0", "999", "1,000", "1,234,567"]);
    }
}
