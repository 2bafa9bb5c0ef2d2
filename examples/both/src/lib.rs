//! A provider that is a handler too: an imaginary help desk, in both directions.
//!
//! As a handler it has the desk open a ticket for each dispute, as a provider it reads what the
//! desk says of tickets. Both have the dispute as their subject, so they meet in one state.

use hookgate_sdk::outbox::{self, Severity};
use hookgate_sdk::{
    Claims, Context, Event, Failure, Handler, HandlerInfo, HeaderMac, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, json, state, types,
};

/// What the help desk sends.
#[derive(Debug)]
pub struct Incoming;

/// What it gets.
#[derive(Debug)]
pub struct Outgoing;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SIGNATURE: HeaderMac = HeaderMac::hex("x-both-signature");
const SOLVED: &str = "both.ticket.solved";
const TICKET: &str = "ticket";

impl Provider for Incoming {
    type Settings = ();

    fn describe() -> ProviderInfo {
        ProviderInfo::new("both", VERSION, &["both.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `x-both-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let around = body.members();
        let ticket = around.object("/ticket");
        let own = event_type(None, "both", &around.required("/event")?);
        let id = request.event_id(around.name("/id"));
        Ok(vec![Event {
            subject: ticket.first_name(&["/reference", "/id"]),
            time: around.rfc3339("/at"),
            ..Event::new(id, own, body.raw())
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

impl Handler for Outgoing {
    type Settings = ();

    fn describe() -> HandlerInfo {
        let types = [types::DISPUTE_OPENED, types::DISPUTE_LOST, SOLVED];
        HandlerInfo::new("both", VERSION, &types)
    }

    fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
        let dispute = event.subject.as_deref().unwrap_or(&event.id);
        let is_open = state::get(TICKET).is_some();
        match &*event.type_ {
            types::DISPUTE_OPENED if !is_open => {
                state::set(TICKET, b"open")?;
                outbox::send_json("desk", &json!({ "reference": dispute, "about": "a dispute" }))?;
            }
            types::DISPUTE_LOST if is_open => outbox::alert(
                Severity::Warning,
                &format!("{dispute} is lost, and nobody has solved its ticket"),
            )?,
            SOLVED => state::delete(TICKET),
            _ => (),
        }
        Ok(())
    }
}

hookgate_sdk::export!(provider: Incoming);
hookgate_sdk::export!(handler: Outgoing);
