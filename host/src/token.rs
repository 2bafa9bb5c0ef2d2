//! Tokens of the admin port: what each may do, how one is made, and how one is known again.
//!
//! Only the hash of a token is ever kept. A plain SHA-256 is the right one here: a token has 256
//! random bits, so nobody can guess what a hash was made of, however fast the hash is; a slow one
//! protects what people choose, and would let everybody who sends a wrong token keep a processor
//! busy. Never decides whether a request may go on.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secrets::{Secret, TOKEN_PREFIX};

/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;

/// What a token may do. No scope contains another, but for `admin`, which contains all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything that is stored, and at the metrics.
    Read,
    /// Replay.
    Replay,
    /// Change what the gateway does, such as by a reload.
    Write,
    /// All of it, and the tokens, the audit log and rehearsals.
    Admin,
}

/// A text that is no [`Scope`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a scope: the scopes are read, replay, write and admin")]
pub struct InvalidScope(String);

impl Scope {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Read, Self::Replay, Self::Write, Self::Admin];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Replay => "replay",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Its bit in a row of the store: to change one is to make another format.
    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Replay => 2,
            Self::Write => 4,
            Self::Admin => 8,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| InvalidScope(text.to_owned()))
    }
}

/// The scopes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// All that there are.
    pub const ADMIN: Self = Self(8);

    /// Those of a row of the store. A scope that a newer Hookgate wrote allows nothing here.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits & 15)
    }

    /// As a row of the store has them.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// Whether a token with these may do what asks for this scope.
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that were given, in the order in which they are shown.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

/// What is kept of a token. Can't be compared but in constant time: it has no `==`.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of the whole text of a token, as `sha256sum` gives it.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// That of a row of the store.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As a row of the store has it.
    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// Out of 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Whether both are of the same token. Takes as long whatever the bytes are, so that nobody
    /// learns from the time how far a guess was right.
    pub fn is_of_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// Which of these hashes is that of a token. Looks at all of them, so that the time says neither
/// which it was nor whether there was one.
pub(crate) fn matching<'h>(
    token: &TokenHash,
    hashes: impl IntoIterator<Item = &'h TokenHash>,
) -> Option<usize> {
    let mut found = None;
    for (number, hash) in hashes.into_iter().enumerate() {
        if hash.is_of_same(token) {
            found = Some(number);
        }
    }
    found
}

/// A new token; `None` if the system has no randomness to give.
pub fn fresh() -> Option<Secret> {
    Secret::new(&format!("{TOKEN_PREFIX}{}", unguessable()?))
}

/// A text of 43 letters, digits, `-` and `_` that nobody can guess; `None` if the system has no
/// randomness to give.
pub(crate) fn unguessable() -> Option<String> {
    let mut bytes = [0; RANDOM_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether an operator's own text is long enough to be a token: nobody can guess it then.
pub(crate) fn is_long_enough(text: &str) -> bool {
    text.len() >= RANDOM_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_random_and_known_by_its_hash_only() {
        let (one, other) = (fresh().unwrap(), fresh().unwrap());
        assert!(one.expose().starts_with("hgt_") && one.expose().len() == 47);
        assert_ne!(one.expose(), other.expose());
        let hash = TokenHash::of(one.expose());
        assert!(hash.is_of_same(&TokenHash::of(one.expose())));
        assert!(!hash.is_of_same(&TokenHash::of(other.expose())));
        assert_eq!(format!("{hash:?}"), "TokenHash(..)");
    }

    /// As `printf %s abc | sha256sum` says it.
    #[test]
    fn a_hash_is_what_other_programs_make_of_the_same_text() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(TokenHash::from_hex(hex).unwrap().is_of_same(&TokenHash::of("abc")));
        for wrong in ["", &hex[1..], "zz"] {
            assert!(TokenHash::from_hex(wrong).is_none(), "{wrong}");
        }
    }

    /// A search that ends with the first that fits tells by its time which it was.
    #[test]
    fn every_hash_is_compared_whichever_fits() {
        let hashes = ["a", "b", "c"].map(TokenHash::of);
        for (text, place) in [("a", Some(0)), ("c", Some(2)), ("d", None)] {
            let mut looked_at = 0;
            let all = hashes.iter().inspect(|_| looked_at += 1);
            assert_eq!(matching(&TokenHash::of(text), all), place);
            assert_eq!(looked_at, hashes.len(), "{text}");
        }
    }

    #[test]
    fn only_admin_contains_other_scopes() {
        let reading: Scopes = [Scope::Read].into_iter().collect();
        let allowed: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| reading.allow(*scope)).collect();
        assert_eq!(allowed, [Scope::Read]);
        assert!(Scope::ALL.into_iter().all(|scope| Scopes::ADMIN.allow(scope)));
        assert!(!Scope::ALL.into_iter().any(|scope| Scopes::default().allow(scope)));
        assert_eq!("replay".parse::<Scope>().unwrap(), Scope::Replay);
        assert!("Replay".parse::<Scope>().is_err());
        let both: Scopes = [Scope::Write, Scope::Read].into_iter().collect();
        assert_eq!((both.to_string().as_str(), both.bits()), ("read, write", 5));
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"["read","write"]"#);
        assert_eq!(Scopes::from_bits(0xf0 | 1), reading, "a newer Hookgate's scope allows nothing");
    }
}
