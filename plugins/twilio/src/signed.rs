//! What Twilio signed of a request.

use std::collections::BTreeSet;

use hookgate_sdk::{Refusal, Request, form, hash, hex};

use crate::settings::Settings;

/// The parameter of the query that stands for a body which is no form.
const HASH: &str = "bodySHA256";
const FORM: &str = "application/x-www-form-urlencoded";

/// A form's names and values.
pub(crate) type Fields = Vec<(String, String)>;

/// The texts of which one was signed, with the URL without its port and with it, and the form,
/// where it is one that was signed.
pub(crate) fn messages(
    request: &Request,
    settings: &Settings,
) -> Result<(Vec<String>, Fields), Refusal> {
    let urls = settings.urls().ok_or_else(|| Refusal::new("no `url` is set"))?;
    let query = query(request).map(|query| format!("?{query}")).unwrap_or_default();
    let mut fields = Fields::new();
    let signed = if let Some(hash) = hash_in_query(request)? {
        let seen = hash::sha256(&request.body);
        if hex::decode(&hash).is_none_or(|hash| hash != seen) {
            return Err(Refusal::new(format!("the body is not the one of `{HASH}`")));
        }
        String::new()
    } else if is_form(request) {
        fields = form::fields(&request.body)?;
        // Sorted, and a field that is there again with the same value is one.
        let sorted: BTreeSet<_> = fields.iter().collect();
        sorted.into_iter().flat_map(|(name, value)| [&**name, value]).collect()
    } else {
        return Err(Refusal::new(format!("body is no form, and `{HASH}` is not in the query")));
    };
    Ok((urls.map(|url| format!("{url}{query}{signed}")).to_vec(), fields))
}

/// The request with what binds its body: a form says that it is one, anything else has its hash in
/// the query.
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

fn query(request: &Request) -> Option<&str> {
    request.url.split_once('?').map(|(_, query)| query)
}

fn hash_in_query(request: &Request) -> Result<Option<String>, Refusal> {
    let parameters = form::fields(query(request).unwrap_or_default().as_bytes())?;
    let mut hashes = parameters.into_iter().filter(|(name, _)| name == HASH);
    let hash = hashes.next().map(|(_, hash)| hash);
    if hashes.next().is_some() {
        return Err(Refusal::new(format!("`{HASH}` is in the query more than once")));
    }
    Ok(hash)
}

/// Whether it says so, or nothing, and reads like one: what is parsed as JSON is proven as JSON.
fn is_form(request: &Request) -> bool {
    let content_type = request.header("content-type");
    !is_json(request) && content_type.is_none_or(|text| text.to_ascii_lowercase().starts_with(FORM))
}

/// Whether the body is read as JSON. No form begins like that: there a bracket is escaped.
pub(crate) fn is_json(request: &Request) -> bool {
    matches!(request.content().first(), Some(b'{' | b'['))
}
