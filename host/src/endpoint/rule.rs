//! What must hold of an event, beside its type, for an endpoint to receive it.
//!
//! Pure. Numbers are compared as they are written in decimal, so that no amount loses a digit.
//! Never changes an event, and never fails: what isn't there doesn't hold.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::decimal::Decimal;
use crate::event::Event;

/// One thing that must hold of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is about.
    pub field: Field,
    /// How the two are compared.
    pub op: Operator,
    /// With what; true or false for [`Operator::Exists`].
    pub value: Value,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// A place in the data of the event: a JSON pointer (RFC 6901).
    Pointer(String),
    /// The label of this name.
    Label(String),
}

/// How a rule compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// The same text, number, truth or null.
    Equals,
    /// Another, or none.
    NotEquals,
    /// One of a list.
    In,
    /// It is there, or it is not.
    Exists,
    /// A text that begins so.
    Prefix,
    /// A larger number.
    Greater,
    /// A smaller number.
    Less,
}

/// An event that rules are held against: what a pointer leads to is looked for once.
#[derive(Debug)]
pub struct Facts<'e> {
    event: &'e Event,
    found: HashMap<String, Option<Fact<'e>>>,
}

/// What stands at the place that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact<'e> {
    Text(Cow<'e, str>),
    /// As it is written.
    Number(&'e str),
    Truth(bool),
    Null,
    /// An array or an object: nothing equals it.
    Whole,
}

impl<'e> Facts<'e> {
    /// Of this event; nothing is read yet.
    pub fn of(event: &'e Event) -> Self {
        Self { event, found: HashMap::new() }
    }

    /// What stands there, if anything does.
    fn at(&mut self, field: &Field) -> Option<Fact<'e>> {
        let pointer = match field {
            Field::Pointer(pointer) => pointer,
            Field::Label(name) => {
                let label = self.event.labels.iter().find(|(known, _)| known == name);
                return label.map(|(_, value)| Fact::Text(value.as_str().into()));
            }
        };
        if let Some(found) = self.found.get(pointer) {
            return found.clone();
        }
        let found = value_at(self.event.data.as_raw(), pointer).and_then(Fact::new);
        self.found.insert(pointer.clone(), found.clone());
        found
    }
}

impl<'e> Fact<'e> {
    fn new(value: &'e RawValue) -> Option<Self> {
        let text = value.get();
        Some(match text.as_bytes().first()? {
            b'"' => Self::Text(serde_json::from_str::<Text<'e>>(text).ok()?.0),
            b'{' | b'[' => Self::Whole,
            b't' => Self::Truth(true),
            b'f' => Self::Truth(false),
            b'n' => Self::Null,
            _ => Self::Number(text),
        })
    }

    /// The number that it is, or that its text is: amounts are often texts.
    fn decimal(&self) -> Option<Decimal<'_>> {
        match self {
            Self::Text(text) => Decimal::parse(text),
            Self::Number(number) => Decimal::parse(number),
            Self::Truth(_) | Self::Null | Self::Whole => None,
        }
    }

    fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(text), Value::String(other)) => text == other,
            (Self::Truth(truth), Value::Bool(other)) => truth == other,
            (Self::Null, Value::Null) => true,
            (Self::Number(number), Value::Number(other)) => {
                let other = other.to_string();
                let both = Decimal::parse(number).zip(Decimal::parse(&other));
                both.is_some_and(|(this, other)| this.compare(&other).is_eq())
            }
            _ => false,
        }
    }

    /// Whether it is a number that stands so to the number that `value` is; false if either isn't.
    fn stands(&self, wanted: Ordering, value: &Value) -> bool {
        let other = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return false,
        };
        let both = self.decimal().zip(Decimal::parse(&other));
        both.is_some_and(|(this, other)| this.compare(&other) == wanted)
    }
}

impl Rule {
    /// Whether it holds. Of what is not there, only that it isn't, and that it is not equal.
    pub fn holds(&self, facts: &mut Facts<'_>) -> bool {
        let Some(fact) = facts.at(&self.field) else {
            return match self.op {
                Operator::NotEquals => true,
                Operator::Exists => self.value == Value::Bool(false),
                _ => false,
            };
        };
        match self.op {
            Operator::Equals => fact.equals(&self.value),
            Operator::NotEquals => !fact.equals(&self.value),
            Operator::In => {
                let list = self.value.as_array();
                list.is_some_and(|list| list.iter().any(|value| fact.equals(value)))
            }
            Operator::Exists => self.value != Value::Bool(false),
            Operator::Prefix => match (&fact, self.value.as_str()) {
                (Fact::Text(text), Some(prefix)) => text.starts_with(prefix),
                _ => false,
            },
            Operator::Greater => fact.stands(Ordering::Greater, &self.value),
            Operator::Less => fact.stands(Ordering::Less, &self.value),
        }
    }
}

/// What a JSON pointer leads to. Of two members with the same name it is the last, as almost every
/// reader of JSON has it.
fn value_at<'v>(whole: &'v RawValue, pointer: &str) -> Option<&'v RawValue> {
    let mut value = whole;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let mut reader = serde_json::Deserializer::from_str(value.get());
        value = Step(&step).deserialize(&mut reader).ok()??;
    }
    Some(value)
}

/// The member of an object, or the item of an array, that one step of a pointer names.
struct Step<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let is_plain = self.0 == "0" || !self.0.starts_with('0');
        let is_digits = self.0.bytes().all(|byte| byte.is_ascii_digit());
        let wanted = self.0.parse::<u64>().ok().filter(|_| is_plain && is_digits);
        let wanted = wanted.ok_or_else(|| A::Error::custom("no place in a list"))?;
        for _ in 0..wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = items.next_element()?;
        // The rest is read over: a reader wants to see the end.
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// A text that is borrowed if it can be; without the attribute serde always copies.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Timestamp;
    use crate::json_text::JsonText;

    const DATA: &str = r#"{
        "amount": 12345678901234567890.05, "paid": "10.50", "status": "failed", "live": true,
        "note": null, "tags": ["a", "b/c"], "a/b": {"m~n": 7}, "twice": 1, "twice": 2, "\u0061b": 1
    }"#;

    fn event() -> Event {
        Event {
            source: "stripe".parse().unwrap(),
            id: "evt_1".to_owned(),
            event_type: "payment.failed".to_owned(),
            subject: None,
            time: Timestamp(5),
            money: None,
            labels: vec![("merchant".to_owned(), "acme".to_owned())],
            data: JsonText::new(DATA).unwrap(),
        }
    }

    fn holds(field: Field, op: Operator, value: Value) -> bool {
        Rule { field, op, value }.holds(&mut Facts::of(&event()))
    }

    #[track_caller]
    fn check(pointer: &str, op: Operator, value: Value, expected: bool) {
        let said = format!("{pointer} {op:?} {value}");
        assert_eq!(holds(Field::Pointer(pointer.to_owned()), op, value), expected, "{said}");
    }

    #[test]
    fn texts_truths_and_nulls_are_equal_to_their_like_alone() {
        check("/status", Operator::Equals, json!("failed"), true);
        check("/status", Operator::Equals, json!("Failed"), false);
        check("/live", Operator::Equals, json!(true), true);
        check("/live", Operator::Equals, json!("true"), false);
        check("/note", Operator::Equals, json!(null), true);
        check("/status", Operator::NotEquals, json!("failed"), false);
        check("/status", Operator::NotEquals, json!("paid"), true);
        check("/status", Operator::In, json!(["paid", "failed"]), true);
        check("/status", Operator::In, json!(["paid"]), false);
        check("/status", Operator::Prefix, json!("fail"), true);
        check("/status", Operator::Prefix, json!("ail"), false);
        check("/tags", Operator::Equals, json!(["a", "b/c"]), false);
    }

    #[test]
    fn numbers_are_compared_by_their_digits() {
        check("/amount", Operator::Greater, json!("12345678901234567890.04"), true);
        check("/amount", Operator::Greater, json!("12345678901234567890.05"), false);
        check("/amount", Operator::Less, json!("12345678901234567890.06"), true);
        check("/paid", Operator::Greater, json!(10), true);
        check("/paid", Operator::Less, json!("10.51"), true);
        check("/twice", Operator::Equals, json!(2.0), true);
        check("/status", Operator::Greater, json!(0), false);
        check("/live", Operator::Less, json!(2), false);
    }

    #[test]
    fn a_pointer_leads_where_rfc_6901_says() {
        check("/tags/1", Operator::Equals, json!("b/c"), true);
        check("/a~1b/m~0n", Operator::Equals, json!(7), true);
        check("/ab", Operator::Equals, json!(1), true);
        check("", Operator::Exists, json!(true), true);
        check("/twice", Operator::Equals, json!(2), true);
        for nowhere in ["/none", "/tags/2", "/tags/01", "/tags/+1", "/tags/-", "/status/0", "/"] {
            check(nowhere, Operator::Exists, json!(true), false);
        }
    }

    #[test]
    fn of_what_is_not_there_only_that_holds() {
        check("/none", Operator::Exists, json!(false), true);
        check("/none", Operator::NotEquals, json!("a"), true);
        for op in [Operator::Equals, Operator::In, Operator::Prefix, Operator::Greater] {
            check("/none", op, json!(null), false);
        }
        check("/note", Operator::Exists, json!(true), true);
        check("/note", Operator::Exists, json!(false), false);
    }

    #[test]
    fn labels_are_texts_and_compared_as_such() {
        let label = |name: &str| Field::Label(name.to_owned());
        assert!(holds(label("merchant"), Operator::Equals, json!("acme")));
        assert!(!holds(label("merchant"), Operator::Equals, json!("Acme")));
        assert!(!holds(label("other"), Operator::Exists, json!(true)));
    }

    #[test]
    fn what_was_found_once_is_the_same_again() {
        let event = event();
        let mut facts = Facts::of(&event);
        let field = Field::Pointer("/status".to_owned());
        let rule = Rule { field, op: Operator::Equals, value: json!("failed") };
        assert!(rule.holds(&mut facts) && rule.holds(&mut facts));
        assert_eq!(facts.found.len(), 1);
    }
}
