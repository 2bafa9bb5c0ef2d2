//! What the operator may say of a source: how its services prove what they post.

use hookgate_sdk::{Configured, DigestText, HeaderMac, HeaderToken};
use serde::Deserialize;

/// The token, where it is the proof.
pub(crate) const BEARER: HeaderToken = HeaderToken::new("authorization").with_prefix("Bearer ");

/// What services use that post to GitHub's receivers as well.
const HEADER: &str = "x-hub-signature-256";
const PREFIX: &str = "sha256=";

/// Longest name of a sender.
const ORIGIN_BYTES_MAX: usize = 253;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) proof: Proof,
    /// The header with the digest.
    header: Option<String>,
    /// What stands before the digest.
    prefix: Option<String>,
    /// How the digest is written.
    encoding: Option<Encoding>,
    /// Who may post, of those that ask: all, where nothing is said.
    origins: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proof {
    /// HMAC-SHA256 over the body.
    #[default]
    Hmac,
    /// `Authorization: Bearer`, with the secret itself.
    Bearer,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Hex,
    Base64,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        let of_digest = self.header.is_some() || self.prefix.is_some() || self.encoding.is_some();
        if self.proof == Proof::Bearer && of_digest {
            return Err("a bearer token is in `Authorization` and has no digest to set".to_owned());
        }
        let named = self.header.as_deref().is_none_or(|header| {
            !header.is_empty()
                && header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        if named { Ok(()) } else { Err("`header` is no name of a header".to_owned()) }
    }
}

impl Settings {
    /// Whether a sender of this DNS name may post. What a header can't repeat is no name.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        let named = !origin.is_empty()
            && origin.len() <= ORIGIN_BYTES_MAX
            && origin.bytes().all(|byte| byte.is_ascii_graphic());
        let listed = |origins: &Vec<String>| origins.iter().any(|known| known == origin);
        named && self.origins.as_ref().is_none_or(listed)
    }

    pub(crate) fn mac(&self) -> HeaderMac<'_> {
        let text = match self.encoding {
            Some(Encoding::Base64) => DigestText::Base64,
            Some(Encoding::Hex) | None => DigestText::Hex,
        };
        let header = HeaderMac::new(self.header.as_deref().unwrap_or(HEADER), text);
        header.with_prefix(self.prefix.as_deref().unwrap_or(PREFIX))
    }
}
