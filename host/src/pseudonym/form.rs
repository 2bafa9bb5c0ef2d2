//! Values within a form, or the query of a URL, replaced where they stand.
//!
//! Pure. Fields that are not meant stay byte for byte as they were. A field whose value is a JSON
//! text is one level more. Never decides whether a body is a form.

use url::form_urlencoded::{byte_serialize, parse};

use super::place::below;
use super::{Pseudonym, json};

/// The form with a pseudonym for each value that a path leads to; `None` if there is none.
pub(super) fn replace(
    form: &str,
    paths: &[&[String]],
    pseudonym: &mut dyn Pseudonym,
) -> Option<String> {
    let mut is_changed = false;
    let mut fields = Vec::new();
    for field in form.split('&') {
        let with = replaced(field, paths, pseudonym);
        is_changed |= with.is_some();
        fields.push(with.unwrap_or_else(|| field.to_owned()));
    }
    is_changed.then(|| fields.join("&"))
}

/// One field, if it is to be replaced.
fn replaced(field: &str, paths: &[&[String]], pseudonym: &mut dyn Pseudonym) -> Option<String> {
    let (name, value) = parse(field.as_bytes()).next()?;
    let left = below(paths, &name)?;
    let with = if left.iter().any(|path| path.is_empty()) {
        (!value.is_empty()).then(|| pseudonym.text(&value))
    } else {
        json::within(&value, &left, pseudonym)
    };
    let written = field.split_once('=').map_or(field, |(name, _)| name);
    let encoded = |with: String| byte_serialize(with.as_bytes()).collect::<String>();
    with.map(|with| format!("{written}={}", encoded(with)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named;

    impl Pseudonym for Named {
        fn text(&mut self, text: &str) -> String {
            format!("was-{}", text.len())
        }

        fn number(&mut self, number: &str) -> String {
            number.len().to_string()
        }
    }

    #[test]
    fn a_field_is_known_however_it_is_encoded_and_others_stay_as_they_were() {
        let paths = [vec!["card no".to_owned()], vec!["payload".to_owned(), "pan".to_owned()]];
        let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
        let replaced = |form: &str| replace(form, &paths, &mut Named);
        let form = "a=1%20+&card+no=42%2042&%63ard%20no=1&empty&card+no=&b";
        let expected = "a=1%20+&card+no=was-5&%63ard%20no=was-1&empty&card+no=&b";
        assert_eq!(replaced(form).unwrap(), expected);
        let nested = "payload=%7B%22pan%22%3A42%7D&x=1";
        assert_eq!(replaced(nested).unwrap(), "payload=%7B%22pan%22%3A2%7D&x=1");
        assert_eq!(replaced("payload=pan&x=1"), None);
        assert_eq!(replaced("payload=%5Bpan&x=1").unwrap(), "payload=was-4&x=1");
    }
}
