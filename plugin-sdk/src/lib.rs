//! Write plugins for Hookgate, the webhook gateway for payments.
//!
//! A plugin is a WebAssembly file that the operator drops into a directory. It is a **provider**,
//! which says how one payment provider signs its requests and what they mean, a **handler**, which
//! does the team's own work on events, or both. It runs in a fresh sandbox for every call: no
//! files, no network, no clock, nothing kept in memory. What it needs it is given, what it wants it
//! asks for.
//!
//! A panic ends the call, and its text, file and line become the reason of what failed. A plugin
//! for WASI, which need not be written in Rust, sees the time of the call as its clock, and gets
//! the same randomness when a call is repeated; what it prints goes to its [`log`].
//!
//! # A provider
//!
//! Three functions. [`Provider::claim`] says *what was signed*, never whether it is genuine: the
//! gateway checks that, with secrets that no plugin sees. [`Provider::parse`] says what happened.
//! GitHub, whole:
//!
//! ```
//! use hookgate_sdk::{
//!     Claims, Event, Failure, HeaderMac, Piece, ProofKind, Provider, ProviderInfo, Refusal,
//!     Request, Timestamp, event_type, labels,
//! };
//!
//! struct GitHub;
//!
//! const SIGNATURE: HeaderMac = HeaderMac::hex("x-hub-signature-256").with_prefix("sha256=");
//!
//! impl Provider for GitHub {
//!     fn describe() -> ProviderInfo {
//!         ProviderInfo::new("github", "1.0.0", &["github.*"], &[ProofKind::Mac])
//!             .with_scheme("HMAC-SHA256 over the body")
//!     }
//!
//!     fn claim(request: &Request) -> Result<Claims, Refusal> {
//!         let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
//!         Ok(Claims::new(mac, [request.the_header("x-github-delivery")?]))
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
//! Where the proof stands is said once: [`HeaderMac`] for a digest in a header, [`TimedMac`] for
//! one with the time beside it, [`StampedMac`] for one with the time in a header of its own,
//! [`HeaderToken`] for a secret that is sent along, and [`Evidence`] for all others. What an object
//! says is read off its [`Members`], what the operator says off a type that is [`Configured`].
//!
//! What to watch:
//! - **Sign what is signed.** Put into the evidence's message exactly the bytes that the provider
//!   signed; [`Piece::Body`] stands for the body as it arrived. Take the pieces out of the request,
//!   never out of what you made of it.
//! - **Refuse what is missing or doubtful.** [`Request::the_header`] refuses a signature header
//!   that is there twice. Offer no weaker proof where the stronger one is missing.
//! - **`claim` is on the way in.** A payment gateway waits for it: [`json::peek`] at the event's
//!   id, and leave the rest to `parse`. The gateway detects duplicates by these ids.
//! - **Canonical types** let handlers work for any provider: `payment.created`, `.authorized`,
//!   `.succeeded`, `.failed`, `.canceled`; `refund.initiated`, `.succeeded`, `.failed`;
//!   `dispute.opened`, `.won`, `.lost`; `subscription.created`, `.updated`, `.canceled`;
//!   `invoice.paid`, `.failed`; `payout.*`, `customer.*`, `account.*`, `transaction.*`, `card.*`,
//!   `fraud.alert`. What has no canonical name keeps the provider's own under the provider's name.
//!   One fact is one canonical event: if a provider tells it twice, map one of them.
//! - **Whose, how real, for which order** is said under the same names by every provider: the
//!   labels `account`, `livemode` (`true` or `false`) and `reference`, wherever the provider says
//!   so.
//! - **Money** is exact: [`Members::minor`] and [`Members::major`] work on digits. What can't be
//!   read exactly is left out and never guessed.
//! - **A genuine request is an event.** What the provider left out, or called by a name that nobody
//!   knows, is left out or keeps that name ([`event_type`] takes any); a failure is for what is no
//!   request of the provider's.
//! - **Nothing is lost.** The data is the object; what stands around it and the event does not say
//!   goes into it as its [`Envelope`].
//! - **A provider that asks** whether the endpoint is ours gets a [`Handshake`]: nothing is stored,
//!   and what has to be digested with the secret is digested by the gateway.
//! - **An answer that is read.** Most providers look at the status alone. Where the body matters,
//!   say it for all requests ([`ProviderInfo::with_reply`]) or for this one
//!   ([`Claims::with_reply`]).
//! - **A key out there?** A request that names its public key has it fetched ([`KeyLookup`]), from
//!   the places that `describe` declares.
//! - **No event id?** [`Request::event_id`] makes one of the whole body. If you leave something out
//!   of what makes an id ([`id::derived`]), two events that differ in nothing else are one, and the
//!   second is lost: leave out only what tells a retry from its first try.
//!
//! # A handler
//!
//! One function. What it asks for through [`outbox`] and [`state`] happens together when it returns
//! `Ok`, and not at all otherwise. State belongs to the event's subject, whose events come in order
//! and one at a time, so there is nothing to lock.
//!
//! ```
//! use hookgate_sdk::outbox::{self, Severity};
//! use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo};
//!
//! struct Disputes;
//!
//! impl Handler for Disputes {
//!     fn describe() -> HandlerInfo {
//!         HandlerInfo::new("disputes", env!("CARGO_PKG_VERSION"), &["dispute.opened"])
//!     }
//!
//!     fn handle(event: &Event, _context: &Context) -> Result<(), Failure> {
//!         let subject = event.subject.as_deref().unwrap_or("a payment");
//!         outbox::alert(Severity::Warning, &format!("{subject} is disputed"))?;
//!         Ok(())
//!     }
//! }
//!
//! hookgate_sdk::export!(handler: Disputes);
//! # let ran = hookgate_sdk::testing::Bench::new()
//! #     .handle::<Disputes>(&Event::new("1", "dispute.opened", "{}"));
//! # assert_eq!(ran.effects.len(), 1);
//! ```
//!
//! # Testing and building
//!
//! All of this is plain Rust: `cargo test` runs it natively, with [`testing::Bench`] in the
//! gateway's place and, with the feature `testing`, real keys. A provider is tested by
//! `provider_tests!` and the samples and vectors that lie beside it. The crate is a `["cdylib",
//! "rlib"]`; `hookgate plugin build` compiles it for `wasm32-unknown-unknown`, the tightest box:
//! such a module imports nothing but what the contract offers. Its stack has 128 KiB, which is
//! enough to read JSON with `serde_json::Value`, 127 levels deep; a crate that recurses deeper, or
//! not at all, says so:
//!
//! ```toml
//! [package.metadata.hookgate]
//! stack = "256KiB"   # 16KiB to 4096KiB; each KiB is cleared after every call
//! ```
//!
//! A stack that overflows is a trap whose reason names the stack's size.
//!
//! On that target this crate brings an allocator that fits calls into fresh instances; a plugin
//! that is kept and used again leaves out the feature `bump-allocator`.

#[cfg(any(test, all(target_family = "wasm", feature = "bump-allocator")))]
mod allocator;
pub mod base64;
#[doc(hidden)]
pub mod bindings;
mod claims;
mod envelope;
mod event;
pub mod form;
mod handler;
mod handshake;
pub mod hash;
mod header_mac;
mod header_token;
pub mod hex;
pub mod id;
pub mod json;
mod key_place;
pub mod limits;
pub mod log;
mod money;
pub mod outbox;
mod provider;
mod reply;
mod request;
pub mod settings;
mod stamped_mac;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;
mod timed_mac;

pub use claims::{
    AnswerPiece, Claims, Digest, DigestText, Evidence, Handshake, Hmac, KeyEncoding, KeyField,
    KeyFormat, KeyLookup, KeyPlace, KeySource, Mac, Piece, Proof, ProofKind, PublicKey, Refusal,
    Signature,
};
pub use envelope::Envelope;
pub use event::{
    Event, Failure, FailureKind, TYPE_BYTES_MAX, Timestamp, event_type, is_event_type, labels,
    words,
};
pub use handler::{Context, Handler, HandlerInfo};
pub use header_mac::HeaderMac;
pub use header_token::HeaderToken;
pub use json::{InvalidJson, Json, Members};
pub use money::{InvalidMoney, Money, decimals, known_money};
pub use provider::{ClockRule, Provider, ProviderInfo};
pub use request::{Header, Reply, Request};
pub use settings::Configured;
pub use stamped_mac::StampedMac;
pub use timed_mac::TimedMac;

/// Makes a type the plugin's provider, `export!(provider: Stripe)`, or its handler,
/// `export!(handler: Dunning)`. A plugin may be both, with each once.
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

/// The tests that every provider must pass, of a [`testing::Suite`]: its samples, its vectors,
/// those that implementations share, and what must hold of any request.
#[cfg(all(not(target_family = "wasm"), feature = "testing"))]
#[macro_export]
macro_rules! provider_tests {
    ($suite:expr) => {
        #[test]
        fn the_provider_describes_itself() {
            $suite.check_description();
        }

        #[test]
        fn every_sample_is_what_was_reviewed() {
            $suite.check_samples();
        }

        #[test]
        fn every_vector_gets_its_verdict() {
            $suite.check_vectors();
        }

        #[test]
        fn the_shared_vectors_get_their_verdicts() {
            $suite.check_shared_vectors();
        }

        #[test]
        fn the_shared_payloads_are_events() {
            $suite.check_shared_payloads();
        }

        #[test]
        fn what_changed_is_another_event() {
            $suite.check_derived_ids();
        }

        #[test]
        fn every_handshake_is_answered() {
            $suite.check_handshakes();
        }

        #[test]
        fn a_flipped_bit_is_refused() {
            $suite.check_flipped_bits();
        }

        #[test]
        fn a_byte_order_mark_does_not_matter() {
            $suite.check_byte_order_mark();
        }

        #[test]
        fn the_order_and_case_of_headers_do_not_matter() {
            $suite.check_header_order();
        }

        #[test]
        fn nothing_panics() {
            $suite.check_any_bytes();
        }

        #[test]
        fn nothing_breaks_under_fuzz() {
            $suite.check_fuzz();
        }

        #[test]
        fn any_value_can_stand_anywhere() {
            $suite.check_any_values();
        }
    };
}

/// The plugin of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
