//! Answers that break the contract, field by field.

use super::*;
use crate::provider::{Digest, Hash};

fn answer(status: u16, content_type: &str, bytes: usize) -> provider::Answer {
    provider::Answer {
        status,
        content_type: content_type.to_owned(),
        headers: Vec::new(),
        body: vec![provider::Piece::Bytes(vec![b'x'; bytes])],
    }
}

fn plain() -> provider::Answer {
    answer(200, "text/plain; charset=utf-8", 4)
}

#[track_caller]
fn lies(change: impl FnOnce(&mut provider::Answer)) {
    let mut changed = plain();
    change(&mut changed);
    assert_eq!(handshake(changed, &[]).unwrap_err().field, "claims.handshake");
}

fn named(name: &str, value: &str) -> Vec<types::HeaderResult> {
    vec![types::HeaderResult { name: name.to_owned(), value: value.to_owned() }]
}

#[test]
fn what_was_sent_is_never_shown_as_a_page() {
    assert!(handshake(plain(), &[]).is_ok());
    for content_type in ["text/html", "image/svg+xml", "text/plainer", ""] {
        lies(|it| it.content_type = content_type.to_owned());
    }
    assert!(handshake(answer(200, "", 0), &[]).is_ok(), "what is empty is no page");
}

#[test]
fn an_answer_has_no_header_that_is_the_gateways_own() {
    let ok = provider::Answer { headers: named("WebHook-Allowed-Rate", "*"), ..plain() };
    assert!(handshake(ok, &[]).is_ok());
    for name in [
        "Set-Cookie",
        "content-length",
        "Transfer-Encoding",
        "location",
        "Access-Control-Allow-Origin",
        "X-Accel-Redirect",
        "X-Sendfile",
        "hookgate-duplicate",
        "a b",
    ] {
        lies(|it| it.headers = named(name, "1"));
    }
    lies(|it| it.headers = named("x", "a\r\nset-cookie: b"));
    lies(|it| it.headers = (0..9).flat_map(|_| named("x", "1")).collect());
}

#[test]
fn the_answer_to_a_challenge_is_small() {
    lies(|it| it.status = 302);
    lies(|it| it.body = vec![provider::Piece::Text("x".repeat(5_000))]);
    lies(|it| it.body = (0..17).map(|_| provider::Piece::Text("x".to_owned())).collect());
    let digest = |bytes| {
        let message = vec![Piece::Bytes(vec![b'a'; bytes])];
        vec![Value::Digest(Digest { hash: Hash::Sha256, key: None, message })]
    };
    let part = || provider::ValuePart {
        index: 0,
        written: provider::DigestText::Hex,
        start: 0,
        end: None,
    };
    let digested = || provider::Answer { body: vec![provider::Piece::Value(part())], ..plain() };
    assert!(handshake(digested(), &digest(4_096)).is_ok());
    assert!(handshake(digested(), &digest(4_097)).is_err());
    assert!(handshake(digested(), &[]).is_err(), "there is no such value");
}

#[test]
fn an_answer_has_no_secret_and_no_body_of_others() {
    let form = provider::SecretForm { encoding: provider::KeyEncoding::Text, prefix: None };
    lies(|it| it.body = vec![provider::Piece::Secret(form)]);
    lies(|it| it.body = vec![provider::Piece::Body]);
}

#[test]
fn an_answer_is_bounded() {
    let given = |status, content_type: &str, bytes| {
        let given = reply("claims.reply", answer(status, content_type, bytes), &[]);
        given.map_err(|violation| violation.to_string())
    };
    assert!(given(200, "text/xml", BODY_BYTES_MAX).is_ok());
    for (status, content_type, bytes, reason) in [
        (302, "text/xml", 1, "must have a status of 200 to 299, not 302"),
        (200, "text/xml", BODY_BYTES_MAX + 1, "has a body of 65537 bytes; the limit is 65536"),
        (200, "text/xml\r\nx: y", 1, "has characters that a header can't have"),
        (200, "", 1, "has 0 bytes, not 1 to 255"),
    ] {
        let refused = given(status, content_type, bytes).unwrap_err();
        assert_eq!(refused, format!("`claims.reply` {reason}"));
    }
    let headed = |bytes: usize| {
        let headers = named("x", &"x".repeat(bytes - 1));
        reply("claims.reply", provider::Answer { headers, ..plain() }, &[])
    };
    assert!(headed(HEADERS_BYTES_MAX).is_ok() && headed(HEADERS_BYTES_MAX + 1).is_err());
    for status in [200, 204] {
        assert_eq!(given(status, "", 0).unwrap().content_type, "");
    }
    let refused = given(204, "text/plain", 1).unwrap_err();
    assert!(refused.ends_with("has a body, which the status 204 does not allow"), "{refused}");
}

#[test]
fn only_get_head_and_options_are_read_beside_post() {
    let names = ["GET", "HEAD", "OPTIONS"].map(str::to_owned);
    assert_eq!(methods(names.to_vec()).unwrap(), METHODS);
    for name in ["POST", "get", "DELETE", ""] {
        assert!(methods(vec![name.to_owned()]).is_err(), "{name}");
    }
    assert_eq!(event_methods(&["GET".to_owned()]).unwrap(), [Method::GET]);
    for name in ["HEAD", "POST", ""] {
        assert!(event_methods(&[name.to_owned()]).is_err(), "{name}");
    }
}
