//! The members of an object, and the values that providers put there: names, times, amounts.
//!
//! A lookup tries every place where a value may be, and a value that is missing, `null` or empty is
//! `None`. An amount that can't be read exactly is `None` too, with a warning in the log; it is
//! never guessed.

use std::borrow::Cow;

use super::{Json, first_name, quotes};
use crate::event::{Failure, Timestamp};
use crate::id;
use crate::limits::LABEL_VALUE_BYTES_MAX;
use crate::money::{Money, known_money};
use crate::time;

/// Names that receivers give to their own ids in custom data, the most specific first.
const OWN_IDS: &[&str] = &[
    "order_id",
    "orderId",
    "merchant_order_id",
    "order_number",
    "orderNumber",
    "order",
    "reference",
    "reference_id",
    "referenceId",
    "invoice_id",
    "invoiceId",
    "invoice_number",
    "invoice",
    "customer_id",
    "customerId",
    "user_id",
    "userId",
    "id",
];

/// The members of an object, in their order. Pointers are RFC 6901 and start at the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Members<'a> {
    pub(super) fn new(members: Vec<(Cow<'a, str>, Json<'a>)>) -> Self {
        Self(members)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// Names and values, with names that are not copied.
    pub(crate) fn named(&self) -> std::slice::Iter<'_, (Cow<'a, str>, Json<'a>)> {
        self.0.iter()
    }

    /// The value at the pointer, `null` included.
    pub fn at(&self, pointer: &str) -> Option<Json<'a>> {
        let path = pointer.strip_prefix('/')?;
        let (name, rest) = first_name(path);
        let value = self.get(&name)?;
        if rest.is_empty() { Some(value) } else { value.at(rest) }
    }

    /// The value of this name.
    fn get(&self, name: &str) -> Option<Json<'a>> {
        // Names of one length more often end differently than they begin.
        let (name, last) = (name.as_bytes(), name.as_bytes().last());
        let is_meant =
            |known: &[u8]| known.len() == name.len() && known.last() == last && known == name;
        let mut members = self.0.iter();
        members.find(|(known, _)| is_meant(known.as_bytes())).map(|(_, value)| *value)
    }

    /// The members of the object at the pointer; an empty list if there is no object.
    pub fn object(&self, pointer: &str) -> Self {
        self.at(pointer).map(Json::members).unwrap_or_default()
    }

    /// The values of the array at the pointer; an empty list if there is no array.
    pub fn items(&self, pointer: &str) -> Vec<Json<'a>> {
        self.at(pointer).map(|array| array.items("")).unwrap_or_default()
    }

    /// The string at the pointer.
    pub fn text(&self, pointer: &str) -> Option<Cow<'a, str>> {
        self.at(pointer)?.text("")
    }

    /// The number at the pointer, as it is written.
    pub fn number(&self, pointer: &str) -> Option<&'a str> {
        self.at(pointer)?.number("")
    }

    /// The name of something, from a string or a number; `None` if it is empty or longer than 255
    /// bytes, and so can't be an id or a subject.
    pub fn name(&self, pointer: &str) -> Option<String> {
        let name = self.at(pointer)?.scalar("")?;
        id::fits(&name).then(|| name.into_owned())
    }

    /// The first [name](Self::name) at one of these pointers.
    pub fn first_name(&self, pointers: &[&str]) -> Option<String> {
        pointers.iter().find_map(|pointer| self.name(pointer))
    }

    /// The [name](Self::name) at the pointer in lower case, so that `VISA` and `visa` are the same.
    pub fn word(&self, pointer: &str) -> Option<String> {
        self.name(pointer).map(|name| name.to_lowercase())
    }

    /// A required string or number of any length, such as the event's name. If it is missing or
    /// empty, the body is not an event, and the failure is permanent.
    pub fn required(&self, pointer: &str) -> Result<String, Failure> {
        self.at(pointer)
            .and_then(|value| value.scalar(""))
            .filter(|text| !text.is_empty())
            .map(Cow::into_owned)
            .ok_or_else(|| Failure::permanent(format!("the body has no text at {pointer}")))
    }

    /// The first string or number at one of these pointers that fits into a label, which may be
    /// longer than an id: 1 to 1,024 bytes.
    pub fn first_label(&self, pointers: &[&str]) -> Option<String> {
        pointers.iter().find_map(|pointer| label(self.at(pointer)?))
    }

    /// The reference to the receiver's own records in the custom data at the pointer. If the custom
    /// data is a string, it is that string. If it is an object, it is the first member with a usual
    /// name for an id, such as `order_id`, or else the only member.
    pub fn custom(&self, pointer: &str) -> Option<String> {
        let custom = self.object(pointer);
        let only = || match custom.0.as_slice() {
            [(_, value)] => label(*value),
            _ => None,
        };
        let text =
            || self.text(pointer).filter(|text| (1..=LABEL_VALUE_BYTES_MAX).contains(&text.len()));
        let own_id = OWN_IDS.iter().find_map(|name| label(custom.get(name)?));
        own_id.or_else(only).or_else(|| text().map(Cow::into_owned))
    }

    /// A flag: `true` or `false`, as a JSON value or in a string.
    pub fn flag(&self, pointer: &str) -> Option<bool> {
        let value = self.at(pointer)?;
        let written = value.text("").unwrap_or(Cow::Borrowed(value.raw()));
        let is = |word: &str| written.eq_ignore_ascii_case(word);
        if is("true") { Some(true) } else { is("false").then_some(false) }
    }

    /// Whether an environment is about real money: `true` for `live`, `production` and `prod`,
    /// `false` for `test`, `sandbox` and `development`, `None` for any other word.
    pub fn is_live(&self, pointer: &str) -> Option<bool> {
        match self.word(pointer)?.as_str() {
            "live" | "production" | "prod" => Some(true),
            "test" | "sandbox" | "development" => Some(false),
            _ => None,
        }
    }

    /// An amount in minor units, from a string or a number, with the currency at another pointer.
    pub fn minor(&self, amount: &str, currency: &str) -> Option<Money> {
        known_money(Money::from_minor(&self.name(amount)?, &self.name(currency)?))
    }

    /// An amount in major units, from a string or a number, with the currency at another pointer.
    pub fn major(&self, amount: &str, currency: &str) -> Option<Money> {
        known_money(Money::from_major(&self.name(amount)?, &self.name(currency)?))
    }

    /// An amount in minor units that may be at several places, each with its currency. The first
    /// amount that is present counts, even if it can't be read, because the others mean something
    /// else. One amount may be listed with several currencies; the first currency that is present
    /// counts.
    pub fn first_minor(&self, places: &[(&str, &str)]) -> Option<Money> {
        let (amount, currency) = self.first_there(places)?;
        self.minor(amount, currency)
    }

    /// An amount in major units, found in the same way as by [`first_minor`](Self::first_minor).
    pub fn first_major(&self, places: &[(&str, &str)]) -> Option<Money> {
        let (amount, currency) = self.first_there(places)?;
        self.major(amount, currency)
    }

    fn first_there<'p>(&self, places: &[(&'p str, &'p str)]) -> Option<(&'p str, &'p str)> {
        let is_there = |pointer: &str| {
            let value = self.at(pointer).and_then(|value| value.scalar(""));
            value.is_some_and(|value| !value.is_empty())
        };
        let (meant, _) = places.iter().find(|(amount, _)| is_there(amount))?;
        places.iter().copied().find(|(amount, currency)| amount == meant && is_there(currency))
    }

    /// The object without these members, as JSON.
    pub fn without(&self, names: &[&str]) -> String {
        object(self.iter().filter(|(name, _)| !names.contains(name)))
    }

    /// A time in RFC 3339. The offset may also lack its colon.
    pub fn rfc3339(&self, pointer: &str) -> Option<Timestamp> {
        time::from_rfc3339(&self.text(pointer)?)
    }

    /// A time in seconds since 1970, from a string or a number.
    pub fn unix(&self, pointer: &str) -> Option<Timestamp> {
        time::from_unix(&self.name(pointer)?)
    }

    /// A time in milliseconds since 1970, from a string or a number.
    pub fn unix_ms(&self, pointer: &str) -> Option<Timestamp> {
        time::from_unix_ms(&self.name(pointer)?)
    }
}

/// A string or number that fits into a label.
fn label(value: Json<'_>) -> Option<String> {
    let text = value.scalar("")?;
    (1..=LABEL_VALUE_BYTES_MAX).contains(&text.len()).then(|| text.into_owned())
}

/// An object of these members, as JSON.
pub(crate) fn object<'m>(members: impl Iterator<Item = (&'m str, Json<'m>)>) -> String {
    let mut written = String::from("{");
    for (place, (name, value)) in members.enumerate() {
        written.push_str(if place == 0 { "" } else { "," });
        quotes::write(name, &mut written);
        written.push(':');
        written.push_str(value.raw());
    }
    written.push('}');
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":7,"name":"","at":"2023-11-14T23:13:20+0100","s":"1700000000",
        "ms":1700000000123,"amount":1.10,"units":"110","currency":"eur","none":null,
        "of":{"id":"a","list":[1,2]},"bad":"1,5","brand":"VISA"}"#;

    fn body() -> Members<'static> {
        Json::parse(BODY.as_bytes()).unwrap().members()
    }

    #[test]
    fn a_name_is_never_empty() {
        assert_eq!(body().name("/id").as_deref(), Some("7"));
        assert_eq!(body().word("/brand").as_deref(), Some("visa"));
        let pointers = ["/none", "/name", "/of/id", "/id"];
        assert_eq!(body().first_name(&pointers).as_deref(), Some("a"));
        assert_eq!(body().first_name(&pointers[..2]), None);
        for pointer in ["/name", "/none", "/of", "/x"] {
            assert_eq!(body().name(pointer), None, "{pointer}");
            assert!(body().required(pointer).is_err(), "{pointer}");
        }
    }

    #[test]
    fn what_names_an_event_may_be_of_any_length() {
        let written = format!(r#"{{"type":"{}","number":7}}"#, "x".repeat(300));
        let members = Json::parse(written.as_bytes()).unwrap().members();
        assert_eq!(members.required("/type").unwrap().len(), 300);
        assert_eq!(members.required("/number").as_deref(), Ok("7"));
    }

    #[test]
    fn an_object_that_is_not_there_is_empty() {
        assert_eq!(body().object("/of").name("/id").as_deref(), Some("a"));
        assert_eq!(body().items("/of/list").len(), 2);
        assert_eq!(body().object("/none"), Members::default());
        assert!(body().items("/of").is_empty());
    }

    #[test]
    fn a_time_is_read_in_its_own_way() {
        assert_eq!(body().rfc3339("/at"), Some(1_700_000_000_000));
        assert_eq!(body().unix("/s"), Some(1_700_000_000_000));
        assert_eq!(body().unix_ms("/ms"), Some(1_700_000_000_123));
        assert_eq!(body().rfc3339("/ms"), None);
    }

    #[test]
    fn what_a_label_can_hold_may_be_longer_than_an_id() {
        let long =
            |length: usize| format!(r#"{{"a":null,"b":"","c":"{}","d":7}}"#, "x".repeat(length));
        let length_of = |length: usize| {
            let body = long(length);
            let members = Json::parse(body.as_bytes()).unwrap().members();
            members.first_label(&["/a", "/b", "/c", "/d"]).map(|value| value.len())
        };
        assert_eq!(length_of(1024), Some(1024));
        assert_eq!(length_of(1025), Some(1));
    }

    #[test]
    fn custom_data_ties_an_event_to_the_receivers_records() {
        for (custom, expected) in [
            (r#"{"user_id":"42","color":"red"}"#, Some("42")),
            (r#"{"user_id":"42","order_id":7}"#, Some("7")),
            (r#"{"a/b":"x"}"#, Some("x")),
            (r#"{"a":"x","b":"y"}"#, None),
            (r#""L-1001""#, Some("L-1001")),
            ("[]", None),
            ("{}", None),
            ("0", None),
            ("null", None),
        ] {
            let body = format!(r#"{{"custom":{custom}}}"#);
            let members = Json::parse(body.as_bytes()).unwrap().members();
            assert_eq!(members.custom("/custom").as_deref(), expected, "{custom}");
        }
    }

    #[test]
    fn a_switch_is_read_however_it_is_written() {
        let body = r#"{"a":true,"b":"False","c":"live","d":"TEST","e":null,"f":1,"g":"trial"}"#;
        let body = Json::parse(body.as_bytes()).unwrap().members();
        let flags = ["/a", "/b", "/c", "/e", "/f", "/x"].map(|pointer| body.flag(pointer));
        assert_eq!(flags, [Some(true), Some(false), None, None, None, None]);
        let live = ["/c", "/d", "/a", "/e", "/g"].map(|pointer| body.is_live(pointer));
        assert_eq!(live, [Some(true), Some(false), None, None, None]);
    }

    #[test]
    fn the_first_amount_that_is_there_is_meant_even_if_it_cant_be_read() {
        let money = |money: Option<Money>| money.map(|m| format!("{} {}", m.amount, m.currency));
        let long = "9".repeat(300);
        let body = body();
        let unreadable = ("/bad", "/currency");
        let known = ("/amount", "/currency");
        for not_there in ["/none", "/name", "/of", "/x"] {
            let first = body.first_major(&[(not_there, "/currency"), known]);
            assert_eq!(money(first).as_deref(), Some("1.10 EUR"), "{not_there}");
        }
        assert_eq!(body.first_major(&[unreadable, known]), None);
        assert_eq!(body.first_minor(&[known, ("/units", "/currency")]), None);
        assert_eq!(body.first_major(&[("/units", "/none"), known]), None);
        let again = body.first_major(&[("/amount", "/none"), ("/units", "/currency"), known]);
        assert_eq!(money(again).as_deref(), Some("1.10 EUR"));

        let written = format!(r#"{{"paid":{long},"amount":1,"currency":"EUR"}}"#);
        let written = Json::parse(written.as_bytes()).unwrap().members();
        assert_eq!(written.first_major(&[("/paid", "/currency"), known]), None);
    }

    #[test]
    fn what_is_left_out_of_an_object_is_gone_however_it_is_written() {
        let body = r#"{"token":"a","b":1.10,"\u0074oken":"c","d":{"token":2},"token":3}"#;
        let members = Json::parse(body.as_bytes()).unwrap().members();
        assert_eq!(members.without(&["token"]), r#"{"b":1.10,"d":{"token":2}}"#);
        assert_eq!(members.without(&["token", "b", "d"]), "{}");
    }

    #[test]
    fn an_amount_keeps_its_digits_or_is_none() {
        let money = |money: Option<Money>| money.map(|m| format!("{} {}", m.amount, m.currency));
        let body = body();
        assert_eq!(money(body.major("/amount", "/currency")).unwrap(), "1.10 EUR");
        assert_eq!(money(body.minor("/units", "/currency")).unwrap(), "1.10 EUR");
        for none in [
            body.minor("/units", "/none"),
            body.major("/none", "/currency"),
            body.minor("/amount", "/currency"),
            body.major("/bad", "/currency"),
        ] {
            assert_eq!(none, None);
        }
    }
}
