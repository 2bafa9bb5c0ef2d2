//! What proofs are worth, as the gateway judges them by the claims alone.
//!
//! Nothing is verified here.

use crate::claims::{
    Cipher, Claims, Digest, Evidence, Hash, Piece, Proof, ProofKind, PublicKey, Value, ValuePart,
    Worth,
};
use crate::provider::ProviderInfo;

/// What is wrong with evidence whose proofs the provider declares only as worth more: the kind of
/// the first, and the most that it can be worth.
pub(super) fn undeclared(
    info: &ProviderInfo,
    evidence: &Evidence,
    values: &[Value],
) -> Option<(ProofKind, Worth)> {
    let stated = evidence.worth.unwrap_or(Worth::Bound);
    evidence.proofs.iter().find_map(|proof| {
        let (kind, most) = (proof.kind(), least(stated, limit(proof, values)));
        let mut declared = info.proofs.iter().filter(|it| it.kind == kind);
        (!declared.any(|it| rank(it.worth) <= rank(most))).then_some((kind, most))
    })
}

/// Whether these claims prove all that is read of a request, if their evidence holds: any of it
/// will do, because all must hold, but each of its proofs, because one must.
pub(super) fn is_bound(info: &ProviderInfo, claims: &Claims) -> bool {
    let declares = |kind| info.proofs.iter().any(|it| it.kind == kind && it.worth == Worth::Bound);
    claims.evidence.iter().any(|evidence| {
        let stated = evidence.worth.unwrap_or(Worth::Bound);
        let is_bound = |proof: &Proof| {
            let most = least(stated, limit(proof, &claims.values));
            most == Worth::Bound && declares(proof.kind())
        };
        !evidence.proofs.is_empty() && evidence.proofs.iter().all(is_bound)
    })
}

/// The most that a proof can be worth.
fn limit(proof: &Proof, values: &[Value]) -> Worth {
    let mut limits = Vec::with_capacity(values.len());
    for value in values {
        let limit = match value {
            Value::Digest(digest) => of_digest(digest, &limits),
            Value::Decrypted(encrypted) => match encrypted.cipher {
                Cipher::AesGcm => Worth::Bound,
                Cipher::AesCbc => Worth::Weak,
            },
        };
        limits.push(limit);
    }
    let of_pieces = |pieces: Option<&Vec<Piece>>| {
        pieces.map_or(Worth::Bound, |pieces| of_message(pieces, &limits))
    };
    match proof {
        Proof::Mac(mac) => of_digest(&mac.digest, &limits),
        Proof::Signature(signed) if signed.algorithm == PublicKey::RsaSha1 => Worth::Weak,
        Proof::Signature(signed) => of_message(&signed.message, &limits),
        Proof::Jws(jws) => of_pieces(jws.payload.as_ref()),
        Proof::Token(_) => Worth::Weak,
        Proof::Decrypted(decryption) => {
            least(of_pieces(decryption.plain.as_ref()), at(&limits, decryption.index))
        }
    }
}

fn of_digest(digest: &Digest, limits: &[Worth]) -> Worth {
    let is_broken = digest.hash == Hash::Md5 || digest.hash == Hash::Sha1 && digest.key.is_none();
    // Nothing of the request is in it.
    let is_constant = digest.message.iter().all(|piece| match piece {
        Piece::Secret(_) => true,
        Piece::Text(text) => text.is_empty(),
        Piece::Bytes(bytes) => bytes.is_empty(),
        Piece::Body | Piece::Value(_) => false,
    });
    if is_broken || is_constant { Worth::Weak } else { of_message(&digest.message, limits) }
}

fn of_message(message: &[Piece], limits: &[Worth]) -> Worth {
    let of = |piece: &Piece| match piece {
        Piece::Value(ValuePart { index, .. }) => at(limits, *index),
        Piece::Text(_) | Piece::Bytes(_) | Piece::Body | Piece::Secret(_) => Worth::Bound,
    };
    message.iter().map(of).fold(Worth::Bound, least)
}

fn at(limits: &[Worth], index: u32) -> Worth {
    let found = usize::try_from(index).ok().and_then(|index| limits.get(index));
    found.copied().unwrap_or(Worth::Weak)
}

fn least(one: Worth, other: Worth) -> Worth {
    if rank(one) <= rank(other) { one } else { other }
}

fn rank(worth: Worth) -> u8 {
    match worth {
        Worth::Weak => 0,
        Worth::Unbound => 1,
        Worth::Bound => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::KeyEncoding;

    #[test]
    fn what_is_broken_or_constant_is_weak() {
        let mac = |hash| Proof::hmac(hash, KeyEncoding::Text, vec![Piece::Body], Vec::new());
        let plain = |hash, message| Proof::hash(hash, message, Vec::new());
        let secret = || Piece::secret(KeyEncoding::Text);
        for (proof, expected) in [
            (mac(Hash::Sha1), Worth::Bound),
            (mac(Hash::Md5), Worth::Weak),
            (plain(Hash::Sha1, vec![Piece::Body, secret()]), Worth::Weak),
            (plain(Hash::Sha256, vec![Piece::Body, secret()]), Worth::Bound),
            (plain(Hash::Sha256, vec![secret()]), Worth::Weak),
            (Proof::Token("t".to_owned()), Worth::Weak),
        ] {
            assert_eq!(limit(&proof, &[]), expected, "{proof:?}");
        }
    }

    #[test]
    fn a_proof_is_worth_what_was_declared_and_no_less() {
        let info = |worth| {
            ProviderInfo::new("acme", "1.0.0", &["acme.*"], &[ProofKind::Mac])
                .worth(ProofKind::Mac, worth)
        };
        let mac = |hash| {
            Evidence::from(Proof::hmac(hash, KeyEncoding::Text, vec![Piece::Body], Vec::new()))
        };
        let wrong = |worth, evidence: &Evidence| undeclared(&info(worth), evidence, &[]);
        let weak = Some((ProofKind::Mac, Worth::Weak));
        assert_eq!(wrong(Worth::Bound, &mac(Hash::Sha256)), None);
        assert_eq!(wrong(Worth::Unbound, &mac(Hash::Sha256)), None);
        assert_eq!(wrong(Worth::Bound, &mac(Hash::Md5)), weak);
        assert_eq!(wrong(Worth::Weak, &mac(Hash::Md5)), None);
        let unbound = mac(Hash::Sha256).worth(Worth::Unbound);
        assert_eq!(wrong(Worth::Bound, &unbound), Some((ProofKind::Mac, Worth::Unbound)));
        let both = info(Worth::Bound).or_worth(ProofKind::Mac, Worth::Unbound);
        assert_eq!(undeclared(&both, &unbound, &[]), None);
    }
}
