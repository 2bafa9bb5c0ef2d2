//! The headers of a request: names and values, in the order of arrival, repeats kept.
//!
//! They lie in one text, since every request has a dozen and they travel through four threads: as
//! strings of their own they were most of what a request took from the allocator. Written out they
//! are a sequence of pairs. Never judges what a header may hold.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names in lower case and their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Name, value, name, value, without anything in between.
    text: String,
    /// Where each name and each value ends.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    /// None yet, with room for so many, and for so many bytes of names and values.
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    /// Adds one at the end.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_end, self.text.len()));
    }

    /// The value of the first of this name, which is given in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        (0..self.ends.len()).map(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before].1);
            let (name_end, end) = self.ends[index];
            (&self.text[start..name_end], &self.text[name_end..end])
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pairs of a name and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        // Borrowed where the format can, as what the store keeps can.
        while let Some((name, value)) = pairs.next_element::<(Cow<'de>, Cow<'de>)>()? {
            headers.push(&name.0, &value.0);
        }
        Ok(headers)
    }
}

/// A text that is borrowed if it can be; without the attribute serde always copies.
#[derive(Deserialize)]
struct Cow<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Headers {
        [("host", "here"), ("x-empty", ""), ("x-é", "ü"), ("host", "there")].into_iter().collect()
    }

    #[test]
    fn order_and_repeats_are_kept() {
        let headers = some();
        let pairs: Vec<_> = headers.iter().collect();
        assert_eq!(pairs, [("host", "here"), ("x-empty", ""), ("x-é", "ü"), ("host", "there")]);
        assert_eq!((headers.len(), headers.bytes()), (4, 30));
    }

    #[test]
    fn the_first_of_a_name_is_found() {
        assert_eq!(some().get("host"), Some("here"));
        assert_eq!(some().get("x-empty"), Some(""));
        assert_eq!(some().get("hos"), None);
    }

    #[test]
    fn written_they_are_pairs() {
        let pairs: Vec<(String, String)> =
            some().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let written = postcard::to_stdvec(&some()).unwrap();
        assert_eq!(written, postcard::to_stdvec(&pairs).unwrap());
        assert_eq!(postcard::from_bytes::<Headers>(&written).unwrap(), some());
        let json = serde_json::to_string(&some()).unwrap();
        assert_eq!(serde_json::from_str::<Headers>(&json).unwrap(), some());
    }
}
