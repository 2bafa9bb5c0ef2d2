//! The settings of a source: how IppoPay proves a call, which the operator must confirm, and where
//! its fields are.
//!
//! There is no default for the proof: without it the source accepts no request.

use hookgate_sdk::json::Pointer;
use hookgate_sdk::{DigestText, HeaderMac, HeaderToken, Members};
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(crate) scheme: Scheme,
    /// The header with the digest or the token.
    #[serde(default)]
    header: String,
    /// How a digest is written.
    #[serde(default)]
    encoding: Encoding,
    /// The place of the event's name.
    #[serde(rename = "type")]
    pub(crate) event_type: Option<Pointer>,
    /// The place of the subject, the id of the entity that the event is about.
    pub(crate) subject: Option<Pointer>,
    /// The place of the account.
    pub(crate) account: Option<Pointer>,
    /// The place of a flag or an environment: `true`, `false`, `live`, `test`.
    livemode: Option<Pointer>,
    /// The place of the receiver's own reference.
    pub(crate) reference: Option<Pointer>,
}

/// How a call is proven, as IppoPay told the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scheme {
    /// Calls carry no proof.
    Unsigned,
    /// A header carries the secret itself.
    Token,
    /// A header carries an HMAC over the body.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Hex,
    Base64,
}

impl Settings {
    /// Checks what the scheme says of the header.
    pub(crate) fn check(&self) -> Result<(), String> {
        let named = !self.header.is_empty()
            && self.header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if self.scheme == Scheme::Unsigned && !self.header.is_empty() {
            return Err("with scheme = \"unsigned\" there is no proof: remove `header`".to_owned());
        }
        if self.scheme != Scheme::Unsigned && !named {
            return Err("set `header` to the name of the header with the proof".to_owned());
        }
        Ok(())
    }

    /// Whether a call is about real money, if the body says so.
    pub(crate) fn livemode(&self, members: &Members<'_>) -> Option<bool> {
        let pointer = self.livemode.as_deref()?;
        members.flag(pointer).or_else(|| members.is_live(pointer))
    }

    pub(crate) fn mac(&self) -> HeaderMac<'_> {
        let text = match self.encoding {
            Encoding::Hex => DigestText::Hex,
            Encoding::Base64 => DigestText::Base64,
        };
        HeaderMac::new(&self.header, text)
    }

    pub(crate) fn token(&self) -> HeaderToken<'_> {
        HeaderToken::new(&self.header)
    }
}
