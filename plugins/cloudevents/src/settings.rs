//! The settings of a source: how its services prove their requests, and which may post.
//!
//! Without them the proof is an HMAC, as at GitHub. No setting turns the proof off.

use hookgate_sdk::{DigestText, HeaderMac, HeaderName, HeaderToken, Setting};
use serde::Deserialize;

/// The bearer token, with `proof = "bearer"`.
pub(crate) const BEARER: HeaderToken = HeaderToken::new("authorization").with_prefix("Bearer ");

/// The header that services use which also post to receivers for GitHub.
const HEADER: &str = "x-hub-signature-256";
const PREFIX: &str = "sha256=";

/// Longest DNS name of a sender.
const ORIGIN_BYTES_MAX: usize = 253;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(crate) proof: Proof,
    /// The header with the digest.
    header: Option<HeaderName>,
    /// The text before the digest.
    prefix: Option<String>,
    /// How the digest is written.
    encoding: Option<Encoding>,
    /// The senders whose validation request is granted; without it, all senders.
    origins: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proof {
    /// HMAC-SHA256 over the body.
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

impl Settings {
    pub(crate) fn declared() -> [Setting; 5] {
        [
            Setting::choice("proof", &["hmac", "bearer"], "how the services prove their requests")
                .with_default("hmac"),
            Setting::text("header", HEADER, "the header with the digest"),
            // It may be empty.
            Setting::any("prefix", PREFIX, "the text before the digest"),
            Setting::choice("encoding", &["hex", "base64"], "how the digest is written"),
            Setting::texts(
                "origins",
                &["events.example.com"],
                "the senders whose validation request is granted; without it, all senders",
            ),
        ]
    }

    /// Checks that settings of a digest come with one.
    pub(crate) fn check(&self) -> Result<(), String> {
        let of_digest = self.header.is_some() || self.prefix.is_some() || self.encoding.is_some();
        if self.proof == Proof::Bearer && of_digest {
            let digest = "a bearer token has no digest";
            return Err(format!("{digest}: remove `header`, `prefix` and `encoding`"));
        }
        Ok(())
    }

    /// Whether a sender with this DNS name may post. A text that a header can't carry is not a
    /// name.
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
