//! A place in a request whose value nobody may keep, as the operator writes it.
//!
//! Pure. Never says whether a request has anything there.

use std::fmt;
use std::str::FromStr;

/// Most parts of a place in a body.
const PARTS_MAX: usize = 16;
/// Longest place, in bytes.
const BYTES_MAX: usize = 512;

/// As a part of a place in a body: any member, any item, any field.
pub(super) const ANY: &str = "*";

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// All headers of this name, in lower case.
    Header(String),
    /// All fields of this name in the query of the URL.
    Query(String),
    /// In the body: the names of members and fields, and the numbers of items, from the outermost.
    Body(Vec<String>),
}

/// A text that is no [`Place`]. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a request")]
pub(crate) struct InvalidPlace;

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        if text.len() > BYTES_MAX {
            return Err(InvalidPlace);
        }
        if let Some(name) = text.strip_prefix("header:") {
            let known = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
            let fits = !name.is_empty() && name.bytes().all(known);
            return fits.then(|| Self::Header(name.to_ascii_lowercase())).ok_or(InvalidPlace);
        }
        if let Some(name) = text.strip_prefix("query:") {
            return (!name.is_empty()).then(|| Self::Query(name.to_owned())).ok_or(InvalidPlace);
        }
        let parts: Vec<_> = text.strip_prefix('/').ok_or(InvalidPlace)?.split('/').collect();
        if parts.len() > PARTS_MAX || parts.contains(&"") {
            return Err(InvalidPlace);
        }
        // As in a JSON pointer.
        let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
        Ok(Self::Body(parts.into_iter().map(unescaped).collect()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Body(parts) => parts
                .iter()
                .try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1"))),
        }
    }
}

/// What is left of the paths that lead through the part of this name; `None` if there is none.
pub(super) fn below<'p>(paths: &[&'p [String]], name: &str) -> Option<Vec<&'p [String]>> {
    let step = |path: &&'p [String]| {
        let (first, rest) = path.split_first()?;
        (first == name || first == ANY).then_some(rest)
    };
    let left: Vec<_> = paths.iter().filter_map(step).collect();
    (!left.is_empty()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_header_a_field_of_the_query_or_a_path_into_the_body() {
        for text in ["header:authorization", "query:token", "/a", "/a/*/b~1c/~0d", "/card[number]"]
        {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        let header: Place = "header:X-Api-Key".parse().unwrap();
        assert_eq!(header, Place::Header("x-api-key".to_owned()));
        let long = format!("/{}", "x".repeat(BYTES_MAX));
        let deep = "/a".repeat(PARTS_MAX + 1);
        for wrong in ["", "/", "a", "/a/", "/a//b", "header:", "header:a b", "query:", &long, &deep]
        {
            assert_eq!(wrong.parse::<Place>(), Err(InvalidPlace), "{wrong}");
        }
    }
}
