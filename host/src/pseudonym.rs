//! Pseudonyms: keyed digests that stand in a request in place of what nobody may keep.
//!
//! Equal values have equal pseudonyms under one key, and nobody without the key can guess the value
//! by trying. A value keeps its type: a text becomes a text, a number a number. Pure: whoever makes
//! one says the key. Never writes down a value that it has replaced.

mod form;
mod json;
mod place;

use std::fmt;

use bytes::Bytes;
use ring::hmac;

pub(crate) use self::place::Place;
use crate::event::Request;
use crate::headers::Headers;

/// Every pseudonym of a text begins so.
const PREFIX: &str = "redacted-";
/// Bytes of the digest that a text shows.
const DIGEST_BYTES: usize = 16;
/// A shorter value is not looked for within other texts: it stands there by chance.
const FOUND_BYTES_MIN: usize = 4;

const FORM: &str = "application/x-www-form-urlencoded";

/// Why the places in a body can't be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Of another kind.
    #[error(
        "the body is neither JSON nor a form, so the gateway can't find in it what `redact` names"
    )]
    Kind,
    /// It begins like JSON.
    #[error("the body begins like JSON and is not valid, so the gateway can't redact it")]
    Json,
    /// It is encrypted as it came, and stored so.
    #[error("the body is encrypted, so the gateway can't find in it what `redact` names")]
    Encrypted,
}

/// What makes pseudonyms.
trait Pseudonym {
    /// That of a text.
    fn text(&mut self, text: &str) -> String;
    /// That of a number, as JSON writes both.
    fn number(&mut self, number: &str) -> String;
}

/// What a source keeps only as pseudonyms.
#[derive(Clone)]
pub(crate) struct Pseudonyms {
    key: hmac::Key,
    places: Vec<Place>,
}

/// A request with pseudonyms in it.
pub(crate) struct Replaced {
    /// As it may be kept.
    pub(crate) request: Request,
    /// The values that were replaced and may be found in a text, each once, with what stands there
    /// now. The longest come first.
    values: Vec<(String, String)>,
    /// The same of the URL and the headers alone.
    in_head: Vec<(String, String)>,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("places", &self.places).finish_non_exhaustive()
    }
}

impl fmt::Debug for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replaced").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Pseudonyms {
    /// For these places, under this key.
    pub(crate) fn new(key: &[u8; 32], places: Vec<Place>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), places }
    }

    /// Whether any of the places is in the body.
    pub(crate) fn reach_bodies(&self) -> bool {
        self.paths().next().is_some()
    }

    /// The request with pseudonyms at all places.
    pub(crate) fn of(&self, request: &Request) -> Result<Replaced, Unreadable> {
        let mut making = Making::new(&self.key, usize::MAX);
        let body = self.body(request, &mut making)?.unwrap_or_else(|| request.body.clone());
        Ok(self.finish(request, body, making))
    }

    /// The same of a request that anybody may have sent; `None` if its body can't be redacted, or
    /// has more values than `most` at the places.
    pub(crate) fn of_few(&self, request: &Request, most: usize) -> Option<Replaced> {
        let mut making = Making::new(&self.key, most);
        let body = self.body(request, &mut making).ok()?.unwrap_or_else(|| request.body.clone());
        if making.made > most {
            return None;
        }
        making.most = usize::MAX;
        Some(self.finish(request, body, making))
    }

    /// The same of a request whose body is not to be kept.
    pub(crate) fn of_bodyless(&self, request: &Request) -> Replaced {
        self.finish(request, Bytes::new(), Making::new(&self.key, usize::MAX))
    }

    fn finish(&self, request: &Request, body: Bytes, mut making: Making<'_>) -> Replaced {
        let in_body = making.values.len();
        let replaced = Request {
            method: request.method.clone(),
            url: self.url(&request.url, &mut making),
            headers: self.headers(&request.headers, &mut making),
            body,
            received_at: request.received_at,
        };
        let in_head = making.values[in_body..].to_vec();
        let (values, in_head) = (in_order(making.values), in_order(in_head));
        Replaced { request: replaced, values, in_head }
    }

    /// The body, if anything in it is replaced.
    fn body(
        &self,
        request: &Request,
        making: &mut Making<'_>,
    ) -> Result<Option<Bytes>, Unreadable> {
        let paths: Vec<&[String]> = self.paths().collect();
        if paths.is_empty() || request.body.is_empty() {
            return Ok(None);
        }
        let text = str::from_utf8(&request.body).map_err(|_| Unreadable::Kind)?;
        let replaced = if json::looks_like_json(text) {
            json::replace(text, &paths, making)?
        } else if is_form(request) {
            form::replace(text, &paths, making)
        } else {
            return Err(Unreadable::Kind);
        };
        Ok(replaced.map(Bytes::from))
    }

    fn headers(&self, headers: &Headers, making: &mut Making<'_>) -> Headers {
        let is_meant = |name: &str| {
            self.places.iter().any(|place| matches!(place, Place::Header(it) if it == name))
        };
        let mut replaced = Headers::with_capacity(headers.len(), headers.bytes());
        for (name, value) in headers.iter() {
            match is_meant(name) && !value.is_empty() {
                true => replaced.push(name, &making.text(value)),
                false => replaced.push(name, value),
            }
        }
        replaced
    }

    fn url(&self, url: &str, making: &mut Making<'_>) -> String {
        let names = self.places.iter().filter_map(|place| match place {
            Place::Query(name) => Some(vec![name.clone()]),
            Place::Header(_) | Place::Body(_) => None,
        });
        let names: Vec<Vec<String>> = names.collect();
        let paths: Vec<&[String]> = names.iter().map(Vec::as_slice).collect();
        let replaced =
            url.split_once('?').filter(|_| !paths.is_empty()).and_then(|(path, query)| {
                // Paths of one part never look into a value.
                let query = form::replace(query, &paths, making)?;
                Some(format!("{path}?{query}"))
            });
        replaced.unwrap_or_else(|| url.to_owned())
    }

    fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.places.iter().filter_map(|place| match place {
            Place::Body(path) => Some(path.as_slice()),
            Place::Header(_) | Place::Query(_) => None,
        })
    }
}

impl Replaced {
    /// A text that may quote what was replaced, with the pseudonyms in place of that.
    pub(crate) fn in_text(&self, text: String) -> String {
        replaced(&self.values, text)
    }

    /// The same of a text that was made of the body as it may be kept: what of it looks like a
    /// value that was in the body is something else.
    pub(crate) fn in_text_of_kept_body(&self, text: String) -> String {
        replaced(&self.in_head, text)
    }
}

/// Each once, in the order in which they are looked for: one value may be a part of another.
fn in_order(mut values: Vec<(String, String)>) -> Vec<(String, String)> {
    values.sort_unstable_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    values.dedup();
    values
}

fn replaced(values: &[(String, String)], mut text: String) -> String {
    for (value, with) in values {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), with);
        }
    }
    text
}

fn is_form(request: &Request) -> bool {
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(FORM)
}

/// Pseudonyms in the making.
struct Making<'k> {
    key: &'k hmac::Key,
    values: Vec<(String, String)>,
    /// Digests that were asked for.
    made: usize,
    /// Behind so many, none is computed any more: whoever set this bound takes nothing then.
    most: usize,
}

impl<'k> Making<'k> {
    fn new(key: &'k hmac::Key, most: usize) -> Self {
        Self { key, values: Vec::new(), made: 0, most }
    }

    fn digest(&mut self, value: &str) -> [u8; DIGEST_BYTES] {
        let mut digest = [0; DIGEST_BYTES];
        self.made = self.made.saturating_add(1);
        if self.made > self.most {
            return digest;
        }
        let tag = hmac::sign(self.key, value.as_bytes());
        digest.copy_from_slice(&tag.as_ref()[..DIGEST_BYTES]);
        digest
    }

    /// Remembers what a value has become, if it is long enough to be looked for: a body may be full
    /// of short ones, of which each takes many times its own bytes here.
    fn note(&mut self, value: &str, with: &str) {
        if value.len() >= FOUND_BYTES_MIN {
            self.values.push((value.to_owned(), with.to_owned()));
        }
    }
}

impl Pseudonym for Making<'_> {
    fn text(&mut self, text: &str) -> String {
        let with = format!("{PREFIX}{}", hex::encode(self.digest(text)));
        self.note(text, &with);
        with
    }

    /// Below 2^48, so that every reader of JSON keeps all of its digits.
    fn number(&mut self, number: &str) -> String {
        let [a, b, c, d, e, f, ..] = self.digest(number);
        let with = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).to_string();
        self.note(number, &with);
        with
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    fn pseudonyms(key: u8, places: &[&str]) -> Pseudonyms {
        Pseudonyms::new(&[key; 32], places.iter().map(|it| it.parse().unwrap()).collect())
    }

    fn request(kind: &str, url: &str, body: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: [("content-type", kind), ("authorization", "Bearer sesame")]
                .into_iter()
                .collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: Timestamp(5),
        }
    }

    #[test]
    fn equal_values_have_equal_pseudonyms_under_one_key_only() {
        let body = r#"{"a":"4242424242424242","b":{"c":"4242424242424242"},"d":"5555"}"#;
        let request = request("application/json", "/in/shop", body);
        let places = ["/a", "/b/c", "/d"];
        let of = |key| {
            let replaced = pseudonyms(key, &places).of(&request).unwrap();
            serde_json::from_slice::<serde_json::Value>(&replaced.request.body).unwrap()
        };
        let (one, again, other) = (of(1), of(1), of(2));
        assert_eq!(one, again);
        assert_eq!(one["a"], one["b"]["c"]);
        assert_ne!(one["a"], one["d"]);
        assert_ne!(one["a"], other["a"]);
        let text = one["a"].as_str().unwrap();
        assert!(text.starts_with(PREFIX) && text.len() == PREFIX.len() + 32, "{text}");
    }

    #[test]
    fn headers_the_query_and_forms_are_replaced_too_and_nothing_else() {
        let places = ["/card", "header:authorization", "query:token"];
        let request = request(
            "application/x-www-form-urlencoded; charset=utf-8",
            "/in/shop?a=1&token=s3same",
            "card=4242&b=2",
        );
        let replaced = pseudonyms(1, &places).of(&request).unwrap();
        let shown = format!("{:?}", replaced.request);
        assert!(!shown.contains("4242") && !shown.contains("sesame"), "{shown}");
        assert!(!shown.contains("s3same") && replaced.request.url.contains("?a=1&token=redacted-"));
        assert!(replaced.request.body.ends_with(b"&b=2"));
        let quoted = replaced.in_text("no account for 4242 or Bearer sesame".to_owned());
        assert!(!quoted.contains("4242") && !quoted.contains("sesame"), "{quoted}");
        let made = replaced.in_text_of_kept_body("4242 of s3same".to_owned());
        assert!(made.starts_with("4242 of redacted-"), "{made}");
        assert!(format!("{:?}", pseudonyms(1, &places)).contains("card"));
    }

    /// Leave out the look at the length in `note`, or `dedup`, and a large body takes many times
    /// its bytes.
    #[test]
    fn short_values_are_not_remembered_and_equal_ones_are_once() {
        let items = ["1", r#""ab""#, "4242", r#""5555""#].map(|item| vec![item; 100].join(","));
        let body = format!(r#"{{"a":[{}]}}"#, items.join(","));
        let request = request("application/json", "/", &body);
        let replaced = pseudonyms(1, &["/a"]).of(&request).unwrap();
        let found: Vec<&str> = replaced.values.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(found, ["4242", "5555"]);
    }

    /// Leave out the look at `most` in `of_few`, and what is kept has zeros for digests; leave it
    /// out in `digest`, and whoever sends a forged body has a core busy for a long time.
    #[test]
    fn of_what_anybody_sends_a_few_values_are_replaced_or_nothing_is_taken() {
        let body = format!(r#"{{"a":[{}]}}"#, ["4242"; 10].join(","));
        let request = request("application/json", "/", &body);
        let pseudonyms = pseudonyms(1, &["/a", "header:authorization"]);
        assert!(pseudonyms.of_few(&request, 9).is_none());
        let (few, all) = (pseudonyms.of_few(&request, 10), pseudonyms.of(&request));
        assert_eq!(few.unwrap().request, all.unwrap().request);
        let mut making = Making::new(&pseudonyms.key, 1);
        assert_ne!(making.digest("4242"), [0; DIGEST_BYTES]);
        assert_eq!(making.digest("4242"), [0; DIGEST_BYTES]);
    }

    #[test]
    fn a_number_stays_one_that_every_reader_keeps() {
        let request = request("application/json", "/", r#"{"n":42,"m":42.0}"#);
        let replaced = pseudonyms(1, &["/n", "/m"]).of(&request).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&replaced.request.body).unwrap();
        assert!(body["n"].as_u64().unwrap() < 1 << 48 && body["n"] != body["m"]);
    }

    #[test]
    fn a_body_that_can_not_be_read_is_an_error_only_where_a_place_is_in_it() {
        for (kind, body, expected) in [
            ("application/xml", "<a/>", Unreadable::Kind),
            ("text/plain", "card=4242", Unreadable::Kind),
            ("application/json", "{\"a\":", Unreadable::Json),
        ] {
            let request = request(kind, "/", body);
            assert_eq!(pseudonyms(1, &["/card"]).of(&request).unwrap_err(), expected, "{body}");
            let replaced = pseudonyms(1, &["header:authorization"]).of(&request).unwrap();
            assert_eq!(replaced.request.body, request.body);
            let bodyless = pseudonyms(1, &["/card"]).of_bodyless(&request);
            assert!(bodyless.request.body.is_empty());
        }
        let empty = request("", "/", "");
        assert!(pseudonyms(1, &["/card"]).of(&empty).unwrap().request.body.is_empty());
    }
}
