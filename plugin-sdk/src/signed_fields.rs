//! A signed text that is made of fields: `{id}|{time}|{amount}`, or all fields of a form, sorted.
//!
//! Providers put names and values together in many ways, and most escape nothing. So a boundary
//! between two fields may be moved without a change of the text: [`SignedFields::apart`] refuses
//! that where genuine values never contain the joint. Nothing here computes a digest.

use crate::claims::Refusal;

/// How such a text is put together.
///
/// ```
/// use hookgate_sdk::SignedFields;
///
/// let form = [("status", "paid"), ("id", "7"), ("signature", "00ff")];
///
/// const VALUES: SignedFields = SignedFields::values().joined_by("|").apart();
/// assert_eq!(VALUES.text(&form[..2]).unwrap(), "paid|7");
///
/// const FORM: SignedFields = SignedFields::names_and_values().sorted().without(&["signature"]);
/// assert_eq!(FORM.text(&form).unwrap(), "id7statuspaid");
///
/// const MANIFEST: SignedFields = SignedFields::assigned_by(":").joined_by(";").closed();
/// assert_eq!(MANIFEST.text(&form[..2]).unwrap(), "status:paid;id:7;");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedFields<'a> {
    /// The text between a name and its value; without it, names are not signed.
    assignment: Option<&'a str>,
    joint: &'a str,
    is_closed: bool,
    order: Order,
    without: &'a [&'a str],
    skips_empty: bool,
    is_apart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsGiven,
    Sorted,
    SortedIgnoringCase,
    /// By name and value, equal fields once.
    SortedOnce,
}

impl<'a> SignedFields<'a> {
    /// The values, in the given order, with nothing between them.
    pub const fn values() -> Self {
        Self {
            assignment: None,
            joint: "",
            is_closed: false,
            order: Order::AsGiven,
            without: &[],
            skips_empty: false,
            is_apart: false,
        }
    }

    /// Each name, and its value right behind it.
    pub const fn names_and_values() -> Self {
        Self::assigned_by("")
    }

    /// Each name and its value, with this text between them: `=`.
    pub const fn assigned_by(assignment: &'a str) -> Self {
        Self { assignment: Some(assignment), ..Self::values() }
    }

    /// With this text between two fields: `|`.
    #[must_use]
    pub const fn joined_by(self, joint: &'a str) -> Self {
        Self { joint, ..self }
    }

    /// With the text between two fields behind the last one too.
    #[must_use]
    pub const fn closed(self) -> Self {
        Self { is_closed: true, ..self }
    }

    /// Sorted by name; fields of one name stay in their order.
    #[must_use]
    pub const fn sorted(self) -> Self {
        Self { order: Order::Sorted, ..self }
    }

    /// Sorted by name in lower case.
    #[must_use]
    pub const fn sorted_ignoring_case(self) -> Self {
        Self { order: Order::SortedIgnoringCase, ..self }
    }

    /// Sorted by name and then by value. A field that is repeated with the same value counts once.
    #[must_use]
    pub const fn sorted_once(self) -> Self {
        Self { order: Order::SortedOnce, ..self }
    }

    /// Without the fields of these names, such as the signature itself.
    #[must_use]
    pub const fn without(self, names: &'a [&'a str]) -> Self {
        Self { without: names, ..self }
    }

    /// Without fields that are empty.
    #[must_use]
    pub const fn without_empty(self) -> Self {
        Self { skips_empty: true, ..self }
    }

    /// Refuses a value that contains the text between two fields: it could pass for two of them.
    /// Where names are signed, also refuses a name that contains this text or the one behind names.
    #[must_use]
    pub const fn apart(self) -> Self {
        Self { is_apart: true, ..self }
    }

    /// The signed text of these fields.
    pub fn text<N: AsRef<str>, V: AsRef<str>>(&self, fields: &[(N, V)]) -> Result<String, Refusal> {
        let fields = fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let is_meant = |(name, value): &(&str, &str)| {
            !self.without.contains(name) && (!self.skips_empty || !value.is_empty())
        };
        let mut fields: Vec<(&str, &str)> = fields.filter(is_meant).collect();
        match self.order {
            Order::AsGiven => (),
            Order::Sorted => fields.sort_by_key(|(name, _)| *name),
            Order::SortedIgnoringCase => fields.sort_by_key(|(name, _)| name.to_lowercase()),
            Order::SortedOnce => {
                fields.sort_unstable();
                fields.dedup();
            }
        }
        let mut text = String::new();
        for (number, (name, value)) in fields.into_iter().enumerate() {
            if let Some(end) = self.end_within(name, value) {
                return Err(Refusal::new(format!("`{name}` contains `{end}`, which ends it")));
            }
            if number > 0 {
                text += self.joint;
            }
            if let Some(assignment) = self.assignment {
                text += name;
                text += assignment;
            }
            text += value;
        }
        if self.is_closed {
            text += self.joint;
        }
        Ok(text)
    }

    /// The text in this field that could pass for the end of its name or of its value.
    fn end_within(&self, name: &str, value: &str) -> Option<&'a str> {
        let ends_value = !self.joint.is_empty() && value.contains(self.joint);
        let ends = [self.joint, self.assignment.unwrap_or_default()].into_iter();
        let mut ends = ends.filter(|end| !end.is_empty());
        let ends_name = ends.find(|end| self.assignment.is_some() && name.contains(*end));
        ends_name.or(ends_value.then_some(self.joint)).filter(|_| self.is_apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: [(&str, &str); 5] = [("b", "2"), ("a", "1"), ("B", ""), ("a", "0"), ("a", "1")];

    #[track_caller]
    fn check(fields: SignedFields<'_>, expected: &str) {
        assert_eq!(fields.text(&FORM).unwrap(), expected);
    }

    #[test]
    fn fields_are_put_together_in_every_way() {
        check(SignedFields::values(), "2101");
        check(SignedFields::values().joined_by("|"), "2|1||0|1");
        check(SignedFields::names_and_values(), "b2a1Ba0a1");
        check(SignedFields::assigned_by("=").joined_by("&"), "b=2&a=1&B=&a=0&a=1");
        check(SignedFields::names_and_values().sorted(), "Ba1a0a1b2");
        check(SignedFields::names_and_values().sorted_ignoring_case(), "a1a0a1b2B");
        check(SignedFields::names_and_values().sorted_once(), "Ba0a1b2");
        check(SignedFields::values().joined_by("|").without_empty().without(&["b"]), "1|0|1");
        check(SignedFields::values().joined_by(";").closed().without(&["a", "B"]), "2;");
    }

    #[test]
    fn no_value_passes_for_two() {
        let values = SignedFields::values().joined_by("|");
        assert_eq!(
            values.text(&[("a", "1|2"), ("b", "3")]),
            values.text(&[("a", "1"), ("b", "2|3")])
        );
        assert!(values.apart().text(&[("a", "1|2"), ("b", "3")]).is_err());
        assert_eq!(values.apart().text(&[("a", "1"), ("b", "3")]).unwrap(), "1|3");
        assert_eq!(values.apart().text(&[("a|b", "1")]).unwrap(), "1");
        let named = SignedFields::assigned_by("=").joined_by("&");
        assert_eq!(named.text(&[("a", "1"), ("b", "2")]), named.text(&[("a=1&b", "2")]));
        assert_eq!(named.apart().text(&[("a", "1=1")]).unwrap(), "a=1=1");
        for name in ["a=1&b", "a&b", "a=b"] {
            assert!(named.apart().text(&[(name, "2")]).is_err(), "{name}");
        }
    }
}
