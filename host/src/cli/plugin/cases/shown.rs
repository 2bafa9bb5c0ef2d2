//! What came out of a run, in lines, and how it differs from what a case expects.
//!
//! Two runs are alike if and only if their lines are: so a difference that fails a case is always
//! seen. Long lines are cut where they are alike. Never looks at a file.

use serde_json::Value;

use super::document::Document;
use super::produced::{Emitted, Ending, Held, Produced, Raised, Sent, State, severity};

/// The widest line of a difference, with the sign in front of it.
const COLUMNS_MAX: usize = 100;
/// What stands in front of a line: a sign, and blanks.
const MARGIN: usize = 4;
/// How much of what is alike stands in front of the first character that differs.
const BEFORE: usize = 24;
/// Most lines of a difference.
const LINES_MAX: usize = 60;
/// Most pairs of lines that are compared; beyond, all of them count as different.
const PAIRS_MAX: usize = 4_000_000;

/// All that came out of a run on a subject with this state, in lines.
pub(super) fn lines(produced: &Produced, before: &State) -> Vec<String> {
    let mut lines = Vec::new();
    match &produced.outcome {
        Ending::Ok => lines.push("outcome: ok".to_owned()),
        Ending::Failed(failed) => {
            let after = failed.retry_after_ms.map(|after| format!(", not before {after} ms"));
            let (kind, reason) = (failed.kind(), quoted(&failed.reason));
            lines.push(format!("outcome: {kind}, {reason}{}", after.unwrap_or_default()));
        }
    }
    for Emitted { event_type, subject, money, labels, data, tenant } in &produced.emit {
        lines.push(format!("emit {event_type}"));
        let tenant = tenant.as_ref().map(ToString::to_string);
        for (name, value) in [("subject", subject), ("money", money), ("tenant", &tenant)] {
            lines.extend(value.iter().map(|value| format!("  {name}: {}", quoted(value))));
        }
        let labels =
            labels.iter().map(|(name, value)| format!("  label {name}: {}", quoted(value)));
        lines.extend(labels);
        document("  data", data, &mut lines);
    }
    for Sent { endpoint, content_type, body, body_base64 } in &produced.send {
        lines.push(format!("send {endpoint} {content_type}"));
        if let Some(body) = body {
            document("  body", body, &mut lines);
        }
        lines.extend(body_base64.iter().map(|body| format!("  body in base64: {body}")));
    }
    for Raised { severity: how, message } in &produced.alert {
        lines.push(format!("alert {}: {}", severity(*how), quoted(message)));
    }
    for (key, held) in produced.state.as_ref().unwrap_or(before) {
        lines.push(format!("state {}: {}", quoted(key), value(held)));
    }
    lines.extend(produced.log.iter().map(|line| format!("log {}", quoted(line))));
    lines
}

fn value(held: &Held) -> String {
    held.text().map_or_else(|| format!("0x{}", hex::encode(&held.0)), quoted)
}

/// A text as JSON has it: on one line, and no other text looks like it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Adds a line for each value in a document; one for all of it, if its text counts.
fn document(name: &str, document: &Document, lines: &mut Vec<String>) {
    match document.meaning() {
        Some(meaning) => members(name, &meaning, lines),
        None if document.text.contains(char::is_control) => {
            lines.push(format!("{name}, quoted: {}", quoted(&document.text)));
        }
        None => lines.push(format!("{name}, as text: {}", document.text)),
    }
}

/// Adds a line for each value below this one.
fn members(name: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in sorted {
                let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
                let is_word = !key.is_empty() && key.chars().all(is_plain);
                let key = if is_word { key.clone() } else { quoted(key) };
                self::members(&format!("{name}.{key}"), value, lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                members(&format!("{name}[{index}]"), item, lines);
            }
        }
        other => lines.push(format!("{name}: {other}")),
    }
}

/// What differs: a line with `-` for each that is expected and not there, one with `+` for each
/// that is there and not expected, and one without a sign to say what they belong to.
pub(super) fn difference(expected: &[String], got: &[String]) -> Vec<String> {
    let mut shown = Vec::new();
    // What the lines at hand belong to, unless it is shown already.
    let mut head: Option<&String> = None;
    for Hunk { alike, gone, new } in hunks(expected, got) {
        head = alike.iter().rfind(|line| is_head(line)).or(head);
        let first = gone.first().or(new.first());
        if first.is_some_and(|line| !is_head(line))
            && let Some(head) = head.take()
        {
            shown.push(format!("    {}", cut(head, 0)));
        }
        if gone.iter().chain(new).any(|line| is_head(line)) {
            head = None;
        }
        let pairs = gone.iter().zip(new);
        let alike: Vec<usize> = pairs.map(|(gone, new)| alike_until(gone, new)).collect();
        for (sign, lines) in [('-', gone), ('+', new)] {
            let from = alike.iter().copied().chain(std::iter::repeat(0));
            shown.extend(
                lines.iter().zip(from).map(|(line, it)| format!("  {sign} {}", cut(line, it))),
            );
        }
    }
    let more = shown.len().saturating_sub(LINES_MAX);
    if more > 0 {
        shown.truncate(LINES_MAX);
        shown.push(format!("    and {more} more lines"));
    }
    shown
}

fn is_head(line: &str) -> bool {
    !line.starts_with(' ')
}

/// Lines that are alike, and behind them lines that are not.
#[derive(Debug)]
struct Hunk<'l> {
    alike: &'l [String],
    gone: &'l [String],
    new: &'l [String],
}

/// Compares line by line, with as few lines as can be that are not alike.
fn hunks<'l>(expected: &'l [String], got: &'l [String]) -> Vec<Hunk<'l>> {
    let start = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let (a, b) = (&expected[start..], &got[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let alike = &expected[..start];
    if a.len().saturating_mul(b.len()) > PAIRS_MAX {
        return vec![Hunk { alike, gone: a, new: b }];
    }
    // How many lines can be alike from here to the end.
    let width = b.len() + 1;
    let mut most = vec![0_u32; (a.len() + 1) * width];
    for (i, line) in a.iter().enumerate().rev() {
        for (j, other) in b.iter().enumerate().rev() {
            most[i * width + j] = if line == other {
                most[(i + 1) * width + j + 1] + 1
            } else {
                most[(i + 1) * width + j].max(most[i * width + j + 1])
            };
        }
    }
    let mut hunks = Vec::new();
    let (mut i, mut j, mut alike) = (0, 0, alike);
    while i < a.len() || j < b.len() {
        let (gone, new) = (i, j);
        while i < a.len() && j < b.len() && a[i] != b[j] {
            if most[(i + 1) * width + j] >= most[i * width + j + 1] { i += 1 } else { j += 1 }
        }
        if i == a.len() || j == b.len() {
            (i, j) = (a.len(), b.len());
        }
        if (gone, new) != (i, j) {
            hunks.push(Hunk { alike, gone: &a[gone..i], new: &b[new..j] });
        }
        let from = i;
        while i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        }
        alike = &a[from..i];
    }
    hunks
}

/// How many characters two lines have in common from their beginning.
fn alike_until(line: &str, other: &str) -> usize {
    line.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

/// A line that is not too wide, with what stands around this character.
fn cut(line: &str, at: usize) -> String {
    let (length, room) = (line.chars().count(), COLUMNS_MAX - MARGIN);
    if length <= room {
        return line.to_owned();
    }
    let from = at.saturating_sub(BEFORE).min(length - room + 2);
    let lead = if from > 0 { "…" } else { "" };
    let piece: String = line.chars().skip(from).take(room - 2).collect();
    let rest = if from + room - 2 < length { "…" } else { "" };
    [lead, &piece, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[&str]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    fn produced(text: &str) -> Produced {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_difference_shows_what_is_missing_and_what_is_new_below_what_it_belongs_to() {
        let expected =
            texts(&["outcome: ok", "emit a.b", "  data.n: 3", "  data.o: 1", "log \"a\""]);
        let got = texts(&["outcome: ok", "emit a.b", "  data.n: 4", "  data.o: 1", "emit c.d"]);
        let shown = difference(&expected, &got);
        let wanted =
            ["    emit a.b", "  -   data.n: 3", "  +   data.n: 4", "  - log \"a\"", "  + emit c.d"];
        assert_eq!(shown, wanted);
        assert!(difference(&got, &got).is_empty());
        assert_eq!(difference(&[], &texts(&["a"])), ["  + a"]);
        assert_eq!(difference(&texts(&["a", "b", "c"]), &texts(&["b"])), ["  - a", "  - c"]);
    }

    #[test]
    fn a_long_line_is_cut_where_it_is_alike() {
        let line = |end: &str| texts(&[&format!("log \"{}{end}\"", "x".repeat(300))]);
        let shown = difference(&line("yes"), &line("no"));
        for (line, end) in shown.iter().zip(["xyes\"", "xno\""]) {
            assert!(line.ends_with(end) && line.chars().count() <= COLUMNS_MAX, "{line}");
        }
        let wide = difference(&[], &line(""));
        assert!(wide[0].ends_with('…') && wide[0].chars().count() <= COLUMNS_MAX, "{wide:?}");
    }

    #[test]
    fn a_difference_has_an_end() {
        let many: Vec<String> = (0..3_000).map(|number| format!("log \"{number}\"")).collect();
        let others: Vec<String> = (0..3_000).map(|number| format!("log \"n{number}\"")).collect();
        let shown = difference(&many, &others);
        assert_eq!(shown.len(), LINES_MAX + 1);
        assert_eq!(shown.last().map(String::as_str), Some("    and 5940 more lines"));
    }

    #[test]
    fn what_is_not_alike_has_other_lines() {
        let all = [
            "",
            "outcome = { failure = 'transient', reason = 'a' }",
            "outcome = { failure = 'transient', reason = 'a', retry_after_ms = 1 }",
            "outcome = { failure = 'permanent', reason = 'a' }",
            "state = {}",
            "state = { a = '1' }",
            "state = { a = { base64 = '/w==' } }",
            "log = ['info: a']",
            "log = ['info: a', 'info: b']",
            "emit = [{ type = 'a.b' }]",
            "emit = [{ type = 'a.b', subject = 's' }]",
            "emit = [{ type = 'a.b', money = '1 EUR' }]",
            "emit = [{ type = 'a.b', tenant = 't' }]",
            "emit = [{ type = 'a.b', labels = { s = 's' } }]",
            "emit = [{ type = 'a.b', data = [] }]",
            "emit = [{ type = 'a.b', data = { n = 1 } }]",
            "emit = [{ type = 'a.b', data = { n = 1.0 } }]",
            "emit = [{ type = 'a.b', data = { n = '1' } }]",
            "emit = [{ type = 'a.b', data = { n = { m = 1 } } }]",
            "emit = [{ type = 'a.b', data = { 'n.m' = 1 } }]",
            "emit = [{ type = 'a.b', data = '{\"n\":1}' }]",
            "send = [{ endpoint = 'crm', body = { n = 1 } }]",
            "send = [{ endpoint = 'crm', body = \"a\\nb\" }]",
            "send = [{ endpoint = 'crm', body = 'a\\nb' }]",
            "send = [{ endpoint = 'crm', body_base64 = 'YQ==' }]",
            "send = [{ endpoint = 'crm', content_type = 'text/plain', body = { n = 1 } }]",
            "alert = [{ severity = 'info', message = 'a' }]",
            "alert = [{ severity = 'critical', message = 'a' }]",
        ];
        let before = produced("state = { b = '2' }").state.unwrap();
        let lines = all.map(|text| lines(&produced(text), &before));
        for (number, one) in lines.iter().enumerate() {
            assert!(!lines[..number].contains(one), "{}", all[number]);
        }
    }
}
