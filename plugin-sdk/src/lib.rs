//! Write plugins for Hookgate, the webhook gateway for payments.
//!
//! A plugin is a WebAssembly file that the operator drops into a directory. It is a **provider**,
//! which says how one payment provider signs its requests and what they mean, a **handler**, which
//! does the team's own work on events, or both. It runs in a fresh sandbox for every call: no files,
//! no network, no clock, nothing kept in memory. What it needs it is given, what it wants it asks for.
//!
//! # A provider
//!
//! Three functions. [`Provider::claim`] says *what was signed*, never whether it is genuine: the
//! gateway checks that, with secrets that no plugin sees. [`Provider::parse`] says what happened.
//! GitHub, whole:
//!
//! ```
//! use hookgate_sdk::{
//!     Claims, Event, Evidence, Failure, KeyEncoding, Piece, ProofKind, Provider, ProviderInfo,
//!     Refusal, Request, hex, time,
//! };
//!
//! struct GitHub;
//!
//! impl Provider for GitHub {
//!     fn describe() -> ProviderInfo {
//!         ProviderInfo::new("github", "1.0.0", &["github.*"], &[ProofKind::Mac])
//!     }
//!
//!     fn claim(request: &Request) -> Result<Claims, Refusal> {
//!         let signature = request.the_header("x-hub-signature-256")?;
//!         let digest = signature.strip_prefix("sha256=").and_then(hex::decode_lower);
//!         let digest = digest.ok_or_else(|| Refusal::new("signature is not sha256="))?;
//!         let id = request.the_header("x-github-delivery")?;
//!         let mac = Evidence::hmac_sha256(KeyEncoding::Text, vec![Piece::Body], vec![digest]);
//!         Ok(Claims { evidence: vec![mac], signed_at: None, event_ids: vec![id.to_owned()] })
//!     }
//!
//!     fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
//!         let (Some(id), Some(name)) =
//!             (request.header("x-github-delivery"), request.header("x-github-event"))
//!         else {
//!             return Err(Failure::permanent("no delivery id or no event name"));
//!         };
//!         let body = request.json()?;
//!         let action = body.text("/action").map(|action| format!(".{action}"));
//!         let event_type = format!("github.{name}{}", action.unwrap_or_default());
//!         let subject = body.number("/repository/id").map(ToOwned::to_owned);
//!         let pushed = body.text("/repository/pushed_at");
//!         let time = pushed.and_then(|text| time::from_rfc3339(&text));
//!         Ok(vec![Event { subject, time, ..Event::new(id, event_type, body.raw()) }])
//!     }
//! }
//!
//! hookgate_sdk::export!(provider: GitHub);
//! # use hookgate_sdk::testing::{Tolerance, verify};
//! # let mut request = Request::post("/in/github", r#"{"action":"opened","repository":{"id":7}}"#);
//! # request.set_header("X-Hub-Signature-256", "sha256=00");
//! # request.set_header("X-GitHub-Delivery", "d1");
//! # request.set_header("X-GitHub-Event", "issues");
//! # let claims = GitHub::claim(&request).unwrap();
//! # let digests = hookgate_sdk::testing::digests(&claims, &request, "secret").unwrap();
//! # request.set_header("X-Hub-Signature-256", format!("sha256={}", hex::encode(&digests[0])));
//! # let claims = GitHub::claim(&request).unwrap();
//! # let info = GitHub::describe();
//! # assert_eq!(verify(&info, &claims, &request, &["secret"], 0, Tolerance::Provider), Ok(()));
//! # assert!(verify(&info, &claims, &request, &["other"], 0, Tolerance::Provider).is_err());
//! # assert_eq!(GitHub::parse(&request).unwrap()[0].type_, "github.issues.opened");
//! ```
//!
//! What to watch:
//! - **Sign what is signed.** Put into the evidence's message exactly the bytes that the provider
//!   signed; [`Piece::Body`] stands for the body as it arrived. Take the pieces out of the request,
//!   never out of what you made of it.
//! - **Refuse what is missing or doubtful.** [`Request::the_header`] refuses a signature header that
//!   is there twice. Offer no weaker proof where the stronger one is missing.
//! - **`claim` is on the way in.** A payment gateway waits for it: [`json::peek`] at the event's id,
//!   and leave the rest to `parse`. The ids are how duplicates are told.
//! - **Canonical types** let handlers work for any provider: `payment.created`, `.authorized`,
//!   `.succeeded`, `.failed`, `.canceled`; `refund.initiated`, `.succeeded`, `.failed`;
//!   `dispute.opened`, `.won`, `.lost`; `subscription.created`, `.updated`, `.canceled`;
//!   `invoice.paid`, `.failed`; `payout.*`, `customer.*`, `account.*`, `transaction.*`, `card.*`,
//!   `fraud.alert`. What has no canonical name keeps the provider's own under the provider's name.
//!   One fact is one canonical event: if a provider tells it twice, map one of them.
//! - **Money** is exact: [`Money::from_minor`] and [`Money::from_major`] work on digits.
//! - **No event id?** [`id::derived`] makes one of what a retry repeats.
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
//! All of this is plain Rust: `cargo test` runs it natively, with [`testing::Bench`] in the gateway's
//! place and, with the feature `testing`, real keys. The crate is a `["cdylib", "rlib"]`;
//! `hookgate plugin build` compiles it for `wasm32-unknown-unknown`, the tightest box: such a module
//! imports nothing but what the contract offers. There this crate brings an allocator that fits calls
//! into fresh instances; a plugin that is kept and used again leaves out the feature
//! `bump-allocator`.

#[cfg(any(test, all(target_family = "wasm", feature = "bump-allocator")))]
mod allocator;
pub mod base64;
#[doc(hidden)]
pub mod bindings;
mod claims;
mod event;
mod handler;
pub mod hex;
pub mod id;
pub mod json;
pub mod log;
mod money;
pub mod outbox;
mod provider;
mod request;
pub mod settings;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;

pub use claims::{
    Claims, Evidence, Hmac, KeyEncoding, Mac, Piece, Proof, ProofKind, PublicKey, Refusal,
    Signature,
};
pub use event::{Event, Failure, FailureKind, TYPE_BYTES_MAX, Timestamp, is_event_type};
pub use handler::{Context, Handler, HandlerInfo};
pub use json::{InvalidJson, Json, Members};
pub use money::{InvalidMoney, Money, decimals};
pub use provider::{ClockRule, Provider, ProviderInfo};
pub use request::{Header, Reply, Request};

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

/// The plugin of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
