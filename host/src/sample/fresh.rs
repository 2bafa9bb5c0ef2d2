//! New event ids for a sample, so that the gateway takes each for a new event.
//!
//! An id is replaced by one of the same form and length wherever it stands, in the body and in the
//! headers. Pure but for chance; knows no provider.

use crate::event::Request;

/// Shortest part of an id that is replaced, in characters: a shorter one is a word such as `pi`.
const PART_CHARS_MIN: usize = 4;

/// So often an id is drawn that must be another than before.
const DRAWS_MAX: usize = 20;

/// Puts new ids in the place of `ids`; headers of the names in `kept` stay as they are.
pub(super) fn renew(request: &mut Request, ids: &[String], kept: &[&str]) {
    let Ok(mut body) = String::from_utf8(request.body.to_vec()) else { return };
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for id in ids {
        let stands = |part: &str, headers: &[(String, String)]| {
            find(&body, part, 0).is_some()
                || headers.iter().any(|(_, value)| find(value, part, 0).is_some())
        };
        // Where the id itself is not there, it was put together out of parts that are.
        let parts: Vec<&str> = if stands(id, &headers) {
            vec![id]
        } else {
            let parts = id.split(|c: char| !is_word(c));
            let looks_like_one = |part: &&str| {
                part.len() >= PART_CHARS_MIN && part.bytes().any(|byte| byte.is_ascii_digit())
            };
            parts.filter(looks_like_one).filter(|part| stands(part, &headers)).collect()
        };
        for part in parts {
            let new = like(part);
            body = replaced(&body, part, &new);
            for (name, value) in &mut headers {
                if !kept.contains(&name.as_str()) {
                    *value = replaced(value, part, &new);
                }
            }
        }
    }
    request.body = body.into();
    request.headers = headers.into_iter().collect();
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Where `part` stands by itself, and not within a longer word.
fn find(text: &str, part: &str, from: usize) -> Option<usize> {
    let is_whole = |at: usize| {
        let before = text[..at].chars().next_back();
        let behind = text[at + part.len()..].chars().next();
        !before.is_some_and(|c| c.is_ascii_alphanumeric())
            && !behind.is_some_and(|c| c.is_ascii_alphanumeric())
    };
    text[from..].match_indices(part).map(|(at, _)| from + at).find(|at| is_whole(*at))
}

fn replaced(text: &str, part: &str, new: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = find(text, part, from) {
        result += &text[from..at];
        result += new;
        from = at + part.len();
    }
    result + &text[from..]
}

/// Another id of the same form: digits stay digits, letters stay letters of their case, hexadecimal
/// stays so, and a prefix such as `evt_` stays as it is.
fn like(id: &str) -> String {
    let mut fresh = drawn_like(id);
    // A short one may be drawn again; and one of signs alone has no other like it.
    for _ in 0..DRAWS_MAX {
        if fresh != id {
            break;
        }
        fresh = drawn_like(id);
    }
    fresh
}

fn drawn_like(id: &str) -> String {
    let behind = id.rfind('_').map(|at| at + 1);
    let start = behind.filter(|start| id.len() - start >= PART_CHARS_MIN).unwrap_or(0);
    let (prefix, rest) = id.split_at(start);
    let is_hex = rest.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    // The digits of a UUID that say which kind it is.
    let is_uuid = is_hex && rest.len() == 36;
    let last = if is_hex { 5 } else { 25 };
    let fresh: Vec<u8> = rest
        .bytes()
        .enumerate()
        .map(|(at, byte)| match byte {
            _ if is_uuid && (at == 14 || at == 19) => byte,
            // A number of that form would begin with it.
            b'0' if at == 0 && prefix.is_empty() => b'0',
            b'0'..=b'9' => fastrand::u8(if at == 0 { b'1'..=b'9' } else { b'0'..=b'9' }),
            b'a'..=b'z' => fastrand::u8(b'a'..=b'a' + last),
            b'A'..=b'Z' => fastrand::u8(b'A'..=b'A' + last),
            other => other,
        })
        .collect();
    // Whole characters beyond ASCII stay, so this is the text that it was but for ASCII.
    String::from_utf8(fresh).map_or_else(|_| id.to_owned(), |fresh| format!("{prefix}{fresh}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    fn request(body: &str, headers: &[(&str, &str)]) -> Request {
        Request {
            method: "POST".to_owned(),
            url: "/in/a".to_owned(),
            headers: headers.iter().copied().collect(),
            body: body.to_owned().into(),
            received_at: Timestamp::default(),
        }
    }

    #[test]
    fn a_new_id_is_never_the_old_one() {
        for _ in 0..1_000 {
            assert_ne!(like("a1"), "a1");
            assert_ne!(like("evt_hg_0007"), "evt_hg_0007");
        }
        assert_eq!(like("-"), "-");
    }

    #[test]
    fn a_new_id_has_the_form_of_the_old_one() {
        let new = like("evt_1NG8Du2eZvKYlo2CUI79vXWy");
        assert!(
            new.starts_with("evt_") && new.len() == 28 && new != "evt_1NG8Du2eZvKYlo2CUI79vXWy"
        );
        let new = like("7914073381342284");
        assert!(new.len() == 16 && new.bytes().all(|byte| byte.is_ascii_digit()));
        let new = like("72d3162e-cc78-11e3-81ab-4c9367dc0958");
        assert_eq!((&new[14..15], new.len(), new.matches('-').count()), ("1", 36, 4));
        assert!(new.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()));
        assert_eq!(like("é_é"), "é_é");
    }

    #[test]
    fn an_id_is_replaced_wherever_it_stands_by_itself() {
        let body = r#"{"id":"evt_12345","again":"evt_12345","other":"evt_123456"}"#;
        let mut request = request(body, &[("x-id", "evt_12345"), ("x-mine", "evt_12345")]);
        renew(&mut request, &["evt_12345".to_owned()], &["x-mine"]);
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let new = request.header("x-id").unwrap();
        assert_ne!(new, "evt_12345");
        assert_eq!(body, format!(r#"{{"id":"{new}","again":"{new}","other":"evt_123456"}}"#));
        assert_eq!(request.header("x-mine"), Some("evt_12345"));
    }

    #[test]
    fn an_id_that_was_put_together_is_replaced_by_its_parts() {
        let mut request = request(r#"{"ref":"AB12345","code":"CAPTURE","n":1}"#, &[]);
        renew(&mut request, &["AB12345:CAPTURE:true".to_owned()], &[]);
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        assert!(!body.contains("AB12345") && body.contains("CAPTURE"), "{body}");
        assert_eq!(body.len(), 40);
    }
}
