//! The secrets of an endpoint as they are used: opened, and only those that count now.
//!
//! Made anew whenever the endpoint, the master keys or the time change what counts. Never keeps
//! what it opened.

use super::vault::{Locked, Vault};
use super::{Held, Listed};
use crate::endpoint::{Credential, Origin, SecretKind};
use crate::event::Timestamp;
use crate::secrets::Secret;

/// What goes into each delivery to an endpoint.
#[derive(Debug, Clone, Default)]
pub struct Active {
    /// Those that sign, all of them: of the store the newest first, of the configuration in its
    /// order.
    pub signing: Vec<Secret>,
    /// What goes along as it is.
    pub credential: Option<Credential>,
    /// The key of the client certificate, in PEM.
    pub client_key: Option<Secret>,
    /// When the first of these is over.
    pub until: Option<Timestamp>,
}

impl Listed {
    /// The secrets that count now. One that does not open locks the endpoint: what it should have
    /// signed, or gone along with, must not leave without.
    pub fn active(&self, vault: &Vault, now: Timestamp) -> Result<Active, Locked> {
        let mut active = Active::default();
        let mut sealed = Vec::new();
        for held in self.secrets.iter() {
            match held {
                Held::Plain(secret) => active.signing.push(secret.clone()),
                Held::Other(SecretKind::ClientKey, key) => active.client_key = Some(key.clone()),
                Held::Other(kind, secret) => {
                    active.credential = Credential::of(*kind, secret.clone());
                }
                Held::Sealed(secret) if secret.is_over(now) => (),
                Held::Sealed(secret) => sealed.push(secret),
            }
        }
        for secret in sealed.into_iter().rev() {
            let place = secret.place(self.endpoint.id.position);
            let place = place.ok_or(Locked::UnknownKind(secret.kind))?;
            let opened = vault.open(place, &secret.sealed)?;
            active.until = active.until.into_iter().chain(secret.expires_at).min();
            match place.kind {
                SecretKind::Whsec | SecretKind::Whsk => active.signing.push(opened),
                SecretKind::ClientKey => active.client_key = active.client_key.or(Some(opened)),
                kind => active.credential = active.credential.or(Credential::of(kind, opened)),
            }
        }
        // In the configuration none is an error; in the store the last one may be over.
        if active.signing.is_empty() && self.endpoint.origin == Origin::Api {
            return Err(Locked::NoneSigns);
        }
        Ok(active)
    }
}

/// An endpoint of the store with these secrets, for tests.
#[cfg(test)]
pub(super) fn listed(position: u64, secrets: Vec<Held>) -> std::sync::Arc<Listed> {
    use crate::endpoint::{Endpoint, RawSettings, Standing, check};
    use crate::ids::{Id, IdKind};

    let draft = RawSettings {
        name: "crm".to_owned(),
        url: "https://crm.example/".to_owned(),
        events: vec!["*".to_owned()],
        ..RawSettings::default()
    };
    let (id, at) = (Id { kind: IdKind::Endpoint, position, tag: 1 }, Timestamp(0));
    let endpoint = Endpoint {
        id,
        key: id.key(),
        origin: Origin::Api,
        settings: std::sync::Arc::new(check(draft, Origin::Api).unwrap()),
        standing: Standing::enabled(at),
        created_at: at,
        updated_at: at,
        revision: 1,
    };
    std::sync::Arc::new(Listed { endpoint, secrets: secrets.into(), deleted: None })
}

#[cfg(test)]
mod tests {
    use super::super::vault::MasterKey;
    use super::*;
    use crate::endpoint::{SealedSecret, SecretPlace};

    const NOW: Timestamp = Timestamp(1_000);

    fn vault(byte: u8) -> Vault {
        let key = Secret::new(&hex::encode([byte; 32])).unwrap();
        Vault::new(vec![MasterKey::parse(&key).unwrap()])
    }

    /// A secret of the endpoint at position 7.
    fn sealed(number: u32, kind: SecretKind, text: &str, expires_at: Option<u64>) -> Held {
        let at = SecretPlace { endpoint: 7, number, kind };
        let sealed = vault(1).seal(at, &Secret::new(text).unwrap()).unwrap();
        let (kind, expires_at) = (kind.number(), expires_at.map(Timestamp));
        Held::Sealed(SealedSecret { number, kind, sealed, created_at: Timestamp(0), expires_at })
    }

    fn texts(secrets: &[Secret]) -> Vec<&str> {
        secrets.iter().map(Secret::expose).collect()
    }

    #[test]
    fn all_that_are_not_over_sign_the_newest_first() {
        let secrets = vec![
            sealed(1, SecretKind::Whsec, "whsec_over", Some(NOW.0)),
            sealed(2, SecretKind::Whsec, "whsec_ending", Some(NOW.0 + 5)),
            sealed(3, SecretKind::Whsk, "whsk_ending", Some(NOW.0 + 9)),
            sealed(4, SecretKind::Whsec, "whsec_new", None),
        ];
        let endpoint = listed(7, secrets);
        let active = endpoint.active(&vault(1), NOW).unwrap();
        assert_eq!(texts(&active.signing), ["whsec_new", "whsk_ending", "whsec_ending"]);
        assert_eq!(active.until, Some(Timestamp(NOW.0 + 5)));
        let active = endpoint.active(&vault(1), Timestamp(NOW.0 + 9)).unwrap();
        assert_eq!((texts(&active.signing), active.until), (vec!["whsec_new"], None));
    }

    #[test]
    fn a_credential_and_a_client_key_stand_beside_what_signs() {
        let secrets = vec![
            sealed(1, SecretKind::Basic, "shop:sesame", None),
            sealed(2, SecretKind::ClientKey, "-----BEGIN", None),
            sealed(3, SecretKind::Whsec, "whsec_new", None),
        ];
        let active = listed(7, secrets).active(&vault(1), NOW).unwrap();
        assert_eq!(texts(&active.signing), ["whsec_new"]);
        let (name, value) = active.credential.unwrap().header().unwrap();
        assert_eq!((name.as_str(), value.as_str()), ("authorization", "Basic c2hvcDpzZXNhbWU="));
        assert_eq!(active.client_key.unwrap().expose(), "-----BEGIN");
    }

    #[test]
    fn secrets_of_the_configuration_sign_in_its_order() {
        let plain = ["whsec_one", "whsk_two"].map(|text| Held::Plain(Secret::new(text).unwrap()));
        let active = listed(7, plain.to_vec()).active(&Vault::default(), NOW).unwrap();
        assert_eq!(texts(&active.signing), ["whsec_one", "whsk_two"]);
    }

    /// Guards that nothing leaves unsigned once an expiry has come that nobody looked at.
    #[test]
    fn an_endpoint_whose_secrets_are_all_over_is_locked() {
        let secrets = vec![
            sealed(1, SecretKind::Whsec, "whsec_over", Some(NOW.0)),
            sealed(2, SecretKind::Bearer, "sesame", None),
        ];
        let endpoint = listed(7, secrets);
        assert_eq!(endpoint.active(&vault(1), NOW).err(), Some(Locked::NoneSigns));
        assert!(endpoint.active(&vault(1), Timestamp(NOW.0 - 1)).is_ok());
    }

    /// Guards that nothing leaves unsigned, or signed by half, for want of a key.
    #[test]
    fn one_secret_that_does_not_open_locks_the_endpoint_unless_it_is_over() {
        let locked = |secrets: Vec<Held>, vault: &Vault, at| {
            listed(at, secrets).active(vault, NOW).map(|active| active.signing.len())
        };
        let new = || sealed(2, SecretKind::Whsec, "whsec_new", None);
        let other = |error: Result<usize, Locked>| matches!(error, Err(Locked::OtherKey(_)));
        assert!(other(locked(vec![new()], &vault(2), 7)));
        assert_eq!(locked(vec![new()], &Vault::default(), 7), Err(Locked::NoKey));
        assert_eq!(locked(vec![new()], &vault(1), 8), Err(Locked::Damaged), "of another endpoint");

        let Held::Sealed(mut unknown) = new() else { unreachable!() };
        unknown.kind = 77;
        let with_unknown = |unknown| vec![new(), Held::Sealed(unknown)];
        let refused = locked(with_unknown(unknown.clone()), &vault(1), 7);
        assert_eq!(refused, Err(Locked::UnknownKind(77)));
        unknown.expires_at = Some(NOW);
        assert_eq!(locked(with_unknown(unknown), &vault(1), 7), Ok(1));
    }
}
