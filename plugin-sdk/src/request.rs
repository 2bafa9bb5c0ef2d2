//! A request as the gateway received it.
//!
//! The case of a header's name does not matter. Values are as they arrived, and never trimmed.

use crate::claims::Refusal;
use crate::event::Timestamp;
use crate::json::{InvalidJson, Json};
use crate::{id, time};

pub use crate::bindings::provider::hookgate::plugin::types::{Header, Request};

/// Three bytes before a text in UTF-8 that are not part of it.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Request {
    /// A `POST` of `body` without headers, with which `hookgate send` and tests begin.
    pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            received_at: 0,
        }
    }

    /// Every value of the header, in the order of arrival.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }

    /// The first value of the header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The first value of the header, if it can be an event's id: 1 to 255 bytes.
    pub fn id_header(&self, name: &str) -> Option<&str> {
        self.header(name).filter(|value| id::fits(value))
    }

    /// The id of the only event in the request: `own`, the provider's id, if it has 1 to 255 bytes,
    /// else an id derived from the whole body. A retry repeats the body; any other event has
    /// another body.
    pub fn event_id(&self, own: Option<String>) -> String {
        own.filter(|own| id::fits(own)).unwrap_or_else(|| id::derived(&[&self.body]))
    }

    /// The value of a header that must be there exactly once, such as one with a signature. Refuses
    /// two, because another reader might believe the other one.
    pub fn the_header(&self, name: &str) -> Result<&str, Refusal> {
        let mut values = self.headers(name);
        let Some(value) = values.next() else {
            return Err(Refusal::new(format!("header `{name}` is missing")));
        };
        if values.next().is_some() {
            return Err(Refusal::new(format!("header `{name}` is repeated")));
        }
        Ok(value)
    }

    /// The signing time in a header that must be there exactly once, in seconds since 1970: the
    /// text as it is written, which is what the provider signed, and the time.
    pub fn the_time(&self, name: &str) -> Result<(&str, Timestamp), Refusal> {
        let written = self.the_header(name)?;
        let at = time::from_unix(written)
            .ok_or_else(|| Refusal::new(format!("header `{name}` is not a time in seconds")))?;
        Ok((written, at))
    }

    /// Replaces every value of the header with this one.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.remove_header(name);
        self.headers.push(Header { name: name.to_ascii_lowercase(), value: value.into() });
    }

    /// Removes every value of the header.
    pub fn remove_header(&mut self, name: &str) {
        self.headers.retain(|header| !header.name.eq_ignore_ascii_case(name));
    }

    /// The body without the byte order mark that some senders put before it. Read this, but claim
    /// [`Piece::Body`](crate::Piece::Body), the body as it arrived, as what was signed.
    pub fn content(&self) -> &[u8] {
        self.body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.body)
    }

    /// The body as a JSON document, after a check of all of it.
    pub fn json(&self) -> Result<Json<'_>, InvalidJson> {
        Json::parse(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(names: &[&str]) -> Request {
        let mut request = Request::post("/in/x", "");
        for (value, name) in names.iter().enumerate() {
            let header = Header { name: (*name).to_owned(), value: value.to_string() };
            request.headers.push(header);
        }
        request
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        assert_eq!(signed(&["x-signature"]).header("X-Signature"), Some("0"));
        assert_eq!(signed(&["X-Signature"]).the_header("x-signature").unwrap(), "0");
    }

    #[test]
    fn a_signature_header_must_be_there_once() {
        assert!(signed(&[]).the_header("x-signature").is_err());
        assert!(signed(&["x-signature", "X-Signature"]).the_header("x-signature").is_err());
    }

    #[test]
    fn a_header_that_can_be_no_id_is_none() {
        let mut request = signed(&[]);
        for (value, expected) in [("e1", Some("e1")), ("", None), (&"x".repeat(256), None)] {
            request.set_header("x-event-id", value);
            assert_eq!(request.id_header("X-Event-Id"), expected);
        }
    }

    #[test]
    fn an_event_without_an_id_has_one_of_its_body() {
        let of = |body: &str, own: Option<&str>| {
            Request::post("/in/x", body).event_id(own.map(ToOwned::to_owned))
        };
        assert_eq!(of("{}", Some("evt_1")), "evt_1");
        assert_eq!(of("{}", None), of("{}", Some("")));
        assert_ne!(of("{}", None), of("{ }", None));
    }

    #[test]
    fn a_signing_time_is_seconds() {
        let mut request = signed(&[]);
        request.set_header("x-time", "1700000000");
        assert_eq!(request.the_time("X-Time").unwrap(), ("1700000000", 1_700_000_000_000));
        for time in ["", "-1", "1.5", "abc", " 1"] {
            request.set_header("x-time", time);
            assert!(request.the_time("x-time").is_err(), "{time}");
        }
    }

    #[test]
    fn a_header_that_is_set_stands_alone() {
        let mut request = signed(&["a", "A", "b"]);
        request.set_header("A", "new");
        assert_eq!(request.headers("a").collect::<Vec<_>>(), ["new"]);
        assert_eq!(request.header("b"), Some("2"));
    }
}
