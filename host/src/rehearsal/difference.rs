//! What differs between what is recorded and what a version comes to now: named by its field.
//!
//! Pure. Documents are compared as JSON: how they are written is no difference. A place in an array
//! has no number, so that the same difference in each of many is one. Bounded, whatever is
//! compared, and no control character gets into what is shown.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::{Event, Money, Timestamp};
use crate::json_text::JsonText;
use crate::secrets::Redaction;
use crate::tenant::Tenant;

/// Most differences of one receipt or run.
const DIFFERENCES_MAX: usize = 64;
/// Most characters that are shown of a value, or of the name of a field.
const SHOWN_MAX: usize = 200;
/// What is shown of what is not there.
pub(super) const NOTHING: &str = "(none)";

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: &'static str,
    /// Which field, or what it is about.
    pub(super) field: String,
    /// What is recorded.
    pub(super) recorded: String,
    /// What it is now.
    pub(super) now: String,
    /// What a receipt brings now and did not then: it is none if something else had brought it.
    pub(super) brings: Option<u64>,
}

/// The differences of one receipt or run, each field of a kind once.
#[derive(Debug, Default)]
pub(super) struct Differences {
    all: Vec<Difference>,
    /// Knows what is not shown.
    redaction: Redaction,
}

/// What an event says, whether a provider brings it or a handler emits it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'e> {
    /// Of one that a provider brings; what a handler emits is compared with its like.
    pub(super) event_type: Option<&'e str>,
    /// The same.
    pub(super) time: Option<Timestamp>,
    pub(super) subject: Option<&'e str>,
    pub(super) money: Option<&'e Money>,
    pub(super) labels: &'e [(String, String)],
    pub(super) data: &'e JsonText,
    /// The outer is `None` where it is not recorded, or nobody asks for it.
    pub(super) tenant: Option<Option<&'e Tenant>>,
}

impl<'e> Fields<'e> {
    /// Of an event that a provider brings.
    pub(super) fn of_event(event: &'e Event) -> Self {
        let Event { event_type, subject, time, money, labels, data, .. } = event;
        Self {
            event_type: Some(event_type),
            time: Some(*time),
            subject: subject.as_deref(),
            money: money.as_ref(),
            labels,
            data,
            tenant: None,
        }
    }
}

impl Differences {
    /// None yet. Whatever a plugin says may have a secret in it: some sources have one sent along,
    /// and a handler may have found it in its event.
    pub(super) fn without(secrets: &Redaction) -> Self {
        Self { all: Vec::new(), redaction: secrets.clone() }
    }

    /// All of them.
    pub(super) fn into_all(self) -> Vec<Difference> {
        self.all
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Adds one, unless the field has one already.
    pub(super) fn add(&mut self, kind: &'static str, field: &str, recorded: &str, now: &str) {
        self.add_brought(kind, field, (recorded, now), None);
    }

    /// The same of what is none if something else had brought it. Each of these is its own.
    pub(super) fn add_brought(
        &mut self,
        kind: &'static str,
        field: &str,
        (recorded, now): (&str, &str),
        brings: Option<u64>,
    ) {
        if self.is_full() {
            return;
        }
        let field = self.shown(field);
        let is_known = |it: &Difference| it.kind == kind && it.field == field;
        if brings.is_some() || !self.all.iter().any(is_known) {
            let (recorded, now) = (self.shown(recorded), self.shown(now));
            self.all.push(Difference { kind, field, recorded, now, brings });
        }
    }

    /// Compares two texts, of which each may not be there.
    pub(super) fn texts(
        &mut self,
        kind: &'static str,
        field: &str,
        recorded: Option<&str>,
        now: Option<&str>,
    ) {
        if recorded != now {
            self.add(kind, field, recorded.unwrap_or(NOTHING), now.unwrap_or(NOTHING));
        }
    }

    /// Compares two events field by field; `of` stands before the name of each field.
    pub(super) fn fields(
        &mut self,
        kind: &'static str,
        of: &str,
        recorded: &Fields<'_>,
        now: &Fields<'_>,
    ) {
        let field = |name: &str| format!("{of}{name}");
        self.texts(kind, &field("type"), recorded.event_type, now.event_type);
        if recorded.time != now.time {
            let text = |fields: &Fields<'_>| fields.time.map(|time| time.to_string());
            let (recorded, now) = (text(recorded), text(now));
            self.texts(kind, &field("time"), recorded.as_deref(), now.as_deref());
        }
        self.texts(kind, &field("subject"), recorded.subject, now.subject);
        match (recorded.money, now.money) {
            (Some(recorded), Some(now)) => {
                let (amount, currency) = (&recorded.amount, &recorded.currency);
                self.texts(kind, &field("money.amount"), Some(amount), Some(&now.amount));
                self.texts(kind, &field("money.currency"), Some(currency), Some(&now.currency));
            }
            (None, None) => (),
            (recorded, now) => {
                let text = |money: &Money| format!("{} {}", money.amount, money.currency);
                let (recorded, now) = (recorded.map(text), now.map(text));
                self.texts(kind, &field("money"), recorded.as_deref(), now.as_deref());
            }
        }
        self.labels(kind, &field("labels."), recorded.labels, now.labels);
        if let (Some(recorded), Some(now)) = (recorded.tenant, now.tenant) {
            let (recorded, now) = (recorded.map(Tenant::as_str), now.map(Tenant::as_str));
            self.texts(kind, &field("tenant"), recorded, now);
        }
        self.documents(kind, &field("data"), recorded.data.as_str(), now.data.as_str());
    }

    fn labels(
        &mut self,
        kind: &'static str,
        of: &str,
        recorded: &[(String, String)],
        now: &[(String, String)],
    ) {
        if recorded == now {
            return;
        }
        let mut all = BTreeMap::<&str, (Option<&str>, Option<&str>)>::new();
        for (name, value) in recorded {
            all.entry(name).or_default().0 = Some(value);
        }
        for (name, value) in now {
            all.entry(name).or_default().1 = Some(value);
        }
        for (name, (recorded, now)) in all {
            self.texts(kind, &format!("{of}{name}"), recorded, now);
        }
    }

    /// Compares two JSON documents, or texts where one of them is none.
    pub(super) fn documents(&mut self, kind: &'static str, field: &str, recorded: &str, now: &str) {
        if recorded == now {
            return;
        }
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        match read(recorded).zip(read(now)) {
            Some((recorded, now)) => self.values(kind, field, Some(&recorded), Some(&now)),
            None => self.add(kind, field, recorded, now),
        }
    }

    /// Compares two JSON values at one place. No deeper than JSON is read.
    fn values(
        &mut self,
        kind: &'static str,
        field: &str,
        recorded: Option<&Value>,
        now: Option<&Value>,
    ) {
        if recorded == now || self.is_full() {
            return;
        }
        match (recorded, now) {
            (Some(Value::Object(recorded)), Some(Value::Object(now))) => {
                let new = now.keys().filter(|key| !recorded.contains_key(*key));
                for key in recorded.keys().chain(new) {
                    let field = format!("{field}.{key}");
                    self.values(kind, &field, recorded.get(key), now.get(key));
                }
            }
            (Some(Value::Array(recorded)), Some(Value::Array(now))) => {
                let field = format!("{field}[]");
                if recorded.len() != now.len() {
                    let items = |items: &[Value]| format!("{} items", items.len());
                    self.add(kind, &field, &items(recorded), &items(now));
                }
                for (recorded, now) in recorded.iter().zip(now) {
                    self.values(kind, &field, Some(recorded), Some(now));
                }
            }
            _ => {
                let text = |value: Option<&Value>| value.map(Value::to_string);
                let (recorded, now) = (text(recorded), text(now));
                self.texts(kind, field, recorded.as_deref(), now.as_deref());
            }
        }
    }

    /// A text as it may be shown. Secrets go before it is cut: a half of one is too much.
    fn shown(&self, text: &str) -> String {
        match self.redaction.of_text(text) {
            Some(hidden) => shown(&hidden),
            None => shown(text),
        }
    }

    fn is_full(&self) -> bool {
        self.all.len() >= DIFFERENCES_MAX
    }
}

/// A text as it may be shown: not too long, and without control characters.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut width = 0;
    for char in text.chars() {
        if char.is_control() {
            width += char.escape_unicode().len();
            shown.extend(char.escape_unicode());
        } else {
            width += 1;
            shown.push(char);
        }
        if width > SHOWN_MAX {
            let cut: String = shown.chars().take(SHOWN_MAX - 1).collect();
            return cut + "…";
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{HIDDEN, Secret};

    fn of_documents(recorded: &str, now: &str) -> Vec<(String, String, String)> {
        let mut found = Differences::default();
        found.documents("event_field", "data", recorded, now);
        let all = found.into_all().into_iter();
        all.map(|it| (it.field, it.recorded, it.now)).collect()
    }

    fn names(differences: &[(String, String, String)]) -> Vec<&str> {
        differences.iter().map(|(field, ..)| field.as_str()).collect()
    }

    #[test]
    fn a_difference_in_a_document_is_named_by_its_place() {
        let found = of_documents(
            r#"{"a": {"b": 3, "c": [1]}, "gone": 1, "same": [{"x": 1}]}"#,
            r#"{"same": [{"x": 1}], "a": {"c": [1], "b": 4}, "new": null}"#,
        );
        assert_eq!(names(&found), ["data.a.b", "data.gone", "data.new"]);
        assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("3", "4"));
        assert_eq!((found[2].1.as_str(), found[2].2.as_str()), (NOTHING, "null"));
        assert!(of_documents(r#"{"a":1, "b": 2}"#, r#"{"b":2,"a":1}"#).is_empty());
    }

    #[test]
    fn the_same_difference_in_each_item_of_an_array_is_one() {
        let items = |price: u32| {
            let item = format!(r#"{{"price": {price}, "name": "x"}}"#);
            format!(r#"{{"lines": [{item}, {item}, {item}]}}"#)
        };
        assert_eq!(names(&of_documents(&items(1), &items(2))), ["data.lines[].price"]);
        let longer = of_documents("[1, 2]", "[1, 2, 3]");
        assert_eq!(names(&longer), ["data[]"]);
        assert_eq!((longer[0].1.as_str(), longer[0].2.as_str()), ("2 items", "3 items"));
    }

    #[test]
    fn what_is_no_json_is_compared_as_text() {
        assert_eq!(names(&of_documents("plain", "plane")), ["data"]);
        assert!(of_documents("plain", "plain").is_empty());
    }

    #[test]
    fn however_much_differs_it_is_bounded() {
        let fields = |value: u32| {
            let all: Vec<_> = (0..500).map(|field| format!("\"f{field}\": {value}")).collect();
            format!("{{{}}}", all.join(","))
        };
        assert_eq!(of_documents(&fields(1), &fields(2)).len(), DIFFERENCES_MAX);
        let long = "é\u{1b}".repeat(1_000);
        let shown = shown(&long);
        assert!(shown.chars().count() <= SHOWN_MAX && shown.ends_with('…'), "{shown}");
        assert!(shown.starts_with("é\\u{1b}é"), "{shown}");
    }

    #[test]
    fn no_part_of_a_secret_is_shown() {
        let secrets = Redaction::default();
        secrets.learn([&Secret::new("sesame").unwrap()]);
        let mut found = Differences::without(&secrets);
        let cut = format!("{}sesame", "x".repeat(SHOWN_MAX - 3));
        found.add("outcome", "sesame", "it was sesame", &cut);
        let all = found.into_all();
        let [difference] = &all[..] else { panic!("{all:?}") };
        assert_eq!((&*difference.field, &*difference.recorded), (HIDDEN, "it was (hidden)"));
        assert!(!difference.now.contains("se") && difference.now.ends_with('…'));
    }

    #[test]
    fn what_is_short_enough_is_shown_whole() {
        for text in ["", "a", &"x".repeat(SHOWN_MAX), &"é".repeat(SHOWN_MAX)] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown(&"x".repeat(SHOWN_MAX + 1)).chars().count(), SHOWN_MAX);
    }

    #[test]
    fn each_field_of_an_event_is_compared() {
        let data = JsonText::new("{}").unwrap();
        let (ten, twelve) = (money("10.00"), money("12.00"));
        let acme: Tenant = "acme".parse().unwrap();
        let labels = [("country".to_owned(), "DE".to_owned())];
        let recorded = Fields {
            event_type: Some("payment.failed"),
            time: Some(Timestamp(1)),
            subject: Some("pi_1"),
            money: Some(&ten),
            labels: &labels,
            data: &data,
            tenant: Some(None),
        };
        let compared = |now: Fields<'_>| {
            let mut found = Differences::default();
            found.fields("event_field", "", &recorded, &now);
            found.into_all().into_iter().map(|it| it.field).collect::<Vec<_>>()
        };
        assert!(compared(recorded).is_empty());
        let changed = JsonText::new("{\"a\":1}").unwrap();
        for (now, expected) in [
            (Fields { event_type: Some("a.b"), ..recorded }, "type"),
            (Fields { time: Some(Timestamp(2)), ..recorded }, "time"),
            (Fields { subject: None, ..recorded }, "subject"),
            (Fields { money: Some(&twelve), ..recorded }, "money.amount"),
            (Fields { money: None, ..recorded }, "money"),
            (Fields { labels: &[], ..recorded }, "labels.country"),
            (Fields { data: &changed, ..recorded }, "data.a"),
            (Fields { tenant: Some(Some(&acme)), ..recorded }, "tenant"),
        ] {
            assert_eq!(compared(now), [expected]);
        }
    }

    fn money(amount: &str) -> Money {
        Money::new(amount.to_owned(), "EUR".to_owned()).unwrap()
    }
}
