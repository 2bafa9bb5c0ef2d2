//! The signature of a request, as its payment provider would make it.
//!
//! The provider plugin says where its signature belongs, the host makes it. Where the secret itself
//! is sent along the plugin places a mark, and never sees what the host puts there. Never signs
//! what came in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::{Request, Timestamp};
use crate::plugin::{CallError, Host, Plugin};
use crate::provider::{Evidence, Proof, Value};
use crate::secrets::Secret;
use crate::signature;

/// What a plugin places where the secret itself belongs.
const MARK: &str = "hookgate-puts-the-secret-here";

/// Why a request could not be signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    /// The plugin broke.
    #[error("failed to call plugin {0}: {1}")]
    Call(String, CallError),
    /// The plugin can't sign this.
    #[error("plugin {0} cannot sign this payload: {1}")]
    Plugin(String, String),
    /// What the plugin signed it does not read itself.
    #[error("plugin {0} rejects the request that it signed: {1}")]
    Unread(String, String),
    /// There is nothing that a secret could sign.
    #[error("none of the source's secrets can sign for plugin {0}: {1}")]
    NoSecret(String, signature::Error),
    /// A public key verifies; it can't sign.
    #[error("the provider of plugin {0} signs with a private key that only the provider has")]
    NotSymmetric(String),
    /// Nothing here encrypts.
    #[error(
        "the provider of plugin {0} encrypts its requests, and Hookgate does not: use recorded \
         requests and `hookgate plugin test`"
    )]
    Encrypted(String),
}

/// The request as the provider would send it at `at`, signed with the first secret that fits.
pub(crate) async fn sign(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    secrets: &[Secret],
    request: &Arc<Request>,
    at: Timestamp,
) -> Result<Request, SignError> {
    let name = || plugin.name().to_string();
    let draft = Arc::new(asked((host, plugin), settings, request, at, Vec::new()).await?);
    let claims = host
        .claims(plugin, settings, plugin.name(), &draft)
        .await
        .map_err(|error| SignError::Call(name(), error))?
        .map_err(|refusal| SignError::Unread(name(), refusal.reason))?;

    let digest = |evidence| digest(evidence, &claims.values, secrets, &draft.body, name);
    let digests: Result<_, _> = claims.evidence.iter().map(digest).collect();
    let mut signed = asked((host, plugin), settings, request, at, digests?).await?;
    if let Some(secret) = secrets.first() {
        put_secret(&mut signed, secret);
    }
    Ok(signed)
}

/// The request as the plugin makes it, with these digests where they belong.
async fn asked(
    (host, plugin): (&Host, &Arc<Plugin>),
    settings: &Arc<str>,
    request: &Arc<Request>,
    at: Timestamp,
    digests: Vec<Vec<u8>>,
) -> Result<Request, SignError> {
    let name = || plugin.name().to_string();
    let signed = host.sign(plugin, settings, request, at, digests).await;
    let signed = signed.map_err(|error| SignError::Call(name(), error))?;
    signed.map_err(|reason| SignError::Plugin(name(), reason))
}

/// What the first secret that fits makes of the evidence.
fn digest(
    evidence: &Evidence,
    values: &[Value],
    secrets: &[Secret],
    body: &[u8],
    name: impl Fn() -> String,
) -> Result<Vec<u8>, SignError> {
    let is_symmetric = |proof: &&Proof| match proof {
        Proof::Mac { .. } | Proof::Token(_) => true,
        Proof::Jws(jws) => jws.algorithm.public_key().is_none(),
        Proof::Signature { .. } | Proof::Decrypted(_) => false,
    };
    let proofs: Vec<&Proof> = evidence.proofs.iter().filter(is_symmetric).collect();
    if proofs.is_empty() {
        let is_encrypted = matches!(evidence.proofs[..], [Proof::Decrypted(_), ..]);
        let why = if is_encrypted { SignError::Encrypted } else { SignError::NotSymmetric };
        return Err(why(name()));
    }
    let mut why = signature::Error::NoUsableSecret;
    for proof in proofs {
        for secret in secrets {
            match proof {
                Proof::Token(_) => return Ok(MARK.as_bytes().to_vec()),
                proof => match signature::sample(proof, values, secret, body) {
                    Ok(digest) => return Ok(digest),
                    Err(error) => why = error,
                },
            }
        }
    }
    Err(SignError::NoSecret(name(), why))
}

/// Puts the secret where the plugin placed the mark: in a header, where it may stand in base64 as a
/// user and a password do, or in a string of a JSON body.
fn put_secret(request: &mut Request, secret: &Secret) {
    if let Ok(mut body) = String::from_utf8(request.body.to_vec()) {
        secret.put_into_json(&mut body, MARK);
        request.body = body.into();
    }
    let placed = request.headers.iter().map(|(name, value)| {
        let mut value = value.to_owned();
        secret.put_into(&mut value, MARK);
        let encoded = STANDARD.encode(MARK);
        if value.contains(&encoded) {
            value = value.replace(&encoded, &STANDARD.encode(secret.expose()));
        }
        (name.to_owned(), value)
    });
    request.headers = placed.collect::<Vec<_>>().into_iter().collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stands_where_the_mark_was_in_headers_and_in_json() {
        let mut request = Request {
            method: "POST".to_owned(),
            url: "/in/acme".to_owned(),
            headers: [("authorization", format!("Bearer {MARK}"))].into_iter().collect(),
            body: format!(r#"{{"state":"{MARK}"}}"#).into(),
            received_at: Timestamp(0),
        };
        let secret = Secret::new(r#"a "quoted" secret"#).unwrap();

        put_secret(&mut request, &secret);

        let header = request.headers.iter().next().unwrap();
        assert_eq!(header, ("authorization", r#"Bearer a "quoted" secret"#));
        assert_eq!(request.body, r#"{"state":"a \"quoted\" secret"}"#);
    }

    #[test]
    fn a_user_and_a_password_stand_in_base64() {
        let written = format!("Basic {}", STANDARD.encode(MARK));
        let mut request = Request {
            method: "POST".to_owned(),
            url: "/in/acme".to_owned(),
            headers: [("authorization", written)].into_iter().collect(),
            body: "{}".into(),
            received_at: Timestamp(0),
        };

        put_secret(&mut request, &Secret::new("user:pa:ss").unwrap());

        let header = request.headers.iter().next().unwrap();
        assert_eq!(header, ("authorization", "Basic dXNlcjpwYTpzcw=="));
    }
}
