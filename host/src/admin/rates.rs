//! How often each token may ask, so that a program that has gone wild does not keep out others.
//!
//! Whoever asks without a token, on this machine while there is none, may ask as often as they
//! like. Never decides who may ask.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::time::Instant;

use super::problem::{Kind, Problem};
use crate::ids::Name;
use crate::lock::lock;
use crate::rate::Rate;

/// Requests of a token in a second.
const PER_SECOND: u32 = 100;
/// Requests of a token at once.
const AT_ONCE: u32 = 1000;
/// Tokens that are remembered: more than there may be.
const TOKENS_MAX: usize = 4096;

/// How often each token has asked.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<BTreeMap<Name, Rate>>);

impl Rates {
    /// Lets a request of a token pass, unless there were too many just now.
    pub(super) fn pass(&self, token: &Name, now: Instant) -> Result<(), Problem> {
        let mut rates = lock(&self.0);
        if !rates.contains_key(token) {
            if rates.len() >= TOKENS_MAX {
                rates.clear();
            }
            rates.insert(token.clone(), Rate::new(PER_SECOND, AT_ONCE));
        }
        let passed = rates.get(token).map_or(Ok(()), |rate| rate.pass(now));
        passed.map_err(|_| {
            let detail = format!(
                "the token `{token}` sends more than {PER_SECOND} requests a second, and has used \
                 up {AT_ONCE} more"
            );
            Problem::new(Kind::TooManyRequests, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_that_asks_too_often_waits_and_no_other_does() {
        let (rates, now) = (Rates::default(), Instant::now());
        let [wild, calm] = ["wild", "calm"].map(|name| name.parse::<Name>().unwrap());
        let passed = (0..5000).filter(|_| rates.pass(&wild, now).is_ok()).count();
        assert_eq!(passed, 1000);
        assert_eq!(rates.pass(&wild, now).unwrap_err().kind(), Kind::TooManyRequests);
        assert!(rates.pass(&calm, now).is_ok());
        assert!(rates.pass(&wild, now + Duration::from_millis(11)).is_ok());
    }
}
