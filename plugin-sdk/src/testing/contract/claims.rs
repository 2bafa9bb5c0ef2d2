//! The gateway's checks of claims: their counts and sizes, before anything in them is verified.
//!
//! The gateway also parses the URLs of keys. Whether any of it holds is not checked here.

use super::{answer, at_most, message, text};
use crate::claims::{
    Answer, Chain, Cipher, Claims, Decryption, Digest, Encrypted, Evidence, Extension, Jws,
    JwsMember, JwsRule, KeyField, KeyLookup, KeySource, Piece, Proof, Root, Value,
};
use crate::event::Timestamp;
use crate::limits::{
    CERTIFICATE_BYTES_MAX, CERTIFICATES_MAX, DIGESTS_MAX, EVENTS_MAX, HANDSHAKE_BYTES_MAX,
    ID_BYTES_MAX, JWS_BYTES_MAX, KEY_URL_BYTES_MAX, VALUES_MAX,
};
use crate::time;

/// Most pieces of evidence, and most proofs in one of them.
const EVIDENCE_MAX: usize = 64;
/// Most pieces of a plain body.
const BODY_PIECES_MAX: usize = 16;
/// Most rules for a JSON Web Signature, and most values of one.
const RULES_MAX: usize = 16;
/// Most bytes of the name of a member of one, and of a value.
const MEMBER_BYTES_MAX: usize = 64;
const MEMBER_VALUE_BYTES_MAX: usize = 1 << 10;
/// Most bytes of data that are authenticated beside an encrypted text.
const DATA_BYTES_MAX: usize = 4 << 10;
/// Most members of the object that is posted for a key, and most bytes of a name or a text in it.
const FIELDS_MAX: usize = 16;
const FIELD_BYTES_MAX: usize = 256;
/// Most extensions that certificates must have.
const EXTENSIONS_MAX: usize = 8;
/// Most bytes of the name of a host.
const HOST_BYTES_MAX: usize = 253;
/// The content types of answers to challenges.
const CONTENT_TYPES: [&str; 2] = ["text/plain", "application/json"];

/// Checks the claims of a request.
pub(crate) fn claims(claims: &Claims) -> Result<(), String> {
    let Claims { values, evidence, signed_at, event_ids, plain_body, handshake, reply } = claims;
    at_most("claims.values", values.len(), VALUES_MAX)?;
    for (place, value) in values.iter().enumerate() {
        made(value, &values[..place])?;
    }
    at_most("claims.evidence", evidence.len(), EVIDENCE_MAX)?;
    at_most("claims.event-ids", event_ids.len(), EVENTS_MAX)?;
    if handshake.is_some() && reply.is_some() {
        let reason = "must be empty where `claims.handshake` is set, which is an answer itself";
        return Err(format!("`claims.reply` {reason}"));
    }
    evidence.iter().try_for_each(|evidence| proofs(evidence, values))?;
    timestamp("claims.signed-at", *signed_at)?;
    event_ids.iter().try_for_each(|id| text("claims.event-ids", id, ID_BYTES_MAX))?;
    if let Some(pieces) = plain_body {
        plain(pieces, values)?;
    }
    if let Some(answer) = handshake {
        challenge(answer, values)?;
    }
    reply.as_ref().map_or(Ok(()), |reply| answer::answer("claims.reply", reply, values))
}

/// Checks a value that is made of those before it.
fn made(value: &Value, before: &[Value]) -> Result<(), String> {
    let Encrypted { cipher, key, ciphertext, tag, associated_data: data, .. } = match value {
        Value::Digest(it) => return digest("digest.message", it, before),
        Value::Decrypted(it) => it,
    };
    let field = "encrypted.ciphertext";
    message::pieces(field, ciphertext, &[])?;
    if ciphertext.iter().any(|piece| matches!(piece, Piece::Secret(_))) {
        return Err(format!("`{field}` may have texts, bytes and the body only"));
    }
    if data.len() > DATA_BYTES_MAX {
        let reason = format!("has {} bytes; the limit is {DATA_BYTES_MAX}", data.len());
        return Err(format!("`encrypted.associated-data` {reason}"));
    }
    if *cipher == Cipher::AesCbc && !(tag.is_empty() && data.is_empty()) {
        return Err("`encrypted.tag` must be empty, and so the associated data".to_owned());
    }
    message::secret_form("encrypted.key", key)
}

fn digest(field: &str, digest: &Digest, values: &[Value]) -> Result<(), String> {
    if let Some(form) = &digest.key {
        message::secret_form("digest.key", form)?;
    }
    message::pieces(field, &digest.message, values)
}

fn plain(pieces: &[Piece], values: &[Value]) -> Result<(), String> {
    let field = "claims.plain-body";
    at_most(field, pieces.len(), BODY_PIECES_MAX)?;
    message::pieces(field, pieces, values)?;
    let is_plain = |piece: &Piece| match piece {
        Piece::Text(_) | Piece::Bytes(_) | Piece::Body => true,
        Piece::Value(part) => {
            matches!(message::named(field, part.index, values), Ok(Value::Decrypted(_)))
        }
        Piece::Secret(_) => false,
    };
    if pieces.iter().all(is_plain) {
        Ok(())
    } else {
        Err(format!("`{field}` may have texts, bytes, the body and decrypted values only"))
    }
}

fn challenge(answer: &Answer, values: &[Value]) -> Result<(), String> {
    let field = "claims.handshake";
    answer::answer(field, answer, values)?;
    let essence = answer.content_type.split(';').next().unwrap_or_default().trim();
    let is_empty = answer::is_empty(&answer.body) && essence.is_empty();
    if !is_empty && !CONTENT_TYPES.contains(&essence) {
        return Err(format!("`{field}` must be text/plain or application/json"));
    }
    if crate::answer::asked_bytes(answer, values) > HANDSHAKE_BYTES_MAX {
        let most = HANDSHAKE_BYTES_MAX;
        let reason = "of texts, headers and digested messages";
        return Err(format!("`{field}` must have at most {most} bytes {reason}"));
    }
    Ok(())
}

fn proofs(evidence: &Evidence, values: &[Value]) -> Result<(), String> {
    at_most("evidence.proofs", evidence.proofs.len(), EVIDENCE_MAX)?;
    evidence.proofs.iter().try_for_each(|it| proof(it, values))
}

fn proof(proof: &Proof, values: &[Value]) -> Result<(), String> {
    match proof {
        Proof::Mac(mac) => {
            digest("mac.message", &mac.digest, values)?;
            at_most("mac.digests", mac.digests.len(), DIGESTS_MAX)
        }
        Proof::Signature(signed) => {
            source(&signed.key)?;
            message::pieces("signature.message", &signed.message, values)?;
            at_most("signature.signatures", signed.signatures.len(), DIGESTS_MAX)
        }
        Proof::Jws(it) => jws(it, values),
        Proof::Token(_) => Ok(()),
        Proof::Decrypted(Decryption { index, plain }) => {
            let field = "decryption.index";
            if !matches!(message::named(field, *index, values)?, Value::Decrypted(_)) {
                return Err(format!("`{field}` names a value that is a digest"));
            }
            let pieces = plain.as_deref().unwrap_or_default();
            message::pieces("decryption.plain", pieces, values)
        }
    }
}

fn jws(jws: &Jws, values: &[Value]) -> Result<(), String> {
    at_most("jws.rules", jws.rules.len(), RULES_MAX)?;
    if jws.payload.is_some() && !jws.rules.is_empty() {
        return Err("`jws.rules` must be empty where `jws.payload` is set".to_owned());
    }
    text("jws.token", &jws.token, JWS_BYTES_MAX)?;
    source(&jws.key)?;
    message::pieces("jws.payload", jws.payload.as_deref().unwrap_or_default(), values)?;
    jws.rules.iter().try_for_each(rule)
}

fn rule(rule: &JwsRule) -> Result<(), String> {
    let JwsMember { name, values } = match rule {
        JwsRule::Expires | JwsRule::Issued => return Ok(()),
        JwsRule::Member(member) => member,
    };
    let field = "jws-member.values";
    at_most(field, values.len(), RULES_MAX)?;
    if values.is_empty() {
        return Err(format!("`{field}` must have at least one value"));
    }
    text("jws-member.name", name, MEMBER_BYTES_MAX)?;
    values.iter().try_for_each(|value| text(field, value, MEMBER_VALUE_BYTES_MAX))
}

/// Checks where a key comes from.
fn source(source: &KeySource) -> Result<(), String> {
    match source {
        KeySource::Configured(form) => message::secret_form("key-source.configured", form),
        KeySource::Fetched(it) => lookup(it),
        KeySource::Chain(it) => chain(it),
    }
}

fn lookup(lookup: &KeyLookup) -> Result<(), String> {
    text("key-lookup.url", &lookup.url, KEY_URL_BYTES_MAX)?;
    let field = "key-lookup.post";
    let fields = lookup.post.as_deref().unwrap_or_default();
    at_most(field, fields.len(), FIELDS_MAX)?;
    for (name, value) in fields {
        if let KeyField::Text(value) = value {
            text(field, value, FIELD_BYTES_MAX)?;
        }
        text(field, name, FIELD_BYTES_MAX)?;
    }
    lookup.id.as_ref().map_or(Ok(()), |id| text("key-lookup.id", id, FIELD_BYTES_MAX))
}

fn chain(chain: &Chain) -> Result<(), String> {
    let Chain { certificates, root, extensions, valid_at } = chain;
    let field = "chain.certificates";
    at_most(field, certificates.len(), CERTIFICATES_MAX)?;
    let fits = |der: &Vec<u8>| (1..=CERTIFICATE_BYTES_MAX).contains(&der.len());
    if certificates.is_empty() || !certificates.iter().all(fits) {
        return Err(format!("`{field}` must be 1 to 8 certificates of 1 byte to 16 KiB each"));
    }
    at_most("chain.extensions", extensions.len(), EXTENSIONS_MAX)?;
    if !extensions.iter().all(|Extension { oid, .. }| is_oid(oid)) {
        let reason = "is not an object identifier such as 1.2.840";
        return Err(format!("`extension.oid` {reason}"));
    }
    if let Root::Platform(name) = root {
        text("chain.root", name, HOST_BYTES_MAX)?;
        if extensions.iter().any(|extension| extension.certificate > 0) {
            let reason = "must be 0, the certificate of the key, with a root of the platform";
            return Err(format!("`extension.certificate` {reason}"));
        }
    }
    timestamp("chain.valid-at", *valid_at)
}

/// Whether a text is an object identifier of at most 64 bytes of DER.
fn is_oid(text: &str) -> bool {
    let numbers = text.split('.').map(|number| number.parse::<u32>().ok());
    let numbers = numbers.collect::<Option<Vec<u32>>>().unwrap_or_default();
    let [first, second, rest @ ..] = numbers.as_slice() else { return false };
    let joint = first.checked_mul(40).and_then(|first| first.checked_add(*second));
    let Some(joint) = joint.filter(|_| *first == 2 || *first < 2 && *second <= 39) else {
        return false;
    };
    let bytes = |number: &u32| (32 - number.leading_zeros()).div_ceil(7).max(1);
    bytes(&joint) + rest.iter().map(bytes).sum::<u32>() <= 64
}

fn timestamp(field: &str, at: Option<Timestamp>) -> Result<(), String> {
    match at.filter(|at| *at > time::MAX) {
        None => Ok(()),
        Some(at) => Err(format!("`{field}` is {at}, which is after the year 9999")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{DigestText, Hash, JwsAlgorithm, KeyEncoding, PublicKey, SecretForm};
    use crate::handshake::Handshake;

    fn mac(message: Vec<Piece>, digests: usize) -> Proof {
        Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![0; 32]; digests])
    }

    fn body() -> Value {
        let (hash, message) = (Hash::Sha256, vec![Piece::Body]);
        Value::Digest(Digest { hash, key: None, message })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Claims), expected: &str) {
        let mut changed = Claims::new(Evidence::from(mac(vec![Piece::Body], 1)), ["evt_1"]);
        assert_eq!(claims(&changed), Ok(()));
        change(&mut changed);
        assert_eq!(claims(&changed), Err(expected.to_owned()));
    }

    /// Checks the evidence of a proof, beside one value.
    #[track_caller]
    fn check_proof(proof: Proof, expected: &str) {
        check(
            |it| {
                it.values = vec![body()];
                it.evidence = vec![proof.into()];
            },
            expected,
        );
    }

    #[test]
    fn claims_are_bounded() {
        check(|it| it.values = vec![body(); 17], "`claims.values` has 17 items; the limit is 16");
        let evidence = || Evidence::token("t");
        check(
            |it| it.evidence = vec![evidence(); 65],
            "`claims.evidence` has 65 items; the limit is 64",
        );
        check(
            |it| it.evidence[0].proofs = vec![Proof::Token("t".to_owned()); 65],
            "`evidence.proofs` has 65 items; the limit is 64",
        );
        check(
            |it| it.event_ids = vec![String::new()],
            "`claims.event-ids` has 0 bytes, not 1 to 255",
        );
        check(
            |it| it.signed_at = Some(u64::MAX),
            "`claims.signed-at` is 18446744073709551615, which is after the year 9999",
        );
        check(
            |it| {
                it.handshake = Some(Answer::new("text/plain", "a"));
                it.reply = Some(Answer::empty());
            },
            "`claims.reply` must be empty where `claims.handshake` is set, which is an answer \
             itself",
        );
        check(
            |it| it.handshake = Some(Answer::new("text/html", "a")),
            "`claims.handshake` must be text/plain or application/json",
        );
        let long = Claims::asking(Handshake::text(["a".repeat(4_097).into()]));
        check(
            |it| it.handshake = long.handshake,
            "`claims.handshake` must have at most 4096 bytes of texts, headers and digested \
             messages",
        );
        check(
            |it| it.plain_body = Some(vec![Piece::secret(KeyEncoding::Text)]),
            "`claims.plain-body` may have texts, bytes, the body and decrypted values only",
        );
    }

    #[test]
    fn a_value_names_only_values_before_it() {
        let of = |index| Piece::of_value(index, DigestText::Hex);
        let digest = |message| Value::Digest(Digest { hash: Hash::Md5, key: None, message });
        check(
            |it| it.values = vec![digest(vec![of(0)])],
            "`digest.message` names value 0, which is not before it",
        );
        check_proof(mac(vec![of(1)], 1), "`mac.message` names value 1, which is not before it");
        check_proof(
            Proof::Decrypted(Decryption { index: 0, plain: None }),
            "`decryption.index` names a value that is a digest",
        );
        check(
            |it| it.values = vec![digest(vec![Piece::Body; 257])],
            "`digest.message` has 257 items; the limit is 256",
        );
    }

    #[test]
    fn a_proof_is_bounded() {
        check_proof(mac(vec![Piece::Body], 17), "`mac.digests` has 17 items; the limit is 16");
        let form = |prefix: &str| SecretForm {
            encoding: KeyEncoding::Pem,
            prefix: Some(prefix.to_owned()),
        };
        let signed = |form: SecretForm| {
            Proof::public_key(PublicKey::Ed25519, form, vec![Piece::Body], vec![vec![0; 64]])
        };
        check_proof(signed(form("")), "`key-source.configured` has 0 bytes, not 1 to 64");
        let jws = |payload: Option<Vec<Piece>>, rules: Vec<JwsRule>, token: &str| {
            let key = KeySource::Fetched(KeyLookup::get("https://a.example/jwks"));
            let (token, algorithm) = (token.to_owned(), JwsAlgorithm::Rs256);
            Proof::Jws(Jws { token, algorithm, key, payload, rules })
        };
        check_proof(
            jws(Some(vec![Piece::Body]), vec![JwsRule::Expires], "a.b.c"),
            "`jws.rules` must be empty where `jws.payload` is set",
        );
        check_proof(
            jws(None, Vec::new(), &"a".repeat(JWS_BYTES_MAX + 1)),
            "`jws.token` has 262145 bytes, not 1 to 262144",
        );
        let none = JwsRule::Member(JwsMember { name: "aud".to_owned(), values: Vec::new() });
        check_proof(
            jws(None, vec![none], "a.b.c"),
            "`jws-member.values` must have at least one value",
        );
    }

    #[test]
    fn a_chain_is_bounded() {
        let chain = |certificates: Vec<Vec<u8>>, oid: &str, certificate| {
            let extensions = vec![Extension { certificate, oid: oid.to_owned() }];
            let root = Root::Platform("a.example".to_owned());
            let chain = Chain { certificates, root, extensions, valid_at: None };
            Jws {
                token: "a.b.c".to_owned(),
                algorithm: JwsAlgorithm::Es256,
                key: KeySource::Chain(chain),
                payload: None,
                rules: Vec::new(),
            }
        };
        let one = || vec![vec![0; 10]];
        let good = Claims::new(Evidence::from(Proof::Jws(chain(one(), "1.2.840", 0))), ["evt_1"]);
        assert_eq!(claims(&good), Ok(()));
        check_proof(
            Proof::Jws(chain(Vec::new(), "1.2.840", 0)),
            "`chain.certificates` must be 1 to 8 certificates of 1 byte to 16 KiB each",
        );
        check_proof(
            Proof::Jws(chain(one(), "1.2.840", 1)),
            "`extension.certificate` must be 0, the certificate of the key, with a root of the \
             platform",
        );
        for oid in ["", "1", "3.1", "1.40", "1.2.a", "1.2.99999999999"] {
            check_proof(
                Proof::Jws(chain(one(), oid, 0)),
                "`extension.oid` is not an object identifier such as 1.2.840",
            );
        }
    }
}
