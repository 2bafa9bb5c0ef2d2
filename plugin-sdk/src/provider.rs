//! The trait of a payment provider.
//!
//! The gateway calls each function in a fresh instance, or `parse` in the one in which `claim` has
//! just read the same request, so they have no `self`: there is nothing to keep, also where an
//! operator lets an instance serve several calls. A provider never sees a secret and never decides
//! whether a request is genuine.

use serde::de::DeserializeOwned;

use crate::bindings::provider::exports::hookgate::plugin::provider as exported;
use crate::claims::{Answer, Claims, KeyPlace, ProofInfo, ProofKind, Refusal, Worth};
use crate::event::{Event, Failure, Timestamp};
use crate::request::Request;
use crate::setting::Setting;
use crate::settings::{self, Rules};
use crate::{answer, log};

pub use exported::{ClockRule, ProviderInfo};

/// How one payment provider signs its requests and what they mean.
pub trait Provider {
    /// The operator's settings, the `config` of a source: any type that serde reads from a JSON
    /// object; `()` for a provider without settings. It gets only settings that `describe`
    /// declares, each of its kind, with the declared defaults filled in.
    type Settings: DeserializeOwned + 'static;

    /// Describes the provider. The gateway calls this once, at load.
    fn describe() -> ProviderInfo;

    /// Checks what neither the declarations nor the type of the settings can say; an error tells
    /// the operator what is wrong. The gateway checks settings at load and when the configuration
    /// changes.
    fn check(_settings: &Self::Settings) -> Result<(), String> {
        Ok(())
    }

    /// Says what was signed, with which scheme, and what the signature is. The gateway calls this
    /// before it answers the provider, so do no more than the proof needs. Refuse a request without
    /// a signature.
    fn claim(request: &Request) -> Result<Claims, Refusal>;

    /// Turns a request into events, once its proof holds. The gateway calls this before it stores
    /// and answers the request if that takes less than 5 ms, and otherwise afterwards. It may call
    /// this again for the same request, and it must return the same events. Return no events for a
    /// request that means nothing, such as a ping.
    fn parse(request: &Request) -> Result<Vec<Event>, Failure>;

    /// Signs a request as the provider would send it, for `hookgate send` and tests, in place of
    /// any signature that it carries. The gateway calls this twice: first without digests, for a
    /// request that [`Provider::claim`] can read, then with one digest for each piece of evidence
    /// in its claims. The digest of a token is a text that stands for the token.
    ///
    /// Only tests encrypt: the first request has the plain text in the place of the encrypted one,
    /// and the digest is the encrypted text, with the tag of AES-GCM behind it.
    fn sign(
        _request: Request,
        _signed_at: Timestamp,
        _digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        Err("this provider does not sign requests".to_owned())
    }

    /// The operator's settings, read and checked once for each instance.
    ///
    /// # Panics
    ///
    /// If they are invalid, which the gateway finds out before it calls the plugin for a request.
    fn settings() -> &'static Self::Settings {
        settings::get(&rules::<Self>())
    }
}

/// The rules for the settings of a provider.
pub(crate) fn rules<P: Provider + ?Sized>() -> Rules<P::Settings> {
    Rules {
        #[cfg(not(target_family = "wasm"))]
        declared: || P::describe().settings,
        check: P::check,
    }
}

/// The claims that the gateway gets.
pub(crate) fn claim<P: Provider>(request: &Request) -> Result<Claims, Refusal> {
    answer::answerable(P::claim(request)?)
}

impl<P: Provider> exported::Guest for P {
    fn describe() -> ProviderInfo {
        log::panics();
        <P as Provider>::describe()
    }

    fn check() -> Result<(), String> {
        log::panics();
        settings::check(&rules::<P>())
    }

    fn claim(request: Request) -> Result<Claims, Refusal> {
        log::panics();
        claim::<P>(&request)
    }

    fn parse(request: Request) -> Result<Vec<Event>, Failure> {
        log::panics();
        <P as Provider>::parse(&request)
    }

    fn sign(
        request: Request,
        signed_at: Timestamp,
        digests: Vec<Vec<u8>>,
    ) -> Result<Request, String> {
        log::panics();
        <P as Provider>::sign(request, signed_at, &digests)
    }
}

impl ProviderInfo {
    /// Describes a provider with these defaults: signing times are checked only if the source sets
    /// a tolerance, accepted requests get the gateway's own reply, unverified ones get 401,
    /// validation challenges come by POST alone, no keys are published, and every proof but a token
    /// covers all that `parse` reads. `types` are the event types that it may return: `payment.*`,
    /// `github.*`.
    pub fn new(name: &str, version: &str, types: &[&str], proofs: &[ProofKind]) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            scheme: String::new(),
            types: types.iter().map(ToString::to_string).collect(),
            proofs: proofs.iter().map(|kind| kind.at_best()).collect(),
            clock: ClockRule::Both,
            tolerance_ms: None,
            reply: None,
            refusal_status: 401,
            methods: Vec::new(),
            handshakes: Vec::new(),
            key_places: Vec::new(),
            roots: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// With a proof that is worth less than [`new`](Self::new) says of its kind: it covers only a
    /// part of what `parse` reads, or nothing of it.
    #[must_use]
    pub fn worth(mut self, kind: ProofKind, worth: Worth) -> Self {
        self.proofs.iter_mut().filter(|it| it.kind == kind).for_each(|it| it.worth = worth);
        self
    }

    /// With proofs of this kind that are worth less than the others of it, of requests that the
    /// provider signs in another way. See [`Evidence::worth`](crate::Evidence::worth).
    #[must_use]
    pub fn or_worth(mut self, kind: ProofKind, worth: Worth) -> Self {
        self.proofs.push(ProofInfo { kind, worth });
        self
    }

    /// With the settings that the plugin reads. The gateway rejects every other setting.
    #[must_use]
    pub fn with_settings(self, settings: impl IntoIterator<Item = Setting>) -> Self {
        Self { settings: settings.into_iter().collect(), ..self }
    }

    /// With events that the provider sends by `GET`, in addition to POST.
    #[must_use]
    pub fn sending_by_get(self) -> Self {
        Self { methods: vec!["GET".to_owned()], ..self }
    }

    /// With root certificates in DER that chains of certificates in requests must lead to.
    #[must_use]
    pub fn with_roots(self, roots: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { roots: roots.into_iter().collect(), ..self }
    }

    /// With a few words for people on how it signs. Every provider needs them.
    #[must_use]
    pub fn with_scheme(self, scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), ..self }
    }

    /// With the reply to every accepted request whose claims have no reply of their own.
    #[must_use]
    pub fn with_reply(self, reply: Answer) -> Self {
        Self { reply: Some(reply), ..self }
    }

    /// With a tolerance in milliseconds for signing times, of sources that set none.
    #[must_use]
    pub fn with_tolerance(self, clock: ClockRule, tolerance_ms: u64) -> Self {
        Self { clock, tolerance_ms: Some(tolerance_ms), ..self }
    }

    /// With another status than 401 for unverified requests, 400 to 499.
    #[must_use]
    pub fn refusing_with(self, status: u16) -> Self {
        Self { refusal_status: status, ..self }
    }

    /// With a method, in addition to POST, by which the provider sends its validation challenge.
    #[must_use]
    pub fn asking_by(mut self, method: &str) -> Self {
        self.handshakes.push(method.to_owned());
        self
    }

    /// With places from which the gateway may fetch the provider's public keys.
    #[must_use]
    pub fn with_keys_at(self, places: impl IntoIterator<Item = KeyPlace>) -> Self {
        Self { key_places: places.into_iter().collect(), ..self }
    }
}
