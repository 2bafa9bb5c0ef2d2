//! Secrets in every writing that a text may have them in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

const SECRET: &str = "s3cret/with+signs=and\"quote";

fn redaction() -> Redaction {
    let redaction = Redaction::default();
    redaction.learn(&[Secret::new(SECRET).unwrap(), Secret::new("90071992").unwrap()]);
    redaction
}

fn shown(text: &str) -> String {
    redaction().of_text(text).unwrap_or_else(|| text.to_owned())
}

#[test]
fn a_key_is_hidden_without_its_prefix_too() {
    let redaction = Redaction::default();
    let text = STANDARD.encode([0xfb; 24]);
    redaction.learn(&[Secret::new(&format!("whsec_{text}")).unwrap()]);
    let bare = [text.clone(), URL_SAFE_NO_PAD.encode([0xfb; 24]), hex::encode([0xfb; 24])];
    for writing in bare {
        let shown = redaction
            .of_text(&format!("key {writing} it is"))
            .unwrap_or_else(|| panic!("{writing} is shown"));
        assert!(!shown.contains(writing.trim_end_matches('=')), "{shown}");
    }
    assert_eq!(redaction.of_text("nothing of it"), None);
}

#[test]
fn a_secret_is_hidden_in_every_writing() {
    let percent = "s3cret%2Fwith%2Bsigns%3Dand%22quote";
    let basic = STANDARD.encode(format!("user:{SECRET}"));
    let token = URL_SAFE_NO_PAD.encode(format!("{{\"key\":\"{SECRET}\",\"at\":1}}"));
    for text in [
        SECRET.to_owned(),
        format!("/in/x?token={percent}&a=1"),
        format!("/in/x?token={}&a=1", percent.to_lowercase()),
        format!("Basic {basic}"),
        format!("v1.{token}.sig"),
        hex::encode(SECRET),
        hex::encode_upper(SECRET),
        r#"{"token":"s3cret\/with+signs=and\"quote"}"#.to_owned(),
        r#"{"token":"\u00733cret/with+signs=and\"quote"}"#.to_owned(),
        STANDARD.encode(format!("a=1&token={percent}")),
    ] {
        let shown = shown(&text);
        assert!(shown.contains(HIDDEN) || shown.contains("KioqKio"), "{text}: {shown}");
        assert!(!shown.contains(&basic) && !shown.contains(percent), "{shown}");
        assert!(redaction().of_text(&shown).is_none(), "{shown}");
    }
}

/// One that somebody leaks, before and behind the gateway that knows its hash alike.
#[test]
fn a_token_of_the_admin_port_is_hidden_though_nobody_knows_its_text() {
    let redaction = Redaction::default();
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode([0x9d; 32]));
    for text in [
        format!("Bearer {token}"),
        format!("hgt_{token}&a={token}"),
        format!("cut off: {}", &token[..40]),
        token.replace('_', "%5F"),
        STANDARD.encode(format!("{{\"key\":\"{token}\"}}")),
        hex::encode(&token),
    ] {
        let shown = redaction.of_text(&text).unwrap_or_else(|| panic!("{text} is shown"));
        assert!(shown.contains(HIDDEN) || shown.contains("KioqKio"), "{text}: {shown}");
        assert!(!shown.contains(&token[4..24]), "{shown}");
    }
    let json = redaction.of_json(&format!("{{\"data\":[\"{token}\"]}}"));
    assert_eq!(json, "{\"data\":[\"(hidden)\"]}");
    for text in ["send `authorization: Bearer hgt_...`", "hgt_", "hgt_c2hvcnQ", "hgt_hgt_a"] {
        assert_eq!(redaction.of_text(text), None);
    }
}

#[test]
fn what_is_beside_a_secret_stays() {
    assert_eq!(shown("/in/x?token=s3cret%2Fwith%2Bsigns%3Dand%22quote&a=1"), {
        format!("/in/x?token={HIDDEN}&a=1")
    });
    let text = "nothing here: 4242%204242, c29tZXRoaW5n, deadbeef";
    assert_eq!(shown(text), text);

    let body = STANDARD.encode([b"\xff a=1&b=2&token=".as_slice(), SECRET.as_bytes()].concat());
    let left = STANDARD.decode(shown(&body)).unwrap();
    assert!(left.starts_with(b"\xff a=1&b=2&token=***") && left.len() > SECRET.len());
}

#[test]
fn a_secret_of_a_few_bytes_is_not_found_in_the_base64_of_plain_words() {
    let redaction = Redaction::default();
    redaction.learn(&[Secret::new("x").unwrap()]);

    // Read as base64, `dunning` and the digits have an `x` in them.
    assert_eq!(redaction.of_text("dunning is loading 77901154b1"), None);
    assert_eq!(redaction.of_text("an x").as_deref(), Some("an (hidden)"));
}

#[test]
fn json_stays_json() {
    let json = r#"{"a":"s3cret/with+signs=and\"quote","n":90071992,"m":[1,2.5e3],"90071992":null}"#;
    let shown = redaction().of_json(json);
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(value["a"], HIDDEN);
    assert_eq!(value["n"], HIDDEN);
    assert_eq!(value["m"][1], 2500.0);
    assert_eq!(redaction().of_json(&shown), shown);
    let plain = r#"{"a":"b\\","c":[true,-1]}"#;
    assert_eq!(redaction().of_json(plain), plain);
}

#[test]
fn nothing_is_forgotten() {
    let redaction = redaction();
    redaction.learn(&[Secret::new("rotated in").unwrap()]);
    assert!(redaction.of_text(SECRET).is_some() && redaction.of_text("rotated in").is_some());
    assert!(!format!("{redaction:?}").contains("s3cret"));
}
