//! What is computed for others than the judge: the digests in an answer, and the plain body that a
//! plugin parses.
//!
//! A digest in an answer is made with the very secret that proves requests, so who proved nothing
//! has only such texts digested as are never evidence ([`open`] draws the line). A plain body has
//! what was decrypted and nothing that was made with a secret: no plugin ever sees a digest.

use bytes::Bytes;

use super::cost::{self, Lengths};
use super::judge::Judge;
use super::values::{self, Materials};
use super::{Error, Keyring, Times, open};
use crate::event::Timestamp;
use crate::provider::{Answer, Claims, ClockRule, Piece, Proof, Proven, ProviderInfo, Value};
use crate::secrets::Secret;

/// Most bytes that the messages of all digests in an answer may have.
const DIGESTED_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a plain body beside twice those of the body that came.
const PLAIN_BYTES_MORE: usize = 64 << 10;

/// Who an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Whoever proved all of a request.
    Proven,
    /// Perhaps anybody, by a method of the provider's challenges.
    Asking,
    /// Perhaps anybody, by any other method.
    Posting,
}

impl Asker {
    /// Who sent a request by this method, and proved so much.
    pub(crate) fn of(info: &ProviderInfo, method: &str, proven: Proven) -> Self {
        // Only where challenges are declared, what is digested for them is never evidence.
        let may_ask = info.handshakes.iter().any(|known| known.as_str() == method);
        match proven {
            Proven::Bound => Self::Proven,
            // What the proof does not cover, whoever overheard another request has chosen.
            Proven::Nothing | Proven::Weak | Proven::Unbound if may_ask => Self::Asking,
            Proven::Nothing | Proven::Weak | Proven::Unbound => Self::Posting,
        }
    }
}

/// The answer to an accepted request: its own, or else that to all. A digest in its own is only for
/// whoever proved all of it.
pub(crate) fn reply<'a>(
    info: &'a ProviderInfo,
    claims: &'a Claims,
    asker: Asker,
) -> Option<&'a Answer> {
    let may_be_sent = |reply: &&Answer| asker == Asker::Proven || !reply.has_digest();
    claims.reply.as_ref().filter(may_be_sent).or(info.reply.as_ref())
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
    // Of a source that accepts whatever comes, nobody has looked how much that takes.
    if secrets.len() < 2 || cost::is_excessive(claims, secrets, body) {
        return secrets.iter().collect();
    }
    // Times were checked when the request came, and count for tokens alone.
    let times = Times { tolerance: None, clock: ClockRule::Past, now: Timestamp::default() };
    let proves = |secret: &&Secret| {
        let judge = Judge::new(claims, Keyring::from(std::slice::from_ref(*secret)), body, times);
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
    let given = digest.message.iter().map(|piece| match piece {
        Piece::Bytes(bytes) => Some(bytes.as_slice()),
        Piece::Body | Piece::Secret(_) | Piece::Value(_) => None,
    });
    let given: Option<Vec<&[u8]>> = given.collect();
    digest.key.is_some() && given.is_some_and(|given| open::is_open(given.into_iter()))
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
