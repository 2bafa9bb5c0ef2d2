//! An endpoint as deliveries go there: its URL made ready, its secrets opened.
//!
//! Made when the first delivery goes there, and anew when the endpoint changes or a secret of it is
//! over: a start opens no secret. Never sends.

use std::fmt;
use std::time::Duration;

use http::HeaderName;

use super::hidden::Hidden;
use crate::directory::vault::Locked;
use crate::directory::{Active, Directory, Listed};
use crate::egress::{Identity, Target};
use crate::endpoint::{Format, Settings, Trust};
use crate::event::Timestamp;
use crate::retry::RetryPolicy;
use crate::secrets::Secret;
use crate::signing::{InvalidKey, SigningKey};

/// An endpoint that deliveries can go to.
pub(super) struct Ready {
    /// Of which it was made.
    revision: u64,
    /// From then on it must be made anew.
    until: Option<Timestamp>,
    pub(super) target: Target,
    /// All that sign: several during a rotation.
    pub(super) keys: Vec<SigningKey>,
    /// What goes along as it is.
    pub(super) headers: Vec<(HeaderName, String)>,
    /// Which of them is a credential, if one is.
    pub(super) credential: Option<HeaderName>,
    pub(super) format: Format,
    /// How long an attempt may take, and how long it may take to connect.
    pub(super) timeouts: (Duration, Duration),
    /// How patient to be.
    pub(super) retry: RetryPolicy,
    /// Whom it is believed to be by, and as whom the gateway shows itself there.
    pub(super) identity: Identity,
    /// Its secrets, which it may repeat.
    pub(super) hidden: Hidden,
}

/// Why nothing may go to an endpoint for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unready {
    /// A secret does not open.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// A secret can't sign.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A credential can't be sent.
    #[error("the endpoint's credential can't be sent")]
    Credential,
    /// No transport leads there.
    #[error("nothing delivers to a URL with this scheme")]
    Scheme,
    /// Nobody could show it.
    #[error("the endpoint has a `client_certificate`, and no key of it")]
    NoClientKey,
    /// TLS can't use them.
    #[error("the endpoint's `ca` or `client_certificate` can't be used: {0}")]
    Identity(String),
}

impl Ready {
    /// An endpoint as it is now. What was made of it `before`, at the same revision, keeps its
    /// connections.
    pub(super) fn of(
        listed: &Listed,
        directory: &Directory,
        now: Timestamp,
        before: Option<&Self>,
    ) -> Result<Self, Unready> {
        let Active { signing, credential, client_key, until } =
            listed.active(directory.vault(), now)?;
        let Settings { url, headers, body, limits, retries, trust, .. } =
            &*listed.endpoint.settings;
        let revision = listed.endpoint.revision;
        let identity = match before.filter(|before| before.revision == revision) {
            Some(before) => before.identity.clone(),
            None => identity_of(trust, client_key.as_ref())?,
        };
        let keys = signing.iter().map(SigningKey::parse).collect::<Result<_, _>>()?;
        let mut headers = headers.clone();
        let mut credential_name = None;
        let mut hidden = signing;
        hidden.extend(client_key);
        hidden.extend(url.password().and_then(Secret::new));
        if let Some(credential) = credential {
            hidden.extend(credential.secret());
            let (name, value) = credential.header().ok_or(Unready::Credential)?;
            // It counts before a header of that name that is no secret.
            headers.retain(|(other, _)| *other != name);
            credential_name = Some(name.clone());
            headers.push((name, value));
        }
        Ok(Self {
            revision,
            until,
            target: Target::new(url.clone()),
            keys,
            headers,
            credential: credential_name,
            format: *body,
            timeouts: (limits.timeout, limits.connect_timeout),
            retry: retries.clone(),
            identity,
            hidden: Hidden::of(hidden),
        })
    }

    /// Whether it still is what it was made of.
    pub(super) fn is_of(&self, listed: &Listed, now: Timestamp) -> bool {
        self.revision == listed.endpoint.revision && self.until.is_none_or(|until| until > now)
    }
}

/// The identity that an endpoint is reached with.
fn identity_of(trust: &Trust, client_key: Option<&Secret>) -> Result<Identity, Unready> {
    let client = match &trust.client {
        Some(chain) => Some((chain.as_bytes(), client_key.ok_or(Unready::NoClientKey)?)),
        None => None,
    };
    Identity::new(&trust.ca, client).map_err(Unready::Identity)
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("target", &self.target).finish_non_exhaustive()
    }
}
