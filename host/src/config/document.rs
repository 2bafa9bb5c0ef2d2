//! The file as TOML, read key by key.
//!
//! Every flaw is collected with its place, so that one look finds all of them. No text here holds a
//! value of the file, for any value may be a secret in the wrong place: only keys, kinds and
//! places.

use std::cell::RefCell;
use std::collections::BTreeMap;
#[cfg(test)]
use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::ids::Name;
use crate::secrets::is_plain;

/// What a [`Name`] is.
pub(super) const A_NAME: &str =
    "a name: 1 to 63 characters out of a-z, 0-9 and `-`, beginning with a letter or digit";

/// Something that is wrong, and the byte where it stands, if it is about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: Option<usize>,
    pub(super) reason: String,
}

/// What was found while reading.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    /// What makes the file unusable.
    pub(super) wrong: RefCell<Vec<Flaw>>,
    /// What works and is worth a look.
    pub(super) warnings: RefCell<Vec<Flaw>>,
    /// The keys that each table that was read may have, by the table's title.
    #[cfg(test)]
    pub(super) known: RefCell<BTreeMap<String, BTreeSet<&'static str>>>,
}

impl Flaws {
    pub(super) fn wrong(&self, at: Option<usize>, reason: impl Into<String>) {
        self.wrong.borrow_mut().push(Flaw { at, reason: reason.into() });
    }

    pub(super) fn warn(&self, at: Option<usize>, reason: impl Into<String>) {
        self.warnings.borrow_mut().push(Flaw { at, reason: reason.into() });
    }
}

/// A value of the file, and the key that it stands under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    key_at: usize,
    value: &'a Spanned<DeValue<'a>>,
    flaws: &'a Flaws,
}

impl<'a> Entry<'a> {
    /// The byte where the value begins.
    pub(super) fn at(&self) -> usize {
        self.value.span().start
    }

    /// Notes what is wrong with the value, which is not said again: `must be ...`.
    pub(super) fn wrong(&self, reason: &str) {
        self.flaws.wrong(Some(self.at()), format!("`{}` {reason}", self.key));
    }

    /// Notes what is worth a look.
    pub(super) fn warn(&self, reason: impl Into<String>) {
        self.flaws.warn(Some(self.at()), reason);
    }

    /// Notes what is wrong in a sentence of its own.
    pub(super) fn wrong_text(&self, sentence: String) {
        self.flaws.wrong(Some(self.at()), sentence);
    }

    /// Notes that the value is of another kind than `expected`.
    pub(super) fn unexpected(&self, expected: &str) {
        self.wrong(&format!("must be {expected}, not {}", kind(self.value.get_ref())));
    }

    pub(super) fn text(&self, expected: &str) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => {
                self.unexpected(expected);
                None
            }
        }
    }

    /// A whole number of 64 bits, with or without a sign.
    pub(super) fn number(&self, expected: &str) -> Option<i128> {
        match self.value.get_ref() {
            DeValue::Integer(number) => {
                let read = i128::from_str_radix(number.as_str(), number.radix());
                read.inspect_err(|_| self.wrong(&format!("must be {expected}"))).ok()
            }
            _ => {
                self.unexpected(expected);
                None
            }
        }
    }

    /// True or false; nothing, and nothing noted, if it is something else.
    pub(super) fn boolean(&self) -> Option<bool> {
        self.value.get_ref().as_bool()
    }

    /// The values of a list, each under the list's own key.
    pub(super) fn list(&self, expected: &str) -> Option<Vec<Self>> {
        let DeValue::Array(values) = self.value.get_ref() else {
            self.unexpected(expected);
            return None;
        };
        Some(values.iter().map(|value| Self { value, ..*self }).collect())
    }

    /// Whether it is a list with nothing in it.
    pub(super) fn is_empty_list(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Array(values) if values.is_empty())
    }

    /// A table; `title` is how errors call it.
    pub(super) fn table(&self, title: String) -> Option<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => {
                Some(Table::new(title, Some(self.at()), entries, self.flaws))
            }
            _ => {
                self.unexpected("a table");
                None
            }
        }
    }

    /// The one key of a table that has no other, and its text. Notes nothing.
    pub(super) fn single(&self) -> Option<(&'a str, &'a str)> {
        let DeValue::Table(entries) = self.value.get_ref() else { return None };
        let mut entries = entries.iter();
        match (entries.next(), entries.next()) {
            (Some((key, value)), None) => Some((key.get_ref(), value.get_ref().as_str()?)),
            _ => None,
        }
    }

    /// Whether it is a table. Notes nothing.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    /// A table of tables, by the names that the operator gives.
    pub(super) fn named(&self) -> Vec<(Name, Table<'a>)> {
        let table = self.table(format!("[{}]", self.key));
        table.map(|mut table| table.named()).unwrap_or_default()
    }

    /// A table as JSON, for a plugin. TOML's dates become strings.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        if !self.is_table() {
            self.unexpected("a table");
            return None;
        }
        self.value_json(self.value)
    }

    fn value_json(&self, value: &Spanned<DeValue<'_>>) -> Option<serde_json::Value> {
        let wrong = |reason: &str| {
            self.flaws.wrong(Some(value.span().start), format!("in `{}`: {reason}", self.key));
            None
        };
        Some(match value.get_ref() {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => number.into(),
                    Err(_) => return wrong("a whole number must fit into 64 bits"),
                }
            }
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
                match number {
                    Some(number) => number.into(),
                    None => return wrong("a number must be finite"),
                }
            }
            DeValue::Boolean(truth) => (*truth).into(),
            DeValue::Datetime(time) => time.to_string().into(),
            DeValue::Array(values) => values
                .iter()
                .map(|value| self.value_json(value))
                .collect::<Option<Vec<_>>>()?
                .into(),
            DeValue::Table(table) => {
                let entry = |(key, value): (&Spanned<_>, _)| {
                    let key: &std::borrow::Cow<'_, str> = key.get_ref();
                    Some((key.clone().into_owned(), self.value_json(value)?))
                };
                table.iter().map(entry).collect::<Option<serde_json::Map<_, _>>>()?.into()
            }
        })
    }
}

/// A key as it is shown, unless it may be a secret.
fn quoted(key: &str) -> Option<String> {
    is_plain(key).then(|| format!("`{key}`"))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A table of the file, of which each key is taken once; what is left is unknown.
#[derive(Debug)]
pub(super) struct Table<'a> {
    title: String,
    at: Option<usize>,
    entries: BTreeMap<&'a str, Entry<'a>>,
    known: Vec<&'static str>,
    flaws: &'a Flaws,
}

impl<'a> Table<'a> {
    fn new(title: String, at: Option<usize>, entries: &'a DeTable<'a>, flaws: &'a Flaws) -> Self {
        let entries = entries.iter().map(|(key, value)| {
            let Range { start: key_at, .. } = key.span();
            let key: &'a str = key.get_ref();
            (key, Entry { key, key_at, value, flaws })
        });
        Self { title, at, entries: entries.collect(), known: Vec::new(), flaws }
    }

    /// The file itself.
    pub(super) fn whole(document: &'a DeTable<'a>, flaws: &'a Flaws) -> Self {
        Self::new("the file".to_owned(), None, document, flaws)
    }

    /// How errors call it: `[endpoints.crm]`.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Reads the table, and notes every key that nobody asked for.
    pub(super) fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let read = read(&mut self);
        #[cfg(test)]
        self.flaws.known.borrow_mut().entry(self.title.clone()).or_default().extend(&self.known);
        for entry in self.entries.values() {
            let key = quoted(entry.key).map(|key| format!(" {key}")).unwrap_or_default();
            let title = &self.title;
            let known = self.known.join(", ");
            let reason = format!("unknown key{key}: the keys of {title} are {known}");
            self.flaws.wrong(Some(entry.key_at), reason);
        }
        read
    }

    /// The value of a key, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.known.push(key);
        self.entries.remove(key)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, key: &'static str) -> Option<Entry<'a>> {
        let entry = self.take(key);
        if entry.is_none() {
            self.wrong(format!("{} has no `{key}`", self.title));
        }
        entry
    }

    /// What a table below this one says, if it is there.
    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'a>) -> T,
    ) -> Option<T> {
        let table = self.take(key)?.table(format!("[{key}]"))?;
        Some(table.read(read))
    }

    /// All that is left, each a table under a name that the operator gives.
    pub(super) fn named(&mut self) -> Vec<(Name, Table<'a>)> {
        let above = match self.title.strip_suffix(']') {
            Some(above) => format!("{above}."),
            None => "[".to_owned(),
        };
        let left = std::mem::take(&mut self.entries).into_values();
        let named = left.filter_map(|entry| {
            let Ok(name) = entry.key.parse::<Name>() else {
                let shown = quoted(entry.key).unwrap_or_else(|| "this key".to_owned());
                entry.flaws.wrong(Some(entry.key_at), format!("{shown} is not {A_NAME}"));
                return None;
            };
            let title = format!("{above}{name}]");
            Some((name, entry.table(title)?))
        });
        named.collect()
    }

    /// All that is left, each under a key that the operator gives.
    pub(super) fn rest(&mut self) -> Vec<Entry<'a>> {
        std::mem::take(&mut self.entries).into_values().collect()
    }

    /// Notes what is worth a look about the table as a whole.
    pub(super) fn warn(&self, reason: impl Into<String>) {
        self.flaws.warn(self.at, reason);
    }

    /// Notes what is wrong with the table as a whole.
    pub(super) fn wrong(&self, reason: impl Into<String>) {
        self.flaws.wrong(self.at, reason);
    }
}
