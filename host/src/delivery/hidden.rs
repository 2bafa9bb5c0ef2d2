//! What the answer of an endpoint may not show: the endpoint's own secrets, which it may repeat.
//!
//! Knows those of one endpoint, as all writings have them, and takes them out before an answer is
//! stored. Never gives one away.

use std::fmt;

use crate::secrets::{HIDDEN, Redaction, Secret};

/// A key that signs has as many bytes at least, whatever writes it.
const KEY_BYTES_MIN: usize = 24;
/// The beginning of a secret that is worth a look where an answer was cut off.
const CUT_BYTES_MIN: usize = 8;
/// An answer that is shorter than it may be by less may have been cut off within a character.
const CHAR_BYTES_MAX: usize = 4;

/// The secrets of one endpoint.
pub(super) struct Hidden {
    secrets: Vec<Secret>,
    redaction: Redaction,
    /// No text that is shorter has one of them in it.
    shortest: usize,
}

impl Hidden {
    pub(super) fn of(secrets: Vec<Secret>) -> Self {
        let redaction = Redaction::default();
        redaction.learn(&secrets);
        let lengths = secrets.iter().map(|secret| secret.expose().len().min(KEY_BYTES_MIN));
        let shortest = lengths.min().unwrap_or(usize::MAX);
        Self { secrets, redaction, shortest }
    }

    /// Takes them out of a text, which was cut off if it had more bytes than this, and then has no
    /// more either.
    pub(super) fn take_out_of(&self, text: &mut String, most: usize) {
        if text.len() < self.shortest {
            return;
        }
        let is_cut = text.len() + CHAR_BYTES_MAX > most;
        if let Some(shown) = self.redaction.of_text(text) {
            *text = shown;
        }
        if is_cut {
            self.hide_end(text);
        }
        text.truncate(text.floor_char_boundary(most));
    }

    /// Hides the beginning of a secret that a text ends with.
    fn hide_end(&self, text: &mut String) {
        let cut = |secret: &Secret| {
            let whole = secret.expose();
            let mut ends = (CUT_BYTES_MIN..whole.len()).rev();
            ends.find(|end| whole.is_char_boundary(*end) && text.ends_with(&whole[..*end]))
        };
        if let Some(cut) = self.secrets.iter().filter_map(cut).max() {
            text.truncate(text.len() - cut);
            text.push_str(HIDDEN);
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn shown(text: &str, most: usize) -> String {
        let secrets = [SIGNING, "open sesame"].map(|text| Secret::new(text).unwrap());
        let mut text = text.to_owned();
        Hidden::of(secrets.to_vec()).take_out_of(&mut text, most);
        text
    }

    #[test]
    fn what_an_endpoint_repeats_of_its_secrets_is_hidden_however_it_writes_them() {
        assert_eq!(shown("you sent open sesame", 99), "you sent (hidden)");
        assert_eq!(shown(&format!("key: {SIGNING}"), 99), "key: (hidden)");
        for written in ["Basic YTpvcGVuIHNlc2FtZQ==", "open%20sesame", &SIGNING[6..]] {
            let shown = shown(&format!("you sent {written}"), 99);
            assert!(!shown.contains(written), "{shown}");
        }
        assert_eq!(shown("all is well", 99), "all is well");
    }

    #[test]
    fn the_beginning_of_a_secret_is_hidden_where_the_answer_was_cut_off() {
        let text = format!("key: {}", &SIGNING[..20]);
        assert_eq!(shown(&text, 25), "key: (hidden)");
        assert_eq!(shown(&text, 99), text, "it was not cut off");
    }

    #[test]
    fn an_answer_does_not_grow_beyond_what_is_kept() {
        let mut text = "ä".repeat(40);
        Hidden::of(vec![Secret::new("ä").unwrap()]).take_out_of(&mut text, 81);
        assert_eq!(text.len(), 81);
        let mut text = "ä".repeat(40);
        Hidden::of(vec![Secret::new("x").unwrap()]).take_out_of(&mut text, 41);
        assert_eq!(text.len(), 40);
        let mut text = "as it is".to_owned();
        Hidden::of(Vec::new()).take_out_of(&mut text, 3);
        assert_eq!(text, "as it is");
    }
}
