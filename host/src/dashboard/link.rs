//! Addresses: of pages, and of operations of the API, with their queries.
//!
//! Whatever stands in one is percent-encoded. Never leads to another site.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::Serializer;

/// Longest place that somebody comes back to, in bytes: it stands in the form to sign in.
const PLACE_BYTES_MAX: usize = 2 << 10;

/// What does not stand in a part of a path as it is: also dots, which lead elsewhere.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A path with the pairs of its query that have a value.
pub(super) fn with_query<'p>(
    path: &str,
    pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
) -> String {
    let mut query = Serializer::new(String::new());
    let mut is_empty = true;
    for (name, value) in pairs {
        if !value.is_empty() {
            query.append_pair(name, value);
            is_empty = false;
        }
    }
    if is_empty { path.to_owned() } else { format!("{path}?{}", query.finish()) }
}

/// A path with one more part, such as an id or a name.
pub(super) fn below(path: &str, part: &str) -> String {
    format!("{path}/{}", utf8_percent_encode(part, ENCODED))
}

/// A place in the dashboard that somebody wants to come back to; `None` if it may be elsewhere.
pub(super) fn own(place: &str) -> Option<&str> {
    let is_path = place.starts_with('/') && !place.starts_with("//");
    let is_short = place.len() <= PLACE_BYTES_MAX;
    let is_plain = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b'\\';
    (is_path && is_short && place.bytes().all(is_plain)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_what_it_is_made_of_and_nothing_else() {
        let pairs = [("type", "payment.*"), ("subject", "a&b=c d"), ("state", "")];
        assert_eq!(with_query("/events", pairs), "/events?type=payment.*&subject=a%26b%3Dc+d");
        assert_eq!(with_query("/events", [("state", "")]), "/events");
        assert_eq!(below("/sources", "a/../b?"), "/sources/a%2F%2E%2E%2Fb%3F");
        assert_eq!(below("/events", "evt_1-a"), "/events/evt_1-a");
    }

    /// Guards every condition of [`own`]: a sign-in must not lead to a page that looks like one.
    #[test]
    fn only_a_place_of_the_dashboard_is_come_back_to() {
        assert_eq!(own("/events?type=a"), Some("/events?type=a"));
        for place in ["https://evil.example", "//evil.example", "/\\evil.example", "", "a", "/\n/a"]
        {
            assert_eq!(own(place), None, "{place}");
        }
        assert_eq!(own(&"/".repeat(9)), None);
        assert_eq!(own(&format!("/{}", "a".repeat(PLACE_BYTES_MAX))), None);
    }
}
