//! What is computed for others than the judge: the digests in an answer, and the plain body that a
//! plugin parses.
//!
//! A digest in an answer is made with the very secret that proves requests, so this file draws the
//! line between the two: what anybody may have digested is short and hexadecimal, and such a text
//! is never evidence ([`super::verify`] asks). A plain body holds what was decrypted and nothing
//! that was made with a secret, so that no plugin ever sees a digest.

use bytes::Bytes;

use super::cost::{self, Lengths};
use super::judge::Judge;
use super::values::{self, Materials};
use super::{Error, Keys, Times};
use crate::event::Timestamp;
use crate::provider::{Answer, Claims, ClockRule, DigestText, Piece, Proof, ProviderInfo, Value};
use crate::secrets::Secret;

/// Longest text that is digested for anybody, in bytes.
pub(super) const OPEN_BYTES_MAX: usize = 64;
/// Most bytes that the messages of all digests in an answer may have.
const DIGESTED_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a plain body beside twice those of the body that came.
const PLAIN_BYTES_MORE: usize = 64 << 10;

/// Who an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Whoever proved a request.
    Proven,
    /// Whoever proved nothing, by a method of the provider's challenges.
    Asking,
    /// Whoever proved nothing, by any other method.
    Posting,
}

impl Asker {
    /// Who sent a request by this method.
    pub(crate) fn of(info: &ProviderInfo, method: &str, is_proven: bool) -> Self {
        // Only where challenges are declared, what is digested for them is never evidence.
        let may_ask = info.handshakes.iter().any(|known| known.as_str() == method);
        match is_proven {
            true => Self::Proven,
            false if may_ask => Self::Asking,
            false => Self::Posting,
        }
    }
}

/// The body of an answer.
pub(crate) fn answer(
    answer: &Answer,
    claims: &Claims,
    secrets: &[Secret],
    body: &[u8],
    asker: Asker,
) -> Result<Bytes, Error> {
    let digested = digested(answer, claims);
    if digested.is_empty() {
        let open = Materials { secret: None, body, values: &[] };
        let message = open.message(&answer.body).ok_or(Error::NoUsableSecret)?;
        return Ok(message.whole().into());
    }
    match asker {
        Asker::Proven => (),
        Asker::Posting => return Err(Error::Oracle),
        Asker::Asking if digested.iter().all(|value| is_open(value)) => (),
        Asker::Asking => return Err(Error::Oracle),
    }
    let lengths = Lengths::of(&claims.values, secrets, body);
    let messages = digested.iter().map(|value| match value {
        Value::Digest(digest) => lengths.message(&digest.message),
        Value::Decrypted(_) => 0,
    });
    let wanted = values::named(&claims.values, &answer.body);
    if messages.fold(0, usize::saturating_add) > DIGESTED_BYTES_MAX
        || lengths.values(&claims.values, &wanted) > cost::bytes_max(body)
    {
        return Err(Error::Excessive);
    }
    let made = proving_first(claims, secrets, body).into_iter().find_map(|secret| {
        let values = values::make(&claims.values, &wanted, &[], Some(secret), body);
        let materials = Materials { secret: Some(secret), body, values: &values };
        materials.message(&answer.body).map(|message| Bytes::from(message.whole()))
    });
    made.ok_or(Error::NoUsableSecret)
}

/// The secrets, and before all others those that prove something of the request: during a rotation
/// it is theirs that the other side has.
fn proving_first<'s>(claims: &Claims, secrets: &'s [Secret], body: &[u8]) -> Vec<&'s Secret> {
    if secrets.len() < 2 {
        return secrets.iter().collect();
    }
    // Times were checked when the request came, and count for tokens alone.
    let times = Times { tolerance: None, clock: ClockRule::Past, now: Timestamp::default() };
    let proves = |secret: &&Secret| {
        let judge = Judge::new(claims, Keys::from(std::slice::from_ref(*secret)), body, times);
        let holds = |proof: &Proof| judge.holds(proof).is_some_and(bool::from);
        let is_keyed = |proof: &&Proof| matches!(proof, Proof::Mac { .. } | Proof::Decrypted(_));
        claims.proofs().filter(is_keyed).any(holds)
    };
    let (proving, others): (Vec<_>, Vec<_>) = secrets.iter().partition(proves);
    [proving, others].concat()
}

/// The values that an answer is made of.
fn digested<'c>(answer: &Answer, claims: &'c Claims) -> Vec<&'c Value> {
    let value = |piece: &Piece| match piece {
        Piece::Value(part) => claims.values.get(part.index),
        Piece::Bytes(_) | Piece::Body | Piece::Secret(_) => None,
    };
    answer.body.iter().filter_map(value).collect()
}

/// Whether a value is what may be computed for whoever asks.
fn is_open(value: &Value) -> bool {
    let Value::Digest(digest) = value else { return false };
    let is_given = digest.message.iter().all(|piece| matches!(piece, Piece::Bytes(_)));
    digest.key.is_some() && is_given && is_for_anybody(&digest.message, &[])
}

/// Whether a message is one that is digested for whoever asks.
pub(super) fn is_for_anybody(message: &[Piece], body: &[u8]) -> bool {
    let hexadecimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut length = 0;
    for piece in message {
        length += match piece {
            Piece::Bytes(bytes) if bytes.iter().all(hexadecimal) => bytes.len(),
            Piece::Body if body.iter().all(hexadecimal) => body.len(),
            // A digest of any length counts as one that is short enough.
            Piece::Value(part) if part.written == DigestText::Hex => {
                let end = part.end.unwrap_or(part.start.saturating_add(OPEN_BYTES_MAX / 2));
                end.saturating_sub(part.start).saturating_mul(2)
            }
            Piece::Bytes(_) | Piece::Body | Piece::Secret(_) | Piece::Value(_) => return false,
        };
        if length > OPEN_BYTES_MAX {
            return false;
        }
    }
    length > 0
}

/// Whether the evidence, which uses these values, is made of a digest that anybody can get.
pub(super) fn digests_for_anybody(claims: &Claims, used: &[bool], body: &[u8]) -> bool {
    claims.values.iter().zip(used).any(|(value, used)| match value {
        Value::Digest(digest) => {
            *used && digest.key.is_some() && is_for_anybody(&digest.message, body)
        }
        Value::Decrypted(_) => false,
    })
}

/// The body that is parsed in place of the one that came; `None` if that is the one.
pub(crate) fn plain_body(
    claims: &Claims,
    secrets: &[Secret],
    body: &[u8],
) -> Result<Option<Bytes>, Error> {
    let Some(pieces) = &claims.plain_body else { return Ok(None) };
    let lengths = Lengths::of(&claims.values, secrets, body);
    let wanted = values::named(&claims.values, pieces);
    let bytes = lengths.values(&claims.values, &wanted).saturating_add(lengths.message(pieces));
    if bytes > cost::bytes_max(body) {
        return Err(Error::Excessive);
    }
    let with = |secret: Option<&Secret>| {
        let values = values::make(&claims.values, &wanted, &[], secret, body);
        let message = Materials { secret, body, values: &values }.message(pieces)?;
        bool::from(message.sound).then(|| message.whole())
    };
    let mut all = proving_first(claims, secrets, body).into_iter();
    let plain =
        with(None).or_else(|| all.find_map(|secret| with(Some(secret)))).ok_or(Error::Sealed)?;
    let most = body.len().saturating_mul(2).saturating_add(PLAIN_BYTES_MORE);
    if plain.len() > most { Err(Error::Excessive) } else { Ok(Some(plain.into())) }
}

#[cfg(test)]
mod tests;
