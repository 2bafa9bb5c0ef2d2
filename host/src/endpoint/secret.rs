//! The secrets of an endpoint of the store, as they are kept: sealed, and numbered.
//!
//! Values. What seals and opens them is elsewhere; nothing here has a key or a secret in clear.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// Signs deliveries with HMAC-SHA256: `whsec_`.
    Whsec,
    /// Signs deliveries with Ed25519: `whsk_`.
    Whsk,
    /// A user and a password, with a colon between them.
    Basic,
    /// A bearer token.
    Bearer,
    /// The value of a header, behind its name and a colon.
    Header,
    /// The key of the client certificate, in PEM.
    ClientKey,
}

impl SecretKind {
    /// All, in the order of their numbers: a new one comes at the end.
    pub const ALL: [Self; 6] =
        [Self::Whsec, Self::Whsk, Self::Basic, Self::Bearer, Self::Header, Self::ClientKey];

    /// As the store writes it.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of this number; `None` of one that only a newer Hookgate knows.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether it signs deliveries.
    pub fn signs(self) -> bool {
        matches!(self, Self::Whsec | Self::Whsk)
    }

    /// Whether it goes with each delivery as it is.
    pub fn is_credential(self) -> bool {
        matches!(self, Self::Basic | Self::Bearer | Self::Header)
    }
}

/// Whose secret it is: what was sealed for one place opens at no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretPlace {
    /// The position in the id of the endpoint.
    pub endpoint: u64,
    /// Its number among those of the endpoint; none is given again.
    pub number: u32,
    /// What it is for.
    pub kind: SecretKind,
}

/// A secret that only a master key opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which master key.
    pub key: [u8; 8],
    /// From which the key and the nonce of this one secret follow.
    pub salt: [u8; 32],
    /// The secret, encrypted.
    pub bytes: Vec<u8>,
    /// Tells secrets apart without showing them.
    pub fingerprint: [u8; 8],
}

/// A secret in the row of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Its number among those of the endpoint.
    pub number: u32,
    /// The number of its kind, which a newer Hookgate may have written.
    pub kind: u8,
    /// What it is.
    pub sealed: Sealed,
    /// When it was made, or brought along.
    pub created_at: Timestamp,
    /// From then on it is not used.
    pub expires_at: Option<Timestamp>,
}

impl SealedSecret {
    /// Where it belongs, at the endpoint of this position; `None` if its kind is not known.
    pub fn place(&self, endpoint: u64) -> Option<SecretPlace> {
        let kind = SecretKind::of(self.kind)?;
        Some(SecretPlace { endpoint, number: self.number, kind })
    }

    /// Whether it is no longer used.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(kind: u8) -> SealedSecret {
        let sealed = Sealed { key: [1; 8], salt: [2; 32], bytes: vec![3, 4], fingerprint: [5; 8] };
        let (created_at, expires_at) = (Timestamp(6), Some(Timestamp(300)));
        SealedSecret { number: 9, kind, sealed, created_at, expires_at }
    }

    #[test]
    fn the_numbers_of_kinds_stay() {
        for (number, kind) in (0u8..).zip(SecretKind::ALL) {
            assert_eq!((kind.number(), SecretKind::of(number)), (number, Some(kind)));
        }
        assert_eq!((SecretKind::Whsec.number(), SecretKind::ClientKey.number()), (0, 5));
        assert_eq!(SecretKind::of(6), None);
    }

    #[test]
    fn a_sealed_secret_is_written_in_this_order_and_reads_back() {
        let written = postcard::to_stdvec(&secret(1)).unwrap();
        let parts: [&[u8]; 5] =
            [&[9, 1], &[1; 8], &[2; 32], &[2, 3, 4], &[5, 5, 5, 5, 5, 5, 5, 5, 6, 1, 0xac, 2]];
        assert_eq!(written, parts.concat());
        assert_eq!(postcard::from_bytes::<SealedSecret>(&written).unwrap(), secret(1));
    }

    #[test]
    fn a_secret_of_an_unknown_kind_is_kept_and_belongs_nowhere() {
        let written = postcard::to_stdvec(&secret(200)).unwrap();
        let read: SealedSecret = postcard::from_bytes(&written).unwrap();
        assert_eq!((read.kind, read.place(7)), (200, None));
        let place = SecretPlace { endpoint: 7, number: 9, kind: SecretKind::Whsk };
        assert_eq!(secret(1).place(7), Some(place));
    }

    #[test]
    fn a_secret_is_over_from_its_expiry_on() {
        let over = |at| secret(1).is_over(Timestamp(at));
        assert_eq!([299, 300].map(over), [false, true]);
        assert!(!SealedSecret { expires_at: None, ..secret(1) }.is_over(Timestamp::MAX));
    }
}
