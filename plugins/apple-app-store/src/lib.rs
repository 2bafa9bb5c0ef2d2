//! Apple's App Store, version 2 of its server notifications: a JSON Web Signature in the body.
//!
//! It brings three certificates. They must lead to Apple's root, which the plugin pins, and bear
//! the marks of those that sign for the App Store, for under this root any developer gets others.
//! The source names its app and environment, for notifications of other apps are genuine too. An
//! event's data is the transaction inside, a token that the outer one covers, with the rest around.

use hookgate_sdk::{
    Claims, Envelope, Event, Evidence, Failure, Json, JwsAlgorithm, KeySource, Members, Money,
    ProofKind, Provider, ProviderInfo, Refusal, Request, Setting, SignedToken, Timestamp, base64,
    event_type, json, known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct AppleAppStore;

/// The source's `config` table.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    bundle_id: String,
    environment: String,
}

/// The marks of the first certificate and of the second.
const MARKS: [&str; 2] = ["1.2.840.113635.100.6.11.1", "1.2.840.113635.100.6.2.1"];

impl Provider for AppleAppStore {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let id = "the bundle id of the app";
        let types = &["payment.*", "refund.*", "subscription.*", "invoice.*", "apple-app-store.*"];
        ProviderInfo::new("apple-app-store", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Jws])
            .with_scheme("ES256 (JWS) of the notification, with certificates under Apple's root")
            .with_roots([include_bytes!("../roots/AppleRootCA-G3.cer").to_vec()])
            .with_settings([
                Setting::text("bundle_id", "com.example.app", id).required(),
                Setting::choice("environment", &["Production", "Sandbox"], "the environment")
                    .with_default("Production"),
            ])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let text = json::peek(&request.body, "/signedPayload");
        let text = text.ok_or_else(|| Refusal::new("the body has no text `signedPayload`"))?;
        let token = SignedToken::read(&text)?;
        let said = token.payload()?.members();
        let about = about(&said);
        // The token of an external purchase tells its environment by its id.
        let of_id = |id: String| if id.starts_with("SANDBOX") { "Sandbox" } else { "Production" };
        let id = about.name("/externalPurchaseId").map(|id| of_id(id).to_owned());
        let environment = about.name("/environment").or(id).unwrap_or_default();
        let bundle_id = about.name("/bundleId").unwrap_or_default();
        if *Self::settings() != (Settings { bundle_id, environment }) {
            return Err(Refusal::new("the notification is for another app or environment"));
        }
        let chain = token.pinned_chain(&MARKS)?;
        if chain.certificates.len() != 3 {
            return Err(Refusal::new("the token does not bring three certificates"));
        }
        let proof = token.proof(JwsAlgorithm::Es256, KeySource::Chain(chain));
        let claims = Claims::new(Evidence::from(proof), said.name("/notificationUUID"));
        Ok(Claims { signed_at: said.unix_ms("/signedDate"), ..claims })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let text = json::peek(&request.body, "/signedPayload").unwrap_or_default();
        let token = SignedToken::read(&text)?;
        let payload = token.payload()?;
        let said = payload.members();
        let kind = said.required("/notificationType")?;
        let own = said.name("/subtype").map_or(kind.clone(), |subtype| format!("{kind}.{subtype}"));
        let about = about(&said);
        let inside = |place| Some(SignedToken::read(&about.text(place)?).ok()?.into_payload());
        let renewal = inside("/signedRenewalInfo").unwrap_or_default();
        // Without a renewal this is not JSON, and adds nothing.
        let renewal = [&br#"{"renewalInfo":"#[..], &renewal, b"}"].concat();
        let renewal = Json::parse(&renewal).map(Json::members).unwrap_or_default();
        let bought = inside("/signedTransactionInfo").unwrap_or_default();
        let bought = Json::parse(&bought).ok();
        let around = Envelope::of(&said, &["notificationUUID", "signedDate", "data"])
            .and(&about, &["signedTransactionInfo", "signedRenewalInfo"])
            .and(&renewal, &[]);
        let data = around.around(bought, payload);
        let bought = bought.map(Json::members).unwrap_or_default();
        let canonical = canonical(&kind, bought.name("/type").as_deref());
        let other = about.first_name(&["/externalPurchaseId", "/requestIdentifier"]);
        let named = event_type(canonical, "apple-app-store", &own);
        Ok(vec![Event {
            subject: bought.name("/originalTransactionId").or(other),
            time: said.unix_ms("/signedDate"),
            money: money(canonical, &bought, &renewal.object("/renewalInfo")),
            labels: labels([
                ("product", bought.name("/productId")),
                ("account", about.name("/bundleId")),
                ("livemode", about.is_live("/environment").map(|live| live.to_string())),
                ("reference", bought.name("/appAccountToken")),
            ]),
            ..Event::new(request.event_id(said.name("/notificationUUID")), named, data)
        }])
    }

    fn sign(mut request: Request, _: Timestamp, signatures: &[Vec<u8>]) -> Result<Request, String> {
        let [signature] = signatures else { return Ok(request) };
        let text = json::peek(&request.body, "/signedPayload").ok_or("the body has no token")?;
        let new = text.trim_end_matches(|it| it != '.').to_owned() + &base64::encode_url(signature);
        request.body = String::from_utf8_lossy(&request.body).replace(&*text, &new).into();
        Ok(request)
    }
}

/// What a notification is about. It has one of these members.
fn about<'a>(said: &Members<'a>) -> Members<'a> {
    let places = ["/data", "/summary", "/externalPurchaseToken", "/appData"];
    places.iter().find_map(|place| said.at(place)).map(Json::members).unwrap_or_default()
}

/// The price in thousandths, unless several units or a refund in part make it another amount.
fn money(canonical: Option<&str>, bought: &Members<'_>, renewal: &Members<'_>) -> Option<Money> {
    let (of, price) = match canonical? {
        "subscription.updated" | "subscription.canceled" => return None,
        "invoice.failed" => (renewal, "/renewalPrice"),
        _ => (bought, "/price"),
    };
    let is = |place, whole| bought.number(place).is_none_or(|number| number == whole);
    let is_whole = is("/quantity", "1") && is("/revocationPercentage", "100000");
    let (price, currency) = (of.number(price).filter(|_| is_whole)?, of.text("/currency")?);
    known_money(Money::from_minor_with(3, price, &currency))
}

/// The canonical type, if there is one. Behind a period of grace Apple still tries to renew.
fn canonical(kind: &str, product: Option<&str>) -> Option<&'static str> {
    Some(match kind {
        "SUBSCRIBED" => "subscription.created",
        "OFFER_REDEEMED" | "RENEWAL_EXTENDED" | "GRACE_PERIOD_EXPIRED" => "subscription.updated",
        _ if kind.starts_with("DID_CHANGE_RENEWAL_") => "subscription.updated",
        "EXPIRED" => "subscription.canceled",
        "REVOKE" if product == Some("Auto-Renewable Subscription") => "subscription.canceled",
        "DID_RENEW" => "invoice.paid",
        "DID_FAIL_TO_RENEW" => "invoice.failed",
        "ONE_TIME_CHARGE" => "payment.succeeded",
        "CONSUMPTION_REQUEST" => "refund.initiated",
        "REFUND" => "refund.succeeded",
        "REFUND_DECLINED" => "refund.failed",
        _ => return None,
    })
}

hookgate_sdk::export!(provider: AppleAppStore);
