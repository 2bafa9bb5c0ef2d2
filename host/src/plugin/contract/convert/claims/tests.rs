//! Claims that break the contract, field by field.

use super::*;

fn form() -> provider::SecretForm {
    provider::SecretForm { encoding: provider::KeyEncoding::Text, prefix: None }
}

fn digest() -> provider::Digest {
    let message = vec![provider::Piece::Body];
    provider::Digest { hash: provider::Hash::Sha256, key: Some(form()), message }
}

fn plain() -> provider::Claims {
    provider::Claims {
        values: Vec::new(),
        evidence: vec![evidence(vec![token()])],
        signed_at: None,
        event_ids: Vec::new(),
        plain_body: None,
        handshake: None,
        reply: None,
    }
}

fn token() -> provider::Proof {
    provider::Proof::Token("t".to_owned())
}

fn evidence(proofs: Vec<provider::Proof>) -> provider::Evidence {
    provider::Evidence { proofs, worth: None }
}

fn changed(change: impl FnOnce(&mut provider::Claims)) -> Result<Claims, &'static str> {
    let mut changed = plain();
    change(&mut changed);
    claims(changed).map_err(|violation| violation.field)
}

#[track_caller]
fn lies(proof: provider::Proof, field: &str) {
    let refused = changed(|it| {
        it.values = vec![provider::Value::Digest(digest())];
        it.evidence = vec![evidence(vec![proof])];
    });
    assert_eq!(refused.unwrap_err(), field);
}

#[test]
fn claims_are_bounded() {
    assert!(changed(|_| ()).is_ok());
    let many = |it: &mut provider::Claims| {
        it.evidence = (0..65).map(|_| evidence(vec![token()])).collect();
    };
    assert_eq!(changed(many).unwrap_err(), "claims.evidence");
    let many = |it: &mut provider::Claims| {
        it.evidence = vec![evidence((0..65).map(|_| token()).collect())];
    };
    assert_eq!(changed(many).unwrap_err(), "evidence.proofs");
    let mac = provider::Mac { digest: digest(), digests: vec![vec![0; 32]; 17] };
    lies(provider::Proof::Mac(mac), "mac.digests");
}

#[test]
fn a_proof_names_only_values_that_are_there() {
    let part = |index| {
        provider::Piece::Value(provider::ValuePart {
            index,
            written: provider::DigestText::Raw,
            start: 0,
            end: None,
        })
    };
    let digest = |index| provider::Digest { message: vec![part(index)], ..digest() };
    let mac = |index| {
        provider::Proof::Mac(provider::Mac { digest: digest(index), digests: vec![vec![0]] })
    };
    lies(mac(1), "mac.message");
    let decrypted = |index| provider::Proof::Decrypted(provider::Decryption { index, plain: None });
    lies(decrypted(0), "decryption.index");
    lies(decrypted(1), "decryption.index");
}

#[test]
fn a_plain_body_has_no_digest_and_no_secret() {
    let part =
        provider::ValuePart { index: 0, written: provider::DigestText::Raw, start: 0, end: None };
    let of = |piece: provider::Piece| {
        changed(|it| {
            it.values = vec![provider::Value::Digest(digest())];
            it.plain_body = Some(vec![piece]);
        })
    };
    assert!(of(provider::Piece::Body).is_ok());
    assert_eq!(of(provider::Piece::Secret(form())).unwrap_err(), "claims.plain-body");
    assert_eq!(of(provider::Piece::Value(part)).unwrap_err(), "claims.plain-body");
}

#[test]
fn a_token_is_bounded_and_ruled() {
    let jws = |change: &dyn Fn(&mut provider::Jws)| {
        let mut jws = provider::Jws {
            token: "a.b.c".to_owned(),
            algorithm: provider::JwsAlgorithm::Hs256,
            key: provider::KeySource::Configured(form()),
            payload: None,
            rules: vec![provider::JwsRule::Expires],
        };
        change(&mut jws);
        provider::Proof::Jws(jws)
    };
    let member = |name: &str, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        provider::JwsRule::Member(provider::JwsMember { name: name.to_owned(), values })
    };
    lies(jws(&|it| it.token = String::new()), "jws.token");
    lies(jws(&|it| it.token = "x".repeat(JWS_BYTES_MAX + 1)), "jws.token");
    lies(jws(&|it| it.payload = Some(Vec::new())), "jws.rules");
    lies(jws(&|it| it.rules = vec![provider::JwsRule::Issued; 17]), "jws.rules");
    lies(jws(&|it| it.rules = vec![member("aud", &[])]), "jws-member.values");
    lies(jws(&|it| it.rules = vec![member("", &["x"])]), "jws-member.name");
    lies(jws(&|it| it.rules = vec![member("aud", &[""])]), "jws-member.values");
}
