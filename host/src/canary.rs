//! Which subjects the next version of a handler gets, before it gets all: its canary.
//!
//! A value of the configuration. The same subjects are chosen every time, by every gateway and
//! after every restart, so that no event of a subject is handled by one version and the next by
//! another. Beside it is the test that compares two versions by what was counted of them. Never
//! says which versions there are.

mod test;

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

pub use self::test::{ALPHA, Counted, LOOK_EVERY, bound, is_worse, p_value};
use crate::ids::Name;

/// What is hashed before the handler and the subject, so that nothing else is chosen alike.
const DOMAIN: &[u8] = b"hookgate canary 1\0";
/// The whole, in ten-thousandths.
const WHOLE: u16 = 10_000;

/// Which events the next version of a handler gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canary {
    /// Those of a share of the subjects.
    Share(Share),
    /// Those of the subjects that have a label with this value.
    Label {
        /// The name of the label.
        name: String,
        /// What it is.
        value: String,
    },
}

/// A share of the subjects, from 0.01 % to 50 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(
    /// In ten-thousandths.
    u16,
);

/// A text that is no [`Share`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is a percentage such as \"5%\", from 0.01% to 50%")]
pub struct InvalidShare;

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share} of the subjects"),
            Self::Label { name, value } => write!(f, "subjects with the label {name}={value}"),
        }
    }
}

impl Share {
    const LEAST: Self = Self(1);
    const MOST: Self = Self(WHOLE / 2);

    /// Whether it has this subject of a handler; of an event without a subject, its id stands for
    /// one. A larger share has all subjects of a smaller.
    pub fn takes(self, handler: &Name, scope: &str) -> bool {
        let hash = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(handler.as_str())
            .chain_update([0_u8])
            .chain_update(scope)
            .finalize();
        let first =
            hash.iter().take(8).fold(0_u128, |first, byte| (first << 8) | u128::from(*byte));
        first * u128::from(WHOLE) < u128::from(self.0) << 64
    }
}

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let number = text.strip_suffix('%').ok_or(InvalidShare)?.trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| {
            (1..=2).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit())
        };
        if !is_number(whole) || !is_number(decimals) {
            return Err(InvalidShare);
        }
        let number = |digits: &str| digits.parse::<u16>().map_err(|_| InvalidShare);
        let decimals = number(decimals)? * if decimals.len() == 1 { 10 } else { 1 };
        let share = Self(number(whole)? * 100 + decimals);
        if (Self::LEAST..=Self::MOST).contains(&share) { Ok(share) } else { Err(InvalidShare) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 100, self.0 % 100);
        match decimals {
            0 => write!(f, "{whole}%"),
            tens if tens % 10 == 0 => write!(f, "{whole}.{}%", tens / 10),
            _ => write!(f, "{whole}.{decimals:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn a_share_is_read_and_shown_as_people_write_it() {
        for text in ["5%", "0.01%", "50%", "2.5%", "12.34%"] {
            assert_eq!(share(text).to_string(), text);
        }
        assert_eq!((share("5.0%"), share("05.00 %")), (share("5%"), share("5%")));
        for wrong in
            ["5", "0%", "0.00%", "50.01%", "60%", "100%", "-1%", "1.234%", ".5%", "x%", "%"]
        {
            assert_eq!(wrong.parse::<Share>(), Err(InvalidShare), "{wrong}");
        }
    }

    /// What was chosen once is chosen by every Hookgate: these subjects are those of the hash that
    /// the documentation describes.
    #[test]
    fn the_subjects_of_a_share_are_the_same_for_ever() {
        let handler = "dunning".parse().unwrap();
        let taken = |share: Share| {
            (0..60).filter(|it| share.takes(&handler, &format!("pi_{it}"))).collect::<Vec<u32>>()
        };
        assert_eq!(taken(share("5%")), [13, 40, 48, 58]);
        assert_eq!(taken(share("10%")), [6, 13, 40, 48, 58]);
        assert!(!share("5%").takes(&"mailer".parse().unwrap(), "pi_13"), "each handler has others");
    }

    #[test]
    fn a_larger_share_keeps_the_subjects_of_a_smaller_and_has_about_as_many_as_it_says() {
        let handler: &Name = &"dunning".parse().unwrap();
        let (small, large) = (share("5%"), share("20%"));
        let subjects: Vec<String> = (0..10_000).map(|it| format!("cus_{it}")).collect();
        let of = |share: Share| subjects.iter().filter(move |it| share.takes(handler, it));
        assert!(of(small).all(|subject| large.takes(handler, subject)));
        assert!((400..=600).contains(&of(small).count()), "{}", of(small).count());
        assert!((1_900..=2_100).contains(&of(large).count()), "{}", of(large).count());
    }
}
