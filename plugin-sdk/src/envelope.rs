//! What a provider says around the object that an event is about: the account, the version of the
//! API, custom data of the receiver.
//!
//! An event's data is the object, as it is written, with the envelope as its last member,
//! `envelope`. It never repeats what the event says already: its id, type and time.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::json::{self, Json, Members};
use crate::limits::JSON_DEPTH_MAX;

/// The name of the member.
const NAME: &str = "envelope";
/// Members up to which each name is compared with all others: more would take too long.
const FEW: usize = 32;

/// The members of the body without the object, and without what the event says already.
///
/// ```
/// use hookgate_sdk::{Envelope, Json};
///
/// let body = r#"{"id":"evt_1","type":"paid","account":"acct_1","data":{"id":"pi_1"}}"#;
/// let body = Json::parse(body.as_bytes()).unwrap();
/// let envelope = Envelope::of(&body.members(), &["id", "type", "data"]);
/// let data = envelope.around(body.at("/data"), body);
/// assert_eq!(data, r#"{"id":"pi_1","envelope":{"account":"acct_1"}}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Envelope<'a> {
    /// All members except those in `without`: the member that holds the object, the members that
    /// the event repeats, and counters that change with each retry.
    pub fn of(members: &Members<'a>, without: &[&str]) -> Self {
        Self::default().and(members, without)
    }

    /// With the members of another object too, except those in `without`. If several members have
    /// the same name, the envelope has the first of them, which is also what a lookup finds.
    #[must_use]
    pub fn and(mut self, members: &Members<'a>, without: &[&str]) -> Self {
        let added = members.named().filter(|(name, _)| !without.contains(&&**name));
        if self.0.len() + members.named().len() <= FEW {
            for (name, value) in added {
                if self.0.iter().all(|(known, _)| known != name) {
                    self.0.push((name.clone(), *value));
                }
            }
            return self;
        }
        let mut known: BTreeSet<Cow<'a, str>> =
            self.0.iter().map(|(name, _)| name.clone()).collect();
        for (name, value) in added {
            if known.insert(name.clone()) {
                self.0.push((name.clone(), *value));
            }
        }
        self
    }

    /// The data of an event: `object` with the envelope as its last member. If the envelope is
    /// empty, the data is `object` as it is. The data is the whole body if `object` is missing or
    /// `null`, and if it can't take the envelope: because it is not an object, has a member
    /// `envelope` already, or the result would be nested more than 512 levels deep.
    pub fn around(&self, object: Option<Json<'_>>, body: Json<'_>) -> String {
        let Some(object) = object.filter(|object| object.raw() != "null") else {
            return body.raw().to_owned();
        };
        if self.0.is_empty() {
            return object.raw().to_owned();
        }
        if !object.raw().starts_with('{') {
            return body.raw().to_owned();
        }
        let written = json::object(self.0.iter().map(|(name, value)| (&**name, *value)));
        // In the data every value of the envelope lies inside two brackets, as it does here. What
        // is shorter than the limit can't be nested that deep.
        let fits = written.len() < JSON_DEPTH_MAX
            || Json::parse(["[", &written, "]"].concat().as_bytes()).is_ok();
        if !fits || object.at("/envelope").is_some() {
            return body.raw().to_owned();
        }
        let inner = object.raw().strip_suffix('}').unwrap_or_default().trim_ascii_end();
        let comma = if inner == "{" { "" } else { "," };
        [inner, comma, "\"", NAME, "\":", &written, "}"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let json = Json::parse(body.as_bytes()).unwrap();
        let data = Envelope::of(&json.members(), &["id", "o"]).around(json.at("/o"), json);
        assert_eq!(data, expected);
        assert!(Json::parse(data.as_bytes()).is_ok());
    }

    #[test]
    fn what_stands_around_an_object_is_its_last_member() {
        check(
            r#"{"id":1,"o":{"a":1.10},"v":"x\u00e9"}"#,
            r#"{"a":1.10,"envelope":{"v":"x\u00e9"}}"#,
        );
        check(r#"{"o":{ },"v":null,"w":[1]}"#, r#"{"envelope":{"v":null,"w":[1]}}"#);
        check("{\"o\":{\"a\":1\n},\"v\\\"\":2}", "{\"a\":1,\"envelope\":{\"v\\\"\":2}}");
    }

    #[test]
    fn an_object_with_nothing_around_it_stays_as_it_is() {
        check(r#"{"id":1,"o":{"a": 1 }}"#, r#"{"a": 1 }"#);
        check(r#"{"id":1,"o":[ 1 ]}"#, "[ 1 ]");
    }

    #[test]
    fn a_name_is_written_once_and_the_first_of_it_counts() {
        check(r#"{"v":1,"o":{"a":1},"v":2}"#, r#"{"a":1,"envelope":{"v":1}}"#);
        let body = r#"{"id":"1","kind":"outer","data":{"kind":"inner","note":"x","o":{"a":1}}}"#;
        let body = Json::parse(body.as_bytes()).unwrap();
        let envelope = Envelope::of(&body.members(), &["id", "data"]);
        let envelope = envelope.and(&body.at("/data").unwrap().members(), &["o"]);
        let data = envelope.around(body.at("/data/o"), body);
        assert_eq!(data, r#"{"a":1,"envelope":{"kind":"outer","note":"x"}}"#);
    }

    #[test]
    fn many_members_are_kept_like_few() {
        for count in [1, FEW - 1, FEW, FEW + 1, 100] {
            let member = |number: usize| format!("\"m{number}\":{number},");
            let members: String = (0..count).map(member).collect();
            let again: String =
                (0..count).map(|number| format!("\"\\u006d{number}\":0,")).collect();
            let body = format!("{{{members}{again}\"id\":1,\"o\":{{}}}}");
            let expected = format!("{{\"envelope\":{{{}}}}}", members.trim_end_matches(','));
            check(&body, &expected);
        }
    }

    #[test]
    fn what_can_take_no_envelope_is_the_whole_body() {
        for body in [
            r#"{"v":1}"#,
            r#"{"o":[1],"v":1}"#,
            r#"{"o":null,"v":1}"#,
            r#"{"o":{"envelope":0},"v":1}"#,
        ] {
            check(body, body);
        }
    }

    #[test]
    fn nothing_is_nested_deeper_than_is_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in 1..1_000 {
            let body = format!(r#"{{"o":{{"a":1}},"v":{}}}"#, nested(depth));
            let Ok(json) = Json::parse(body.as_bytes()) else { return };
            let data = Envelope::of(&json.members(), &["o"]).around(json.at("/o"), json);
            assert!(Json::parse(data.as_bytes()).is_ok(), "{depth}");
        }
    }
}
