//! Nothing may happen only because somebody reads the log: a line is made only if it is shown.

use super::sources;

/// The macros whose arguments are evaluated only if somebody listens.
const LOGGING: [&str; 11] = [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Calls that change something.
const CHANGES: [&str; 17] = [
    ".await",
    ".take()",
    ".replace(",
    ".insert(",
    ".remove(",
    ".push(",
    ".pop(",
    ".extend(",
    ".next()",
    ".set(",
    ".swap(",
    ".send(",
    ".store(",
    ".fetch_",
    ".inc()",
    ".lock()",
    "lock(&",
];

/// The code with blanks in place of what texts and comments hold.
pub(super) fn without_texts(code: &str) -> String {
    apart(code).0
}

/// The same, and the texts, each with the place in the code where it stood.
pub(super) fn apart(code: &str) -> (String, Vec<(usize, &str)>) {
    let (mut plain, mut texts) = (String::new(), Vec::new());
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let raw = rest.starts_with("r\"").then_some("\"");
        let raw = raw.or_else(|| rest.starts_with("r#\"").then_some("\"#"));
        let is_char = first == '\'' && rest.chars().nth(2) == Some('\'');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(end) = raw {
            let begin = end.len() + 1;
            begin + rest[begin..].find(end).map_or(rest.len() - begin, |at| at + end.len())
        } else if first == '"' {
            text_length(rest)
        } else if rest.starts_with("'\\") || is_char {
            let inside = 1 + rest[1..].chars().next().map_or(1, char::len_utf8);
            inside + rest[inside..].find('\'').map_or(1, |at| at + 1)
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        if rest.starts_with("//") {
            plain.push(' ');
        } else {
            texts.push((plain.len(), rest.get(..length).unwrap_or(rest)));
            // What stands for a text is a value all the same.
            plain.push('0');
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    (plain, texts)
}

fn text_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, char)| {
        let ends = *char == '"' && !escaped;
        escaped = *char == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// What stands between the brackets of every logging macro.
fn log_lines(code: &str) -> Vec<String> {
    let plain = without_texts(code);
    let mut lines = Vec::new();
    for (at, _) in plain.match_indices("!(") {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let name = plain[..at].rsplit(|c: char| !is_name(c)).next().unwrap_or_default();
        if !LOGGING.contains(&name) {
            continue;
        }
        let mut depth = 0;
        let end = plain[at + 1..].find(|char| {
            depth += i32::from(char == '(') - i32::from(char == ')');
            depth == 0
        });
        lines.push(plain[at + 2..at + 1 + end.expect("brackets close")].to_owned());
    }
    lines
}

/// What would happen in a log line, and only if somebody listens.
fn side_effect(line: &str) -> Option<String> {
    let squeezed: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(change) = CHANGES.iter().find(|change| squeezed.contains(**change)) {
        return Some((*change).to_owned());
    }
    let (mut depth, mut before) = (0, ' ');
    let chars: Vec<char> = line.chars().filter(|char| !char.is_whitespace()).collect();
    for (at, char) in chars.iter().copied().enumerate() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        let ends_value = before.is_alphanumeric() || "_)]}\"".contains(before);
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            // Before a value it says how to show it; behind one it leaves the function.
            '?' if ends_value => return Some("`?`".to_owned()),
            '=' if "+-*/%&|^".contains(before) => return Some("an assignment".to_owned()),
            // Outside of all brackets it names a field.
            '=' if depth > 0 && ends_value && next != '=' && next != '>' => {
                return Some("an assignment".to_owned());
            }
            _ => (),
        }
        before = char;
    }
    None
}

#[test]
fn nothing_happens_only_because_somebody_reads_the_log() {
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "examples"]) {
        for line in log_lines(&text) {
            let found = side_effect(&line);
            assert!(found.is_none(), "{path}: {} in a log line: {line}", found.unwrap_or_default());
        }
    }
}

#[test]
fn what_happens_in_a_log_line_is_found() {
    let hidden = [
        r#"swept => debug!(swept = ?swept?, "swept the store"),"#,
        "tracing::info!(\n    count = %count(\n        store\n    )?,\n    \"counted (\",\n);",
        r#"warn!("{}", self.told.take().unwrap_or_default());"#,
        "error!(\n    \"failed: {}\",\n    answer\n        .await,\n);",
        r#"debug!(left = { left -= 1; left }, "a step");"#,
        r#"trace!(now = { self.last = now; now });"#,
        r#"info_span!("call", number = numbers.next());"#,
    ];
    for code in hidden {
        assert!(log_lines(code).iter().any(|line| side_effect(line).is_some()), "{code}");
    }
    let plain = [
        r##"info!(id = %id, ?swept, why = why == 3 && a <= b, "what? x = y.await {reason}");"##,
        r#"// debug!(swept = ?swept?)"#,
        r#"warn!(plugin = stem, error = %chain(&error), "failed: {}", items.len());"#,
        r#"my_debug!(swept?); let text = "debug!(swept?)";"#,
        "error!(\n    \"failed (\\\") {}\",\n    \
         texts.iter().map(|it| it.len()).max().is_some(),\n);",
    ];
    for code in plain {
        let found: Vec<_> = log_lines(code).iter().filter_map(|line| side_effect(line)).collect();
        assert!(found.is_empty(), "{found:?} in {code}");
    }
}
