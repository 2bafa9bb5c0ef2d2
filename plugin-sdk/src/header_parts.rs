//! A header of named parts: `t=1700000000,v1=<hex>`, `sender=shop;signature=<hex>`.
//!
//! A part without a name is ignored, as the providers' own libraries do. Nothing here knows what a
//! part means.

use crate::claims::Refusal;
use crate::request::Request;

/// The grammar of such a header.
///
/// ```
/// use hookgate_sdk::{HeaderParts, Request};
///
/// const SIGNATURE: HeaderParts = HeaderParts::new("x-acme-signature").separated_by(';');
///
/// let mut request = Request::post("/in/acme", "{}");
/// request.set_header("x-acme-signature", "sender=shop;signature=00ff");
/// assert_eq!(SIGNATURE.read(&request).unwrap().the("signature"), Ok("00ff"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderParts<'a> {
    name: &'a str,
    separator: char,
    assignment: char,
    spaced: bool,
}

/// The parts of one header, in their order. Read anew by each look-up: there are few of them, and a
/// list of them would cost more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'r> {
    written: &'r str,
    separator: char,
    assignment: char,
    spaced: bool,
}

impl<'a> HeaderParts<'a> {
    /// Parts `name=value` with commas between them, in the header of this name.
    pub const fn new(name: &'a str) -> Self {
        Self { name, separator: ',', assignment: '=', spaced: false }
    }

    /// With another character between two parts.
    #[must_use]
    pub const fn separated_by(self, separator: char) -> Self {
        Self { separator, ..self }
    }

    /// With another character between the name and the value.
    #[must_use]
    pub const fn assigned_by(self, assignment: char) -> Self {
        Self { assignment, ..self }
    }

    /// With blanks around parts, which are not part of them.
    #[must_use]
    pub const fn spaced(self) -> Self {
        Self { spaced: true, ..self }
    }

    /// The parts in the request. Refuses a header that is missing or repeated.
    pub fn read<'r>(&self, request: &'r Request) -> Result<Parts<'r>, Refusal> {
        let Self { name, separator, assignment, spaced } = *self;
        Ok(Parts { written: request.the_header(name)?, separator, assignment, spaced })
    }

    /// The request with these parts in the header.
    pub fn write(&self, mut request: Request, parts: &[(&str, &str)]) -> Request {
        let Self { separator, assignment, .. } = self;
        let mut written = String::new();
        for (number, (name, value)) in parts.iter().enumerate() {
            if number > 0 {
                written.push(*separator);
            }
            written += &format!("{name}{assignment}{value}");
        }
        request.set_header(self.name, written);
        request
    }
}

impl<'r> Parts<'r> {
    /// The value of the part that must be there exactly once. Refuses two, because another reader
    /// might believe the other one.
    pub fn the(&self, name: &str) -> Result<&'r str, Refusal> {
        let mut values = self.all(name);
        let Some(value) = values.next() else {
            return Err(Refusal::new(format!("the signature has no part `{name}`")));
        };
        if values.next().is_some() {
            return Err(Refusal::new(format!("the signature has more than one part `{name}`")));
        }
        Ok(value)
    }

    /// The values of all parts with this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'r str> {
        let Self { written, separator, assignment, spaced } = *self;
        written.split(separator).filter_map(move |part| {
            let part = if spaced { part.trim_ascii() } else { part };
            let (known, value) = part.split_once(assignment)?;
            (known == name).then_some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'r>(grammar: HeaderParts<'_>, request: &'r mut Request, value: &str) -> Parts<'r> {
        request.set_header("x-signature", value);
        grammar.read(request).unwrap()
    }

    #[test]
    fn parts_are_found_in_every_grammar() {
        const COMMAS: HeaderParts = HeaderParts::new("x-signature");
        let mut request = Request::post("/", "");
        for (grammar, value) in [
            (COMMAS, "t=1,v1=a,v1=b=,junk,=x,"),
            (COMMAS.separated_by(';'), "t=1;v1=a;v1=b="),
            (COMMAS.separated_by(' ').assigned_by(':'), "t:1 v1:a v1:b="),
            (COMMAS.spaced(), " t=1 , v1=a,v1=b="),
        ] {
            let parts = read(grammar, &mut request, value);
            assert_eq!(parts.the("t"), Ok("1"), "{value}");
            assert_eq!(parts.all("v1").collect::<Vec<_>>(), ["a", "b="], "{value}");
            assert!(parts.the("v1").is_err() && parts.the("V1").is_err(), "{value}");
        }
        assert!(COMMAS.read(&Request::post("/", "")).is_err());
    }

    #[test]
    fn what_is_written_reads_back() {
        const GRAMMAR: HeaderParts =
            HeaderParts::new("x-signature").separated_by(';').assigned_by(':');
        let request = GRAMMAR.write(Request::post("/", ""), &[("t", "1"), ("v1", "a")]);
        assert_eq!(request.header("x-signature"), Some("t:1;v1:a"));
        assert_eq!(GRAMMAR.read(&request).unwrap().the("v1"), Ok("a"));
    }
}
