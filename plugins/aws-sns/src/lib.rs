//! Amazon SNS: an RSA signature over members of the body, with a certificate that the body names.
//!
//! The gateway fetches the certificate from the topic's region: list its host in `keys_from` of the
//! source, such as `sns.us-east-1.amazonaws.com`. Everybody with an AWS account can make SNS sign a
//! message for your URL, so list your topics in `allowed_topics`. Amazon signs with SHA-1, which is
//! weak, unless the attribute `SignatureVersion` of the topic is 2. An event has only what is
//! signed, never `MessageAttributes` or `UnsubscribeURL`: its data is the object in `Message`, or
//! else all signed members. The gateway visits no URL of a message: whoever sees an event
//! `aws-sns.SubscriptionConfirmation` visits the `SubscribeURL` in its data.

use std::borrow::Cow;

use hookgate_sdk::{
    Claims, Envelope, Event, Evidence, Failure, Json, KeyLookup, KeyPlace, Members, Proof,
    ProofKind, Provider, ProviderInfo, PublicKey, Refusal, Request, Setting, SignedFields,
    Timestamp, Worth, base64, event_type, json, labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct AwsSns;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    allowed_topics: Vec<String>,
}

/// Where each region keeps its certificates; those in China have another domain.
const PLACES: [&str; 2] = ["https://sns.*.amazonaws.com/", "https://sns.*.amazonaws.com.cn/"];
/// The certificate that requests of our own name.
const URL: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-hookgate.pem";
/// The members that are signed behind `Message`, in this order; a message has some of them.
const SIGNED: [&str; 7] =
    ["MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
/// A line for each of their names and values. Only `Message` may have more. It is the first, so the
/// text can be read from its end, and in one way alone.
const LINES: SignedFields = SignedFields::assigned_by("\n").joined_by("\n").closed().apart();

impl Provider for AwsSns {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        let example = ["arn:aws:sns:us-east-1:123456789012:payments"];
        let help = "the ARNs of the topics whose messages the source accepts";
        let topics = Setting::texts("allowed_topics", &example, help);
        ProviderInfo::new("aws-sns", version, &["aws-sns.*"], &[ProofKind::Signature])
            .or_worth(ProofKind::Signature, Worth::Weak)
            .with_scheme("RSA-SHA256 or RSA-SHA1 of members of the body, with a fetched key")
            .with_keys_at(PLACES.map(KeyPlace::leaf_certificate))
            .with_settings([topics.required()])
    }

    fn check(Settings { allowed_topics }: &Settings) -> Result<(), String> {
        let are_arns = allowed_topics.iter().all(|topic| topic.starts_with("arn:"));
        if allowed_topics.is_empty() || !are_arns {
            return Err("`allowed_topics` must list ARNs of topics, at least one, such as \
                        \"arn:aws:sns:us-east-1:123456789012:payments\""
                .to_owned());
        }
        Ok(())
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let message = message(request)?;
        let scheme = match &*the(&message, "SignatureVersion")? {
            "1" => PublicKey::RsaSha1,
            "2" => PublicKey::RsaSha256,
            _ => return Err(Refusal::new("`SignatureVersion` is neither 1 nor 2")),
        };
        let url = the(&message, "SigningCertURL")?;
        let holds = |place: &&str| KeyPlace::leaf_certificate(place).holds(&url);
        if !url.ends_with(".pem") || !PLACES.iter().any(holds) {
            return Err(Refusal::new("`SigningCertURL` is not a certificate of Amazon SNS"));
        }
        let signature = base64::decode(&the(&message, "Signature")?)
            .filter(|signature| !signature.is_empty())
            .ok_or_else(|| Refusal::new("`Signature` is not base64"))?;
        let text = the(&message, "Message")?;
        let proof = |lines: SignedFields<'_>| -> Result<Proof, Refusal> {
            let text = format!("Message\n{text}\n{}", lines.text(&fields(&message))?);
            let (lookup, signatures) = (KeyLookup::get(&*url), vec![signature.clone()]);
            Ok(Proof::fetched_key(scheme, lookup, vec![text.into()], signatures))
        };
        let mut proofs = vec![proof(LINES)?];
        // Amazon's own libraries differ on whether the token of this one is signed.
        if the(&message, "Type")? == "UnsubscribeConfirmation" {
            proofs.push(proof(LINES.without(&["Token"]))?);
        }
        Ok(Claims::new(Evidence::any(proofs), [request.event_id(message.name("/MessageId"))]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let message = message(request)?;
        let text = the(&message, "Message")?;
        let mut signed = vec![("Message", text.clone())];
        // The token is in `SubscribeURL` too.
        signed.extend(fields(&message).into_iter().filter(|(name, _)| *name != "Token"));
        let member =
            |(name, value): &(&str, Cow<'_, str>)| format!("\"{name}\":{}", json::quoted(value));
        let signed = signed.iter().map(member).collect::<Vec<_>>().join(",");
        let signed = format!("{{{signed}}}");
        let body = Json::parse(signed.as_bytes())?;
        let known = ["Message", "MessageId", "Timestamp", "Type"];
        let around = Envelope::of(&body.members(), &known);
        let topic = the(&message, "TopicArn")?;
        let part = |place| topic.split(':').nth(place).map(ToOwned::to_owned);
        Ok(vec![Event {
            time: message.rfc3339("/Timestamp"),
            labels: labels([("account", part(4)), ("topic", part(5))]),
            ..Event::new(
                request.event_id(message.name("/MessageId")),
                event_type(None, "aws-sns", &the(&message, "Type")?),
                around.around(Json::parse(text.as_bytes()).ok(), body),
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, signatures: &[Vec<u8>]) -> Result<Request, String> {
        let signature = base64::encode(signatures.first().unwrap_or(&vec![0; 256]));
        let unsigned = ["SignatureVersion", "Signature", "SigningCertURL"];
        let body = request.json().map_err(|error| error.to_string())?.members().without(&unsigned);
        let rest = body.strip_prefix("{\"").ok_or("the body is not a message")?;
        let proof = format!(r#""SignatureVersion":"2","Signature":"{signature}""#);
        request.body = format!(r#"{{{proof},"SigningCertURL":"{URL}","{rest}"#).into();
        Ok(request)
    }
}

/// The members of a message of an allowed topic.
fn message(request: &Request) -> Result<Members<'_>, Refusal> {
    if request.header("x-amz-sns-rawdelivery").is_some() {
        return Err(Refusal::new("raw message delivery is not signed: turn it off in SNS"));
    }
    let message = request.json()?.members();
    let topic = the(&message, "TopicArn")?;
    if !AwsSns::settings().allowed_topics.iter().any(|allowed| *allowed == topic) {
        return Err(Refusal::new(format!("the topic `{topic:.256}` is not in `allowed_topics`")));
    }
    Ok(message)
}

/// A text that every message has.
fn the<'a>(message: &Members<'a>, name: &str) -> Result<Cow<'a, str>, Refusal> {
    let text = message.text(&format!("/{name}"));
    text.ok_or_else(|| Refusal::new(format!("the body has no text `{name}`")))
}

/// The signed members behind `Message` that a message has.
fn fields<'a>(message: &Members<'a>) -> Vec<(&'static str, Cow<'a, str>)> {
    SIGNED.iter().filter_map(|name| Some((*name, message.text(&format!("/{name}"))?))).collect()
}

hookgate_sdk::export!(provider: AwsSns);
