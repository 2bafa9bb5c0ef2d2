//! A plugin that never returns: as a provider in `claim` or `parse`, as a handler in `handle`.
//!
//! Loaded by `make bench-isolation` only, beside plugins that work. It handles one type of event,
//! so that it takes part in nothing else. Never misbehaves in any other way: `tests/guest` does
//! that.

use std::hint::black_box;

use hookgate_sdk::{
    Claims, Context, Event, Failure, Handler, HandlerInfo, HeaderToken, ProofKind, Provider,
    ProviderInfo, Refusal, Request,
};

/// The plugin.
#[derive(Debug)]
pub struct Spinner;

/// A body that begins with it spins in `claim`, any other in `parse`.
const AT_CLAIM: &[u8] = b"claim";
/// The one type that it handles.
const TYPE: &str = "bench.spin";
const TOKEN: HeaderToken = HeaderToken::new("x-token");

impl Provider for Spinner {
    type Settings = ();

    fn describe() -> ProviderInfo {
        ProviderInfo::new("spinner", env!("CARGO_PKG_VERSION"), &["*"], &[ProofKind::Token])
            .with_scheme("a token")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.body.starts_with(AT_CLAIM) {
            spin();
        }
        Ok(Claims::new(TOKEN.evidence(request)?, None::<String>))
    }

    fn parse(_: &Request) -> Result<Vec<Event>, Failure> {
        spin()
    }
}

impl Handler for Spinner {
    type Settings = ();

    fn describe() -> HandlerInfo {
        HandlerInfo::new("spinner", env!("CARGO_PKG_VERSION"), &[TYPE])
    }

    fn handle(_: &Event, _: &Context) -> Result<(), Failure> {
        spin()
    }
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

hookgate_sdk::export!(provider: Spinner);
hookgate_sdk::export!(handler: Spinner);

/// The plugin of the README, compiled: the SDK must not read outside of its own folder.
#[cfg(doctest)]
#[doc = include_str!("../../../../README.md")]
struct Readme;
