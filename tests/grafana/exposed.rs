//! What a gateway exposes: the names of its series, their labels, and the values of these.
//!
//! Read from the text of `/metrics`. Never looks at a number.

use std::collections::{BTreeMap, BTreeSet};

/// The values of each label.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// The labels of each series by its name, such as `hookgate_ingest_seconds_bucket`.
#[derive(Debug, Default)]
pub(super) struct Exposed(BTreeMap<String, Labels>);

impl Exposed {
    /// Adds what one gateway exposes.
    pub(super) fn add(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            // An exemplar has labels of its own.
            let line = line.split(" # ").next().unwrap_or_default();
            let (series, _) = line.rsplit_once(' ').expect("a series and a number");
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').expect("it is closed")),
                None => (series, ""),
            };
            let known = self.0.entry(name.to_owned()).or_default();
            for label in labels.split("\",").filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once("=\"").expect("a label and a text");
                let values = known.entry(label.to_owned()).or_default();
                values.insert(value.trim_end_matches('"').to_owned());
            }
        }
    }

    /// The labels of the series of this name; `None` if there are no such series.
    pub(super) fn labels(&self, name: &str) -> Option<&Labels> {
        self.0.get(name)
    }

    pub(super) fn has(&self, name: &str, label: &str) -> bool {
        self.labels(name).is_some_and(|labels| labels.contains_key(label))
    }

    /// Whether a label of this name has had this value, which is nothing where it is missing.
    pub(super) fn has_value(&self, name: &str, label: &str, value: &str) -> bool {
        let values = self.labels(name).and_then(|labels| labels.get(label));
        value.is_empty() || values.is_some_and(|values| values.contains(value))
    }
}
