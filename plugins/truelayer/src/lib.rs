//! TrueLayer: a detached JSON Web Signature over the method, the path, some headers and the body.
//!
//! The token names its key, and the set of keys that has it: the live one or the sandbox's, never
//! any other. `keys_from` of the source says which of both may prove its requests. The path is
//! signed as TrueLayer calls it, so behind a proxy that rewrites paths it is a setting; a `/` at
//! its end may be added or missing. A payment into a merchant account is executed and then settles,
//! any other is only executed: a setting says which of both is the success, so none succeeds twice.
//! TrueLayer signs for all its clients with these keys, and any of them may name your URL: act only
//! on payments that you know.

use hookgate_sdk::{
    Claims, Event, Evidence, Failure, JwsAlgorithm, KeyLookup, KeyPlace, KeySource, Piece,
    ProofKind, Provider, ProviderInfo, Refusal, Request, Setting, SignedToken, Timestamp,
    event_type, json, labels, time,
};

/// The plugin.
#[derive(Debug)]
pub struct TrueLayer;

/// The source's `config` table.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The path that TrueLayer calls, if it is not that of the requests.
    path: Option<String>,
    /// The state that is a payment's success: `settled` or `executed`.
    success: String,
}

const SIGNATURE: &str = "tl-signature";
const SENT_AT: &str = "X-Tl-Webhook-Timestamp";
const LIVE: &str = "https://webhooks.truelayer.com/.well-known/jwks";
const SANDBOX: &str = "https://webhooks.truelayer-sandbox.com/.well-known/jwks";

const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.opened", "subscription.*", "payout.*", "truelayer.*"];

/// Places of the entity. That of a refund is its payment.
const SUBJECTS: &[&str] = &["/payment_id", "/payout_id", "/mandate_id", "/transaction_id"];

impl Provider for TrueLayer {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let path = "the path that TrueLayer calls, if a proxy rewrites it";
        let success = "which state is a payment's success: `executed` if not all of them settle";
        ProviderInfo::new("truelayer", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Jws])
            .with_scheme("ES512 (JWS) of path, headers, body, `Tl-Signature`, with a fetched key")
            .with_keys_at([LIVE, SANDBOX].map(KeyPlace::jwks))
            .with_settings([
                Setting::text("path", "/hooks/truelayer", path),
                Setting::choice("success", &["settled", "executed"], success)
                    .with_default("settled"),
            ])
    }

    fn check(Settings { path, .. }: &Settings) -> Result<(), String> {
        let is_path = path.as_ref().is_none_or(|path| path.starts_with('/'));
        is_path.then_some(()).ok_or_else(|| "`path` must begin with `/`".to_owned())
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let token = SignedToken::read(request.the_header(SIGNATURE)?)?;
        let header = token.header()?.members();
        let (Some(place), Some(key_id)) = (keys_of(&token), header.name("/kid")) else {
            return Err(Refusal::new("the token does not name a key of TrueLayer's"));
        };
        let names = header.text("/tl_headers").unwrap_or_default();
        let (mut headers, mut sent_at) = (String::new(), None);
        // Nobody may make the message very large: it lacks further headers, so no signature holds.
        for name in names.split(',').filter(|name| !name.is_empty()).take(16) {
            let value = request.the_header(name)?;
            headers += &format!("{name}: {value}\n");
            if name.eq_ignore_ascii_case(SENT_AT) {
                sent_at = time::from_rfc3339(value);
            }
        }
        let key = KeySource::Fetched(KeyLookup::get(place).with_id(key_id));
        let proof = |path: &str| {
            let head = format!("{} {path}\n{headers}", request.method);
            token.detached_proof(JwsAlgorithm::Es512, key.clone(), vec![head.into(), Piece::Body])
        };
        let path = Self::settings().path.as_deref().unwrap_or(&request.url);
        let bare = path.split('?').next().unwrap_or(path);
        let other = bare.strip_suffix('/').map_or_else(|| format!("{bare}/"), ToOwned::to_owned);
        let mut paths = vec![path, bare, &other];
        paths.dedup();
        let evidence = Evidence::any(paths.into_iter().map(proof).collect());
        let claims = Claims::new(evidence, json::peek(&request.body, "/event_id"));
        Ok(Claims { signed_at: sent_at, ..claims })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let members = body.members();
        let own = members.required("/type").or_else(|_| members.required("/event_type"))?;
        // `settled_at` of `payment_settled`.
        let happened = format!("/{}_at", own.rsplit('_').next().unwrap_or_default());
        let sent_at = request.header(SENT_AT).and_then(time::from_rfc3339);
        let signed = request.header(SIGNATURE).and_then(|text| SignedToken::read(text).ok());
        let live = signed.and_then(|token| keys_of(&token)).map(|place| place == LIVE);
        let named = event_type(canonical(&own, &Self::settings().success), "truelayer", &own);
        Ok(vec![Event {
            subject: members.first_name(SUBJECTS),
            time: members.rfc3339(&happened).or(members.rfc3339("/settled_at")).or(sent_at),
            money: members.minor("/amount_in_minor", "/currency"),
            labels: labels([
                ("method", members.word("/payment_method/type")),
                ("decline_code", members.name("/failure_reason")),
                ("account", members.first_label(&["/merchant_account_id"])),
                ("livemode", live.map(|live| live.to_string())),
                ("reference", members.custom("/metadata").or(members.name("/remitter/reference"))),
            ]),
            ..Event::new(request.event_id(members.name("/event_id")), named, body.raw())
        }])
    }

    fn sign(mut request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let header =
            format!(r#"{{"alg":"ES512","kid":"test","tl_headers":"{SENT_AT}","jku":"{LIVE}"}}"#);
        request.set_header(SENT_AT, time::to_rfc3339(at));
        request.set_header(SIGNATURE, SignedToken::write(&header, "", digests)?);
        Ok(request)
    }
}

/// Where the key of a token is: in the live set, if the token names none.
fn keys_of(token: &SignedToken<'_>) -> Option<&'static str> {
    let named = token.header().ok()?.text("/jku");
    [LIVE, SANDBOX].into_iter().find(|place| named.as_ref().is_none_or(|named| named == place))
}

/// The canonical type, if there is one.
fn canonical(own: &str, success: &str) -> Option<&'static str> {
    Some(match own {
        "payment_authorized" => "payment.authorized",
        "payment_failed" => "payment.failed",
        "payment_disputed" => "dispute.opened",
        "refund_executed" => "refund.succeeded",
        "refund_failed" => "refund.failed",
        "mandate_authorized" => "subscription.created",
        "mandate_revoked" => "subscription.canceled",
        "payout_executed" => "payout.paid",
        "payout_failed" => "payout.failed",
        _ if own.strip_prefix("payment_") == Some(success) => "payment.succeeded",
        _ => return None,
    })
}

hookgate_sdk::export!(provider: TrueLayer);
