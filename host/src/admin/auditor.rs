//! Who writes down what was done: without secrets, and with a line in the log for each entry.
//!
//! The line has the entry's number and hash, so that a log that is kept elsewhere tells an audit
//! log that somebody made anew. Never decides what is worth an entry.

use serde_json::Value;
use tracing::{error, info};

use crate::secrets::Redaction;
use crate::store::{self, Deed, Store};

/// Writes to the audit log. Clones write to the same.
#[derive(Debug, Clone)]
pub(crate) struct Auditor {
    pub(crate) store: Store,
    pub(crate) redaction: Redaction,
}

impl Auditor {
    /// Adds an entry. An error means that it may not be there; it is in the log then.
    pub(crate) async fn record(&self, deed: Deed) -> Result<(), store::Error> {
        let deed = without_secrets(&self.redaction, deed);
        let Deed { who, from, what, outcome, .. } = deed.clone();
        match self.store.record(deed).await {
            Ok(entry) => {
                let (number, hash) = (entry.number, entry.hash);
                info!(number, hash, who, from, what, outcome, "added an entry to the audit log");
                Ok(())
            }
            Err(error) => {
                let why = crate::causes::chain(&error);
                error!(who, from, what, outcome, "failed to add this to the audit log: {why}");
                Err(error)
            }
        }
    }
}

fn without_secrets(redaction: &Redaction, deed: Deed) -> Deed {
    let text = |text: String| redaction.of_text(&text).unwrap_or(text);
    let value = |value: Value| {
        let shown = redaction.of_json(&value.to_string());
        serde_json::from_str(&shown).unwrap_or(Value::Null)
    };
    let Deed { who, from, what, before, after, outcome } = deed;
    Deed {
        who: text(who),
        from: text(from),
        what: text(what),
        before: value(before),
        after: value(after),
        outcome: text(outcome),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secrets::Secret;

    #[test]
    fn no_secret_stands_in_an_entry() {
        let redaction = Redaction::default();
        redaction.learn(&[Secret::new("whsec_planted_91c2").unwrap()]);
        let planted = || "x whsec_planted_91c2".to_owned();
        let value = || json!({ "url": [planted()] });
        let deed = Deed {
            who: planted(),
            from: planted(),
            what: planted(),
            before: value(),
            after: value(),
            outcome: planted(),
        };
        let shown = format!("{:?}", without_secrets(&redaction, deed));
        assert!(!shown.contains("planted") && shown.matches("(hidden)").count() == 6, "{shown}");
    }
}
