//! Events of many types, so that each type can have an endpoint of its own: CloudEvents of about
//! 700 bytes, in turn of each type.
//!
//! Never signed.

use crate::payload::{DIGITS, MARK};

/// The source that takes them.
pub(crate) const SOURCE: &str = "[sources.events]\nplugin = \"cloudevents\"\nverify = \"none\"\n";

/// The type of a number, of so many types: at most a hundred.
pub(crate) fn type_of(number: usize, types: usize) -> String {
    format!("bench.e{:02}", number % types)
}

/// The whole request of a number, of so many types, and the length of its body.
pub(crate) fn request(number: usize, types: usize) -> (Vec<u8>, usize) {
    event(&format!("{MARK}{number:0DIGITS$}"), &type_of(number, types), "")
}

/// The whole request of an event with this id and type, and with more attributes, each with a comma
/// behind it; and the length of its body.
pub(crate) fn event(id: &str, of: &str, more: &str) -> (Vec<u8>, usize) {
    let body = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/bench\",\"subject\":\"{id}\",\
         \"type\":\"{of}\",{more}\"data\":{{\"text\":\"{:x<512}\"}}}}",
        ""
    );
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
    use crate::payload::{Batch, number};

    #[test]
    fn the_types_take_turns_and_all_have_one_length() {
        let batch = Batch::of(200, |number| request(number, 100));
        for sent in [0, 57, 99, 157] {
            assert_eq!(number(batch.body(sent)), Some(sent));
            let body: serde_json::Value = serde_json::from_slice(batch.body(sent)).unwrap();
            assert_eq!(body["type"], format!("bench.e{:02}", sent % 100));
        }
    }
}
