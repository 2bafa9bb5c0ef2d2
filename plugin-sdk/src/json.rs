//! A JSON document, read in place.
//!
//! A lookup walks the text and copies nothing, so numbers keep every digit and a plugin pays only
//! for the values that it looks up. If an object has a name twice, every lookup finds the first:
//! `claim` and `parse` never read different values.

mod block;
mod brackets;
mod members;
mod objects;
mod quotes;
mod scan;
mod skip;
mod sorted;

use std::borrow::Cow;
use std::fmt;

use crate::claims::Refusal;
use crate::event::Failure;
use crate::limits::{EVENTS_MAX, JSON_DEPTH_MAX};
use crate::request::BYTE_ORDER_MARK;

use scan::Span;

pub use crate::checked::Pointer;
pub use members::Members;
pub(crate) use members::object;
pub use quotes::quoted;

/// A value in a valid JSON document. Pointers are those of RFC 6901: `/data/object`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Checks that the bytes are one JSON document with brackets nested at most [`JSON_DEPTH_MAX`]
    /// deep. A byte order mark before it is ignored.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, InvalidJson> {
        let document = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let invalid = |at, is_too_deep| {
            let at = bytes.len() - document.len() + at;
            if is_too_deep { InvalidJson::TooDeep(at) } else { InvalidJson::NotJson(at) }
        };
        let text = str::from_utf8(document).map_err(|error| invalid(error.valid_up_to(), false))?;
        scan::check(document).map_err(|fault| invalid(fault.at, fault.is_too_deep))?;
        Ok(Self(text.trim_matches([' ', '\t', '\n', '\r'])))
    }

    /// The value as it is written.
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// The value at the pointer, `null` included.
    pub fn at(self, pointer: &str) -> Option<Self> {
        // Names and values begin and end with ASCII, so a part of a text is a text.
        self.0.get(find(self.0.as_bytes(), pointer)?).map(Self)
    }

    /// The string at the pointer.
    pub fn text(self, pointer: &str) -> Option<Cow<'a, str>> {
        quotes::text_of(self.at(pointer)?.0)
    }

    /// The number at the pointer, as it is written.
    pub fn number(self, pointer: &str) -> Option<&'a str> {
        as_number(self.at(pointer)?.0)
    }

    /// The text of a string or a number at the pointer, for an amount that may be either.
    pub fn scalar(self, pointer: &str) -> Option<Cow<'a, str>> {
        self.text(pointer).or_else(|| self.number(pointer).map(Cow::Borrowed))
    }

    /// The values of the array at the pointer; an empty list if there is no array.
    pub fn items(self, pointer: &str) -> Vec<Self> {
        let array = self.at(pointer).map_or("", |array| array.0);
        let items = scan::elements(array.as_bytes());
        items.filter_map(|item| array.get(item)).map(Self).collect()
    }

    /// The members of an object, read in one pass, for a plugin that looks up many of them; an
    /// empty list if this is not an object.
    pub fn members(self) -> Members<'a> {
        let members = members(self.0);
        Members::new(members.filter_map(|(name, it)| Some((quotes::text_of(name)?, it))).collect())
    }

    /// The members of the objects at each of these pointers, in one pass over the value, for a
    /// plugin that needs the members of an object and of objects in it; an empty list for each
    /// that is not an object. The pointers lead through objects, not arrays.
    pub fn objects<const N: usize>(self, pointers: [&str; N]) -> [Members<'a>; N] {
        let mut found = [const { Vec::new() }; N];
        let meant = pointers.into_iter().enumerate().collect();
        objects::find(self.0, meant, &mut found);
        found.map(Members::new)
    }
}

/// The members of an object: names in their quotes, and values.
fn members(object: &str) -> impl Iterator<Item = (&str, Json<'_>)> {
    let members = scan::members(object.as_bytes());
    members.filter_map(|(name, value)| Some((object.get(name)?, Json(object.get(value)?))))
}

/// The string at the pointer, without reading the rest of the body. For `claim`, which need not
/// refuse a body that is not JSON or not UTF-8.
pub fn peek<'a>(body: &'a [u8], pointer: &str) -> Option<Cow<'a, str>> {
    quotes::text_of(found(body, pointer)?)
}

/// The text of a string or a number at the pointer, like [`peek`].
pub fn peek_scalar<'a>(body: &'a [u8], pointer: &str) -> Option<Cow<'a, str>> {
    let value = found(body, pointer)?;
    quotes::text_of(value).or_else(|| as_number(value).map(Cow::Borrowed))
}

/// The text of a string or a number at each of these pointers, as [`peek_scalar`] finds it, in one
/// pass: for `claim` if it looks for several. The pointers lead through objects, not arrays.
pub fn peek_all<'a, const N: usize>(
    body: &'a [u8],
    pointers: [&str; N],
) -> [Option<Cow<'a, str>>; N] {
    let mut found = [None; N];
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    peek_into(body, pointers.into_iter().enumerate().collect(), &mut found);
    found.map(|value| peek_scalar(value?, ""))
}

/// Finds the values at these pointers in one walk over the members, and puts each into `found`
/// under its number.
fn peek_into<'a>(value: &'a [u8], pointers: Vec<(usize, &str)>, found: &mut [Option<&'a [u8]>]) {
    let mut left = Vec::with_capacity(pointers.len());
    for (number, pointer) in pointers {
        let Some(path) = pointer.strip_prefix('/') else {
            found[number] = pointer.is_empty().then_some(value);
            continue;
        };
        let (name, rest) = first_name(path);
        left.push((number, name, rest));
    }
    for (name, member) in scan::members(value) {
        let meant: Vec<_> = left
            .extract_if(.., |(_, known, _)| quotes::is_named(&value[name.clone()], known))
            .map(|(number, _, rest)| (number, rest))
            .collect();
        if !meant.is_empty() {
            peek_into(&value[member], meant, found);
        }
        if left.is_empty() {
            return;
        }
    }
}

/// The elements of the array at the pointer, which need not be valid JSON; none if there is no
/// array.
pub fn peek_items<'a>(body: &'a [u8], pointer: &str) -> impl Iterator<Item = &'a [u8]> {
    let array = found(body, pointer).unwrap_or_default().as_bytes();
    scan::elements(array).map(|element| &array[element])
}

/// The elements of the array of events at the pointer, like [`peek_items`]. Refuses more than a
/// request may have.
pub fn peek_events<'a>(body: &'a [u8], pointer: &str) -> Result<Vec<&'a [u8]>, Refusal> {
    let events: Vec<_> = peek_items(body, pointer).take(EVENTS_MAX + 1).collect();
    if events.len() > EVENTS_MAX {
        return Err(Refusal::new(format!("the body has more than {EVENTS_MAX} events")));
    }
    Ok(events)
}

/// Why bytes are not a JSON document, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidJson {
    /// They are not valid JSON.
    NotJson(usize),
    /// Their brackets are nested more than [`JSON_DEPTH_MAX`] deep.
    TooDeep(usize),
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(at) => write!(f, "invalid JSON at byte {at}"),
            Self::TooDeep(at) => {
                write!(f, "JSON nested more than {JSON_DEPTH_MAX} levels deep at byte {at}")
            }
        }
    }
}

impl std::error::Error for InvalidJson {}

impl From<InvalidJson> for Failure {
    fn from(error: InvalidJson) -> Self {
        Self::permanent(error)
    }
}

impl From<InvalidJson> for Refusal {
    fn from(error: InvalidJson) -> Self {
        Self::new(error)
    }
}

/// The value at the pointer in bytes that may be no document, if it is UTF-8.
fn found<'a>(body: &'a [u8], pointer: &str) -> Option<&'a str> {
    let document = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    str::from_utf8(&document[find(document, pointer)?]).ok()
}

/// Where the value at the pointer stands.
fn find(document: &[u8], pointer: &str) -> Option<Span> {
    let (mut span, mut rest) = (0..document.len(), pointer);
    while !rest.is_empty() {
        let (name, after) = first_name(rest.strip_prefix('/')?);
        let member = scan::member(&document[span.clone()], &name)?;
        span = span.start + member.start..span.start + member.end;
        rest = after;
    }
    Some(span)
}

/// The name that the first token of a pointer, without its slash, stands for, and the rest of the
/// pointer.
fn first_name(path: &str) -> (Cow<'_, str>, &str) {
    let plain = path.bytes().position(|byte| matches!(byte, b'/' | b'~')).unwrap_or(path.len());
    if !path[plain..].starts_with('~') {
        let (name, rest) = path.split_at(plain);
        return (Cow::Borrowed(name), rest);
    }
    let (token, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    (Cow::Owned(token.replace("~1", "/").replace("~0", "~")), rest)
}

fn as_number(value: &str) -> Option<&str> {
    let is_number = matches!(value.as_bytes().first(), Some(b'-' | b'0'..=b'9'));
    is_number.then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#" {"id":"e\u00761","n":{"amount":12345678901234567890.10,"list":[1,"b",null]},
        "a/b~c":true,"id":"second"} "#;

    fn body() -> Json<'static> {
        Json::parse(BODY.as_bytes()).unwrap()
    }

    #[test]
    fn a_pointer_finds_a_value_as_it_is_written() {
        assert_eq!(body().text("/id").unwrap(), "ev1");
        assert_eq!(body().number("/n/amount"), Some("12345678901234567890.10"));
        assert_eq!(body().at("/n/list").unwrap().raw(), r#"[1,"b",null]"#);
        assert_eq!(body().text("/n/list/1").unwrap(), "b");
        assert_eq!(body().at("/a~1b~0c").unwrap().raw(), "true");
        assert_eq!(body().at("").unwrap().raw(), BODY.trim());
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for pointer in ["/x", "/id/x", "/n/list/3", "/n/list/x", "n", "/n/amount/0"] {
            assert_eq!(body().at(pointer), None, "{pointer}");
        }
        assert_eq!(body().text("/n/amount"), None);
        assert_eq!(body().number("/id"), None);
        assert_eq!(body().scalar("/n/list/0").unwrap(), "1");
        assert_eq!(body().scalar("/n/list/2"), None);
    }

    #[test]
    fn members_are_found_like_in_the_object() {
        let members = body().members();
        for pointer in ["/id", "/n/amount", "/n/list/1", "/a~1b~0c", "/x", "/id/x", "/n/list/9"] {
            assert_eq!(members.at(pointer), body().at(pointer), "{pointer}");
        }
        assert_eq!(members.text("/id").unwrap(), "ev1");
        assert_eq!(members.number("/n/list/0"), Some("1"));
        assert_eq!(body().at("/n/list").unwrap().members().at("/0"), None);
    }

    #[test]
    fn an_array_gives_its_items() {
        let items = body().items("/n/list");
        assert_eq!(items.iter().map(|item| item.raw()).collect::<Vec<_>>(), ["1", "\"b\"", "null"]);
        assert!(body().items("/id").is_empty());
    }

    #[test]
    fn a_peek_looks_no_further_than_it_must() {
        assert_eq!(peek(b"{\"id\":\"evt_1\",\xff", "/id").unwrap(), "evt_1");
        assert_eq!(peek(b"{\"x\":\"\xff\xfe\",\"id\":\"evt_1\"}", "/id").unwrap(), "evt_1");
        assert_eq!(peek(br#"{"id":7}"#, "/id"), None);
        assert_eq!(peek_scalar(br#"{"id":7}"#, "/id").unwrap(), "7");
        assert_eq!(peek_scalar(br#"{"id":"7"}"#, "/id").unwrap(), "7");
        assert_eq!(peek_scalar(br#"{"id":null}"#, "/id"), None);
        assert_eq!(peek(b"\xff", "/id"), None);
        assert_eq!(peek(b"", "/id"), None);
        assert_eq!(peek(br#"{"id":"evt_1""#, "/id").unwrap(), "evt_1");
    }

    #[test]
    fn several_are_peeked_at_in_one_go() {
        let found =
            peek_all(BODY.as_bytes(), ["/n/amount", "/id", "/x", "/n", "/a~1b~0c", "/n/list/0"]);
        let found = found.map(|it| it.map(Cow::into_owned));
        // Lists are not entered.
        let expected = [Some("12345678901234567890.10"), Some("ev1"), None, None, None, None];
        assert_eq!(found, expected.map(|it| it.map(str::to_owned)));
        let items: Vec<_> = peek_items(b"\xef\xbb\xbf [1, {\"a\":[2]},", "").collect();
        assert_eq!(items, [&b"1"[..], b"{\"a\":[2]}"]);
        assert_eq!(peek_items(b"{}", "").count(), 0);
        let list = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        let count = |list: String| peek_events(list.as_bytes(), "").map(|events| events.len());
        assert_eq!(count(list(EVENTS_MAX)), Ok(EVENTS_MAX));
        assert!(count(list(EVENTS_MAX + 1)).is_err());
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let marked = "\u{feff}{\"id\":\"e1\",";
        assert_eq!(peek(marked.as_bytes(), "/id").unwrap(), "e1");
        assert_eq!(peek_all(marked.as_bytes(), ["/id"])[0].as_deref(), Some("e1"));
        let whole = format!("{marked}\"n\":1}}");
        assert_eq!(Json::parse(whole.as_bytes()).unwrap().raw(), r#"{"id":"e1","n":1}"#);
        assert_eq!(Json::parse(marked.as_bytes()), Err(InvalidJson::NotJson(marked.len())));
        assert!(Json::parse("\u{feff}\u{feff}1".as_bytes()).is_err());
    }

    #[test]
    fn what_is_too_deep_is_said_so() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(
            Json::parse(nested(JSON_DEPTH_MAX + 1).as_bytes()).unwrap_err().to_string(),
            "JSON nested more than 512 levels deep at byte 512"
        );
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [&b""[..], b"{", b"{} {}", b"{\"a\":\xff}", b"nul"] {
            assert!(Json::parse(text).is_err());
        }
    }

    #[test]
    fn a_quoted_text_reads_back() {
        let text = "a\"b\\c\n\u{1}\u{1f4b3}";
        let quoted = quoted(text);
        assert_eq!(Json::parse(quoted.as_bytes()).unwrap().text("").unwrap(), text);
    }

    proptest! {
        #[test]
        fn all_are_peeked_at_like_each(body in "(\\{|\\}|\"a\"|\"b\"|\"c\"|:|,|1|\\[){0,20}") {
            let pointers = ["/a", "/a/b", "/b", "/a/b/c", "/a/c", ""];
            let found = peek_all(body.as_bytes(), pointers);
            prop_assert_eq!(found, pointers.map(|pointer| peek_scalar(body.as_bytes(), pointer)));
        }

        #[test]
        fn nothing_panics(body: Vec<u8>, pointer: String) {
            peek(&body, &pointer);
            let [_, found] = peek_all(&body, [&pointer, "/a/b"]);
            prop_assert_eq!(found, peek_scalar(&body, "/a/b"));
            peek_items(&body, &pointer).count();
            if let Ok(json) = Json::parse(&body) {
                json.scalar(&pointer);
                json.items(&pointer);
                json.members().at(&pointer);
            }
        }
    }
}
