//! Bodies that are made to cost much to read, before anything is proven: of one size, and each dear
//! in another way.

use serde_json::Value;

/// A pattern to be repeated, with what stands before and behind all of it.
type Pattern = (&'static str, &'static str, &'static str, &'static str);

/// What is dear to those who read JSON, forms or XML carelessly.
const PATTERNS: [Pattern; 31] = [
    ("JSON of one long text", "{\"a\":\"", "x", "\"}"),
    ("JSON of many keys", "{\"a\":1", ",\"#\":1", "}"),
    ("JSON of one key, many times", "{\"a\":1", ",\"b\":1", "}"),
    ("JSON of one key in escapes", "{\"a\":1", ",\"\\u0062\":1", "}"),
    ("JSON of an id in escapes", "{\"id\":\"", "\\u0041", "\"}"),
    ("JSON of backslashes", "{\"id\":\"", "\\\\", "\"}"),
    ("JSON of surrogates", "{\"id\":\"", "\\ud83d\\udcb3", "\"}"),
    ("JSON of open brackets", "", "[", ""),
    ("JSON of open objects", "", "{\"a\":", ""),
    ("JSON of open objects under data", "{\"data\":", "{\"data\":", ""),
    ("JSON of numbers", "[0", ",0", "]"),
    ("JSON of empty texts", "[\"\"", ",\"\"", "]"),
    ("JSON of empty objects", "[{}", ",{}", "]"),
    ("JSON of a long number", "{\"id\":", "1", "}"),
    ("JSON of white space", "{\"id\":1", " \n", "}"),
    ("JSON of quotes", "", "\"", ""),
    ("commas", "", ",", ""),
    ("a form of names", "a", "&a", ""),
    ("a form of many fields", "a=1", "&#=1", ""),
    ("a form of empty fields", "", "&=", ""),
    ("a form of escapes", "a=", "%61", ""),
    ("a form of broken escapes", "a=", "%", ""),
    ("a form of escaped names", "a=1", "&%61=1", ""),
    ("a form of spaces", "payload=", "+", ""),
    ("bytes that are no text", "a=", "\u{0}", ""),
    ("XML of entities", "<a><kind>b</kind>", "&amp;", "</a>"),
    ("XML of characters by number", "<a><kind>b</kind>", "&#65;", "</a>"),
    ("XML of elements", "<a><kind>b</kind>", "<b/>", "</a>"),
    ("XML of open elements", "", "<a>", ""),
    ("XML of attributes", "<a ", "b='1' ", "/>"),
    ("XML of comments", "", "<!---->", "<a/>"),
];

/// Bodies of `size` bytes or a little more, by what is in them; the first is the plainest.
pub(super) fn bodies(sample: &[u8], size: usize) -> Vec<(String, Vec<u8>)> {
    let mut bodies: Vec<_> = PATTERNS.iter().map(|pattern| repeated(pattern, size)).collect();
    if let Ok(document) = serde_json::from_slice::<Value>(sample) {
        bodies.push(("its sample behind many keys".to_owned(), behind_keys(sample, size)));
        let mut long = document.clone();
        let share = size / texts(&mut long, &mut |_| ()).max(1);
        texts(&mut long, &mut |text| *text = "\u{1f4b3}\n".repeat(share / 6));
        bodies.push(("its sample with long texts".to_owned(), long.to_string().into_bytes()));
        let mut crowded = document;
        multiply(&mut crowded, size / sample.len().max(1) + 1);
        bodies.push(("its sample with long lists".to_owned(), crowded.to_string().into_bytes()));
    } else {
        let mut padded = sample.to_vec();
        padded.extend(repeated(&PATTERNS[18], size).1);
        bodies.push(("its sample before many fields".to_owned(), padded));
        let long = [sample, "x".repeat(size).as_bytes()].concat();
        bodies.push(("its sample with a long end".to_owned(), long));
    }
    bodies
}

fn repeated((name, head, pattern, tail): &Pattern, size: usize) -> (String, Vec<u8>) {
    let mut body = Vec::with_capacity(size + 64);
    body.extend_from_slice(head.as_bytes());
    let mut number = 0_u32;
    while body.len() < size {
        match pattern.split_once('#') {
            Some((before, behind)) => {
                body.extend_from_slice(format!("{before}{number}{behind}").as_bytes());
                number += 1;
            }
            // There is no text for these.
            None if *pattern == "\u{0}" => body.push(0xff),
            None => body.extend_from_slice(pattern.as_bytes()),
        }
    }
    body.extend_from_slice(tail.as_bytes());
    ((*name).to_owned(), body)
}

/// The members of the sample last in their object, where a reader comes to them after all others.
fn behind_keys(sample: &[u8], size: usize) -> Vec<u8> {
    let (_, mut body) = repeated(&PATTERNS[1], size);
    let members = sample.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    body.pop();
    body.push(b',');
    body.extend_from_slice(members);
    body
}

/// Changes every text in the document, and says how many there are.
fn texts(value: &mut Value, change: &mut impl FnMut(&mut String)) -> usize {
    match value {
        Value::String(text) => {
            change(text);
            1
        }
        Value::Array(items) => items.iter_mut().map(|item| texts(item, change)).sum(),
        Value::Object(members) => members.values_mut().map(|member| texts(member, change)).sum(),
        _ => 0,
    }
}

/// Repeats what is in the outermost lists.
fn multiply(value: &mut Value, times: usize) {
    match value {
        Value::Array(items) => {
            let (known, length) = (items.clone(), items.len() * times);
            *items = known.into_iter().cycle().take(length).collect();
        }
        Value::Object(members) => members.values_mut().for_each(|member| multiply(member, times)),
        _ => (),
    }
}
