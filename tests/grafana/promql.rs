//! What an expression of PromQL names, held against what a gateway exposes.
//!
//! Reads as much of the language as the dashboard and the alerts use, and says so where there is
//! more. Never computes anything.

use std::collections::BTreeSet;

use super::exposed::Exposed;

/// What Prometheus adds to every series.
const OWN_LABELS: [&str; 2] = ["job", "instance"];
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const KEYWORDS: [&str; 5] = ["and", "or", "unless", "offset", "bool"];
const FUNCTIONS: [&str; 18] = [
    "absent",
    "clamp_max",
    "count",
    "delta",
    "histogram_quantile",
    "increase",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "predict_linear",
    "rate",
    "sum",
    "time",
    "topk",
    "avg",
    "bottomk",
    "clamp_min",
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name, a number, a time, or a variable of Grafana.
    Word(String),
    /// Without its quotes.
    Text(String),
    Sign(char),
}

/// An expression, and what was found in it.
pub(super) struct Expression<'e> {
    exposed: &'e Exposed,
    tokens: Vec<Token>,
    /// The series that it names.
    metrics: BTreeSet<String>,
    /// The labels that its sums are by.
    by: BTreeSet<String>,
    /// Everything that is wrong with it.
    pub(super) problems: Vec<String>,
}

impl<'e> Expression<'e> {
    pub(super) fn read(text: &str, exposed: &'e Exposed) -> Self {
        let (tokens, metrics, by) = (tokens(text), BTreeSet::new(), BTreeSet::new());
        let mut read = Self { exposed, tokens, metrics, by, problems: Vec::new() };
        read.look();
        read
    }

    /// Whether what it gives may have this label.
    pub(super) fn gives(&self, label: &str) -> bool {
        match self.by.is_empty() {
            false => self.by.contains(label),
            true => self.metrics.iter().any(|metric| self.exposed.has(metric, label)),
        }
    }

    fn look(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            let (token, next) = (self.tokens[at].clone(), self.tokens.get(at + 1).cloned());
            at = match token {
                // How far back is nobody's name.
                Token::Sign('[') => self.find(at, ']') + 1,
                Token::Sign(_) | Token::Text(_) => at + 1,
                Token::Word(word) if word.starts_with(|c: char| c.is_ascii_digit() || c == '$') => {
                    at + 1
                }
                Token::Word(word) => self.word(at, &word, next.as_ref()),
            };
        }
    }

    /// What stands at a word that is a name; gives where to go on.
    fn word(&mut self, at: usize, word: &str, next: Option<&Token>) -> usize {
        let is_opened = next == Some(&Token::Sign('('));
        if is_opened && GROUPINGS.contains(&word) {
            return self.grouping(at, word);
        }
        if is_opened
            || matches!(next, Some(Token::Word(next)) if GROUPINGS.contains(&next.as_str()))
        {
            if !FUNCTIONS.contains(&word) && !KEYWORDS.contains(&word) {
                self.problems.push(format!("`{word}` is no function that is known here"));
            }
            return at + 1;
        }
        if KEYWORDS.contains(&word) {
            return if word == "offset" { at + 2 } else { at + 1 };
        }
        self.metrics.insert(word.to_owned());
        if self.exposed.labels(word).is_none() {
            self.problems.push(format!("the gateway exposes no `{word}`"));
        }
        if next == Some(&Token::Sign('{')) { self.matchers(at + 2, word) } else { at + 1 }
    }

    /// The labels in `by (...)` are those of every series that is grouped.
    fn grouping(&mut self, at: usize, word: &str) -> usize {
        let end = self.find(at, ')');
        let names = self.tokens[at + 2..end].iter().filter_map(|token| match token {
            Token::Word(label) => Some(label.clone()),
            Token::Text(_) | Token::Sign(_) => None,
        });
        let labels: Vec<String> = names.collect();
        let grouped = match word {
            "by" | "without" => end + 1..self.closing(end + 1),
            _ => 0..self.tokens.len(),
        };
        let metrics: Vec<String> = self.named(grouped);
        if metrics.is_empty() {
            self.problems.push(format!("`{word}` stands before what it groups, in brackets"));
        }
        for (label, metric) in
            labels.iter().flat_map(|label| metrics.iter().map(move |it| (label, it)))
        {
            let is_own = OWN_LABELS.contains(&label.as_str());
            if !is_own && !self.exposed.has(metric, label) {
                self.problems.push(format!("`{metric}` has no label `{label}`"));
            }
        }
        if word == "by" {
            self.by.extend(labels);
        }
        end + 1
    }

    /// The series that are named in a part of the expression.
    fn named(&self, within: std::ops::Range<usize>) -> Vec<String> {
        let named = self.tokens[within].iter().filter_map(|token| match token {
            Token::Word(word) if word.starts_with("hookgate_") => Some(word.clone()),
            Token::Word(_) | Token::Text(_) | Token::Sign(_) => None,
        });
        named.collect()
    }

    /// What stands between braces behind a name; gives what comes behind them.
    fn matchers(&mut self, mut at: usize, metric: &str) -> usize {
        let end = self.find(at, '}');
        while at < end {
            let behind = self.tokens[at..end].iter().position(|it| matches!(it, Token::Text(_)));
            let Some(behind) = behind.map(|behind| at + behind) else { break };
            let (label, value) = (self.tokens[at].clone(), self.tokens[behind].clone());
            let signs: String = self.tokens[at + 1..behind].iter().filter_map(sign).collect();
            if let (Token::Word(label), Token::Text(value)) = (label, value) {
                self.matcher(metric, &label, &signs, &value);
            }
            // Behind the comma.
            at = behind + 2;
        }
        end + 1
    }

    fn matcher(&mut self, metric: &str, label: &str, signs: &str, value: &str) {
        if !self.exposed.has(metric, label) {
            self.problems.push(format!("`{metric}` has no label `{label}`"));
            return;
        }
        if value.contains('$') || [".*", ".+"].contains(&value) {
            return;
        }
        let values: Vec<&str> = match signs {
            "=" | "!=" => vec![value],
            "=~" | "!~" => value.split('|').collect(),
            _ => return self.problems.push(format!("`{signs}` is no comparison of labels")),
        };
        for value in values {
            if !self.exposed.has_value(metric, label, value) {
                self.problems.push(format!("`{metric}` never has {label}=\"{value}\""));
            }
        }
    }

    /// The next of these signs from here on, or the end.
    fn find(&self, at: usize, wanted: char) -> usize {
        let rest = self.tokens[at.min(self.tokens.len())..].iter();
        let found = rest.clone().position(|token| *token == Token::Sign(wanted));
        at + found.unwrap_or(rest.len())
    }

    /// Behind the bracket that closes the one here.
    fn closing(&self, at: usize) -> usize {
        let mut open = 0;
        for (number, token) in self.tokens.iter().enumerate().skip(at) {
            match token {
                Token::Sign('(') => open += 1,
                Token::Sign(')') => open -= 1,
                _ => (),
            }
            if open == 0 {
                return number;
            }
        }
        self.tokens.len()
    }
}

fn sign(token: &Token) -> Option<char> {
    match token {
        Token::Sign(sign) => Some(*sign),
        Token::Word(_) | Token::Text(_) => None,
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let is_part = |c: char| c.is_alphanumeric() || "_:.$".contains(c);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
                tokens.push(Token::Text(rest[..end].trim_matches('"').to_owned()));
                end
            }
            c if is_part(c) => {
                let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            c => {
                tokens.push(Token::Sign(c));
                c.len_utf8()
            }
        };
        rest = rest[end..].trim_start();
    }
    tokens
}
