//! The members of several objects of one document, each of which may lie in another.
//!
//! An event lies in the data of a body, and its object in that: one walk finds the members of all
//! of them, where a look-up of each walks over what it holds once more. Never enters an array.

use std::borrow::Cow;

use super::scan::{Entries, Span};
use super::{Json, first_name, quotes};

/// Members for which there is room from the start.
const USUAL: usize = 16;

/// Members of one object.
type Named<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// Puts the members of the object at each of these pointers into `found` under its number.
pub(super) fn find<'a>(text: &'a str, meant: Vec<(usize, &str)>, found: &mut [Named<'a>]) {
    object(text, Entries::of(text.as_bytes(), 0), meant, found);
}

/// The same from an object of the text on. Gives the place behind it.
fn object<'a>(
    text: &'a str,
    mut entries: Entries<'a>,
    meant: Vec<(usize, &str)>,
    found: &mut [Named<'a>],
) -> usize {
    let (mut itself, mut left) = (Vec::new(), Vec::new());
    for (number, pointer) in meant {
        match pointer.strip_prefix('/').map(first_name) {
            Some((name, rest)) => left.push((number, name, rest)),
            None if pointer.is_empty() => itself.push(number),
            None => (),
        }
    }
    let last = itself.pop();
    let mut members = Vec::with_capacity(if last.is_some() { USUAL } else { 0 });
    while let Some(name) = entries.name() {
        let quoted = &text[name];
        let is_meant = |known: &str| quotes::is_named(quoted.as_bytes(), known);
        let inside: Vec<_> = left
            .extract_if(.., |(_, known, _)| is_meant(known))
            .map(|(number, _, rest)| (number, rest))
            .collect();
        let Some(value) = member(text, &mut entries, inside, found) else { break };
        if last.is_some()
            && let (Some(name), Some(value)) = (quotes::text_of(quoted), text.get(value))
        {
            members.push((name, Json(value)));
        }
    }
    for number in itself {
        found[number].clone_from(&members);
    }
    if let Some(number) = last {
        found[number] = members;
    }
    entries.place()
}

/// The value of the next member, whose objects are read if somebody wants them.
fn member<'a>(
    text: &'a str,
    entries: &mut Entries<'a>,
    meant: Vec<(usize, &str)>,
    found: &mut [Named<'a>],
) -> Option<Span> {
    if !meant.is_empty()
        && let Some(inner) = entries.enter()
    {
        let end = object(text, inner, meant, found);
        return Some(entries.leave(end));
    }
    entries.pass()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Members;

    const VALUES: &[&str] =
        &["1", "\"}\"", "[{}]", "{}", "{\"a\": 1}", "{ \"b\":{\"c\":{}} }", "{ }"];
    const NAMES: &[&str] = &["a", "b", "\\u0061", "c"];

    /// Each by itself.
    fn known<'a, const N: usize>(json: Json<'a>, pointers: [&str; N]) -> [Members<'a>; N] {
        pointers.map(|pointer| json.at(pointer).map(Json::members).unwrap_or_default())
    }

    #[test]
    fn objects_are_found_in_one_another() {
        let body = r#" { "id" : 1, "data" : { "object" : { "a" : [ {} ], "b" : { } } , "c" : 2 } ,
            "data":{"object":{"d":1}},"list":[{"a":{}}],"a~b":{"e":3}} "#;
        let json = Json::parse(body.as_bytes()).unwrap();
        let pointers = ["", "/data", "/data/object", "/data/object/b", "/data", "/id", "/x", "x"];
        let objects = json.objects(pointers);
        assert_eq!(objects, known(json, pointers));
        assert_eq!(objects.each_ref().map(|it| it.iter().count()), [5, 2, 2, 0, 2, 0, 0, 0]);
        assert_eq!(json.objects(["/a~0b"])[0].number("/e"), Some("3"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn objects_are_found_like_each(
            values in prop::collection::vec(prop::sample::select(VALUES), 12),
            names in prop::collection::vec(prop::sample::select(NAMES), 12),
            counts in prop::collection::vec(0_usize..4, 4),
        ) {
            let members = names.iter().zip(&values);
            let mut members = members.map(|(name, it)| format!("\"{name}\":{it}"));
            let mut text = String::from("0");
            for count in counts {
                let mut inside: Vec<_> = members.by_ref().take(count).collect();
                inside.insert(count / 2, format!("\"a\": {text} "));
                text = format!("{{{}}}", inside.join(" , "));
            }
            let json = Json::parse(text.as_bytes()).unwrap();
            let pointers = ["/a", "", "/a/a", "/a/b", "/b", "/a/a/a", "/b/c"];
            prop_assert_eq!(json.objects(pointers), known(json, pointers));
        }
    }
}
