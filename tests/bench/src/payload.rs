//! What is posted: Stripe's `payment_intent.payment_failed`, a little over 1 KiB, each with ids of
//! its own.
//!
//! Written and signed before anything is measured, as whole requests, so that sending costs nothing
//! but the sending. As random where Stripe's are (ids, amounts, times) and as alike where they are
//! not: that decides how small they become on disk.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use memchr::memmem;
use sha2::Sha256;

/// What the source is signed with.
pub(crate) const SECRET: &str = "whsec_bench";

/// The body; `{...}` is filled in.
const TEMPLATE: &str = include_str!("payload.json");

/// Stands in a subject before its number.
pub(crate) const MARK: &str = "Bench";

/// Digits of a number.
pub(crate) const DIGITS: usize = 8;

/// What is random of a body is other than what is random of its subject.
const OTHER: u64 = 1 << 63;

const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Requests of one length, one after the other, known by their number.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    stride: usize,
    body_bytes: usize,
}

impl Batch {
    /// So many, the same for the same number of each.
    pub(crate) fn write(count: usize) -> Self {
        Self::of(count, |number| request("stripe", number))
    }

    /// So many that are in no other batch: for a store that goes on from one run to the next.
    pub(crate) fn anew(count: usize) -> Self {
        let salt = fastrand::u64(1..);
        Self::of(count, |number| salted("stripe", number, salt))
    }

    /// So many of another kind, given as the whole request of a number and the length of its body:
    /// both lengths must be the same for all.
    pub(crate) fn of(count: usize, request: impl Fn(usize) -> (Vec<u8>, usize) + Sync) -> Self {
        let request = &request;
        let first = request(0);
        let (stride, body_bytes) = (first.0.len(), first.1);
        let mut bytes = vec![0; count * stride];
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = count.div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for (part, chunk) in bytes.chunks_mut(share * stride).enumerate() {
                scope.spawn(move || {
                    for (index, slot) in chunk.chunks_mut(stride).enumerate() {
                        slot.copy_from_slice(&request(part * share + index).0);
                    }
                });
            }
        });
        Self { bytes, stride, body_bytes }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / self.stride
    }

    /// Bytes of each body.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// The body of this number, or of one that is like it.
    pub(crate) fn body(&self, number: usize) -> &[u8] {
        let request = self.request(number % self.count());
        &request[request.len() - self.body_bytes..]
    }

    /// The id of the event in the body of this number.
    pub(crate) fn event_id(&self, number: usize) -> &str {
        let body = self.text(number);
        let from = body.find("evt_").expect("a payload has an id");
        body[from..].split('"').next().expect("it ends")
    }

    /// The object of the event in the body of this number.
    pub(crate) fn object(&self, number: usize) -> &str {
        let body = self.text(number);
        let from = body.find("\"object\": {").expect("a payload has an object") + 10;
        let end = body.find("\n    }\n  },").expect("the object ends") + 6;
        &body[from..end]
    }

    /// The headers of every request.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let request = self.request(0);
        let head = &request[..request.len() - self.body_bytes];
        let head = std::str::from_utf8(head).expect("a head is text");
        head.lines().filter_map(|line| line.split_once(": "))
    }

    fn text(&self, number: usize) -> &str {
        std::str::from_utf8(self.body(number)).expect("a body is text")
    }

    /// The whole request of this number, head and body.
    pub(crate) fn request(&self, number: usize) -> &[u8] {
        &self.bytes[number * self.stride..][..self.stride]
    }
}

/// The number of the payload that a delivery comes of, or of the notice about it.
pub(crate) fn number(delivered: &[u8]) -> Option<usize> {
    let at = memmem::find(delivered, MARK.as_bytes())? + MARK.len();
    std::str::from_utf8(delivered.get(at..at + DIGITS)?).ok()?.parse().ok()
}

/// What is posted to a source of this name: head and body of a number, and the length of the body.
pub(crate) fn request(source: &str, number: usize) -> (Vec<u8>, usize) {
    salted(source, number, 0)
}

/// The same as for the source `stripe`, but that one in as many is about the subject of the one
/// before it.
pub(crate) fn paired(number: usize, one_in: usize) -> (Vec<u8>, usize) {
    let about = if number % one_in == one_in - 1 { number - 1 } else { number };
    signed("stripe", &body(number, 0, &subject(about, 0)))
}

fn salted(source: &str, number: usize, salt: u64) -> (Vec<u8>, usize) {
    signed(source, &body(number, salt, &subject(number, salt)))
}

fn signed(source: &str, body: &str) -> (Vec<u8>, usize) {
    let time = seconds();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(format!("{time}.").as_bytes());
    mac.update(body.as_bytes());
    let digest = hex::encode(mac.finalize().into_bytes());
    // The headers that Stripe sends.
    let host = SocketAddr::from(([127, 0, 0, 1], 80));
    let mut request = format!(
        "POST /in/{source} HTTP/1.1\r\nhost: {host}\r\n\
         user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n\
         content-length: {}\r\naccept: */*; q=0.5, application/xml\r\ncache-control: no-cache\r\n\
         content-type: application/json; charset=utf-8\r\n\
         stripe-signature: t={time},v1={digest}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body.as_bytes());
    (request, body.len())
}

/// Another for each number, and for each salt.
fn subject(number: usize, salt: u64) -> String {
    let mut random = fastrand::Rng::with_seed(number as u64 ^ salt);
    format!("{MARK}{number:0DIGITS$}{}", letters(&mut random, 10))
}

fn letters(random: &mut fastrand::Rng, count: usize) -> String {
    (0..count).map(|_| char::from(LETTERS[random.usize(..LETTERS.len())])).collect()
}

/// The same, about a subject.
fn body(number: usize, salt: u64, subject: &str) -> String {
    let mut random = fastrand::Rng::with_seed(number as u64 ^ salt ^ OTHER);
    let mut body = TEMPLATE.trim_end().to_owned();
    let event = format!("{}{number:0DIGITS$}", letters(&mut random, 15));
    for (name, text) in [("{event}", event.as_str()), ("{subject}", subject)] {
        body = body.replace(name, text);
    }
    for (name, count) in [("{a}", 25), ("{b}", 14), ("{c}", 23), ("{d}", 23), ("{e}", 14)] {
        body = body.replace(name, &letters(&mut random, count));
    }
    for (name, digits) in [("{t}", 5), ("{cents}", 3), ("{last}", 4)] {
        let text: String = (0..digits).map(|_| random.digit(10)).collect();
        body = body.replace(name, &text);
    }
    body
}

#[expect(clippy::disallowed_methods, reason = "who signs outside of the gateway has no Clock")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_number_and_all_have_one_length() {
        let batch = Batch::write(5);
        assert_eq!(batch.count(), 5);
        assert!((1024..1400).contains(&batch.body_bytes()), "{}", batch.body_bytes());
        for sent in 0..5 {
            assert_eq!(number(batch.request(sent)), Some(sent));
            let body = body(sent, 0, &subject(sent, 0));
            assert!(!batch.request(sent).contains(&b'{') || !body.contains("{a}"));
        }
        assert_ne!(batch.body(1), batch.body(2));
        assert!(batch.event_id(1).starts_with("evt_1") && batch.event_id(1).ends_with("00000001"));
        let object: serde_json::Value = serde_json::from_str(batch.object(2)).unwrap();
        assert_eq!(object["object"], "payment_intent");
        assert_eq!(batch.headers().count(), 7);
    }

    #[test]
    fn one_in_as_many_is_about_the_subject_of_the_one_before_it() {
        let batch = Batch::of(6, |number| paired(number, 3));
        let numbers: Vec<_> = (0..6).map(|it| number(batch.body(it)).unwrap()).collect();
        assert_eq!(numbers, [0, 1, 1, 3, 4, 4]);
        assert_ne!(batch.event_id(1), batch.event_id(2));
    }

    #[test]
    fn what_is_written_anew_has_ids_of_its_own() {
        let batches = [Batch::write(2), Batch::anew(2), Batch::anew(2)];
        let [written, one, another] = batches.each_ref().map(|batch| batch.event_id(1));
        assert!(written != one && one != another && another != written);
        assert!(batches.iter().all(|batch| number(batch.body(1)) == Some(1)));
        assert_eq!(batches[0].body_bytes(), batches[1].body_bytes());
    }
}
