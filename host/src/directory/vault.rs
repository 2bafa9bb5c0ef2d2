//! What seals the secrets of endpoints for the store, and opens them again: the master keys.
//!
//! The one place that has them. For now there is none, so nothing is sealed, and what is sealed
//! stays so. Never gives a key away, and never writes a secret down.

use crate::endpoint::{Sealed, SecretPlace};
use crate::secrets::Secret;

/// The master keys, of which the first seals.
#[derive(Debug, Default)]
pub struct Vault {}

/// Nothing can be sealed without a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has no `master_key`, without which the gateway stores no secret")]
pub struct NoMasterKey;

/// Why a secret can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Locked {
    /// There is no master key.
    #[error("the configuration has no `master_key` to open the secret with")]
    NoKey,
    /// Another one sealed it, with this id.
    #[error("another `master_key` sealed the secret: its id is {}", hex::encode(.0))]
    OtherKey([u8; 8]),
    /// Not what was sealed, or sealed for another place.
    #[error("the secret in the store is damaged")]
    Damaged,
}

impl Vault {
    /// Whether there is a master key.
    pub fn can_seal(&self) -> bool {
        false
    }

    /// Seals a secret for its place.
    pub fn seal(&self, _at: SecretPlace, _secret: &Secret) -> Result<Sealed, NoMasterKey> {
        Err(NoMasterKey)
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, _at: SecretPlace, _sealed: &Sealed) -> Result<Secret, Locked> {
        Err(Locked::NoKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::SecretKind;

    #[test]
    fn without_a_master_key_nothing_is_sealed_and_nothing_opened() {
        let vault = Vault::default();
        let at = SecretPlace { endpoint: 1, number: 1, kind: SecretKind::Bearer };
        let secret = Secret::new("sesame").unwrap();
        assert!(!vault.can_seal());
        assert_eq!(vault.seal(at, &secret).unwrap_err(), NoMasterKey);
        let sealed = Sealed { key: [0; 8], salt: [0; 32], bytes: vec![], fingerprint: [0; 8] };
        assert_eq!(vault.open(at, &sealed).unwrap_err(), Locked::NoKey);
    }
}
