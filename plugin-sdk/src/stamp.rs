//! How providers write the time at which they signed.
//!
//! The signature covers the time as it is written, so it is never written again.

use crate::event::Timestamp;
use crate::time;

/// The form of a signing time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `2026-01-01T00:00:00Z`.
    Rfc3339,
}

impl Stamp {
    pub(crate) fn read(self, written: &str) -> Option<Timestamp> {
        match self {
            Self::Seconds => time::from_unix(written),
            Self::Milliseconds => time::from_unix_ms(written),
            Self::Rfc3339 => time::from_rfc3339(written),
        }
    }

    /// Whether it is clear where a time begins and ends with a digit right beside it: those in
    /// digits have one length from 2001 to 2286.
    pub(crate) fn has_usual_length(self, written: &str) -> bool {
        match self {
            Self::Seconds => written.len() == 10,
            Self::Milliseconds => written.len() == 13,
            // Its own form tells.
            Self::Rfc3339 => true,
        }
    }

    pub(crate) fn write(self, at: Timestamp) -> String {
        match self {
            Self::Seconds => time::to_unix(at).to_string(),
            Self::Milliseconds => at.to_string(),
            Self::Rfc3339 => time::to_rfc3339(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back() {
        for (stamp, written, at) in [
            (Stamp::Seconds, "1700000000", 1_700_000_000_000),
            (Stamp::Milliseconds, "1700000000999", 1_700_000_000_999),
            (Stamp::Rfc3339, "2023-11-14T22:13:20.999Z", 1_700_000_000_999),
        ] {
            assert_eq!(stamp.write(1_700_000_000_999), written);
            assert_eq!(stamp.read(written), Some(at));
            assert_eq!(stamp.read(""), None);
        }
    }

    #[test]
    fn a_stamp_with_a_digit_more_or_less_is_unusual() {
        for (stamp, usual) in
            [(Stamp::Seconds, "1700000000"), (Stamp::Milliseconds, "1700000000999")]
        {
            assert!(stamp.has_usual_length(usual));
            assert!(!stamp.has_usual_length(&usual[1..]));
            assert!(!stamp.has_usual_length(&format!("0{usual}")));
        }
        assert!(Stamp::Rfc3339.has_usual_length("2023-11-14T22:13:20Z"));
    }
}
