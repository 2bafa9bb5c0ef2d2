//! IppoPay, whose webhooks are not documented in public: the operator sets the scheme.
//!
//! IppoPay documents that an order may name a `notify_url`, which it calls when the order changes.
//! It does not document whether it signs a call, with which header and key and over which bytes;
//! whether the body is JSON or a form; the fields, the states and the units of amounts; whether
//! events have ids; when and how often it repeats a call. So a source accepts nothing until the
//! operator, who can ask IppoPay, sets `scheme`: `"hmac-sha256"` or `"token"` with the `header`, or
//! `"unsigned"`. For unsigned calls the source also needs `verify = "none"`, and every call should
//! be confirmed over the API. No event gets a canonical type. The places of the event's name, its
//! subject and its labels are settings too.

mod settings;

use hookgate_sdk::json::Pointer;
use hookgate_sdk::{
    Claims, Event, Failure, Json, Piece, ProofKind, Provider, ProviderInfo, Refusal, Request,
    Timestamp, event_type, form, id, labels,
};

use crate::settings::{Scheme, Settings};

/// The plugin.
#[derive(Debug)]
pub struct IppoPay;

impl Provider for IppoPay {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Token];
        ProviderInfo::new("ippopay", env!("CARGO_PKG_VERSION"), &["ippopay.*"], proofs)
            .with_scheme("as the operator sets it: HMAC-SHA256 of the body, a token, or none")
            .with_settings(Settings::declared())
    }

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Self::settings();
        let evidence = match settings.scheme {
            Scheme::Unsigned => None,
            Scheme::Token => Some(settings.token().evidence(request)?),
            Scheme::HmacSha256 => Some(settings.mac().evidence(request, vec![Piece::Body])?),
        };
        Ok(Claims::all(evidence, [request.event_id(None)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let settings = Self::settings();
        let is_json = matches!(request.content().trim_ascii_start().first(), Some(b'{' | b'['));
        let of_form =
            if is_json { String::new() } else { form::to_json(&form::parse(&request.body)) };
        let body = if is_json { request.json()? } else { Json::parse(of_form.as_bytes())? };
        let named = |pointer: &Option<Pointer>| body.scalar(pointer.as_deref()?).map(String::from);
        let own = named(&settings.event_type).unwrap_or_else(|| "notification".to_owned());
        Ok(vec![Event {
            subject: named(&settings.subject).filter(|subject| id::fits(subject)),
            labels: labels([
                ("account", named(&settings.account)),
                ("livemode", settings.livemode(&body.members()).map(|live| live.to_string())),
                ("reference", named(&settings.reference)),
            ]),
            ..Event::new(
                request.event_id(None),
                event_type(None, "ippopay", &own.to_lowercase()),
                body.raw(),
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let settings = Self::settings();
        match settings.scheme {
            Scheme::Unsigned => Err("with scheme = \"unsigned\" calls are not signed".to_owned()),
            Scheme::Token => settings.token().sign(request, digests),
            Scheme::HmacSha256 => settings.mac().sign(request, digests),
        }
    }
}

hookgate_sdk::export!(provider: IppoPay);
