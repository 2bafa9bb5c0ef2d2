//! GitHub: an HMAC over the body, which is JSON or a form with JSON in its field `payload`.
//!
//! The signature does not cover the headers with the event's name and the delivery's id. So a
//! canonical type needs its object in the body too: an event of a sponsorship must have a member
//! `sponsorship`. GitHub's older header `X-Hub-Signature`, with SHA-1, is never read.

use std::borrow::Cow;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, Json, Members, Money, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp, event_type, form, known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct GitHub;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-hub-signature-256").with_prefix("sha256=");

/// Places of the account: the owner of the repository, the sponsored account, the buyer of a plan,
/// the account with the app.
const ACCOUNTS: &[&str] = &[
    "/organization/login",
    "/repository/owner/login",
    "/sponsorship/sponsorable/login",
    "/marketplace_purchase/account/login",
    "/installation/account/login",
    "/enterprise/slug",
];
/// Place of an app's own reference, which it gave to a check.
const REFERENCES: &[&str] = &["/check_run/external_id"];

/// The header that names the event.
const NAME: &str = "x-github-event";

impl Provider for GitHub {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = &["subscription.*", "github.*"];
        ProviderInfo::new("github", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-Hub-Signature-256`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [event_id(request)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let name = request.header(NAME).unwrap_or_default();
        if name.is_empty() {
            return Err(Failure::permanent(format!(
                "header `{NAME}`, the event's name, is missing"
            )));
        }
        let payload = payload(request);
        let body = Json::parse(&payload)?;
        let members = body.members();
        let action = members.name("/action").map(|action| format!(".{action}"));
        let own = format!("{name}{}", action.unwrap_or_default());
        let canonical = canonical(&own).filter(|_| members.at(&format!("/{name}")).is_some());
        Ok(vec![Event {
            subject: subject(&members, name),
            time: time(&members, name),
            money: money(&members),
            labels: labels([
                ("account", members.first_label(ACCOUNTS)),
                ("reference", members.first_label(REFERENCES)),
            ]),
            ..Event::new(event_id(request), event_type(canonical, "github", &own), body.raw())
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        if request.header(NAME).is_none() {
            let name = named_after(&request);
            request.set_header(NAME, name);
        }
        SIGNATURE.sign(request, digests)
    }
}

/// Guesses the event's name from a body, for a request without the header: from its first object.
fn named_after(request: &Request) -> String {
    let payload = payload(request);
    let members = Json::parse(&payload).map(Json::members).unwrap_or_default();
    let around = ["repository", "organization", "sender", "installation", "enterprise", "hook"];
    let own =
        members.iter().find(|(name, value)| value.raw().starts_with('{') && !around.contains(name));
    match own.map(|(name, _)| name) {
        Some("issue") => "issues".to_owned(),
        Some("head_commit" | "pusher") => "push".to_owned(),
        Some(name) => name.to_owned(),
        None => "ping".to_owned(),
    }
}

/// The delivery's id, which a redelivery repeats, or else an id derived from the body.
fn event_id(request: &Request) -> String {
    request.event_id(request.header("x-github-delivery").map(ToOwned::to_owned))
}

/// The JSON: the body, or the field `payload` of a form.
fn payload(request: &Request) -> Cow<'_, [u8]> {
    if request.content().starts_with(b"payload=")
        && let Some(payload) = form::value(&form::parse(&request.body), "payload")
    {
        return Cow::Owned(payload.as_bytes().to_vec());
    }
    Cow::Borrowed(&request.body)
}

/// The canonical type, if there is one. Sponsorships and plans of the Marketplace are paid
/// regularly, so they are subscriptions.
fn canonical(own: &str) -> Option<&'static str> {
    Some(match own {
        "sponsorship.created" | "marketplace_purchase.purchased" => "subscription.created",
        "sponsorship.tier_changed" | "sponsorship.edited" | "marketplace_purchase.changed" => {
            "subscription.updated"
        }
        "sponsorship.cancelled" | "marketplace_purchase.cancelled" => "subscription.canceled",
        _ => return None,
    })
}

/// The object that the event is named after, else the place where it happened.
fn subject(members: &Members<'_>, name: &str) -> Option<String> {
    members.first_name(&[
        "/sponsorship/node_id",
        "/marketplace_purchase/account/id",
        &format!("/{name}/id"),
        "/issue/id",
        "/pull_request/id",
        "/repository/id",
        "/organization/id",
    ])
}

fn time(members: &Members<'_>, name: &str) -> Option<Timestamp> {
    // A sponsorship has the time when it began, which only its first event may use.
    let is_new = matches!(members.text("/action").as_deref(), Some("created"));
    let began = is_new.then(|| members.rfc3339("/sponsorship/created_at")).flatten();
    began.or_else(|| {
        [
            "/effective_date",
            &format!("/{name}/updated_at"),
            "/issue/updated_at",
            "/pull_request/updated_at",
            "/head_commit/timestamp",
        ]
        .into_iter()
        .find_map(|pointer| members.rfc3339(pointer))
    })
}

/// The price of one unit of the tier or the plan.
fn money(members: &Members<'_>) -> Option<Money> {
    let yearly = members.text("/marketplace_purchase/billing_cycle").as_deref() == Some("yearly");
    let price = if yearly { "/yearly_price_in_cents" } else { "/monthly_price_in_cents" };
    let plan = members.object("/marketplace_purchase/plan").number(price);
    let tier = members.number("/sponsorship/tier/monthly_price_in_cents");
    known_money(Money::from_minor(tier.or(plan)?, "USD"))
}

hookgate_sdk::export!(provider: GitHub);
