//! One event on its way to the listener's own URL: signed as a delivery is, and posted until it is
//! accepted.
//!
//! Every attempt has the id of the event and a time and a signature of its own. Never says how far
//! the listener has come.

use std::time::{Duration, Instant};

use ::http::{HeaderName, header};

use super::told::Told;
use crate::cli::http::Forward;
use crate::cli::output::note;
use crate::cli::pause;
use crate::clock::Clock;
use crate::delivery::{Content, content};
use crate::endpoint::Format;
use crate::signing::{self, SigningKey};

/// Says that an event came before, and somebody replayed it.
const REPLAY: HeaderName = HeaderName::from_static("hookgate-replay");

/// Before the second attempt; before each further one, twice as long.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How events go out.
pub(super) struct Post {
    pub(super) to: Forward,
    pub(super) keys: [SigningKey; 1],
    pub(super) format: Format,
    /// After this many attempts an event is given up; without it, none is.
    pub(super) attempts_max: Option<u32>,
}

/// How an event went out.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) told: Told,
    pub(super) attempts: u32,
    /// The status that accepted it, or why it was given up.
    pub(super) ended: Result<u16, String>,
    /// Of the last attempt.
    pub(super) took: Duration,
}

impl Post {
    /// Posts an event until it is accepted or given up.
    pub(super) async fn until_accepted(&self, told: Told) -> Posted {
        let Content { content_type, body } = content(self.format, &told.event, None);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let now = Clock::System.now();
            let mut headers = signing::headers(told.id.clone(), now.seconds(), &body, &self.keys);
            headers.push((header::CONTENT_TYPE, content_type.clone()));
            if told.is_replay {
                headers.push((REPLAY, "true".to_owned()));
            }
            let began = Instant::now();
            let answered = self.to.post(headers, body.clone()).await;
            let took = began.elapsed();
            let why = match answered {
                Ok(status @ 200..=299) => {
                    return Posted { told, attempts, ended: Ok(status), took };
                }
                Ok(status) => format!("the answer was {status}"),
                Err(why) => why,
            };
            if self.attempts_max.is_some_and(|most| attempts >= most) {
                return Posted { told, attempts, ended: Err(why), took };
            }
            let pause = pause(attempts);
            let seconds = pause.as_secs_f64();
            let id = &told.id;
            note(format_args!("{id}: attempt {attempts}: {why}; the next in {seconds:.1} s"));
            tokio::time::sleep(pause).await;
        }
    }
}

/// How long to wait after this many attempts.
fn pause(attempts: u32) -> Duration {
    pause::growing(PAUSE, PAUSE_MAX, attempts.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        assert!(pause(1) <= PAUSE.mul_f64(1.2));
        assert!(pause(4) > pause(1));
        assert!(pause(u32::MAX) <= PAUSE_MAX.mul_f64(1.2));
    }
}
