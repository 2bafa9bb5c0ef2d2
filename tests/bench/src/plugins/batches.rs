//! Requests that bring several events each, for each of which `dunning` runs and emits a notice.
//!
//! Thousands of runs a second come of hundreds of requests: so what is measured is what becomes of
//! runs, and not how many requests two cores can accept. Never signed.

use crate::payload::{Batch, DIGITS, MARK};

/// As many requests, with as many events each as come together. Each event has a number, which goes
/// on from one request to the next.
pub(super) fn batch(requests: usize, together: usize) -> Batch {
    Batch::of(requests, |number| request(number, together))
}

/// The whole request of a number, and the length of its body.
fn request(number: usize, together: usize) -> (Vec<u8>, usize) {
    let first = number * together;
    let events: Vec<String> = (first..first + together).map(event).collect();
    let body = format!("[{}]", events.join(","));
    let request = format!(
        "POST /in/events HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/cloudevents-batch+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    (request.into_bytes(), body.len())
}

fn event(number: usize) -> String {
    let id = format!("{MARK}{number:0DIGITS$}");
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/bench\",\"subject\":\"{id}\",\
         \"type\":\"payment.failed\",\"data\":{{\"text\":\"{:x<512}\"}}}}",
        ""
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::payload::number;

    #[test]
    fn events_are_numbered_from_one_request_to_the_next() {
        let batch = batch(20, 10);
        for sent in [0, 1, 19] {
            assert_eq!(number(batch.body(sent)), Some(10 * sent));
            let body: Value = serde_json::from_slice(batch.body(sent)).unwrap();
            let events = body.as_array().unwrap();
            assert_eq!(events.len(), 10);
            for (at, event) in events.iter().enumerate() {
                let id = format!("{MARK}{:0DIGITS$}", 10 * sent + at);
                assert!(event["id"] == id && event["subject"] == id, "{event}");
                assert_eq!(event["type"], "payment.failed");
            }
        }
    }
}
