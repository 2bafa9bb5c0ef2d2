//! Answers that the contract refuses, one by one.

use super::*;

fn plain() -> provider::Handshake {
    provider::Handshake {
        status: 200,
        content_type: "text/plain; charset=utf-8".to_owned(),
        headers: Vec::new(),
        body: vec![provider::AnswerPiece::Text("a1b2".to_owned())],
    }
}

#[track_caller]
fn lies(change: impl FnOnce(&mut provider::Handshake), field: &str) {
    let mut changed = plain();
    change(&mut changed);
    assert_eq!(handshake(changed).unwrap_err().field, field);
}

fn named(name: &str, value: &str) -> Vec<types::HeaderResult> {
    vec![types::HeaderResult { name: name.to_owned(), value: value.to_owned() }]
}

#[test]
fn what_was_sent_is_never_shown_as_a_page() {
    assert!(handshake(plain()).is_ok());
    for content_type in ["text/html", "image/svg+xml", "text/plainer", ""] {
        let change = |it: &mut provider::Handshake| it.content_type = content_type.to_owned();
        lies(change, "handshake.content-type");
    }
}

#[test]
fn an_answer_has_no_header_that_is_the_gateways_own() {
    let ok = provider::Handshake { headers: named("WebHook-Allowed-Rate", "*"), ..plain() };
    assert!(handshake(ok).is_ok());
    for name in ["Set-Cookie", "content-length", "Transfer-Encoding", "location", "a b"] {
        lies(|it| it.headers = named(name, "1"), "handshake.headers");
    }
    lies(|it| it.headers = named("x", "a\r\nset-cookie: b"), "handshake.headers");
    lies(|it| it.headers = (0..9).flat_map(|_| named("x", "1")).collect(), "handshake.headers");
}

#[test]
fn an_answer_is_small() {
    lies(|it| it.status = 302, "handshake.status");
    lies(|it| it.body = vec![provider::AnswerPiece::Text("x".repeat(5_000))], "handshake");
    let digest = provider::Digest {
        algorithm: provider::Hmac::Sha256,
        key: provider::KeyEncoding::Text,
        message: "x".repeat(1_025),
        written: provider::DigestText::Hex,
    };
    lies(|it| it.body = vec![provider::AnswerPiece::Digest(digest)], "digest.message");
}

#[test]
fn only_get_and_options_are_read_beside_post() {
    assert_eq!(methods(vec!["GET".to_owned(), "OPTIONS".to_owned()]).unwrap(), METHODS);
    for name in ["POST", "get", "HEAD", "DELETE", ""] {
        assert!(methods(vec![name.to_owned()]).is_err(), "{name}");
    }
}
