//! The settings of an endpoint as people read them, those with a default too.
//!
//! Pure. Never a secret: an endpoint as the API shows it has none.

use std::collections::BTreeMap;

use super::known::Endpoint;
use crate::dashboard::figure;
use crate::dashboard::markup::{self, Markup};
use crate::event::Timestamp;

/// What one setting shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// A setting and what it is.
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) value: Markup,
    /// `mono` for what machines read.
    pub(super) class: &'static str,
}

/// For people, and for machines.
const PLAIN: &str = "";
const CODE: &str = "mono";

fn fact(label: &'static str, class: &'static str, text: &str) -> Fact {
    Fact { label, value: markup::long(text, TEXT_BYTES_MAX), class }
}

/// All that there are to show.
pub(super) fn facts(now: Timestamp, endpoint: &Endpoint) -> Vec<Fact> {
    let texts = [
        ("Description", PLAIN, endpoint.description.clone()),
        ("Tenant", PLAIN, endpoint.tenant.clone()),
        ("Events", CODE, Some(endpoint.events.join(", "))),
        ("Filter", CODE, endpoint.filter.as_ref().map(|it| it.get().to_owned())),
        ("Body", PLAIN, endpoint.body.as_deref().map(body)),
        ("Headers", CODE, endpoint.headers.as_ref().map(pairs)),
        ("Order", PLAIN, endpoint.order.as_deref().map(|it| order(it, endpoint.skip_after))),
        ("Retries", PLAIN, endpoint.retries.as_deref().map(retries)),
        ("Timeout", PLAIN, timeouts(endpoint)),
        ("Attempts at a time", PLAIN, endpoint.concurrency.map(figure::number)),
        ("Rate", PLAIN, rate(endpoint)),
        ("Waiting at most", PLAIN, endpoint.held.map(figure::number)),
        ("Breaker", PLAIN, Some(breaker(endpoint.use_breaker).to_owned())),
        ("Disabled after", PLAIN, endpoint.disable_after.as_deref().map(disabled)),
        ("Authorities", PLAIN, endpoint.ca.as_ref().map(|_| "of its own".to_owned())),
        ("Client certificate", PLAIN, shown(endpoint.client_certificate.as_deref())),
        ("Metadata", CODE, endpoint.metadata.as_ref().map(pairs)),
        ("Id", CODE, Some(endpoint.id.clone())),
    ];
    // What says nothing is left out.
    let said = texts.into_iter().filter_map(|(label, class, text)| {
        let text = text.filter(|text| !matches!(text.as_str(), "" | "[]"))?;
        Some(fact(label, class, &text))
    });
    let times = [("Made", endpoint.created_at), ("Changed", endpoint.updated_at)];
    let times = times.map(|(label, at)| Fact { label, value: markup::when(now, at), class: PLAIN });
    said.chain(times).collect()
}

fn body(name: &str) -> String {
    let said = match name {
        "standard" => "Standard Webhooks",
        "cloudevents" => "CloudEvents",
        "raw" => "as the provider sent it",
        other => other,
    };
    said.to_owned()
}

fn pairs(pairs: &BTreeMap<String, String>) -> String {
    let shown = pairs.iter().map(|(name, value)| format!("{name}: {value}"));
    shown.collect::<Vec<_>>().join(", ")
}

fn order(order: &str, skip_after: Option<u64>) -> String {
    match (order, skip_after) {
        ("subject", Some(tries)) => {
            let tries = figure::counted(tries, "try", "tries");
            format!("by subject; one that fails holds up the others for {tries}")
        }
        ("subject", None) => "by subject; one that fails holds up the others".to_owned(),
        _ => "none".to_owned(),
    }
}

fn retries(delays: &[String]) -> String {
    let attempts = figure::counted(delays.len() as u64 + 1, "attempt", "attempts");
    match delays {
        [] => attempts,
        delays => format!("after {} ({attempts})", delays.join(", ")),
    }
}

fn timeouts(endpoint: &Endpoint) -> Option<String> {
    let whole = endpoint.timeout.as_deref()?;
    let connect = endpoint.connect_timeout.as_deref();
    Some(connect.map_or(whole.to_owned(), |it| format!("{whole}, of the connection {it}")))
}

fn rate(endpoint: &Endpoint) -> Option<String> {
    let rate = endpoint.rate.as_deref()?;
    let burst = endpoint.burst.map(figure::number);
    Some(burst.map_or(rate.to_owned(), |burst| format!("{rate}, {burst} at once")))
}

fn breaker(use_breaker: Option<bool>) -> &'static str {
    match use_breaker {
        Some(true) => "on",
        Some(false) => "off",
        None => "as the configuration says for all endpoints",
    }
}

fn disabled(after: &str) -> String {
    if after == "never" { after.to_owned() } else { format!("{after} of nothing but failures") }
}

fn shown(certificate: Option<&str>) -> Option<String> {
    certificate.map(|_| "of its own".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_said_in_words() {
        assert_eq!(retries(&["5s".to_owned(), "5m".to_owned()]), "after 5s, 5m (3 attempts)");
        assert_eq!(retries(&[]), "1 attempt");
        assert_eq!(order("none", None), "none");
        assert!(order("subject", Some(3)).ends_with("for 3 tries"));
        assert_eq!(disabled("never"), "never");
    }
}
