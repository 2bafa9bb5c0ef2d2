//! What a provider claims of a request, held against the contract.
//!
//! Counts and sizes only: whether any of it holds is [`crate::signature`]'s to say.

use super::super::bindings::exports::hookgate::plugin::provider;
use super::super::violation::{self, Violation, violation};
use super::message::{self, Given};
use super::{EVENTS_MAX, answer, lookup, timestamp, worth};
use crate::provider::{
    Claims, Decryption, Evidence, Hash, Jws, JwsAlgorithm, JwsRule, Piece, Proof, PublicKey, Value,
};

/// Most pieces of evidence in one request, and most proofs in one of them.
const EVIDENCE_MAX: usize = 64;
/// Most digests or signatures in one proof.
const DIGESTS_MAX: usize = 16;
/// Most pieces of a plain body.
const BODY_PIECES_MAX: usize = 16;
/// Largest JSON Web Signature.
const JWS_BYTES_MAX: usize = 256 << 10;
/// Most rules for one.
const RULES_MAX: usize = 16;
/// Longest name of a member of one, and longest value.
const MEMBER_BYTES_MAX: usize = 64;
const MEMBER_VALUE_BYTES_MAX: usize = 1 << 10;

/// What a provider read off a request.
pub(in crate::plugin) fn claims(claims: provider::Claims) -> Result<Claims, Violation> {
    let values = message::values(claims.values)?;
    let evidence = violation::at_most("claims.evidence", claims.evidence, EVIDENCE_MAX)?;
    let event_ids = violation::at_most("claims.event-ids", claims.event_ids, EVENTS_MAX)?;
    let event_id = |id| violation::text("claims.event-ids", id, violation::ID_BYTES_MAX);
    if claims.handshake.is_some() && claims.reply.is_some() {
        return Err(violation(
            "claims.reply",
            "must be empty where `claims.handshake` is set, which is an answer itself",
        ));
    }
    let one_evidence = |evidence| one_evidence(evidence, &values);
    let reply = |it| answer::reply("claims.reply", it, &values);
    Ok(Claims {
        evidence: evidence.into_iter().map(one_evidence).collect::<Result<_, _>>()?,
        signed_at: claims.signed_at.map(|at| timestamp("claims.signed-at", at)).transpose()?,
        event_ids: event_ids.into_iter().map(event_id).collect::<Result<_, _>>()?,
        plain_body: claims.plain_body.map(|it| plain_body(it, &values)).transpose()?,
        handshake: claims.handshake.map(|it| answer::handshake(it, &values)).transpose()?,
        reply: claims.reply.map(reply).transpose()?,
        values,
    })
}

fn plain_body(pieces: Vec<provider::Piece>, values: &[Value]) -> Result<Vec<Piece>, Violation> {
    let field = "claims.plain-body";
    let pieces = violation::at_most(field, pieces, BODY_PIECES_MAX)?;
    let pieces = Given { field, values }.pieces(pieces)?;
    // A digest that is made with a secret is not for a plugin to see.
    let is_plain = |piece: &Piece| match piece {
        Piece::Bytes(_) | Piece::Body => true,
        Piece::Value(part) => matches!(values.get(part.index), Some(Value::Decrypted(_))),
        Piece::Secret(_) => false,
    };
    if pieces.iter().all(is_plain) {
        Ok(pieces)
    } else {
        Err(violation(field, "may have texts, bytes, the body and decrypted values only"))
    }
}

fn one_evidence(evidence: provider::Evidence, values: &[Value]) -> Result<Evidence, Violation> {
    let proofs = violation::at_most("evidence.proofs", evidence.proofs, EVIDENCE_MAX)?
        .into_iter()
        .map(|it| proof(it, values))
        .collect::<Result<_, _>>()?;
    Ok(Evidence { proofs, worth: evidence.worth.map(worth) })
}

fn proof(proof: provider::Proof, values: &[Value]) -> Result<Proof, Violation> {
    let given = |field| Given { field, values };
    Ok(match proof {
        provider::Proof::Mac(mac) => Proof::Mac {
            digest: given("mac.message").digest(mac.digest)?,
            digests: violation::at_most("mac.digests", mac.digests, DIGESTS_MAX)?,
        },
        provider::Proof::Signature(signature) => Proof::Signature {
            algorithm: public_key(signature.algorithm),
            key: lookup::source(signature.key)?,
            message: given("signature.message").pieces(signature.message)?,
            signatures: violation::at_most(
                "signature.signatures",
                signature.signatures,
                DIGESTS_MAX,
            )?,
        },
        provider::Proof::Jws(it) => Proof::Jws(jws(it, values)?),
        provider::Proof::Token(token) => Proof::Token(token),
        provider::Proof::Decrypted(decryption) => {
            let index = given("decryption.index").index(decryption.index)?;
            if !matches!(values[index], Value::Decrypted(_)) {
                return Err(violation("decryption.index", "names a value that is a digest"));
            }
            let plain = decryption.plain.map(|plain| given("decryption.plain").pieces(plain));
            Proof::Decrypted(Decryption { index, plain: plain.transpose()? })
        }
    })
}

fn jws(jws: provider::Jws, values: &[Value]) -> Result<Jws, Violation> {
    let payload = jws.payload.map(|it| Given { field: "jws.payload", values }.pieces(it));
    let rules = violation::at_most("jws.rules", jws.rules, RULES_MAX)?;
    if payload.is_some() && !rules.is_empty() {
        return Err(violation("jws.rules", "must be empty where `jws.payload` is set"));
    }
    Ok(Jws {
        token: violation::text("jws.token", jws.token, JWS_BYTES_MAX)?,
        algorithm: jws_algorithm(jws.algorithm),
        key: lookup::source(jws.key)?,
        payload: payload.transpose()?,
        rules: rules.into_iter().map(rule).collect::<Result<_, _>>()?,
    })
}

fn rule(rule: provider::JwsRule) -> Result<JwsRule, Violation> {
    let member = match rule {
        provider::JwsRule::Expires => return Ok(JwsRule::Expires),
        provider::JwsRule::Issued => return Ok(JwsRule::Issued),
        provider::JwsRule::Member(member) => member,
    };
    let field = "jws-member.values";
    let values = violation::at_most(field, member.values, RULES_MAX)?;
    if values.is_empty() {
        return Err(violation(field, "must have at least one value"));
    }
    let value = |value| violation::text(field, value, MEMBER_VALUE_BYTES_MAX);
    Ok(JwsRule::Member {
        name: violation::text("jws-member.name", member.name, MEMBER_BYTES_MAX)?,
        values: values.into_iter().map(value).collect::<Result<_, _>>()?,
    })
}

fn public_key(scheme: provider::PublicKey) -> PublicKey {
    match scheme {
        provider::PublicKey::Ed25519 => PublicKey::Ed25519,
        provider::PublicKey::EcdsaP256 => PublicKey::EcdsaP256,
        provider::PublicKey::EcdsaP256Der => PublicKey::EcdsaP256Der,
        provider::PublicKey::EcdsaP384 => PublicKey::EcdsaP384,
        provider::PublicKey::EcdsaP384Der => PublicKey::EcdsaP384Der,
        provider::PublicKey::EcdsaP521 => PublicKey::EcdsaP521,
        provider::PublicKey::EcdsaP521Der => PublicKey::EcdsaP521Der,
        provider::PublicKey::RsaSha1 => PublicKey::RsaSha1,
        provider::PublicKey::RsaSha256 => PublicKey::RsaSha256,
        provider::PublicKey::RsaSha512 => PublicKey::RsaSha512,
        provider::PublicKey::RsaPssSha256 => PublicKey::RsaPssSha256,
    }
}

fn jws_algorithm(algorithm: provider::JwsAlgorithm) -> JwsAlgorithm {
    match algorithm {
        provider::JwsAlgorithm::Hs256 => JwsAlgorithm::Hmac(Hash::Sha256),
        provider::JwsAlgorithm::Hs384 => JwsAlgorithm::Hmac(Hash::Sha384),
        provider::JwsAlgorithm::Hs512 => JwsAlgorithm::Hmac(Hash::Sha512),
        provider::JwsAlgorithm::Rs256 => JwsAlgorithm::PublicKey(PublicKey::RsaSha256),
        provider::JwsAlgorithm::Rs512 => JwsAlgorithm::PublicKey(PublicKey::RsaSha512),
        provider::JwsAlgorithm::Ps256 => JwsAlgorithm::PublicKey(PublicKey::RsaPssSha256),
        provider::JwsAlgorithm::Es256 => JwsAlgorithm::PublicKey(PublicKey::EcdsaP256),
        provider::JwsAlgorithm::Es384 => JwsAlgorithm::PublicKey(PublicKey::EcdsaP384),
        provider::JwsAlgorithm::Es512 => JwsAlgorithm::PublicKey(PublicKey::EcdsaP521),
        provider::JwsAlgorithm::Eddsa => JwsAlgorithm::PublicKey(PublicKey::Ed25519),
    }
}

#[cfg(test)]
mod tests;
