//! Write plugins for Hookgate, the webhook gateway for payments.
//!
//! A plugin is a WebAssembly file that the operator puts into the plugins folder. It is a
//! **provider**, which says how one payment provider signs its requests and what they mean, or a
//! **handler**, which runs the team's own logic on events, or both. Every call runs in a fresh
//! sandbox: no files, no network, no clock, and no memory of earlier calls. The gateway passes in
//! all that a plugin needs to know, and a plugin asks the gateway for every effect.
//!
//! A panic ends the call. Its text, file and line become the reason of the failure. A plugin that
//! imports WASI, which need not be written in Rust, reads the time of the call from its clock, gets
//! the same random numbers when a call is repeated, and prints to its [`log`].
//!
//! # A provider
//!
//! [`Provider::describe`] names the provider and its kinds of proof. [`Provider::claim`] says *what
//! was signed*, never whether it is genuine: the gateway verifies that, with secrets that no plugin
//! sees. [`Provider::parse`] turns a request into events. [`Provider::sign`] signs requests for
//! `hookgate send` and for tests. All of GitHub:
//!
//! ```
//! use hookgate_sdk::{
//!     Claims, Event, Failure, HeaderMac, ProofKind, Provider, ProviderInfo, Refusal, Request,
//!     Timestamp, event_type, labels,
//! };
//!
//! struct GitHub;
//!
//! const SIGNATURE: HeaderMac = HeaderMac::hex("x-hub-signature-256").with_prefix("sha256=");
//!
//! impl Provider for GitHub {
//!     type Settings = ();
//!
//!     fn describe() -> ProviderInfo {
//!         ProviderInfo::new("github", "1.0.0", &["github.*"], &[ProofKind::Mac])
//!             .with_scheme("HMAC-SHA256 over the body")
//!     }
//!
//!     fn claim(request: &Request) -> Result<Claims, Refusal> {
//!         SIGNATURE.claim(request, [request.the_header("x-github-delivery")?])
//!     }
//!
//!     fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
//!         let id = request.event_id(request.header("x-github-delivery").map(str::to_owned));
//!         let name = request.header("x-github-event").unwrap_or_default();
//!         let body = request.json()?;
//!         let members = body.members();
//!         let action = members.name("/action").map(|action| format!(".{action}"));
//!         let own = format!("{name}{}", action.unwrap_or_default());
//!         Ok(vec![Event {
//!             subject: members.name("/repository/id"),
//!             time: members.rfc3339("/repository/pushed_at"),
//!             labels: labels([("account", members.first_label(&["/repository/owner/login"]))]),
//!             ..Event::new(id, event_type(None, "github", &own), body.raw())
//!         }])
//!     }
//!
//!     fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
//!         SIGNATURE.sign(request, digests)
//!     }
//! }
//!
//! hookgate_sdk::export!(provider: GitHub);
//! # let mut request = Request::post("/in/github", r#"{"action":"opened","repository":{"id":7}}"#);
//! # request.set_header("X-GitHub-Delivery", "d1");
//! # request.set_header("X-GitHub-Event", "issues");
//! # let events = hookgate_sdk::testing::send::<GitHub>(&request, "secret", 0);
//! # assert_eq!(events[0].type_, "github.issues.opened");
//! ```
//!
//! A constant declares the proof once, for `claim` and `sign` alike:
//!
//! | scheme | constant |
//! |---|---|
//! | a digest in a header, or a list of them | [`HeaderMac`] |
//! | digests and their time in one header: `t=..,v1=..`, with any separators | [`TimedMac`] |
//! | a digest and its time in two headers | [`StampedMac`] |
//! | Standard Webhooks, Svix | [`StandardSignature`] |
//! | a public-key signature in a header | [`HeaderSignature`] |
//! | a secret that is sent along, or a user and a password | [`HeaderToken`] |
//! | a JSON Web Signature, whole or detached | [`SignedToken`] |
//! | an encrypted body | [`Claims::encrypted`] |
//!
//! [`SignedFields`] makes the text of providers that sign fields: sorted, joined, or with their
//! names; [`Json::sorted`] makes that of providers that sign JSON in an order of its own.
//! [`HeaderParts`] reads other headers of named parts. For all other schemes there is [`Proof`]:
//! HMACs and plain hashes, public-key signatures, JSON Web Signatures, encrypted bodies, with
//! values that the gateway computes first ([`Claims::with_values`]). [`Outline`] makes an event of
//! the places where the provider writes its parts, which is all that most providers differ in;
//! [`Members`] reads the members of any JSON object. [`Provider::Settings`] is the plugin's own
//! type for the operator's settings, and [`Provider::settings`] gives them; `describe` declares
//! each as a [`Setting`].
//!
//! Rules for a provider:
//! - **Claim exactly the bytes that the provider signed.** [`Piece::Body`] stands for the body as
//!   it arrived. Take the other pieces from the request as they are written, never from a value
//!   that you parsed and wrote again.
//! - **Refuse a signature that is missing or ambiguous.** [`Request::the_header`] refuses a header
//!   that is missing or repeated. Never fall back to a weaker proof.
//! - **Say what the proof is worth.** If it covers only a part of what `parse` reads, declare it as
//!   [`Worth::Unbound`] ([`ProviderInfo::worth`]): every event then has the label `proof`.
//! - **Keep `claim` fast.** The provider waits for its answer meanwhile: [`json::peek`] at the
//!   event's id, and leave the rest to `parse`. The gateway detects duplicates by these ids.
//! - **Canonical types** let handlers work for any provider: [`types`] has all of them. Any other
//!   event keeps the provider's own name, behind the name of the provider: `github.issues.opened`.
//!   One fact is one canonical event: if a provider reports it twice, map only one of the two.
//! - **Three labels mean the same for every provider**: `account` says whose event it is,
//!   `livemode` (`true` or `false`) whether it is about real money, and `reference` ties it to the
//!   receiver's own records. Set each of them that the request states.
//! - **Money is exact**: [`Members::minor`] and [`Members::major`] work on digits. An amount that
//!   can't be read exactly is left out and never guessed.
//! - **Every genuine request becomes an event.** Leave out a member that is missing, and keep an
//!   event name that you do not know ([`event_type`] accepts any). Return a failure only for a body
//!   that this provider does not send.
//! - **Lose nothing.** The event's data is the object that it is about. Whatever else the request
//!   says, and the event does not, goes into the data as its [`Envelope`].
//! - **Answer a validation challenge**, by which a provider checks that the endpoint is yours, with
//!   a [`Handshake`]. The gateway stores nothing of it, and computes the digest if one is needed.
//! - **Set a reply if the provider reads it.** Most providers read the status alone. Otherwise set
//!   the body for all requests ([`ProviderInfo::with_reply`]) or for this one
//!   ([`Claims::with_reply`]).
//! - **Public keys that the provider publishes**: the gateway fetches the key that a request names
//!   ([`KeyLookup`]), only from places that `describe` declares and the operator allows.
//! - **No event id?** [`Request::event_id`] derives one from the whole body. If you derive one from
//!   less ([`id::derived`]), two events that differ only in the rest get the same id, and the
//!   second is lost as a duplicate. Leave out only what differs between a retry and its first try.
//!
//! # A handler
//!
//! [`Handler::handle`] does the work. When it returns `Ok`, the gateway commits all that it asked
//! for through [`outbox`] and [`state`] together; otherwise it commits none of it. State belongs to
//! the event's subject. Events of one subject arrive in order and one at a time, so a handler needs
//! no locks.
//!
//! ```
//! use hookgate_sdk::outbox::{self, Severity};
//! use hookgate_sdk::{
//!     Context, Event, Failure, Handler, HandlerInfo, Setting, log, state, types,
//! };
//!
//! struct Disputes;
//!
//! #[derive(serde::Deserialize)]
//! struct Settings {
//!     endpoint: String,
//! }
//!
//! #[derive(serde::Deserialize, serde::Serialize)]
//! struct Dispute {
//!     reason: String,
//! }
//!
//! impl Handler for Disputes {
//!     type Settings = Settings;
//!
//!     fn describe() -> HandlerInfo {
//!         let endpoint = Setting::text("endpoint", "crm", "where to send disputes");
//!         HandlerInfo::new("disputes", env!("CARGO_PKG_VERSION"), &[types::DISPUTE_OPENED])
//!             .with_settings([endpoint.required()])
//!     }
//!
//!     fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
//!         let dispute: Dispute = event.json()?;
//!         let disputes = state::load("disputes")?.unwrap_or(0_u32) + 1;
//!         state::save("disputes", &disputes)?;
//!         log::info!("dispute number {disputes}: {}", dispute.reason);
//!         outbox::send_json(&Self::settings().endpoint, &dispute)?;
//!         Ok(outbox::alert(Severity::Warning, &format!("{} is disputed", event.id))?)
//!     }
//! }
//!
//! hookgate_sdk::export!(handler: Disputes);
//! # use hookgate_sdk::testing::Bench;
//! # let mut bench = Bench::new().with_settings(r#"{"endpoint":"crm"}"#).granting("crm");
//! # let ran = bench.handle::<Disputes>(&Event::new("1", "dispute.opened", r#"{"reason":"x"}"#));
//! # assert_eq!(ran.effects.len(), 2);
//! # assert_eq!(ran.log[0].message, "dispute number 1: x");
//! ```
//!
//! # Testing and building
//!
//! A plugin is plain Rust, and `cargo test` runs it natively. [`testing::Bench`] stands in for the
//! gateway, and the feature `testing` verifies signatures with real keys. `provider_tests!` tests a
//! provider with the samples and vectors in its folder: one line is all its tests. The crate is a
//! `["cdylib", "rlib"]`; `hookgate plugin build` compiles it for `wasm32-unknown-unknown`, the
//! tightest sandbox: such a module imports nothing but what the contract offers. Its stack has 128
//! KiB, enough to read JSON with `serde_json::Value`, 127 levels deep. A crate that recurses
//! deeper, or not at all, asks for another size:
//!
//! ```toml
//! [package.metadata.hookgate]
//! stack = "256KiB"   # 16KiB to 4096KiB; each KiB is cleared after every call
//! ```
//!
//! An overflow of the stack is a trap, and its reason names the stack's size.
//!
//! On that target this crate brings an allocator for instances that live for one request or run:
//! it gives back next to nothing. For an instance that serves many calls (`reuse` of the operator),
//! turn off the feature `bump-allocator`.

#[cfg(any(test, all(target_family = "wasm", feature = "bump-allocator")))]
mod allocator;
mod answer;
pub mod base64;
#[doc(hidden)]
pub mod bindings;
mod checked;
mod claims;
mod confirmation;
mod encrypted;
mod envelope;
mod event;
pub mod form;
mod handler;
mod handshake;
pub mod hash;
mod header_mac;
mod header_parts;
mod header_signature;
mod header_token;
pub mod hex;
pub mod id;
pub mod json;
mod key_place;
pub mod limits;
pub mod log;
mod money;
pub mod outbox;
mod outline;
mod provider;
mod request;
mod setting;
mod settings;
mod signed_fields;
mod signed_token;
mod stamp;
mod stamped_mac;
mod standard_signature;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;
mod timed_mac;
pub mod types;

pub use checked::HeaderName;
pub use claims::{
    Answer, Chain, Cipher, Claims, Decryption, Digest, DigestText, Encrypted, Evidence, Extension,
    Hash, Jws, JwsAlgorithm, JwsMember, JwsRule, KeyEncoding, KeyField, KeyFormat, KeyLookup,
    KeyPlace, KeySource, Mac, Piece, Proof, ProofInfo, ProofKind, PublicKey, Refusal, Root,
    SecretForm, Signature, Value, ValuePart, Worth,
};
pub use confirmation::{Confirmation, Confirmed};
pub use envelope::Envelope;
pub use event::{Event, Failure, FailureKind, Timestamp, event_type, is_event_type, labels, words};
pub use handler::{Context, Handler, HandlerInfo, Replay, StateRule};
pub use handshake::{AnswerPiece, Handshake};
pub use header_mac::HeaderMac;
pub use header_parts::{HeaderParts, Parts};
pub use header_signature::HeaderSignature;
pub use header_token::HeaderToken;
pub use json::{InvalidJson, Json, Members};
pub use money::{InvalidMoney, Money, decimals, known_money};
pub use outline::{Live, Outline, When};
pub use provider::{ClockRule, Provider, ProviderInfo};
pub use request::{Header, Request};
pub use serde_json::json;
pub use setting::{Setting, SettingKind};
pub use signed_fields::SignedFields;
pub use signed_token::SignedToken;
pub use stamped_mac::StampedMac;
pub use standard_signature::StandardSignature;
pub use timed_mac::TimedMac;

/// Exports a type as the plugin's provider, `export!(provider: Stripe)`, or as its handler,
/// `export!(handler: Dunning)`. A plugin may be both: export each once.
#[macro_export]
macro_rules! export {
    (provider: $plugin:ident) => {
        // Only a component has exports; natively it is enough that the type fits.
        #[cfg(target_family = "wasm")]
        $crate::bindings::provider::export_provider!(
            $plugin with_types_in $crate::bindings::provider
        );
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::ProviderInfo = <$plugin as $crate::Provider>::describe;
    };
    (handler: $plugin:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::bindings::handler::export_handler!($plugin with_types_in $crate::bindings::handler);
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::HandlerInfo = <$plugin as $crate::Handler>::describe;
    };
}

/// The tests that every provider must pass, for its [`testing::Suite`]: its samples, its vectors,
/// vectors that implementations share, and properties that hold for any request. They find the
/// files in the crate's folder.
///
/// A second argument changes the suite: `provider_tests!(Acme, |suite| suite.with_own_ids())`.
/// Further tests of the same module may call `suite()`. Tests of many providers may be one program:
/// `provider_tests!(Acme in "../../plugins/acme")` says where the crate of each is, from the folder
/// of the crate with the tests.
///
/// ```no_run
/// # use hookgate_sdk::{Claims, Event, Failure, Provider, ProviderInfo, Refusal, Request};
/// # struct Acme;
/// # impl Provider for Acme {
/// #     type Settings = ();
/// #     fn describe() -> ProviderInfo { panic!("not here") }
/// #     fn claim(_: &Request) -> Result<Claims, Refusal> { panic!("not here") }
/// #     fn parse(_: &Request) -> Result<Vec<Event>, Failure> { panic!("not here") }
/// # }
/// use hookgate_sdk::provider_tests;
///
/// provider_tests!(Acme);
/// ```
#[cfg(all(not(target_family = "wasm"), feature = "testing"))]
#[macro_export]
macro_rules! provider_tests {
    ($provider:ident in $folder:literal) => {
        $crate::provider_tests!($provider in $folder, |suite| suite);
    };
    ($provider:ident in $folder:literal, $change:expr) => {
        $crate::provider_tests!(
            @tests $provider, concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder), $change
        );
    };
    ($provider:ty) => {
        $crate::provider_tests!($provider, |suite| suite);
    };
    ($provider:ty, $change:expr) => {
        $crate::provider_tests!(@tests $provider, env!("CARGO_MANIFEST_DIR"), $change);
    };
    (@tests $provider:ty, $folder:expr, $change:expr) => {
        #[cfg(test)]
        fn suite() -> $crate::testing::Suite<$provider> {
            $crate::testing::Suite::<$provider>::new($folder).with($change)
        }

        #[test]
        fn the_provider_describes_itself() {
            suite().check_description();
        }

        #[test]
        fn every_sample_is_what_was_reviewed() {
            suite().check_samples();
        }

        #[test]
        fn every_vector_gets_its_verdict() {
            suite().check_vectors();
        }

        #[test]
        fn the_shared_vectors_get_their_verdicts() {
            suite().check_shared_vectors();
        }

        #[test]
        fn the_shared_payloads_are_events() {
            suite().check_shared_payloads();
        }

        #[test]
        fn what_changed_is_another_event() {
            suite().check_derived_ids();
        }

        #[test]
        fn every_handshake_is_answered() {
            suite().check_handshakes();
        }

        #[test]
        fn a_flipped_bit_is_refused() {
            suite().check_flipped_bits();
        }

        #[test]
        fn a_byte_order_mark_does_not_matter() {
            suite().check_byte_order_mark();
        }

        #[test]
        fn the_order_and_case_of_headers_do_not_matter() {
            suite().check_header_order();
        }

        #[test]
        fn nothing_panics() {
            suite().check_any_bytes();
        }

        #[test]
        fn nothing_breaks_under_fuzz() {
            suite().check_fuzz();
        }

        #[test]
        fn any_value_can_stand_anywhere() {
            suite().check_any_values();
        }
    };
}

/// The guide, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Guide;
