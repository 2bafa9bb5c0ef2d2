//! Whether settings can be an endpoint's, and which is wrong if not.
//!
//! Pure, and the one place of these bounds: for the API, for files, and for rows of the store.
//! Never looks up a host: what its addresses are is the guard's matter at each attempt.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::decimal::Decimal;
use super::form::{RawRule, RawSettings, written};
use super::limits::{BURST, CONCURRENCY, HELD, RETRIES_MAX, RETRY, TIMEOUT};
use super::{Field, Format, Limits, Operator, Order, Origin, Rate, Rule, Settings, Trust};
use crate::ids::Name;
use crate::retry::RetryPolicy;

const DESCRIPTION_BYTES_MAX: usize = 1024;
const URL_BYTES_MAX: usize = 2048;
const PATTERNS_MAX: usize = 64;
const RULES_MAX: usize = 32;
const POINTER_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 4096;
/// A number that JSON reads with more digits may have lost some.
const DIGITS_MAX: usize = 15;
const HEADERS_MAX: usize = 16;
const HEADER_BYTES_MAX: usize = 1024;
const METADATA_MAX: usize = 32;
const METADATA_NAME_BYTES_MAX: usize = 128;
const METADATA_BYTES_MAX: usize = 512;
const PEM_BYTES_MAX: usize = 64 * 1024;
const SKIP_AFTER: RangeInclusive<u64> = 1..=100;

/// What the gateway sends itself, or what belongs to a connection.
pub(super) const OWN_HEADERS: [&str; 19] = [
    "accept",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// A setting that can't be an endpoint's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {detail}")]
pub struct Invalid {
    /// The name of the setting.
    pub field: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

impl Invalid {
    /// So is this setting wrong.
    pub fn new(field: &'static str, detail: impl fmt::Display) -> Self {
        Self { field, detail: detail.to_string() }
    }
}

/// The settings that these are. Of an endpoint in the configuration, the URL may have a user and a
/// password in it: the API keeps those as credentials.
pub fn check(draft: RawSettings, origin: Origin) -> Result<Settings, Invalid> {
    let limits = limits_of(&draft)?;
    let order = order_of(&draft)?;
    let RawSettings { name, tenant, description, url, events, filter, headers, .. } = draft;
    Ok(Settings {
        name: name_of(&name)?,
        tenant: tenant.map(|text| parsed("tenant", &text)).transpose()?,
        description: short("description", description.unwrap_or_default(), DESCRIPTION_BYTES_MAX)?,
        url: url_of(&url, origin)?,
        events: {
            few("events", events.len(), PATTERNS_MAX)?;
            events.iter().map(|text| parsed("events", text)).collect::<Result<_, _>>()?
        },
        filter: {
            let rules = filter.unwrap_or_default();
            few("filter", rules.len(), RULES_MAX)?;
            rules.into_iter().map(rule_of).collect::<Result<_, _>>()?
        },
        headers: headers_of(headers.unwrap_or_default())?,
        body: match draft.body {
            Some(text) => format_of(&text)?,
            None => Format::default(),
        },
        limits,
        retries: match draft.retries {
            Some(delays) => retries_of(&delays)?,
            None => RetryPolicy::deliveries(),
        },
        order,
        metadata: metadata_of(draft.metadata.unwrap_or_default())?,
        trust: Trust {
            ca: certificates("ca", draft.ca)?.unwrap_or_default().into_bytes(),
            client: certificates("client_certificate", draft.client_certificate)?,
        },
    })
}

/// What the text is; what else it must be is in the error that it is refused with.
fn parsed<T: FromStr<Err: fmt::Display>>(field: &'static str, text: &str) -> Result<T, Invalid> {
    text.parse().map_err(|error: T::Err| Invalid::new(field, error))
}

fn few(field: &'static str, count: usize, most: usize) -> Result<(), Invalid> {
    match count <= most {
        true => Ok(()),
        false => Err(Invalid::new(field, format_args!("must have at most {most} entries"))),
    }
}

fn short(field: &'static str, text: String, most: usize) -> Result<String, Invalid> {
    match text.len() <= most {
        true => Ok(text),
        false => Err(Invalid::new(field, format_args!("must have at most {most} bytes"))),
    }
}

fn within<N: PartialOrd + fmt::Display>(
    field: &'static str,
    number: N,
    bounds: &RangeInclusive<N>,
) -> Result<N, Invalid> {
    if bounds.contains(&number) {
        return Ok(number);
    }
    let (least, most) = (bounds.start(), bounds.end());
    Err(Invalid::new(field, format_args!("must be between {least} and {most}")))
}

fn duration(
    field: &'static str,
    text: &str,
    bounds: &RangeInclusive<Duration>,
) -> Result<Duration, Invalid> {
    let wrong = |_| Invalid::new(field, "must be a duration such as \"15s\", \"5m\" or \"12h\"");
    let duration = humantime::parse_duration(text).map_err(wrong)?;
    if bounds.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (written(*bounds.start()), written(*bounds.end()));
    Err(Invalid::new(field, format_args!("must be between {least} and {most}")))
}

fn name_of(text: &str) -> Result<Name, Invalid> {
    let name: Name = parsed("name", text)?;
    match name.endpoint_id() {
        None => Ok(name),
        // Deliveries to that endpoint and to this one would be the same.
        Some(_) => Err(Invalid::new("name", "must not look like the id of an endpoint")),
    }
}

fn url_of(text: &str, origin: Origin) -> Result<Url, Invalid> {
    let wrong = |detail: &str| Invalid::new("url", detail);
    if text.len() > URL_BYTES_MAX {
        return Err(Invalid::new("url", format_args!("must have at most {URL_BYTES_MAX} bytes")));
    }
    let url = text.parse::<Url>().ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| wrong("must be a URL such as \"https://example.com/hooks\""))?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user && origin == Origin::Api {
        return Err(wrong("must have no user and no password: give them as a credential"));
    }
    Ok(url)
}

fn format_of(text: &str) -> Result<Format, Invalid> {
    let known = Format::ALL.into_iter().find(|format| format.as_str() == text);
    let detail = "must be \"standard\", \"cloudevents\" or \"raw\"";
    known.ok_or_else(|| Invalid::new("body", detail))
}

fn rule_of(raw: RawRule) -> Result<Rule, Invalid> {
    let wrong = |detail: &str| Invalid::new("filter", detail);
    let RawRule { pointer, label, op, value } = raw;
    let field = match (pointer, label) {
        (Some(pointer), None) => Field::Pointer(pointer),
        (None, Some(label)) => Field::Label(label),
        _ => return Err(wrong("each rule must have either a `pointer` or a `label`")),
    };
    match &field {
        Field::Pointer(text) if !is_pointer(text) => {
            return Err(wrong(
                "a `pointer` must be a JSON pointer such as \"/amount\", of at most 256 bytes",
            ));
        }
        Field::Label(text) if text.is_empty() || text.len() > POINTER_BYTES_MAX => {
            return Err(wrong("a `label` must have 1 to 256 bytes"));
        }
        Field::Pointer(_) | Field::Label(_) => (),
    }
    let value = match (op, value) {
        (Operator::Exists, None) => Value::Bool(true),
        (_, value) => value.unwrap_or_default(),
    };
    if value.to_string().len() > VALUE_BYTES_MAX {
        return Err(wrong("a `value` must have at most 4096 bytes"));
    }
    check_value(&field, op, &value).map_err(wrong)?;
    Ok(Rule { field, op, value })
}

/// Whether it is one as RFC 6901 has them: behind `~` stands 0 or 1.
fn is_pointer(text: &str) -> bool {
    let is_escaped = |behind: &str| behind.starts_with(['0', '1']);
    text.len() <= POINTER_BYTES_MAX
        && (text.is_empty() || text.starts_with('/'))
        && text.split('~').skip(1).all(is_escaped)
}

/// What the value of a rule must be for its operator.
fn check_value(field: &Field, op: Operator, value: &Value) -> Result<(), &'static str> {
    let is_label = matches!(field, Field::Label(_));
    match op {
        Operator::Equals | Operator::NotEquals => scalar(is_label, value),
        Operator::In => {
            let list = value.as_array().filter(|list| !list.is_empty());
            let list = list.ok_or("the `value` of `in` must be a list that is not empty")?;
            list.iter().try_for_each(|value| scalar(is_label, value))
        }
        Operator::Exists if !value.is_boolean() => {
            Err("the `value` of `exists` must be true or false")
        }
        Operator::Prefix if !value.is_string() => Err("the `value` of `prefix` must be a text"),
        Operator::Exists | Operator::Prefix => Ok(()),
        Operator::Greater | Operator::Less => match value {
            Value::Number(_) => scalar(false, value),
            Value::String(text) if Decimal::parse(text).is_some() => Ok(()),
            _ => Err("the `value` of `greater` and `less` must be a number, or one as a text"),
        },
    }
}

fn scalar(is_label: bool, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Array(_) | Value::Object(_) => {
            Err("a `value` must be a text, a number, true, false or null")
        }
        Value::String(_) => Ok(()),
        _ if is_label => Err("a label is a text, and so must be the `value`"),
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            let text = number.to_string();
            let digits = Decimal::parse(&text).map_or(usize::MAX, |number| number.precision());
            let is_exact = digits <= DIGITS_MAX;
            is_exact.then_some(()).ok_or("a number of more than 15 digits must be a text")
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => Ok(()),
    }
}

fn headers_of(headers: BTreeMap<String, String>) -> Result<Vec<(HeaderName, String)>, Invalid> {
    few("headers", headers.len(), HEADERS_MAX)?;
    let mut checked: Vec<(HeaderName, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let wrong = |detail: fmt::Arguments<'_>| Invalid::new("headers", detail);
        let Ok(known) = name.parse::<HeaderName>() else {
            return Err(wrong(format_args!("`{name}` is not the name of a header")));
        };
        let is_own = OWN_HEADERS.contains(&known.as_str());
        if is_own || known.as_str().starts_with("webhook-") {
            return Err(wrong(format_args!(
                "`{known}` can't be set: the gateway sends it itself, or it is a credential"
            )));
        }
        if checked.iter().any(|(other, _)| *other == known) {
            return Err(wrong(format_args!("`{known}` is there twice")));
        }
        if value.len() > HEADER_BYTES_MAX || HeaderValue::from_str(&value).is_err() {
            return Err(wrong(format_args!(
                "`{known}` must have at most {HEADER_BYTES_MAX} bytes of visible ASCII"
            )));
        }
        checked.push((known, value));
    }
    Ok(checked)
}

fn limits_of(draft: &RawSettings) -> Result<Limits, Invalid> {
    let default = Limits::default();
    let concurrency = draft.concurrency.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let concurrency = concurrency.unwrap_or(default.concurrency);
    let time = |field, text: Option<&str>, default| match text {
        Some(text) => duration(field, text, &TIMEOUT),
        None => Ok(default),
    };
    Ok(Limits {
        concurrency: within("concurrency", concurrency, &CONCURRENCY)?,
        rate: rate_of(draft)?,
        timeout: time("timeout", draft.timeout.as_deref(), default.timeout)?,
        connect_timeout: time(
            "connect_timeout",
            draft.connect_timeout.as_deref(),
            default.connect_timeout,
        )?,
        held: within("held", draft.held.unwrap_or(default.held), &HELD)?,
        use_breaker: draft.use_breaker,
        disable_after: match draft.disable_after.as_deref() {
            Some(text) => parsed("disable_after", text)?,
            None => default.disable_after,
        },
    })
}

fn rate_of(draft: &RawSettings) -> Result<Option<Rate>, Invalid> {
    let rate = draft.rate.as_deref().map(|text| parsed::<Rate>("rate", text)).transpose()?;
    let Some(burst) = draft.burst else { return Ok(rate) };
    let Some(rate) = rate else {
        return Err(Invalid::new("burst", "needs a `rate`"));
    };
    let burst = within("burst", u32::try_from(burst).unwrap_or(u32::MAX), &BURST)?;
    Ok(Some(rate.with_burst(burst)))
}

impl RawSettings {
    /// Which deliveries wait for each other, if that is said as it must be: without a look at all
    /// else.
    pub(crate) fn order(&self) -> Order {
        order_of(self).unwrap_or_default()
    }
}

fn order_of(draft: &RawSettings) -> Result<Order, Invalid> {
    let skip_after = draft.skip_after.map(|tries| within("skip_after", tries, &SKIP_AFTER));
    let skip_after = skip_after.transpose()?.and_then(|tries| u32::try_from(tries).ok());
    let skip_after = skip_after.and_then(NonZeroU32::new);
    match draft.order.as_deref() {
        Some("subject") => Ok(Order::Subject { skip_after }),
        Some("none") | None if skip_after.is_some() => {
            Err(Invalid::new("skip_after", "needs `order` to be \"subject\""))
        }
        Some("none") | None => Ok(Order::None),
        Some(_) => Err(Invalid::new("order", "must be \"none\" or \"subject\"")),
    }
}

fn retries_of(delays: &[String]) -> Result<RetryPolicy, Invalid> {
    few("retries", delays.len(), RETRIES_MAX)?;
    let delays = delays.iter().map(|text| duration("retries", text, &RETRY));
    Ok(RetryPolicy { delays: delays.collect::<Result<_, _>>()? })
}

fn metadata_of(metadata: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Invalid> {
    few("metadata", metadata.len(), METADATA_MAX)?;
    let fits = |(name, value): (&String, &String)| {
        (1..=METADATA_NAME_BYTES_MAX).contains(&name.len()) && value.len() <= METADATA_BYTES_MAX
    };
    match metadata.iter().all(fits) {
        true => Ok(metadata),
        false => {
            let detail = "names must have 1 to 128 bytes, and values at most 512";
            Err(Invalid::new("metadata", detail))
        }
    }
}

/// Certificates in PEM, or none. Whether they can be read is told where they are used.
fn certificates(field: &'static str, text: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    let text = short(field, text, PEM_BYTES_MAX)?;
    match text.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(Some(text)),
        false => Err(Invalid::new(field, "must be certificates in PEM")),
    }
}

#[cfg(test)]
mod tests;
