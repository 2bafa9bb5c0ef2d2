//! The texts that Twilio may have signed for a request.
//!
//! A body that the signature does not cover is never accepted.

use hookgate_sdk::{Refusal, Request, SignedFields, form, hash, hex};

use crate::settings::Settings;

/// The parameter of the query with the hash of a body that is not a form.
const HASH: &str = "bodySHA256";
const FORM: &str = "application/x-www-form-urlencoded";
/// A field that is repeated with the same value counts once.
const SIGNED: SignedFields = SignedFields::names_and_values().sorted_once();

/// A form's names and values.
pub(crate) type Fields = Vec<(String, String)>;

/// The possible signed texts, with the URL without and with its port, and the fields if the body is
/// a form.
pub(crate) fn messages(
    request: &Request,
    settings: &Settings,
) -> Result<(Vec<String>, Fields), Refusal> {
    let urls =
        settings.urls().ok_or_else(|| Refusal::new("the setting `url` is not a whole URL"))?;
    let query = query(request).map(|query| format!("?{query}")).unwrap_or_default();
    let mut fields = Fields::new();
    let signed = if let Some(hash) = hash_in_query(request)? {
        let seen = hash::sha256(&request.body);
        if hex::decode(&hash).is_none_or(|hash| hash != seen) {
            return Err(Refusal::new(format!("`{HASH}` is the hash of another body")));
        }
        String::new()
    } else if is_form(request) {
        fields = form::fields(&request.body)?;
        SIGNED.text(&fields)?
    } else {
        return Err(Refusal::new(format!(
            "the body is not a form, and `{HASH}` is not in the query"
        )));
    };
    Ok((urls.map(|url| format!("{url}{query}{signed}")).to_vec(), fields))
}

/// The request in a form whose signature covers the body: a form gets its content type, JSON gets
/// its hash in the query.
pub(crate) fn bound(mut request: Request) -> Request {
    if !is_json(&request) {
        request.set_header("content-type", FORM);
        return request;
    }
    if !matches!(hash_in_query(&request), Ok(None)) {
        return request;
    }
    let joint = if query(&request).is_some() { '&' } else { '?' };
    let hash = hex::encode(&hash::sha256(&request.body));
    request.url = format!("{}{joint}{HASH}={hash}", request.url);
    request
}

/// Whether a signature that holds covers the body: its hash is the whole query. With anything
/// before or behind the hash, what was signed may be a form, and the hash the value of a field,
/// such as a message that anybody sent.
pub(crate) fn covers_body(request: &Request) -> bool {
    let hash = query(request).and_then(|query| query.strip_prefix(HASH)?.strip_prefix('='));
    hash.and_then(hex::decode).is_some_and(|hash| hash.len() == 32)
}

fn query(request: &Request) -> Option<&str> {
    request.url.split_once('?').map(|(_, query)| query)
}

fn hash_in_query(request: &Request) -> Result<Option<String>, Refusal> {
    let parameters = form::fields(query(request).unwrap_or_default().as_bytes())?;
    let mut hashes = parameters.into_iter().filter(|(name, _)| name == HASH);
    let hash = hashes.next().map(|(_, hash)| hash);
    if hashes.next().is_some() {
        return Err(Refusal::new(format!("`{HASH}` is repeated in the query")));
    }
    Ok(hash)
}

/// Whether the body is a form, by its content type or for want of one. A body that `parse` reads as
/// JSON is verified as JSON.
fn is_form(request: &Request) -> bool {
    let content_type = request.header("content-type");
    !is_json(request) && content_type.is_none_or(|text| text.to_ascii_lowercase().starts_with(FORM))
}

/// Whether `parse` reads the body as JSON. A form can't begin like that, because it escapes
/// brackets.
pub(crate) fn is_json(request: &Request) -> bool {
    matches!(request.content().first(), Some(b'{' | b'['))
}
