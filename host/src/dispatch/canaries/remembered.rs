//! What was decided about subjects by a label: another event of a subject may lack it.
//!
//! As many subjects as fit; of those that came first, the decision is made anew. Lives in memory
//! only, so a label should be one that all events of a subject have. Never decides itself.

use std::collections::{HashMap, VecDeque};

use twox_hash::XxHash3_64;

/// Subjects whose decisions are remembered, of one handler.
const SUBJECTS_MAX: usize = 65_536;

/// The decisions about the subjects of one handler, by a label.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The name and the value that they were made by.
    by: (String, String),
    decided: HashMap<u64, bool>,
    /// The hashes of the subjects, oldest first.
    order: VecDeque<u64>,
}

impl Remembered {
    /// The decision about a subject: the first one that was made by this label.
    pub(super) fn decision(
        &mut self,
        (name, value): (&str, &str),
        subject: &str,
        decide: impl FnOnce() -> bool,
    ) -> bool {
        if (self.by.0.as_str(), self.by.1.as_str()) != (name, value) {
            *self = Self { by: (name.to_owned(), value.to_owned()), ..Self::default() };
        }
        let hash = XxHash3_64::oneshot(subject.as_bytes());
        if let Some(decided) = self.decided.get(&hash) {
            return *decided;
        }
        if self.order.len() >= SUBJECTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.decided.remove(&oldest);
        }
        let decision = decide();
        self.decided.insert(hash, decision);
        self.order.push_back(hash);
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: (&str, &str) = ("account", "acme");

    #[test]
    fn the_first_decision_about_a_subject_holds_until_the_label_is_another() {
        let mut remembered = Remembered::default();
        assert!(remembered.decision(ACME, "pi_1", || true));
        assert!(!remembered.decision(ACME, "pi_2", || false));
        assert!(remembered.decision(ACME, "pi_1", || false), "another event lacks the label");
        assert!(!remembered.decision(ACME, "pi_2", || true));
        assert!(!remembered.decision(("account", "globex"), "pi_1", || false));
    }

    /// Without the end of the oldest, whoever names ever new subjects takes all memory.
    #[test]
    fn no_more_subjects_are_remembered_than_fit() {
        let mut remembered = Remembered::default();
        for number in 0..SUBJECTS_MAX + 10 {
            remembered.decision(ACME, &format!("pi_{number}"), || true);
        }
        assert_eq!(
            (remembered.decided.len(), remembered.order.len()),
            (SUBJECTS_MAX, SUBJECTS_MAX)
        );
        assert!(!remembered.decision(ACME, "pi_0", || false), "it is decided anew");
    }
}
