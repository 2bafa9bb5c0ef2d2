//! What somebody should look at: why the gateway is not ready, endpoints and plugins in trouble,
//! sources that refuse much.
//!
//! Reads what the admin API says of each, and puts it into a line. Pure. Never asks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::time;
use crate::dashboard::figure;
use crate::event::Timestamp;

/// Refused requests that are older are not worth a line.
const RECENT: Duration = Duration::from_secs(10 * 60);
/// Fewer than these in that time are not either: forgers try every public address.
const REFUSED_MIN: usize = 10;
/// The gateway keeps no more of the last refused requests of a source.
const KEPT: usize = 100;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Attention {
    /// `gateway`, `source`, `endpoint` or `plugin`.
    pub(super) kind: &'static str,
    /// Which one; of the gateway, what it lacks.
    pub(super) name: String,
    pub(super) text: String,
}

impl Attention {
    fn new(kind: &'static str, name: &str, text: impl Into<String>) -> Self {
        Self { kind, name: name.to_owned(), text: text.into() }
    }
}

/// Why the gateway is not ready.
pub(super) fn of_reasons(overview: &Value) -> Vec<Attention> {
    let reasons = overview["reasons"].as_array().into_iter().flatten();
    let of = |reason: &Value| {
        let detail = reason["detail"].as_str().unwrap_or_default();
        let name = reason["name"].as_str().unwrap_or_default();
        let Some(source) = reason["source"].as_str() else {
            return Attention::new("gateway", name, detail);
        };
        let detail = detail.strip_prefix(&format!("source {source}: ")).unwrap_or(detail);
        Attention::new("source", source, detail)
    };
    reasons.map(of).collect()
}

/// What is wrong with an endpoint, unless somebody wants it so.
pub(super) fn of_endpoint(endpoint: &Value, now: Timestamp) -> Option<Attention> {
    let breaker = &endpoint["breaker"];
    let failing = time(&breaker["failing_since"]).map(|since| now.since(since));
    let failing_for = failing.map_or("fails".to_owned(), |failing| {
        format!("nothing but failures for {}", figure::span(failing))
    });
    let since = time(&endpoint["since"]).map(|since| figure::distance(now, since));
    let since = since.unwrap_or_default();
    let text = match (endpoint["state"].as_str(), endpoint["reason"].as_str()) {
        (Some("disabled"), Some("gone")) => format!("disabled {since}: it answered 410"),
        (Some("disabled"), Some("failing")) => {
            format!("disabled {since}: all attempts had failed for long")
        }
        (Some("disabled" | "paused"), _) => return None,
        _ if endpoint["locked"] == true => {
            "a secret of it does not open, so its deliveries wait".to_owned()
        }
        _ => match breaker["state"].as_str() {
            Some("open") => {
                let probe = time(&breaker["until"]).map(|until| figure::distance(now, until));
                format!("{failing_for}, breaker open, probe {}", probe.unwrap_or_default())
            }
            Some("half_open") => format!("{failing_for}, the breaker probes it"),
            // A failure or two is what retries are for.
            _ if failing.is_some_and(|failing| failing >= RECENT) => failing_for,
            _ => return None,
        },
    };
    let name = endpoint["name"].as_str().unwrap_or("-");
    let name = match endpoint["tenant"].as_str() {
        Some(tenant) => format!("{tenant}/{name}"),
        None => name.to_owned(),
    };
    Some(Attention::new("endpoint", &name, text.trim_end()))
}

/// What is wrong with a plugin.
pub(super) fn of_plugin(plugin: &Value) -> Vec<Attention> {
    let mut texts = Vec::new();
    if let Some(reason) = plugin["refused"].as_str() {
        let version = plugin["handler"].as_str().or_else(|| plugin["provider"].as_str());
        let goes_on = version.map_or_else(String::new, |it| format!("; {it} goes on"));
        texts.push(format!("the gateway refused its file: {reason}{goes_on}"));
    }
    if plugin["missing"] == true {
        let waiting = plugin["waiting"].as_u64().unwrap_or_default();
        let works = figure::counted(waiting, "work waits", "works wait");
        texts.push(format!("its file is missing: {works}"));
    }
    let stopped = plugin["stopped"].as_array().into_iter().flatten();
    texts.extend(stopped.filter_map(|reason| Some(reason.as_str()?.to_owned())));
    let name = plugin["name"].as_str().unwrap_or("-");
    texts.into_iter().map(|text| Attention::new("plugin", name, text)).collect()
}

/// The requests that a source has refused last, if they are many.
pub(super) fn of_refused(source: &str, refused: &Value, now: Timestamp) -> Option<Attention> {
    let items = refused["items"].as_array()?;
    let is_recent = |item: &&Value| time(&item["at"]).is_some_and(|at| now.since(at) < RECENT);
    let mut reasons = BTreeMap::<&str, usize>::new();
    for item in items.iter().filter(is_recent) {
        *reasons.entry(item["reason"].as_str().unwrap_or("-")).or_default() += 1;
    }
    let recent: usize = reasons.values().sum();
    let (reason, _) = reasons.into_iter().max_by_key(|(_, count)| *count)?;
    // Those before them were just as recent, as far as anybody knows.
    let least = if recent >= KEPT { "at least " } else { "" };
    let text = format!("{least}{recent} refused in 10 min, most because: {reason}");
    (recent >= REFUSED_MIN).then(|| Attention::new("source", source, text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn endpoint(changes: &Value) -> Option<String> {
        let mut endpoint = json!({
            "name": "ledger", "tenant": null, "state": "enabled", "reason": null,
            "since": "2026-11-22T17:00:00.000Z", "locked": false,
            "breaker": { "state": "closed", "until": null, "failing_since": null },
        });
        for (key, value) in changes.as_object().unwrap() {
            endpoint[key] = value.clone();
        }
        of_endpoint(&endpoint, at("2026-11-22T18:00:00.000Z")).map(|it| it.text)
    }

    #[test]
    fn an_endpoint_is_worth_a_line_unless_it_is_well_or_somebody_wants_it_so() {
        for well in [json!({}), json!({ "state": "paused", "reason": "operator" })] {
            assert_eq!(endpoint(&well), None, "{well}");
        }
        assert_eq!(endpoint(&json!({ "state": "disabled", "reason": "operator" })), None);
        let gone = endpoint(&json!({ "state": "disabled", "reason": "gone" }));
        assert_eq!(gone.as_deref(), Some("disabled 1 h ago: it answered 410"));
        let breaker = |state: &str, since: &str| {
            let until = "2026-11-22T18:00:38.000Z";
            endpoint(
                &json!({ "breaker": { "state": state, "until": until, "failing_since": since } }),
            )
        };
        let open = breaker("open", "2026-11-22T17:42:00.000Z").unwrap();
        assert_eq!(open, "nothing but failures for 18 min, breaker open, probe in 38 s");
        assert_eq!(breaker("closed", "2026-11-22T17:59:00.000Z"), None);
        assert!(breaker("closed", "2026-11-22T17:42:00.000Z").is_some());
        assert!(endpoint(&json!({ "locked": true })).unwrap().contains("does not open"));
    }

    #[test]
    fn what_keeps_requests_out_is_of_the_source_that_it_is_about_or_of_the_gateway() {
        let overview = json!({ "reasons": [
            { "name": "plugin_missing", "source": "cards", "detail": "source cards: it is gone" },
            { "name": "disk_free", "detail": "the disk is full" },
        ] });
        let expected = [
            Attention::new("source", "cards", "it is gone"),
            Attention::new("gateway", "disk_free", "the disk is full"),
        ];
        assert_eq!(of_reasons(&overview), expected);
    }

    #[test]
    fn a_plugin_whose_new_file_is_refused_says_what_goes_on() {
        let plugin = json!({
            "name": "dunning", "handler": "1.4.2", "refused": "it has another contract",
            "stopped": ["plugin dunning refuses its config"], "missing": true, "waiting": 1,
        });
        let texts: Vec<String> = of_plugin(&plugin).into_iter().map(|it| it.text).collect();
        let expected = [
            "the gateway refused its file: it has another contract; 1.4.2 goes on",
            "its file is missing: 1 work waits",
            "plugin dunning refuses its config",
        ];
        assert_eq!(texts, expected);
        let well = json!({ "name": "dunning", "refused": null, "stopped": [] });
        assert!(of_plugin(&well).is_empty());
    }

    #[test]
    fn refused_requests_are_worth_a_line_if_they_are_many_and_recent() {
        let now = at("2026-11-22T18:00:00.000Z");
        let refused = |count: usize, minute: u64| {
            let at = format!("2026-11-22T17:{minute:02}:00.000Z");
            let items: Vec<Value> = (0..count)
                .map(|number| {
                    let reason = if number % 3 == 0 { "too old" } else { "no secret matches" };
                    json!({ "at": at, "reason": reason })
                })
                .collect();
            of_refused("stripe", &json!({ "items": items }), now).map(|it| it.text)
        };
        let said = refused(12, 55).unwrap();
        assert_eq!(said, "12 refused in 10 min, most because: no secret matches");
        assert_eq!(refused(9, 55), None);
        assert_eq!(refused(12, 40), None);
        assert!(refused(100, 55).unwrap().starts_with("at least 100 "));
    }
}
