//! The gateway's checks of an event, an emission and a content type.
//!
//! They have the gateway's words, so that a test shows what the operator would read. They never
//! correct a value.

#[cfg(feature = "testing")]
use crate::event::Event;
use crate::event::is_event_type;
use crate::json::Json;
use crate::limits;
use crate::money::Money;
use crate::outbox::Emission;

/// Checks an event that a provider returns.
#[cfg(feature = "testing")]
pub(crate) fn event(event: &Event) -> Result<(), String> {
    text("event.id", &event.id, limits::ID_BYTES_MAX)?;
    parts("event", &event.type_, event.subject.as_deref(), event.money.as_ref(), &event.labels)?;
    json("event.data", &event.data)
}

/// Checks an event that a handler adds.
pub(crate) fn emission(event: &Emission) -> Result<(), String> {
    let subject = event.subject.as_deref();
    parts("emission", &event.type_, subject, event.money.as_ref(), &event.labels)?;
    json("emission.data", &event.data)
}

/// Checks a content type, so that it can stand in a header.
pub(crate) fn content_type(value: &str) -> Result<(), String> {
    text("content-type", value, limits::CONTENT_TYPE_BYTES_MAX)?;
    if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("`content-type` has characters that a header can't have".to_owned())
    }
}

fn parts(
    of: &str,
    event_type: &str,
    subject: Option<&str>,
    amount: Option<&Money>,
    labels: &[(String, String)],
) -> Result<(), String> {
    if !is_event_type(event_type) {
        let shown = cut(event_type, limits::TYPE_BYTES_MAX);
        return Err(format!("`{of}.type` is `{shown}`, not an event type such as payment.failed"));
    }
    if let Some(subject) = subject {
        text(&format!("{of}.subject"), subject, limits::SUBJECT_BYTES_MAX)?;
    }
    amount.map_or(Ok(()), money).map_err(|reason| format!("`{of}.money` {reason}"))?;
    self::labels(labels).map_err(|reason| format!("`{of}.labels` {reason}"))
}

fn text(field: &str, text: &str, most: usize) -> Result<(), String> {
    if (1..=most).contains(&text.len()) {
        Ok(())
    } else {
        Err(format!("`{field}` has {} bytes, not 1 to {most}", text.len()))
    }
}

fn money(Money { amount, currency }: &Money) -> Result<(), String> {
    let number = amount.strip_prefix('-').unwrap_or(amount);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, limits::WHOLE_DIGITS_MAX) || !digits(decimals, limits::DECIMALS_MAX) {
        return Err(format!("amount `{amount}` is not a decimal number"));
    }
    let symbol = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !(2..=12).contains(&currency.len()) || !currency.bytes().all(symbol) {
        return Err(format!("currency `{currency}` is not a code such as USD"));
    }
    Ok(())
}

fn labels(labels: &[(String, String)]) -> Result<(), String> {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    for (name, value) in labels {
        let fits = (1..=limits::LABEL_NAME_BYTES_MAX).contains(&name.len());
        if !fits || !name.bytes().all(known) {
            let shown = cut(name, limits::LABEL_NAME_BYTES_MAX);
            return Err(format!("has the name `{shown}`, not 1 to 64 of a-z 0-9 _ - ."));
        }
        if value.len() > limits::LABEL_VALUE_BYTES_MAX {
            return Err(format!("has more than 1024 bytes under `{name}`"));
        }
    }
    match labels.len() {
        ..=limits::LABELS_MAX => Ok(()),
        more => Err(format!("has {more} items; the limit is {}", limits::LABELS_MAX)),
    }
}

fn json(field: &str, text: &str) -> Result<(), String> {
    // A provider's request may begin with a byte order mark; the gateway accepts none here.
    let marked = text.starts_with('\u{feff}');
    match Json::parse(text.as_bytes()) {
        Ok(_) if !marked => Ok(()),
        Ok(_) => Err(format!("`{field}` is not JSON: it begins with a byte order mark")),
        Err(error) => Err(format!("`{field}` is not JSON: {error}")),
    }
}

/// The beginning of a text, of at most `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
