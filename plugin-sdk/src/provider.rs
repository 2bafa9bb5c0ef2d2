//! The trait of a payment provider.
//!
//! The host calls each function in a fresh instance, so they are functions without a `self`: there
//! is nothing to keep. A provider never sees a secret and never decides what is genuine.

use crate::bindings::provider::exports::hookgate::plugin::provider as exported;
use crate::claims::{Claims, Refusal};
use crate::event::{Event, Failure, Timestamp};
use crate::request::{Reply, Request};
use crate::{log, reply, settings};

pub use exported::{ClockRule, ProviderInfo};

use crate::claims::{KeyPlace, ProofKind};

/// How one payment provider signs its requests and what they mean.
pub trait Provider {
    /// What the gateway needs to know once, at load.
    fn describe() -> ProviderInfo;

    /// Whether the operator's settings, a JSON object, can be worked with; if not, why. Called at
    /// load and when the configuration changes. A provider without settings refuses any.
    fn check(settings: &str) -> Result<(), String> {
        settings::none(settings)
    }

    /// On the way in: what was signed, with which scheme, and what the signature is. Does no more
    /// than the proof needs, and refuses a request that carries none.
    fn claim(request: &Request) -> Result<Claims, Refusal>;

    /// After the answer: what happened. Must say the same each time it is asked. No events is the
    /// answer to a request that means nothing here, such as a ping.
    fn parse(request: &Request) -> Result<Vec<Event>, Failure>;

    /// For `hookgate send`: the request as the provider would send it, replacing what signatures it
    /// carries. Asked first without digests, for a request that [`Provider::claim`] can read, then
    /// with one digest for every piece of evidence in it: of a token, with a text that stands for
    /// it.
    fn sign(
        _request: Request,
        _signed_at: Timestamp,
        _digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        Err("this provider does not sign requests".to_owned())
    }
}

impl<P: Provider> exported::Guest for P {
    fn describe() -> ProviderInfo {
        log::panics();
        <P as Provider>::describe()
    }

    fn check() -> Result<(), String> {
        log::panics();
        <P as Provider>::check(&settings::text())
    }

    fn claim(request: Request) -> Result<Claims, Refusal> {
        log::panics();
        reply::answerable(<P as Provider>::claim(&request)?)
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
    /// A provider that says no signing time, wants no particular answer, and answers 401 to what is
    /// not proven. `types` are for people: `payment.*`, `github.*`.
    pub fn new(name: &str, version: &str, types: &[&str], proofs: &[ProofKind]) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            scheme: String::new(),
            types: types.iter().map(ToString::to_string).collect(),
            proofs: proofs.to_vec(),
            clock: ClockRule::Both,
            tolerance_ms: None,
            reply: None,
            refusal_status: 401,
            handshakes: Vec::new(),
            key_places: Vec::new(),
        }
    }

    /// With how it signs, in a few words for people: every provider says it.
    #[must_use]
    pub fn with_scheme(self, scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), ..self }
    }

    /// With the answer to every accepted request, except where `claim` gives one of its own.
    #[must_use]
    pub fn with_reply(self, reply: Reply) -> Self {
        Self { reply: Some(reply), ..self }
    }

    /// With a method beside POST by which it asks whether the endpoint is ours.
    #[must_use]
    pub fn asking_by(mut self, method: &str) -> Self {
        self.handshakes.push(method.to_owned());
        self
    }

    /// With places where its public keys may be fetched.
    #[must_use]
    pub fn with_keys_at(self, places: impl IntoIterator<Item = KeyPlace>) -> Self {
        Self { key_places: places.into_iter().collect(), ..self }
    }
}
