//! The members of an object, and what providers keep in them: names, times, amounts.
//!
//! Everything is looked up where it may be, and what is missing, `null` or empty is none. Only an
//! amount that is there and can't be read exactly is an error.

use std::borrow::Cow;

use super::{Json, unescaped};
use crate::event::{Failure, Timestamp};
use crate::id;
use crate::money::{InvalidMoney, Money};
use crate::time;

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

    /// The value at the pointer, `null` included.
    pub fn at(&self, pointer: &str) -> Option<Json<'a>> {
        let path = pointer.strip_prefix('/')?;
        let (name, rest) = path.find('/').map_or((path, ""), |end| path.split_at(end));
        let name = unescaped(name);
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        value.at(rest)
    }

    /// The members of the object at the pointer; none if there is no object.
    pub fn object(&self, pointer: &str) -> Self {
        self.at(pointer).map(Json::members).unwrap_or_default()
    }

    /// The values of the array at the pointer; none if there is no array.
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

    /// What names something, as a text or as a number; none if it is empty, or longer than the
    /// gateway takes.
    pub fn name(&self, pointer: &str) -> Option<String> {
        let name = self.at(pointer)?.scalar("")?;
        id::fits(&name).then(|| name.into_owned())
    }

    /// The first [name](Self::name) that stands at one of these pointers.
    pub fn first_name(&self, pointers: &[&str]) -> Option<String> {
        pointers.iter().find_map(|pointer| self.name(pointer))
    }

    /// A [name](Self::name) out of a list of the provider's, in lower case: `VISA` is `visa`
    /// everywhere.
    pub fn word(&self, pointer: &str) -> Option<String> {
        self.name(pointer).map(|name| name.to_lowercase())
    }

    /// A string of 1 to 255 bytes, without which an event is none.
    pub fn required(&self, pointer: &str) -> Result<String, Failure> {
        let text = self.text(pointer).filter(|text| id::fits(text)).map(String::from);
        text.ok_or_else(|| {
            Failure::permanent(format!("event has no text of 1 to 255 bytes at {pointer}"))
        })
    }

    /// An amount in minor units, as a text or as a number, and the currency beside it.
    pub fn minor(&self, amount: &str, currency: &str) -> Result<Option<Money>, InvalidMoney> {
        let (Some(amount), Some(currency)) = (self.name(amount), self.name(currency)) else {
            return Ok(None);
        };
        Money::from_minor(&amount, &currency).map(Some)
    }

    /// An amount in major units, as a text or as a number, and the currency beside it.
    pub fn major(&self, amount: &str, currency: &str) -> Result<Option<Money>, InvalidMoney> {
        let (Some(amount), Some(currency)) = (self.name(amount), self.name(currency)) else {
            return Ok(None);
        };
        Money::from_major(&amount, &currency).map(Some)
    }

    /// A time in RFC 3339, or the same with an offset that has no colon.
    pub fn rfc3339(&self, pointer: &str) -> Option<Timestamp> {
        time::from_rfc3339(&self.text(pointer)?)
    }

    /// A time in seconds, as a text or as a number.
    pub fn unix(&self, pointer: &str) -> Option<Timestamp> {
        time::from_unix(&self.name(pointer)?)
    }

    /// A time in milliseconds, as a text or as a number.
    pub fn unix_ms(&self, pointer: &str) -> Option<Timestamp> {
        time::from_unix_ms(&self.name(pointer)?)
    }
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
        assert!(body().required("/id").is_err());
        assert_eq!(body().required("/currency").as_deref(), Ok("eur"));
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
    fn an_amount_keeps_its_digits_or_is_an_error() {
        let money = |money: Option<Money>| money.map(|m| format!("{} {}", m.amount, m.currency));
        let body = body();
        assert_eq!(money(body.major("/amount", "/currency").unwrap()).unwrap(), "1.10 EUR");
        assert_eq!(money(body.minor("/units", "/currency").unwrap()).unwrap(), "1.10 EUR");
        assert_eq!(body.minor("/units", "/none"), Ok(None));
        assert_eq!(body.major("/none", "/currency"), Ok(None));
        assert!(body.minor("/amount", "/currency").is_err());
        assert!(body.major("/bad", "/currency").is_err());
    }
}
