//! Slack: an HMAC over `v0:{time}:{body}`, for events in JSON, and for commands and clicks in
//! forms.
//!
//! Slack shows the reply to the person who clicked or typed. So the reply is an empty 200, and for
//! a menu that requests its options an empty list of options. Only events have ids; a command or a
//! click gets an id derived from its whole body. The validation challenge (`url_verification`) is
//! signed like any other request, and its answer is the challenge itself. A request that only tests
//! the connection gives no event. The older verification token in the body proves nothing and is
//! never read. Some apps still trust it, so whoever has it could pose as Slack: it never gets into
//! the data of an event.

use hookgate_sdk::{
    Answer, Claims, ClockRule, Envelope, Event, Failure, Handshake, HeaderMac, Json, Members,
    ProofKind, Provider, ProviderInfo, Refusal, Request, StampedMac, Timestamp, event_type, form,
    id, json, labels,
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

/// The type of the validation challenge.
const VERIFICATION: &str = "url_verification";

/// The member with the older proof, a secret that is the same in every request to an app.
const TOKEN: &str = "token";

/// The types by which a menu requests its options, in blocks and in older dialogs.
const MENUS: [&str; 2] = ["block_suggestion", "dialog_suggestion"];

/// The tolerance of Slack's own libraries, before and after.
const TOLERANCE_MS: u64 = 300_000;

impl Provider for Slack {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("slack", version, &["slack.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of time and body, `X-Slack-Signature`")
            .with_tolerance(ClockRule::Both, TOLERANCE_MS)
            .with_reply(Answer::empty())
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let claims = SIGNATURE.claim(request, json::peek(&request.body, "/event_id"))?;
        let handshake = challenge(&request.body);
        let reply = if handshake.is_none() { options(request.content()) } else { None };
        Ok(claims.with_handshake(handshake).with_reply(reply))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        if !request.content().starts_with(b"{") {
            return of_form(&request.body);
        }
        let without_token = request.json()?.members().without(&[TOKEN]);
        let body = Json::parse(without_token.as_bytes())?;
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

/// The answer to a validation challenge; `None` for any other request.
fn challenge(body: &[u8]) -> Option<Handshake> {
    json::peek(body, "/type").filter(|own| own == VERIFICATION)?;
    let challenge = json::peek(body, "/challenge")?;
    let answer = format!(r#"{{"challenge":{}}}"#, json::quoted(&challenge));
    Some(Handshake::json([answer.into()]))
}

/// The reply to a menu that requests its options: an empty list, because an empty body would show
/// an error to the person who opened the menu.
fn options(content: &[u8]) -> Option<Answer> {
    if content.starts_with(b"{") {
        return None;
    }
    let payload = form::peek(content, "payload")?;
    let own = json::peek(payload.as_bytes(), "/type")?;
    MENUS.contains(&&*own).then(|| Answer::json(r#"{"options":[]}"#))
}

/// Reads a form: a command has its own fields, a click is JSON in the field `payload`.
fn of_form(body: &[u8]) -> Result<Vec<Event>, Failure> {
    let mut fields = form::parse(body);
    fields.retain(|(name, _)| name != TOKEN);
    let id = id::derived(&[body]);
    if let Some(payload) = form::value(&fields, "payload") {
        let without_token = Json::parse(payload.as_bytes())?.members().without(&[TOKEN]);
        let payload = Json::parse(without_token.as_bytes())?;
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
        // Another kind of form.
        (None, Some(_)) => "slack.notification",
        (None, None) => {
            return Err(Failure::permanent("the body is neither an event nor a command"));
        }
    };
    let channel = value("channel_id").filter(|channel| id::fits(channel));
    Ok(vec![Event {
        subject: channel.map(ToOwned::to_owned),
        labels: labels([("account", value("team_id").map(ToOwned::to_owned))]),
        ..Event::new(id, own, form::to_json(&fields))
    }])
}

/// The labels: the workspace or its organization, and the app's own name of a view or an action.
fn labels_of(members: &Members<'_>) -> Vec<(String, String)> {
    let teams = ["/team_id", "/team/id", "/enterprise_id", "/enterprise/id"];
    let called = ["/view/external_id", "/callback_id", "/view/callback_id"];
    labels([("account", members.first_label(&teams)), ("reference", members.first_label(&called))])
}

/// The channel where it happened, else the user who did it.
fn subject(event: &Members<'_>) -> Option<String> {
    event.first_name(&["/channel", "/channel/id", "/user", "/user/id"])
}

hookgate_sdk::export!(provider: Slack);
