//! Slack: an HMAC over `v0:{time}:{body}`, for events in JSON, and for commands and clicks in
//! forms.
//!
//! Slack shows what it reads back to whoever clicked or typed, so every request is answered with an
//! empty 200, and a menu that asks for its options with none. Only events have ids; a command or a
//! click is an event under an id made of all of its body. A request to verify the URL, which is
//! signed like any other, is answered with its challenge; one that only tries the connection means
//! nothing. The older verification token in the body proves nothing and is not looked at; where an
//! app still trusts it, whoever has it can pass for Slack, so no event has it in its data.

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, Handshake, HeaderMac, Json, Members, ProofKind, Provider,
    ProviderInfo, Refusal, Reply, Request, StampedMac, Timestamp, event_type, form, id, json,
    labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Slack;

const SIGNATURE: StampedMac = StampedMac::new(
    HeaderMac::hex("x-slack-signature").with_prefix("v0="),
    "x-slack-request-timestamp",
)
.with_lead("v0:")
.with_joint(":");

/// Asks whether the URL is the app's.
const VERIFICATION: &str = "url_verification";

/// The older proof, a secret that is the same in every request to an app.
const TOKEN: &str = "token";

/// What a menu asks by, in today's blocks and in the dialogs of before.
const MENUS: [&str; 2] = ["block_suggestion", "dialog_suggestion"];

/// What Slack's own libraries allow, both ways.
const TOLERANCE_MS: u64 = 300_000;

impl Provider for Slack {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo {
            tolerance_ms: Some(TOLERANCE_MS),
            ..ProviderInfo::new("slack", version, &["slack.*"], &[ProofKind::Mac])
                .with_scheme("HMAC-SHA256 of time and body, `X-Slack-Signature`")
                .with_reply(Reply::empty())
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let claims = SIGNATURE.claim(request, json::peek(&request.body, "/event_id"))?;
        let handshake = challenge(&request.body);
        let reply = if handshake.is_none() { options(request.content()) } else { None };
        Ok(Claims { handshake, reply, ..claims })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        if !request.content().starts_with(b"{") {
            return of_form(&request.body);
        }
        let body = request.json()?.members().without(&[TOKEN]);
        let body = Json::parse(body.as_bytes())?;
        let envelope = body.members();
        let outer = envelope.required("/type")?;
        if outer == VERIFICATION {
            return Ok(Vec::new());
        }
        let event = envelope.object("/event");
        let own = event.name("/type").unwrap_or(outer);
        let around = ["type", "event", "event_id", "event_time"];
        let data = Envelope::of(&envelope, &around).around(envelope.at("/event"), body);
        Ok(vec![Event {
            subject: subject(&event),
            time: envelope.unix("/event_time"),
            labels: labels_of(&envelope),
            ..Event::new(
                request.event_id(envelope.name("/event_id")),
                event_type(None, "slack", &own),
                data,
            )
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// What Slack wants to read back, of a request that only asks.
fn challenge(body: &[u8]) -> Option<Handshake> {
    json::peek(body, "/type").filter(|own| own == VERIFICATION)?;
    let challenge = json::peek(body, "/challenge")?;
    let answer = format!(r#"{{"challenge":{}}}"#, json::quoted(&challenge));
    Some(Handshake::json([answer.into()]))
}

/// No options, for a menu that asks for them: an empty body would be an error to who opened it.
fn options(content: &[u8]) -> Option<Reply> {
    if content.starts_with(b"{") {
        return None;
    }
    let payload = form::peek(content, "payload")?;
    let own = json::peek(payload.as_bytes(), "/type")?;
    MENUS.contains(&&*own).then(|| Reply::json(r#"{"options":[]}"#))
}

/// A command is its fields, what was clicked is JSON in the field `payload`.
fn of_form(body: &[u8]) -> Result<Vec<Event>, Failure> {
    let mut fields = form::parse(body);
    fields.retain(|(name, _)| name != TOKEN);
    let id = id::derived(&[body]);
    if let Some(payload) = form::value(&fields, "payload") {
        let payload = Json::parse(payload.as_bytes())?.members().without(&[TOKEN]);
        let payload = Json::parse(payload.as_bytes())?;
        let members = payload.members();
        let own = members.required("/type")?;
        let event = Event::new(id, event_type(None, "slack", &own), payload.raw());
        return Ok(vec![Event {
            subject: subject(&members),
            labels: labels_of(&members),
            ..event
        }]);
    }
    if form::value(&fields, "ssl_check").is_some() {
        return Ok(Vec::new());
    }
    let value = |name: &str| form::value(&fields, name).filter(|value| !value.is_empty());
    let own = match (value("command"), value("team_id")) {
        (Some(_), _) => "slack.command",
        // A form of another kind.
        (None, Some(_)) => "slack.notification",
        (None, None) => return Err(Failure::permanent("body is neither an event nor a command")),
    };
    let channel = value("channel_id").filter(|channel| id::fits(channel));
    Ok(vec![Event {
        subject: channel.map(ToOwned::to_owned),
        labels: labels([("account", value("team_id").map(ToOwned::to_owned))]),
        ..Event::new(id, own, form::to_json(&fields))
    }])
}

/// The workspace, or the organization of all of them; and what the app calls a view or an action.
fn labels_of(members: &Members<'_>) -> Vec<(String, String)> {
    let teams = ["/team_id", "/team/id", "/enterprise_id", "/enterprise/id"];
    let called = ["/view/external_id", "/callback_id", "/view/callback_id"];
    labels([("account", members.first_label(&teams)), ("reference", members.first_label(&called))])
}

/// Where it happened, else who did it.
fn subject(event: &Members<'_>) -> Option<String> {
    event.first_name(&["/channel", "/channel/id", "/user", "/user/id"])
}

hookgate_sdk::export!(provider: Slack);
