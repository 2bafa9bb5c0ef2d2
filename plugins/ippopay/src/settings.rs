//! The settings of a source: how IppoPay proves a call, which the operator must confirm, and where
//! its fields are.
//!
//! There is no default for the proof: without it the source accepts no request.

use hookgate_sdk::json::Pointer;
use hookgate_sdk::{DigestText, HeaderMac, HeaderName, HeaderToken, Members, Setting};
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(crate) scheme: Scheme,
    /// The header with the digest or the token.
    header: Option<HeaderName>,
    /// How a digest is written.
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

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Hex,
    Base64,
}

impl Settings {
    pub(crate) fn declared() -> [Setting; 8] {
        [
            Setting::choice(
                "scheme",
                &["hmac-sha256", "token", "unsigned"],
                "the proof of a call; ask IppoPay how it proves a call",
            )
            .required(),
            Setting::text("header", "X-Signature", "the header with the digest or the token"),
            Setting::choice("encoding", &["hex", "base64"], "how a digest is written")
                .with_default("hex"),
            Setting::text("type", "/event", "the place of the event's name, a JSON pointer"),
            Setting::text("subject", "/order/id", "the place of the entity that an event is about"),
            Setting::text("account", "/merchant/id", "the place of the account"),
            Setting::text("livemode", "/live", "the place of a flag or an environment"),
            Setting::text("reference", "/order/reference", "the place of the receiver's reference"),
        ]
    }

    /// Checks that there is a header if there is a proof.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.scheme, &self.header) {
            (Scheme::Unsigned, Some(_)) => {
                Err("with scheme = \"unsigned\" there is no proof: remove `header`".to_owned())
            }
            (Scheme::Token | Scheme::HmacSha256, None) => {
                Err("set `header` to the name of the header with the proof".to_owned())
            }
            _ => Ok(()),
        }
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
        HeaderMac::new(self.header.as_deref().unwrap_or_default(), text)
    }

    pub(crate) fn token(&self) -> HeaderToken<'_> {
        HeaderToken::new(self.header.as_deref().unwrap_or_default())
    }
}
