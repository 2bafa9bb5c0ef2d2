//! What each proof is worth, whatever a plugin declares.

use super::super::tests::{info, whole};
use super::*;
use crate::provider::{
    Decryption, DigestText, Encrypted, KeyEncoding, KeySource, ProofInfo, ProofKind,
};

fn digest(hash: Hash, is_keyed: bool, message: Vec<Piece>) -> Digest {
    let key = is_keyed.then(|| KeyEncoding::Text.into());
    Digest { hash, key, message }
}

fn mac(hash: Hash, is_keyed: bool, message: Vec<Piece>) -> Proof {
    Proof::Mac { digest: digest(hash, is_keyed, message), digests: Vec::new() }
}

fn encrypted(cipher: Cipher) -> Value {
    Value::Decrypted(Encrypted {
        cipher,
        key: KeyEncoding::Text.into(),
        nonce: Vec::new(),
        ciphertext: vec![Piece::Body],
        tag: Vec::new(),
        associated_data: Vec::new(),
    })
}

fn proven(values: Vec<Value>, evidence: Vec<Vec<Proof>>, info: &ProviderInfo) -> Worth {
    let evidence = evidence.into_iter().map(Evidence::from).collect();
    worth(&Claims { values, evidence, ..Claims::default() }, info)
}

fn alone(values: Vec<Value>, proof: Proof) -> Worth {
    proven(values, vec![vec![proof]], &info())
}

#[test]
fn what_is_broken_or_constant_is_weak() {
    let secret = || Piece::Secret(KeyEncoding::Text.into());
    for (proof, expected) in [
        (mac(Hash::Sha256, true, vec![Piece::Body]), Worth::Bound),
        (mac(Hash::Sha1, true, vec![Piece::Body]), Worth::Bound),
        (mac(Hash::Md5, true, vec![Piece::Body]), Worth::Weak),
        (mac(Hash::Sha256, false, vec![Piece::Body, secret()]), Worth::Bound),
        (mac(Hash::Sha1, false, vec![Piece::Body, secret()]), Worth::Weak),
        (mac(Hash::Md5, false, vec![Piece::Body, secret()]), Worth::Weak),
        (mac(Hash::Sha256, false, vec![secret()]), Worth::Weak),
        (mac(Hash::Sha256, true, vec![secret(), Piece::Bytes(Vec::new())]), Worth::Weak),
        (Proof::Token("t".to_owned()), Worth::Weak),
    ] {
        assert_eq!(alone(Vec::new(), proof.clone()), expected, "{proof:?}");
    }
    let signed = |algorithm| Proof::Signature {
        algorithm,
        key: KeySource::Configured(KeyEncoding::Pem.into()),
        message: vec![Piece::Body],
        signatures: Vec::new(),
    };
    assert_eq!(alone(Vec::new(), signed(PublicKey::RsaSha1)), Worth::Weak);
    assert_eq!(alone(Vec::new(), signed(PublicKey::RsaSha256)), Worth::Bound);
}

#[test]
fn what_is_made_of_something_weak_is_weak() {
    let of = |hash| {
        let values = vec![Value::Digest(digest(hash, false, vec![Piece::Body]))];
        alone(values, mac(Hash::Sha256, true, vec![whole(0, DigestText::Hex)]))
    };
    assert_eq!((of(Hash::Sha256), of(Hash::Md5)), (Worth::Bound, Worth::Weak));
    let opened = |cipher| {
        let proof = Proof::Decrypted(Decryption { index: 0, plain: None });
        alone(vec![encrypted(cipher)], proof)
    };
    assert_eq!((opened(Cipher::AesGcm), opened(Cipher::AesCbc)), (Worth::Bound, Worth::Weak));
    let missing = Proof::Decrypted(Decryption { index: 1, plain: None });
    assert_eq!(alone(vec![encrypted(Cipher::AesGcm)], missing), Worth::Weak);
}

#[test]
fn all_evidence_counts_for_its_best_and_any_proof_for_its_least() {
    let good = || mac(Hash::Sha256, true, vec![Piece::Body]);
    let weak = || Proof::Token("t".to_owned());
    assert_eq!(proven(Vec::new(), vec![vec![good()], vec![weak()]], &info()), Worth::Bound);
    assert_eq!(proven(Vec::new(), vec![vec![good(), weak()]], &info()), Worth::Weak);
    assert_eq!(proven(Vec::new(), vec![], &info()), Worth::Weak);
}

#[test]
fn a_proof_is_worth_no_more_than_was_declared_and_no_less() {
    let proofs = |worths: &[Worth]| {
        let declared = worths.iter().map(|worth| ProofInfo { kind: ProofKind::Mac, worth: *worth });
        ProviderInfo { proofs: declared.collect(), ..info() }
    };
    let good = mac(Hash::Sha256, true, vec![Piece::Body]);
    let weak = mac(Hash::Md5, true, vec![Piece::Body]);
    let of = |proof: &Proof, worths: &[Worth]| {
        of_evidence(&Evidence::from(vec![proof.clone()]), &[], &proofs(worths))
    };
    assert_eq!(of(&good, &[Worth::Unbound]), Ok(Worth::Unbound));
    assert_eq!(of(&good, &[Worth::Weak, Worth::Bound]), Ok(Worth::Bound));
    assert_eq!(of(&weak, &[Worth::Weak, Worth::Bound]), Ok(Worth::Weak));
    let lesser = Error::LesserProof(ProofKind::Mac, Worth::Weak);
    assert_eq!(of(&weak, &[Worth::Bound]), Err(lesser));
    assert_eq!(of(&weak, &[Worth::Unbound]), Err(lesser));
    assert_eq!(of(&weak, &[]), Err(Error::UndeclaredProof(ProofKind::Mac)));
}

#[test]
fn a_plugin_may_say_of_a_request_that_it_proves_less() {
    let declared = |worths: &[Worth]| {
        let declared = worths.iter().map(|worth| ProofInfo { kind: ProofKind::Mac, worth: *worth });
        ProviderInfo { proofs: declared.collect(), ..info() }
    };
    let of = |worth, worths: &[Worth]| {
        let proofs = vec![mac(Hash::Sha256, true, vec![Piece::Body])];
        of_evidence(&Evidence { proofs, worth }, &[], &declared(worths))
    };
    let both = [Worth::Bound, Worth::Unbound];
    assert_eq!(of(None, &both), Ok(Worth::Bound));
    assert_eq!(of(Some(Worth::Unbound), &both), Ok(Worth::Unbound));
    let lesser = Error::LesserProof(ProofKind::Mac, Worth::Unbound);
    assert_eq!(of(Some(Worth::Unbound), &[Worth::Bound]), Err(lesser));
    assert_eq!(of(Some(Worth::Bound), &[Worth::Weak]), Ok(Worth::Weak));
}
