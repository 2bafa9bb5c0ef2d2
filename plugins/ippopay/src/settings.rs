//! The settings of a source: how IppoPay proves a call, which the operator must confirm, and where
//! its fields are.
//!
//! There is no default for the proof: without it the source accepts no request.

use hookgate_sdk::{Configured, DigestText, HeaderMac, HeaderToken, Members};
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) scheme: Scheme,
    /// The header with the digest or the token.
    #[serde(default)]
    header: String,
    /// How a digest is written.
    #[serde(default)]
    encoding: Encoding,
    /// The JSON pointer to the event's name.
    #[serde(rename = "type")]
    pub(crate) event_type: Option<String>,
    /// The JSON pointer to the subject, the id of the entity that the event is about.
    pub(crate) subject: Option<String>,
    /// The JSON pointer to the account.
    pub(crate) account: Option<String>,
    /// The JSON pointer to a flag or an environment: `true`, `false`, `live`, `test`.
    livemode: Option<String>,
    /// The JSON pointer to the receiver's own reference.
    pub(crate) reference: Option<String>,
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

impl Configured for Settings {
    const ADVICE: &str = "ask IppoPay how it proves a call, then set `scheme` to \
        \"hmac-sha256\", \"token\" or \"unsigned\"";

    fn fits(&self) -> Result<(), String> {
        let named = !self.header.is_empty()
            && self.header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if self.scheme == Scheme::Unsigned && !self.header.is_empty() {
            return Err("with scheme = \"unsigned\" there is no proof: remove `header`".to_owned());
        }
        if self.scheme != Scheme::Unsigned && !named {
            return Err("set `header` to the name of the header with the proof".to_owned());
        }
        let wrong = self
            .event_type
            .iter()
            .chain(&self.subject)
            .chain(&self.account)
            .chain(&self.livemode)
            .chain(&self.reference)
            .find(|pointer| !pointer.starts_with('/'));
        match wrong {
            Some(pointer) => Err(format!("`{pointer}` is not a JSON pointer such as /order/id")),
            None => Ok(()),
        }
    }
}

impl Settings {
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
