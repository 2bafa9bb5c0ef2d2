//! The files in `deploy/grafana/`, as Grafana and Prometheus read them.
//!
//! Of YAML it reads the form that the rules are written in. Never judges what they say.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

fn file(path: &str) -> String {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    std::fs::read_to_string(repository.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The dashboard as Grafana imports it.
pub(super) fn dashboard() -> Value {
    serde_json::from_str(&file("deploy/grafana/dashboard.json")).expect("it is JSON")
}

/// The members of a list.
pub(super) fn all(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// An alert rule: its fields, labels and annotations by their keys.
#[derive(Debug, Default)]
pub(super) struct Rule(BTreeMap<String, String>);

impl Rule {
    /// The text of a field; empty if there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// All of its texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

/// The alert rules, in the order of the file.
pub(super) fn rules() -> Vec<Rule> {
    let text = file("deploy/grafana/alerts.yaml");
    let mut rules: Vec<Rule> = Vec::new();
    // The key whose text goes on in the lines that are indented more than it.
    let mut folded: Option<(String, usize)> = None;
    for line in text.lines() {
        let (said, indent) = (line.trim(), line.len() - line.trim_start().len());
        if said.is_empty() || indent == 0 {
            folded = None;
            continue;
        }
        if let Some((key, _)) = folded.as_ref().filter(|(_, least)| indent > *least) {
            let text = rules.last_mut().and_then(|rule| rule.0.get_mut(key)).expect("a rule");
            *text = format!("{text} {said}").trim().to_owned();
            continue;
        }
        folded = None;
        if let Some(name) = said.strip_prefix("- alert: ") {
            rules.push(Rule(BTreeMap::from([("alert".to_owned(), name.to_owned())])));
            continue;
        }
        let Some((key, value)) = said.split_once(": ") else { continue };
        let Some(rule) = rules.last_mut().filter(|_| !key.starts_with('-')) else { continue };
        let is_folded = value == ">-";
        folded = is_folded.then(|| (key.to_owned(), indent));
        let value = if is_folded { "" } else { value.trim_matches('"') };
        rule.0.insert(key.to_owned(), value.to_owned());
    }
    rules
}

/// The anchors of the headings of a paper, as they are linked to.
pub(super) fn anchors(path: &str) -> Vec<String> {
    let text = file(path);
    let headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}
