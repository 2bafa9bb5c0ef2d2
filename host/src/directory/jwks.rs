//! The public keys by which endpoints verify deliveries (`v1a`), as everybody may read them.
//!
//! No key says whose it is. What is opened for it is kept as its public half, so that a change of
//! one endpoint opens no secret of the others. Never has a key that both sides know.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::vault::{Vault, fingerprint};
use super::{Held, Listed};
use crate::endpoint::{SealedSecret, SecretKind};
use crate::event::Timestamp;
use crate::secrets::Secret;
use crate::signing::{Jwk, SigningKey};

/// How long a key that is over stays: what it signed last may be under way, and the endpoint may
/// still have to look the key up.
const AFTERWARDS: Duration = Duration::from_secs(5 * 60);

/// The public keys that were found so far.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    /// By the salt of the secret, which no other has.
    found: HashMap<[u8; 32], Jwk>,
}

/// A set of keys as it is published.
#[derive(Debug)]
pub(crate) struct Published {
    /// A JSON Web Key Set (RFC 7517).
    pub(crate) json: Bytes,
    /// When the first of its keys goes.
    pub(crate) until: Option<Timestamp>,
}

#[derive(Serialize)]
struct Keys<'k> {
    keys: Vec<&'k Jwk>,
}

/// The public half of a `whsk_` secret as Standard Webhooks writes it, for whoever verifies;
/// `None` of any other secret.
pub fn public_key(secret: &Secret) -> Option<String> {
    SigningKey::parse(secret).ok()?.public_text()
}

impl KeySet {
    /// The keys of these endpoints as they are now. One that is locked is left out until it opens.
    pub(crate) fn published(
        &mut self,
        listed: &[Arc<Listed>],
        vault: &Vault,
        now: Timestamp,
    ) -> Published {
        let before = std::mem::take(&mut self.found);
        // By their ids, so that their order says nothing of the endpoints.
        let mut keys = BTreeMap::new();
        let mut until: Option<Timestamp> = None;
        for endpoint in listed.iter().filter(|listed| listed.deleted.is_none()) {
            for held in endpoint.secrets.iter() {
                let found = match held {
                    Held::Plain(secret) => of(secret, fingerprint(secret)),
                    Held::Other(..) => continue,
                    Held::Sealed(secret) => {
                        let ends = secret.expires_at.map(|at| at.after(AFTERWARDS));
                        if ends.is_some_and(|at| at <= now) {
                            continue;
                        }
                        let position = endpoint.endpoint.id.position;
                        let known = before.get(&secret.sealed.salt).cloned();
                        let found = known.or_else(|| opened(secret, position, vault));
                        if let Some(jwk) = &found {
                            self.found.insert(secret.sealed.salt, jwk.clone());
                            until = until.into_iter().chain(ends).min();
                        }
                        found
                    }
                };
                keys.extend(found.map(|jwk| (jwk.kid().to_owned(), jwk)));
            }
        }
        let keys = Keys { keys: keys.values().collect() };
        let json = serde_json::to_vec(&keys).expect("keys are JSON");
        Published { json: json.into(), until }
    }
}

fn opened(secret: &SealedSecret, endpoint: u64, vault: &Vault) -> Option<Jwk> {
    let place = secret.place(endpoint).filter(|place| place.kind == SecretKind::Whsk)?;
    of(&vault.open(place, &secret.sealed).ok()?, secret.sealed.fingerprint)
}

fn of(secret: &Secret, fingerprint: [u8; 8]) -> Option<Jwk> {
    SigningKey::parse(secret).ok()?.public_jwk(hex::encode(fingerprint))
}

#[cfg(test)]
mod tests {
    use super::super::active;
    use super::super::vault::{MasterKey, fresh};
    use super::*;
    use crate::endpoint::SecretPlace;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn master(byte: u8) -> MasterKey {
        MasterKey::parse(&Secret::new(&hex::encode([byte; 32])).unwrap()).unwrap()
    }

    fn sealed(vault: &Vault, endpoint: u64, kind: SecretKind) -> SealedSecret {
        let sealed = vault.seal(SecretPlace { endpoint, number: 1, kind }, &fresh(kind).unwrap());
        let (sealed, kind, at) = (sealed.unwrap(), kind.number(), Timestamp(0));
        SealedSecret { number: 1, kind, sealed, created_at: at, expires_at: None }
    }

    fn kids(published: &Published) -> Vec<String> {
        let json: serde_json::Value = serde_json::from_slice(&published.json).unwrap();
        let keys = json["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    fn kid(secret: &SealedSecret) -> String {
        hex::encode(secret.sealed.fingerprint)
    }

    #[test]
    fn only_the_public_halves_of_key_pairs_are_published_each_once() {
        let vault = Vault::new(vec![master(1)]);
        let pair = sealed(&vault, 7, SecretKind::Whsk);
        let shared = sealed(&vault, 7, SecretKind::Whsec);
        let plain = fresh(SecretKind::Whsk).unwrap();
        let held = [plain.clone(), fresh(SecretKind::Whsec).unwrap(), plain.clone()];
        let all = [
            active::listed(7, vec![Held::Sealed(pair.clone()), Held::Sealed(shared)]),
            active::listed(8, held.map(Held::Plain).to_vec()),
        ];
        let published = KeySet::default().published(&all, &vault, NOW);
        let mut expected = vec![kid(&pair), hex::encode(fingerprint(&plain))];
        expected.sort();
        assert_eq!(kids(&published), expected);
        let text = str::from_utf8(&published.json).unwrap();
        for private in ["whs", "\"d\"", "crm", "ep_"] {
            assert!(!text.contains(private), "{private} in {text}");
        }
        assert!(public_key(&plain).unwrap().starts_with("whpk_"));
        assert_eq!(published.until, None);
        let none = KeySet::default().published(&[], &vault, NOW);
        assert_eq!(&none.json[..], br#"{"keys":[]}"#);
    }

    #[test]
    fn a_key_that_is_over_goes_a_little_later_and_that_of_a_deleted_endpoint_at_once() {
        let vault = Vault::new(vec![master(1)]);
        let mut pair = sealed(&vault, 7, SecretKind::Whsk);
        pair.expires_at = Some(NOW);
        let endpoint = active::listed(7, vec![Held::Sealed(pair.clone())]);
        let mut set = KeySet::default();
        let published = set.published(std::slice::from_ref(&endpoint), &vault, NOW);
        let end = NOW.after(AFTERWARDS);
        assert_eq!((kids(&published), published.until), (vec![kid(&pair)], Some(end)));
        assert!(kids(&set.published(std::slice::from_ref(&endpoint), &vault, end)).is_empty());

        let Listed { endpoint, secrets, .. } = Arc::into_inner(endpoint).unwrap();
        let deleted = Arc::new(Listed { endpoint, secrets, deleted: Some(NOW) });
        assert!(kids(&set.published(&[deleted], &vault, NOW)).is_empty());
    }

    #[test]
    fn a_key_that_is_locked_comes_once_it_opens_and_stays_though_the_master_key_goes() {
        let pair = sealed(&Vault::new(vec![master(1)]), 7, SecretKind::Whsk);
        let all = [active::listed(7, vec![Held::Sealed(pair.clone())])];
        let vault = Vault::new(vec![master(2)]);
        let mut set = KeySet::default();
        assert!(kids(&set.published(&all, &vault, NOW)).is_empty());
        vault.configure(vec![master(2), master(1)]);
        assert_eq!(kids(&set.published(&all, &vault, NOW)), [kid(&pair)]);
        // What it signed is still under way.
        vault.configure(Vec::new());
        assert_eq!(kids(&set.published(&all, &vault, NOW)), [kid(&pair)]);
        set.published(&[], &vault, NOW);
        assert!(set.found.is_empty(), "a key that nobody has is not kept");
    }
}
