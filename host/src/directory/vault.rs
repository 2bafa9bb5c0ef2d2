//! What seals the secrets of endpoints for the store, and opens them again: the master keys.
//!
//! The one place that has them. The configuration says where they are, and a reload puts others in
//! their place. Never gives a key away, and never writes a secret down.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::endpoint::{Sealed, SecretPlace};
pub use crate::master_key::{InvalidMasterKey, MasterKey, fingerprint, fresh};
use crate::secrets::Secret;

/// The master keys, of which the first seals.
#[derive(Debug, Default)]
pub struct Vault {
    keys: ArcSwap<Vec<MasterKey>>,
    /// How often they were changed.
    changed: watch::Sender<u64>,
}

/// Why nothing can be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSealed {
    /// There is no master key.
    #[error(
        "the configuration has no `master_key`, without which the gateway stores no secret: add \
         master_key = {{ env = \"HOOKGATE_MASTER_KEY\" }} to it, or {{ file = \"PATH\" }}, where \
         the key is 32 random bytes in base64, such as from `openssl rand -base64 32`"
    )]
    NoMasterKey,
    /// A salt can't be had.
    #[error("the system has no random bytes")]
    NoRandom,
}

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
    /// Of a kind that is not known here, with this number.
    #[error("a newer Hookgate stored the secret, which is of a kind ({0}) that this one lacks")]
    UnknownKind(u8),
    /// Those that signed are over.
    #[error("no secret of the endpoint signs any more: rotate it")]
    NoneSigns,
}

impl Vault {
    /// With these keys: the first seals, and all of them open.
    pub fn new(keys: Vec<MasterKey>) -> Self {
        Self { keys: ArcSwap::from_pointee(keys), changed: watch::Sender::default() }
    }

    /// Goes on with these keys.
    pub fn configure(&self, keys: Vec<MasterKey>) {
        if **self.keys.load() != keys {
            self.keys.store(Arc::new(keys));
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Changes when other keys come, by which what was locked may open.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether there is a master key.
    pub fn can_seal(&self) -> bool {
        !self.keys.load().is_empty()
    }

    /// Seals a secret for its place.
    pub fn seal(&self, at: SecretPlace, secret: &Secret) -> Result<Sealed, NotSealed> {
        let keys = self.keys.load();
        let first = keys.first().ok_or(NotSealed::NoMasterKey)?;
        first.seal(at, secret).ok_or(NotSealed::NoRandom)
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, at: SecretPlace, sealed: &Sealed) -> Result<Secret, Locked> {
        let keys = self.keys.load();
        if keys.is_empty() {
            return Err(Locked::NoKey);
        }
        let key = keys.iter().find(|key| key.id() == sealed.key);
        key.ok_or(Locked::OtherKey(sealed.key))?.open(at, sealed).ok_or(Locked::Damaged)
    }

    /// Whether another key than the first sealed it, so that it must be sealed again before that
    /// key may go.
    pub fn is_old(&self, sealed: &Sealed) -> bool {
        self.keys.load().first().is_some_and(|first| first.id() != sealed.key)
    }

    /// The same secret as the first key seals it, by the same fingerprint; `None` if that key
    /// sealed it already, or if the system has no random bytes now.
    pub fn seal_again(&self, at: SecretPlace, sealed: &Sealed) -> Result<Option<Sealed>, Locked> {
        if !self.is_old(sealed) {
            return Ok(None);
        }
        let again = self.seal(at, &self.open(at, sealed)?).ok();
        Ok(again.map(|again| Sealed { fingerprint: sealed.fingerprint, ..again }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::SecretKind;

    const AT: SecretPlace = SecretPlace { endpoint: 1, number: 1, kind: SecretKind::Bearer };

    fn key(byte: u8) -> MasterKey {
        MasterKey::parse(&Secret::new(&hex::encode([byte; 32])).unwrap()).unwrap()
    }

    fn vault(keys: &[u8]) -> Vault {
        Vault::new(keys.iter().copied().map(key).collect())
    }

    fn secret() -> Secret {
        Secret::new("sesame").unwrap()
    }

    #[test]
    fn without_a_master_key_nothing_is_sealed_and_nothing_opened() {
        let vault = Vault::default();
        assert!(!vault.can_seal());
        assert_eq!(vault.seal(AT, &secret()).unwrap_err(), NotSealed::NoMasterKey);
        let sealed = Sealed { key: [0; 8], salt: [0; 32], bytes: vec![], fingerprint: [0; 8] };
        assert_eq!(vault.open(AT, &sealed).unwrap_err(), Locked::NoKey);
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_only() {
        let vault = vault(&[1]);
        let sealed = vault.seal(AT, &secret()).unwrap();
        assert_eq!(vault.open(AT, &sealed).unwrap().expose(), "sesame");
        let elsewhere = [
            SecretPlace { endpoint: 2, ..AT },
            SecretPlace { number: 2, ..AT },
            SecretPlace { kind: SecretKind::Header, ..AT },
        ];
        for at in elsewhere {
            assert_eq!(vault.open(at, &sealed).unwrap_err(), Locked::Damaged, "{at:?}");
        }
    }

    #[test]
    fn a_secret_that_was_touched_does_not_open() {
        let vault = vault(&[1]);
        let sealed = vault.seal(AT, &secret()).unwrap();
        for at in 0..sealed.bytes.len() {
            let mut touched = sealed.clone();
            touched.bytes[at] ^= 1;
            assert_eq!(vault.open(AT, &touched).unwrap_err(), Locked::Damaged, "byte {at}");
        }
        let mut salted = sealed.clone();
        salted.salt[0] ^= 1;
        let cut = Sealed { bytes: sealed.bytes[1..].to_vec(), ..sealed.clone() };
        let empty = Sealed { bytes: Vec::new(), ..sealed };
        for touched in [salted, cut, empty] {
            assert_eq!(vault.open(AT, &touched).unwrap_err(), Locked::Damaged);
        }
    }

    #[test]
    fn the_same_secret_is_sealed_into_other_bytes_each_time_and_shows_nowhere() {
        let vault = vault(&[1]);
        let (one, other) = (vault.seal(AT, &secret()).unwrap(), vault.seal(AT, &secret()).unwrap());
        assert!(one.salt != other.salt && one.bytes != other.bytes);
        assert!(!one.bytes.windows(6).any(|bytes| bytes == b"sesame"));
        let (id, shown) = (hex::encode(key(1).id()), format!("{vault:?}"));
        assert!(shown.contains(&id) && !shown.contains("1, 1, 1"), "{shown}");
    }

    /// A password can be guessed: what everybody may read of it must not say whether a guess fits.
    #[test]
    fn only_secrets_that_sign_have_a_fingerprint_that_others_can_compute() {
        let vault = vault(&[1]);
        let whsec = fresh(SecretKind::Whsec).unwrap();
        let at = SecretPlace { kind: SecretKind::Whsec, ..AT };
        assert_eq!(vault.seal(at, &whsec).unwrap().fingerprint, fingerprint(&whsec));
        let (one, other) = (vault.seal(AT, &secret()).unwrap(), vault.seal(AT, &secret()).unwrap());
        assert!(one.fingerprint != fingerprint(&secret()));
        assert!(one.fingerprint != other.fingerprint);
    }

    #[test]
    fn a_lost_or_another_master_key_is_named_and_opens_nothing() {
        let sealed = vault(&[1]).seal(AT, &secret()).unwrap();
        let locked = vault(&[2]).open(AT, &sealed).unwrap_err();
        assert_eq!(locked, Locked::OtherKey(key(1).id()));
        assert!(locked.to_string().ends_with(&hex::encode(key(1).id())));
        assert_eq!(vault(&[]).open(AT, &sealed).unwrap_err(), Locked::NoKey);
    }

    #[test]
    fn during_its_rotation_both_master_keys_open_and_the_new_one_seals() {
        let vault = vault(&[1]);
        let old = vault.seal(AT, &secret()).unwrap();
        assert!(!vault.is_old(&old));
        assert_eq!(vault.seal_again(AT, &old).unwrap(), None);

        vault.configure(vec![key(2), key(1)]);
        assert!(vault.is_old(&old));
        assert_eq!(vault.open(AT, &old).unwrap().expose(), "sesame");
        let again = vault.seal_again(AT, &old).unwrap().unwrap();
        assert_eq!((again.key, again.fingerprint), (key(2).id(), old.fingerprint));

        let changes = vault.changes();
        vault.configure(vec![key(2), key(1)]);
        assert!(!changes.has_changed().unwrap(), "the same keys again change nothing");
        vault.configure(vec![key(2)]);
        assert!(changes.has_changed().unwrap());
        assert_eq!(vault.open(AT, &again).unwrap().expose(), "sesame");
        assert_eq!(vault.seal_again(AT, &old).unwrap_err(), Locked::OtherKey(key(1).id()));
    }
}
