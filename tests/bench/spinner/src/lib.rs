//! A plugin that never answers: as a provider in `claim` or `parse`, as a handler in `handle`.
//!
//! Loaded by `make bench-isolation` only, beside plugins that work. A request or an event says how:
//! it spins unless it is told another way. It handles one type of event, so that it takes part in
//! nothing else. Never tests a limit: `tests/guest` does that.

use std::hint::black_box;

use hookgate_sdk::{
    Claims, Context, Event, Failure, Handler, HandlerInfo, HeaderToken, ProofKind, Provider,
    ProviderInfo, Refusal, Request, log, state,
};

/// The plugin.
#[derive(Debug)]
pub struct Spinner;

/// A body that begins with it misbehaves in `claim`, any other in `parse`.
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
            misbehave(&String::from_utf8_lossy(&request.body));
        }
        Ok(Claims::new(TOKEN.evidence(request)?, None::<String>))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        misbehave(&String::from_utf8_lossy(&request.body))
    }
}

impl Handler for Spinner {
    type Settings = ();

    fn describe() -> HandlerInfo {
        HandlerInfo::new("spinner", env!("CARGO_PKG_VERSION"), &[TYPE])
    }

    fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
        misbehave(&event.data)
    }
}

/// Does what the text names, until the host ends it.
fn misbehave(told: &str) -> ! {
    let ways = ["trap", "recurse", "hoard", "log", "state"];
    let way = ways.into_iter().find(|way| told.contains(way)).unwrap_or_default();
    let mut hoard = Vec::new();
    loop {
        match way {
            "trap" => panic!("told to"),
            "recurse" => drop(black_box(recurse(black_box([1; 64])))),
            "hoard" => hoard.push(black_box(vec![1_u8; 1 << 20])),
            "log" => log::info!("told to"),
            "state" => drop(black_box(state::get("key"))),
            _ => black_box(()),
        }
    }
}

/// Goes on until there is no stack left.
fn recurse(frame: [u64; 64]) -> u64 {
    if black_box(false) {
        return 0;
    }
    let more = black_box(frame).map(|it| it + 1);
    recurse(more) + black_box(frame)[7]
}

hookgate_sdk::export!(provider: Spinner);
hookgate_sdk::export!(handler: Spinner);

/// The plugin of the README, compiled: the SDK must not read outside of its own folder.
#[cfg(doctest)]
#[doc = include_str!("../../../../README.md")]
struct Readme;
