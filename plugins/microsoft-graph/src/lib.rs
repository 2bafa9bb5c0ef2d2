//! Microsoft Graph: no signature. Each notification in the body repeats the `clientState` of its
//! subscription, which is the secret of the source.
//!
//! Whoever sees one request knows the secret, so ask Graph for the resource before you act on an
//! event. No event has the `clientState` in it, and none the `validationTokens` that stand around
//! notifications with encrypted data; nothing here verifies those tokens. Graph retries a
//! notification as it was, and reports the next change of a resource in the same words. So only a
//! notification with an id or a version of its own, or about a new resource, is known as a
//! duplicate; every other one is an event each time, and no change is lost. A subscription is
//! validated by a POST without a body, whose token is sent back as plain text.

use std::collections::BTreeSet;

use hookgate_sdk::limits::HANDSHAKE_BYTES_MAX;
use hookgate_sdk::{
    Claims, Event, Evidence, Failure, Handshake, Json, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, form, id, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct MicrosoftGraph;

/// The member with the secret.
const STATE: &str = "clientState";
/// Most secrets in one request: one for each subscription.
const STATES_MAX: usize = 64;

impl Provider for MicrosoftGraph {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let (types, proofs) = (&["microsoft-graph.*"], &[ProofKind::Token]);
        ProviderInfo::new("microsoft-graph", env!("CARGO_PKG_VERSION"), types, proofs)
            .with_scheme("the secret as `clientState` of every notification in the body")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if let Some(token) = validation(request) {
            return Ok(Claims::asking(Handshake::text([token.into()])));
        }
        let mut states = BTreeSet::new();
        for item in json::peek_events(&request.body, "/value")? {
            let state = json::peek(item, "/clientState").filter(|state| !state.is_empty());
            let state = state.ok_or_else(|| Refusal::new("a notification has no `clientState`"))?;
            states.insert(state.into_owned());
        }
        match states.len() {
            0 => Err(Refusal::new("the body has no notifications")),
            1..=STATES_MAX => {
                Ok(Claims::all(states.into_iter().map(Evidence::token), None::<String>))
            }
            more => Err(Refusal::new(format!("the body has {more} values of `clientState`"))),
        }
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let items = request.json()?.items("/value");
        if items.is_empty() {
            return Err(Failure::permanent("the body has no notifications at /value"));
        }
        let event = |(place, item)| event(request, place, item);
        Ok(items.into_iter().enumerate().map(event).collect())
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let state = match digests {
            [] => "state",
            [state] => str::from_utf8(state).map_err(|error| error.to_string())?,
            _ => return Err("the body carries only one `clientState`".to_owned()),
        };
        let body = request.json().map_err(|error| error.to_string())?;
        let signed = |item: &Json<'_>| {
            let rest = item.members().without(&[STATE]);
            let joint = if rest == "{}" { "" } else { "," };
            format!("{{\"{STATE}\":{}{joint}{}", json::quoted(state), &rest[1..])
        };
        let items: Vec<String> = body.items("/value").iter().map(signed).collect();
        request.body = format!("{{\"value\":[{}]}}", items.join(",")).into_bytes();
        Ok(request)
    }
}

/// The token of a validation challenge, which has no body.
fn validation(request: &Request) -> Option<String> {
    let (_, query) = request.url.split_once('?').filter(|_| request.body.is_empty())?;
    let token = form::peek(query.as_bytes(), "validationToken")?;
    (1..=HANDSHAKE_BYTES_MAX).contains(&token.len()).then_some(token)
}

fn event(request: &Request, place: usize, item: Json<'_>) -> Event {
    let members = item.members();
    let change = members.name("/changeType").or_else(|| members.name("/lifecycleEvent"));
    let change = change.unwrap_or_default();
    // `#Microsoft.Graph.Message` is a message.
    let kind = members.word("/resourceData/@odata.type");
    let kind = kind.as_deref().and_then(|kind| kind.rsplit('.').next()).unwrap_or_default();
    let data = members.without(&[STATE]);
    let version = members.name("/resourceData/@odata.etag");
    let at = if version.is_some() || change == "created" {
        String::new()
    } else {
        format!("{}:{place}", request.received_at)
    };
    let own = members.name("/id");
    Event {
        subject: members.first_name(&["/resource", "/resourceData/id"]),
        labels: labels([("account", members.first_label(&["/tenantId"]))]),
        ..Event::new(
            own.unwrap_or_else(|| id::derived(&[data.as_bytes(), at.as_bytes()])),
            event_type(None, "microsoft-graph", &format!("{kind}.{change}")),
            data,
        )
    }
}

hookgate_sdk::export!(provider: MicrosoftGraph);
