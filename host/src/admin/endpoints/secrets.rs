//! The secrets of an endpoint: its first, a new one beside those of before, and what everybody who
//! may see the endpoint may know of them.
//!
//! A value is shown by the answer that makes it, and never again. Never keeps one.

use std::time::Duration;

use serde_json::{Value, json};

use super::body::{Rotate, wrong};
use crate::admin::{Admin, Kind, Problem};
use crate::directory::vault::{NotSealed, Vault, fingerprint, fresh};
use crate::directory::{DirectoryError, Held, Listed, public_key};
use crate::endpoint::{
    Credential, OVERLAP, OVERLAP_MAX, SIGNING_MAX, SealedSecret, SecretKind, SecretPlace,
    next_number, rotated, with_credential as with,
};
use crate::event::Timestamp;
use crate::ids::Id;
use crate::secrets::Secret;
use crate::signing::SigningKey;

/// The first secrets of an endpoint.
pub(super) struct First(Vec<(SecretKind, Secret)>);

impl First {
    /// These, or a new one of that kind; and a credential.
    pub(super) fn of(
        kind: SecretKind,
        brought: Vec<Secret>,
        credential: Option<Credential>,
    ) -> Result<Self, Problem> {
        let mut all = Vec::new();
        for secret in brought {
            all.push((kind_of(&secret, "secrets")?, secret));
        }
        if all.is_empty() {
            all.push((kind, made(kind)?));
        }
        if all.len() > SIGNING_MAX {
            return Err(wrong("secrets", "must have at most 8 secrets"));
        }
        if let Some(credential) = credential {
            let (kind, secret) = credential.kept();
            all.push((kind, secret.clone()));
        }
        Ok(Self(all))
    }

    /// Sealed for the endpoint of this id.
    pub(super) fn sealed(
        &self,
        vault: &Vault,
        id: Id,
        now: Timestamp,
    ) -> Result<Vec<SealedSecret>, NotSealed> {
        let numbered = (1..).zip(&self.0);
        numbered
            .map(|(number, (kind, secret))| sealed(vault, id, (number, *kind, secret), now))
            .collect()
    }

    /// Those that sign.
    pub(super) fn signing(&self) -> Vec<&Secret> {
        let signing = self.0.iter().filter(|(kind, _)| kind.signs());
        signing.map(|(_, secret)| secret).collect()
    }
}

fn sealed(
    vault: &Vault,
    id: Id,
    (number, kind, secret): (u32, SecretKind, &Secret),
    now: Timestamp,
) -> Result<SealedSecret, NotSealed> {
    let sealed = vault.seal(SecretPlace { endpoint: id.position, number, kind }, secret)?;
    let kind = kind.number();
    Ok(SealedSecret { number, kind, sealed, created_at: now, expires_at: None })
}

fn made(kind: SecretKind) -> Result<Secret, Problem> {
    let missing = || Problem::new(Kind::Internal, "the system has no random bytes");
    fresh(kind).ok_or_else(missing)
}

/// What a secret is that somebody brings along to sign with.
fn kind_of(secret: &Secret, field: &'static str) -> Result<SecretKind, Problem> {
    match SigningKey::parse(secret) {
        Ok(SigningKey::Shared(_)) => Ok(SecretKind::Whsec),
        Ok(SigningKey::Ed25519(_)) => Ok(SecretKind::Whsk),
        Err(error) => Err(wrong(field, &error.to_string())),
    }
}

/// The secrets of an endpoint as they are kept.
fn kept(listed: &Listed) -> Vec<SealedSecret> {
    let sealed = |held: &Held| match held {
        Held::Sealed(secret) => Some(secret.clone()),
        Held::Plain(_) | Held::Other(..) => None,
    };
    listed.secrets.iter().filter_map(sealed).collect()
}

/// The secrets after a rotation, and the new one.
pub(super) fn after_rotation(
    admin: &Admin,
    listed: &Listed,
    rotate: Rotate,
) -> Result<(Vec<SealedSecret>, Secret), Problem> {
    let before = kept(listed);
    let overlap = rotate.overlap.as_deref().map_or(Ok(OVERLAP), overlap)?;
    let last = before.iter().filter_map(|it| SecretKind::of(it.kind)).rfind(|it| it.signs());
    let (kind, secret) = match rotate.secret {
        Some(_) if rotate.signature.is_some() => {
            return Err(wrong("signature", "is for a secret that the gateway makes"));
        }
        Some(text) => {
            let secret = Secret::new(&text).ok_or_else(|| wrong("secret", "is blank"))?;
            (kind_of(&secret, "secret")?, secret)
        }
        None => {
            let asked = rotate.signature.map(SecretKind::from);
            let kind = asked.or(last).unwrap_or(SecretKind::Whsec);
            (kind, made(kind)?)
        }
    };
    let (id, now) = (listed.endpoint.id, admin.access.now());
    let new = (next_number(&before), kind, &secret);
    let new = sealed(admin.directory.vault(), id, new, now).map_err(DirectoryError::from)?;
    let after = rotated(&before, new, overlap, now);
    let signing = after.iter().filter(|it| SecretKind::of(it.kind).is_some_and(SecretKind::signs));
    if signing.count() > SIGNING_MAX {
        let detail = "the endpoint has 8 secrets that sign: wait until one expires, or give a \
                      shorter `overlap`";
        return Err(Problem::new(Kind::TooManySecrets, detail));
    }
    Ok((after, secret))
}

fn overlap(text: &str) -> Result<Duration, Problem> {
    let read = humantime::parse_duration(text).ok();
    let read = read.filter(|overlap| *overlap <= OVERLAP_MAX);
    read.ok_or_else(|| wrong("overlap", "must be a duration from 0s to 30d, such as \"24h\""))
}

/// The secrets of an endpoint with this credential, or without any.
pub(super) fn with_credential(
    admin: &Admin,
    listed: &Listed,
    credential: Option<&Credential>,
) -> Result<Vec<SealedSecret>, Problem> {
    let before = kept(listed);
    let (id, now) = (listed.endpoint.id, admin.access.now());
    let new = credential.map(|credential| {
        let (kind, secret) = credential.kept();
        let new = (next_number(&before), kind, secret);
        sealed(admin.directory.vault(), id, new, now)
    });
    let new = new.transpose().map_err(DirectoryError::from)?;
    Ok(with(&before, new, now))
}

/// Whether something secret goes with its deliveries as it is, also if it does not open now; what
/// only a newer Hookgate knows may be that.
pub(super) fn has_credential(listed: &Listed, now: Timestamp) -> bool {
    kept(listed).iter().filter(|secret| !secret.is_over(now)).any(|secret| {
        let kind = SecretKind::of(secret.kind);
        kind.is_none_or(|kind| !kind.signs())
    })
}

/// What may be known of the secrets of an endpoint, in their order.
pub(super) fn known(admin: &Admin, listed: &Listed) -> Vec<Value> {
    listed.secrets.iter().map(|held| of(admin, listed, held)).collect()
}

fn of(admin: &Admin, listed: &Listed, held: &Held) -> Value {
    let (kind, opened, secret) = match held {
        Held::Plain(secret) => {
            let kind = kind_of(secret, "secrets").ok();
            (kind, Some(secret.clone()), None)
        }
        Held::Other(kind, _) => (Some(*kind), None, None),
        Held::Sealed(secret) => {
            let place = secret.place(listed.endpoint.id.position);
            let is_public = place.is_some_and(|place| place.kind == SecretKind::Whsk);
            let opened = place
                .filter(|_| is_public)
                .and_then(|place| admin.directory.vault().open(place, &secret.sealed).ok());
            (place.map(|place| place.kind), opened, Some(secret))
        }
    };
    json!({
        "number": secret.map(|secret| secret.number),
        "kind": kind.map_or("unknown", named),
        "fingerprint": print(held).map(hex::encode),
        "public_key": opened.as_ref().and_then(public_key),
        "created_at": secret.map(|secret| secret.created_at),
        "expires_at": secret.and_then(|secret| secret.expires_at),
    })
}

/// What tells a secret from others, unless that would help to guess it: a password that the
/// configuration has is short, and anybody could compute the same of what they try.
fn print(held: &Held) -> Option<[u8; 8]> {
    match held {
        Held::Plain(secret) => Some(fingerprint(secret)),
        Held::Other(..) => None,
        Held::Sealed(secret) => Some(secret.sealed.fingerprint),
    }
}

fn named(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Whsec => "whsec",
        SecretKind::Whsk => "whsk",
        SecretKind::Basic => "basic",
        SecretKind::Bearer => "bearer",
        SecretKind::Header => "header",
        SecretKind::ClientKey => "client_key",
    }
}

/// The same with the values of those that were just made, or brought along.
pub(super) fn with_values(admin: &Admin, listed: &Listed, made: &[&Secret]) -> Value {
    let mut known = known(admin, listed);
    for secret in made {
        let print = hex::encode(fingerprint(secret));
        let is_it = |known: &&mut Value| known["fingerprint"] == print.as_str();
        if let Some(known) = known.iter_mut().find(is_it) {
            known["value"] = secret.expose().into();
        }
    }
    known.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that whoever may read an endpoint can't try passwords at home.
    #[test]
    fn a_password_of_the_configuration_has_no_fingerprint_to_hold_guesses_against() {
        let secret = |text: &str| Secret::new(text).unwrap();
        for kind in [SecretKind::Basic, SecretKind::Bearer, SecretKind::Header] {
            assert_eq!(print(&Held::Other(kind, secret("shop:sesame"))), None);
        }
        let signs = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(print(&Held::Plain(signs.clone())), Some(fingerprint(&signs)));
    }
}
