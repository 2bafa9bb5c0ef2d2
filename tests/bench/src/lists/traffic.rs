//! What comes in while lists are asked for: events like those that are stored, at a steady rate.
//!
//! Every event is new, also to a store that has seen an earlier run.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::spread::Spread;
use crate::load::{Schedule, open};
use crate::payload::{Batch, DIGITS, MARK};
use crate::supply::Supply;
use crate::times::Times;

/// Requests a second.
pub(crate) const RATE: usize = 1000;
/// Requests between two looks whether it is over.
const PART: usize = 10 * RATE;
/// Bytes of a body: blanks fill what the event leaves.
const BODY_BYTES: usize = 320;

/// The source that they come in by.
pub(super) const SOURCE: &str = "[sources.events]\nplugin = \"cloudevents\"\nverify = \"none\"\n";

/// So many requests.
pub(crate) fn batch(count: usize, spread: Spread) -> Batch {
    let salt = fastrand::u64(..);
    Batch::of(count, |number| request(number, salt, spread))
}

/// Sends until it is over, or until nothing is left; gives how long the answers took.
pub(super) fn send(to: SocketAddr, supply: &Supply, over: &AtomicBool) -> anyhow::Result<Times> {
    let mut times = Times::default();
    while !over.load(Ordering::Relaxed) && !supply.is_empty() {
        let part = supply.part(PART);
        times.join(open(to, Schedule::new(RATE, &part), &part)?);
    }
    Ok(times)
}

/// The whole request of a number, and the length of its body.
fn request(number: usize, salt: u64, spread: Spread) -> (Vec<u8>, usize) {
    let id = format!("{MARK}{number:0DIGITS$}{salt:016x}");
    let (event_type, subject) = (Spread::event_type(number), spread.subject(number));
    let event = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/bench\",\"type\":\"{event_type}\",\
         \"subject\":\"{subject}\",\"data\":{{\"text\":\"{:x<64}\"}}}}",
        ""
    );
    let body = format!("{event:<BODY_BYTES$}");
    let request = format!(
        "POST /in/events HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/cloudevents+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    (request.into_bytes(), body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_of_one_length_and_differ_from_those_of_another_run() {
        let spread = Spread::of(1_000);
        let (one, another) = (batch(30, spread), batch(30, spread));
        for number in 0..30 {
            assert_eq!(crate::payload::number(one.body(number)), Some(number));
            assert_ne!(one.body(number), another.body(number));
            let event: serde_json::Value = serde_json::from_slice(one.body(number)).unwrap();
            assert_eq!(event["type"], Spread::event_type(number));
            assert_eq!(event["subject"], spread.subject(number));
        }
        assert_eq!(one.body_bytes(), BODY_BYTES);
    }
}
