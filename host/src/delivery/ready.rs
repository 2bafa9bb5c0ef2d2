//! An endpoint as deliveries go there: its URL made ready, its secrets opened.
//!
//! Made when the first delivery goes there, and anew when the endpoint changes or a secret of it is
//! over: a start opens no secret. Never sends.

use std::fmt;
use std::time::Duration;

use http::HeaderName;

use crate::directory::vault::Locked;
use crate::directory::{Active, Directory, Listed};
use crate::egress::Target;
use crate::endpoint::{Format, Settings};
use crate::event::Timestamp;
use crate::retry::RetryPolicy;
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
    pub(super) format: Format,
    /// How long an attempt may take, and how long it may take to connect.
    pub(super) timeouts: (Duration, Duration),
    /// How patient to be.
    pub(super) retry: RetryPolicy,
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
}

impl Ready {
    pub(super) fn of(
        listed: &Listed,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Self, Unready> {
        let Active { signing, credential, until, .. } = listed.active(directory.vault(), now)?;
        let Settings { url, headers, body, limits, retries, .. } = &*listed.endpoint.settings;
        let keys = signing.iter().map(SigningKey::parse).collect::<Result<_, _>>()?;
        let mut headers = headers.clone();
        if let Some(credential) = credential {
            headers.push(credential.header().ok_or(Unready::Credential)?);
        }
        Ok(Self {
            revision: listed.endpoint.revision,
            until,
            target: Target::new(url.clone()),
            keys,
            headers,
            format: *body,
            timeouts: (limits.timeout, limits.connect_timeout),
            retry: retries.clone(),
        })
    }

    /// Whether it still is what it was made of.
    pub(super) fn is_of(&self, listed: &Listed, now: Timestamp) -> bool {
        self.revision == listed.endpoint.revision && self.until.is_none_or(|until| until > now)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("target", &self.target).finish_non_exhaustive()
    }
}
