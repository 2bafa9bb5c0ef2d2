//! HubSpot: signatures of three versions, of which a request may carry two.
//!
//! Without the setting `version`, each of them must hold: if an attacker removes one, the other
//! must still hold. The URL is a setting, because behind a proxy a request does not have it; its
//! query comes from the request, to which a workflow adds values when it calls by GET.
//!
//! The same `eventId` may come twice, and a retry has another `attemptNumber`. So an id is derived
//! from the whole event without that number. A workflow's calls have nothing that tells a retry
//! from another event, so each has an id of its own.

use hookgate_sdk::{
    Claims, ClockRule, Event, Evidence, Failure, Hash, HeaderMac, Json, KeyEncoding, Piece, Proof,
    ProofKind, Provider, ProviderInfo, Refusal, Request, Setting, StampedMac, Timestamp,
    event_type, form, id, json, labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct HubSpot;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The URL that HubSpot calls. Its query does not count.
    url: String,
    /// The only version that the source accepts, which can be no other than 3.
    version: Option<String>,
}

/// Version 3: an HMAC over method, URL, body and time.
const V3: StampedMac = StampedMac::new(HeaderMac::base64(V3_NAME), "x-hubspot-request-timestamp")
    .in_milliseconds()
    .behind_the_body();
const V3_NAME: &str = "x-hubspot-signature-v3";
/// The characters that HubSpot decodes in a URL before it signs it in version 3.
const DECODED: &str = ":/?@!$'()*,;";
/// Versions 1 and 2, as another header says: hashes with the secret before what is signed.
const OLDER: HeaderMac = HeaderMac::hex(OLDER_NAME);
const OLDER_NAME: &str = "x-hubspot-signature";
const OLDER_VERSION: &str = "x-hubspot-signature-version";
/// What the settings do.
const URL: &str = "the URL that HubSpot calls, without its query";
const VERSION: &str = "the only version that the source accepts; without it, all must hold";

impl Provider for HubSpot {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Hash];
        let url = Setting::url("url", "https://pay.example/in/hubspot", URL);
        ProviderInfo::new("hubspot", env!("CARGO_PKG_VERSION"), &["hubspot.*"], proofs)
            .with_scheme("HMAC-SHA256 of method, URL, body and time (v3), or SHA-256 (v1, v2)")
            .with_tolerance(ClockRule::Past, 5 * 60 * 1000)
            .with_settings([url.required(), Setting::choice("version", &["v3"], VERSION)])
            .sending_by_get()
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let Settings { url, version } = Self::settings();
        let url = format!("{}{}", url.split(['?', '#']).next().unwrap_or_default(), query(request));
        if request.method == "GET" && !request.body.is_empty() {
            // The end of a signed query could stand in it.
            return Err(Refusal::new("a request by GET has a body"));
        }
        let has_older = version.is_none() && request.header(OLDER_NAME).is_some();
        let ids = json::peek_events(&request.body, "")?.into_iter().map(|it| event_id(it, request));
        let mut claims = Claims::all([], ids);
        if !has_older || request.header(V3_NAME).is_some() {
            let decode = |url: String, known: char| {
                url.replace(&format!("%{:02X}", u32::from(known)), &known.to_string())
            };
            let lead = request.method.clone() + &DECODED.chars().fold(url.clone(), decode);
            claims = V3.with_lead(&lead).claim(request, claims.event_ids)?;
        }
        if has_older {
            claims.evidence.push(older(request, &url)?);
        }
        Ok(claims)
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        if request.method == "GET" {
            let fields = form::parse(query(request).get(1..).unwrap_or_default().as_bytes());
            return Ok(vec![event(Json::parse(form::to_json(&fields).as_bytes())?, request)]);
        }
        let body = request.json()?;
        if body.raw().starts_with('[') {
            return Ok(body.items("").into_iter().map(|it| event(it, request)).collect());
        }
        Ok(vec![event(body, request)])
    }

    fn sign(mut request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        request.remove_header(OLDER_NAME);
        V3.sign(request, at, digests)
    }
}

/// The evidence of version 1 or 2. Version 1 signs a body of JSON alone: neither a query nor what
/// version 2 signs, which begins with the method, ever passes for one.
fn older(request: &Request, url: &str) -> Result<Evidence, Refusal> {
    let lead = match request.the_header(OLDER_VERSION)? {
        "v1" if matches!(request.content().first(), Some(b'[' | b'{')) => String::new(),
        "v2" => format!("{}{url}", request.method),
        other => return Err(Refusal::new(format!("version `{other}` does not sign this"))),
    };
    let digest = OLDER
        .digest(request.the_header(OLDER_NAME)?)
        .ok_or_else(|| Refusal::new(format!("header `{OLDER_NAME}` is not a valid digest")))?;
    let message = vec![Piece::secret(KeyEncoding::Text), Piece::from(lead), Piece::Body];
    Ok(Proof::hash(Hash::Sha256, message, vec![digest]).into())
}

/// The query of the URL with its `?`.
fn query(request: &Request) -> &str {
    request.url.find('?').map_or("", |at| &request.url[at..])
}

/// Derived from the event as it is written, without the number of the attempt.
fn event_id(event: &[u8], request: &Request) -> String {
    let [attempt, own] = json::peek_all(event, ["/attemptNumber", "/eventId"]);
    let attempt = format!("\"attemptNumber\":{}", attempt.unwrap_or_default());
    let event = str::from_utf8(event).unwrap_or_default();
    let (before, behind) = event.split_once(&*attempt).unwrap_or((event, ""));
    let call = own.map_or_else(|| request.received_at.to_string(), |_| String::new());
    id::derived(&[before.as_bytes(), behind.as_bytes(), call.as_bytes()])
}

fn event(written: Json<'_>, request: &Request) -> Event {
    let event = written.members();
    let own = event.name("/subscriptionType").unwrap_or_else(|| "notification".to_owned());
    // The kind stands before the number, which a contact and a deal may share.
    let kind = event.name("/objectTypeId").unwrap_or_else(|| own.split('.').take(1).collect());
    let subject =
        event.first_name(&["/objectId", "/fromObjectId"]).map(|it| format!("{kind}:{it}"));
    Event {
        subject: subject.filter(|subject| id::fits(subject)),
        time: event.unix_ms("/occurredAt"),
        labels: labels([("account", event.first_label(&["/portalId"]))]),
        ..Event::new(
            event_id(written.raw().as_bytes(), request),
            event_type(None, "hubspot", &own),
            written.raw(),
        )
    }
}

hookgate_sdk::export!(provider: HubSpot);
