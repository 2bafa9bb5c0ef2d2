//! A replay of many dead letters: which, what it would come to, and then its beginning.
//!
//! The filter stands in the address, so that what somebody begins is what somebody has seen. The
//! API previews and begins. Never replays what is not dead.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::choices::{self, Choice, kind_said};
use super::endpoints::Endpoints;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page_with;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, chart, figure, link};

/// What dead letters are chosen by: fields of the form, and of the filter of the API.
const FILTERS: [&str; 9] =
    ["kind", "reason", "endpoint", "source", "type", "subject", "tenant", "after", "before"];
const HERE: &str = "/dead/replay";

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route(HERE, get(show)).route("/dead/replay/begin", post(begin))
}

/// The page of this for the letters that a list's filters match; none if the API has no such
/// filter: it knows runs by their events, and not by their handlers.
pub(super) fn place(filters: &[(&str, &str)]) -> Option<String> {
    let name = match (value(filters, "kind"), value(filters, "name")) {
        (_, "") => ("endpoint", ""),
        ("delivery", name) => ("endpoint", name),
        ("parse", name) => ("source", name),
        _ => return None,
    };
    let rest = ["kind", "reason", "tenant"].map(|it| (it, value(filters, it)));
    Some(link::with_query(HERE, rest.into_iter().chain([name])))
}

fn value<'f>(filters: &[(&'f str, &'f str)], name: &str) -> &'f str {
    filters.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| *value)
}

/// The filter of the API.
fn filter(filters: &[(&str, &str)]) -> Value {
    let all = filters.iter().copied().chain([("state", "dead")]);
    let all = all.map(|(name, value)| (name.to_owned(), Value::from(value)));
    Value::Object(all.collect::<Map<String, Value>>())
}

#[derive(Deserialize)]
struct Preview {
    matches: u64,
    at_least: bool,
    by_endpoint: Vec<EndpointMatches>,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct EndpointMatches {
    endpoint: String,
    matches: u64,
}

#[derive(Deserialize)]
struct Sample {
    id: String,
    kind: String,
    event: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    id: String,
    name: String,
}

/// A field of the form that is written into.
struct Written {
    name: &'static str,
    label: &'static str,
    value: String,
}

/// An endpoint to choose.
struct Own {
    id: String,
    name: String,
    is_chosen: bool,
}

/// A part of the filter that goes with the form which begins.
struct Kept {
    name: String,
    value: String,
}

struct EndpointRow {
    endpoint: Markup,
    meter: Markup,
    matches: String,
}

struct SampleRow {
    what: Markup,
    kind: &'static str,
}

/// What it would come to.
struct Previewed {
    said: String,
    is_empty: bool,
    endpoints: Vec<EndpointRow>,
    samples: Vec<SampleRow>,
}

#[derive(Template)]
#[template(path = "dead-replay.html")]
struct ReplayPage {
    frame: Frame,
    is_operator: bool,
    kinds: Vec<Choice>,
    reasons: Vec<Choice>,
    written: Vec<Written>,
    /// Of a tenant: the endpoints of which one has to be chosen.
    own: Vec<Own>,
    kept: Vec<Kept>,
    rate: String,
    preview: Option<Previewed>,
    problem: Option<Failed>,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    let asked = &visitor.asked;
    let filters = asked.pick(&FILTERS);
    let is_operator = visitor.is_operator();
    let own = if is_operator { Vec::new() } else { own(&visitor, asked.text("endpoint")).await? };
    // A tenant names an endpoint first.
    let is_ready = is_operator || !asked.text("endpoint").is_empty();
    let previewed = if is_ready { Some(preview(&visitor, &filters).await) } else { None };
    let (preview, problem) = match previewed {
        Some(Ok(preview)) => (Some(preview), None),
        Some(Err(failed)) => (None, Some(failed)),
        None => (None, None),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, |it| it.status);
    let kept = |(name, value): &(&str, &str)| Kept {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    Ok(page_with(
        status,
        &ReplayPage {
            frame: visitor.frame(Section::Dead, "Replay dead letters"),
            is_operator,
            kinds: choices::kinds(asked.text("kind")),
            reasons: choices::reasons(asked.text("reason")),
            written: written(&visitor),
            own,
            kept: filters.iter().map(kept).collect(),
            rate: asked.text("rate").to_owned(),
            preview,
            problem,
        },
    ))
}

/// The fields that are written into. A tenant chooses its endpoint, and its kind of work is known.
fn written(visitor: &Visitor) -> Vec<Written> {
    let operators = [
        ("endpoint", "Endpoint (id or name)"),
        ("source", "Source of the event"),
        ("tenant", "Tenant"),
    ];
    let all = [
        ("type", "Event type"),
        ("subject", "Subject"),
        ("after", "Events after"),
        ("before", "Events before"),
    ];
    let operators = operators.into_iter().filter(|_| visitor.is_operator());
    let field = |(name, label): (&'static str, &'static str)| Written {
        name,
        label,
        value: visitor.asked.text(name).to_owned(),
    };
    operators.chain(all).map(field).collect()
}

/// The endpoints of a tenant, the first of them.
async fn own(visitor: &Visitor, chosen: &str) -> Result<Vec<Own>, Failed> {
    let Listed { items } = visitor.get("/v1/endpoints?limit=200").await?;
    let own = |Endpoint { id, name }| {
        // Letters name it in another form.
        let is_chosen = id == chosen || id.replacen('_', "-", 1) == chosen;
        Own { id, name, is_chosen }
    };
    Ok(items.into_iter().map(own).collect())
}

async fn preview(visitor: &Visitor, filters: &[(&str, &str)]) -> Result<Previewed, Failed> {
    let body = json!({ "filter": filter(filters), "preview": true });
    let preview: Preview = visitor.send((Method::POST, "/v1/replays"), Some(&body)).await?;
    let Preview { matches, at_least, by_endpoint, samples } = preview;
    let keys: Vec<&str> = by_endpoint.iter().map(|it| it.endpoint.as_str()).collect();
    let endpoints = Endpoints::named(visitor, &keys).await;
    let row = |it: &EndpointMatches| EndpointRow {
        endpoint: endpoints.link(&it.endpoint),
        meter: chart::meter(it.matches as f64, matches as f64, Mood::Info),
        matches: figure::number(it.matches),
    };
    let sample = |it: &Sample| SampleRow {
        what: match &it.event {
            Some(event) => markup::code_link(&link::below("/events", event), &it.id),
            None => markup::long(&it.id, 64),
        },
        kind: kind_said(&it.kind),
    };
    let many = figure::counted(matches, "dead letter", "dead letters");
    Ok(Previewed {
        said: if at_least { format!("at least {many}") } else { many },
        is_empty: matches == 0 && !at_least,
        endpoints: by_endpoint.iter().map(row).collect(),
        samples: samples.iter().map(sample).collect(),
    })
}

#[derive(Deserialize)]
struct Begun {
    id: String,
}

/// Begins it, and leads to where it says how far it is.
async fn begin(submitted: Submitted) -> Response {
    let Submitted { visitor, fields } = submitted;
    let filters = FILTERS.map(|name| (name, fields.text(name)));
    let filters: Vec<_> = filters.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let mut body = json!({ "filter": filter(&filters) });
    let rate = fields.text("rate");
    let back = link::with_query(HERE, filters.iter().copied().chain([("rate", rate)]));
    if !rate.is_empty() {
        let Ok(rate) = rate.parse::<u32>() else {
            let wrong = "The rate must be a whole number of works a second.";
            return visitor.failed(&back, &Failed::invalid(wrong));
        };
        body["rate"] = rate.into();
    }
    match visitor.send::<Begun>((Method::POST, "/v1/replays"), Some(&body)).await {
        Ok(Begun { id }) => {
            let said = "The replay has begun. It goes on by itself, also if you leave this page.";
            visitor.done(&link::below("/replays", &id), said)
        }
        Err(failed) => visitor.failed(&back, &failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_what_the_api_filters_by_or_leads_nowhere() {
        let delivery = [("kind", "delivery"), ("name", "crm"), ("reason", "endpoint_tls")];
        let expected = "/dead/replay?kind=delivery&reason=endpoint_tls&endpoint=crm";
        assert_eq!(place(&delivery).as_deref(), Some(expected));
        let parse = place(&[("kind", "parse"), ("name", "stripe")]);
        assert_eq!(parse.as_deref(), Some("/dead/replay?kind=parse&source=stripe"));
        assert_eq!(place(&[("kind", "run"), ("name", "dunning")]), None);
        assert_eq!(place(&[("name", "crm")]), None, "a source, a handler or an endpoint");
        assert_eq!(place(&[]).as_deref(), Some("/dead/replay"));
    }

    /// Guards that what is not dead stays as it is.
    #[test]
    fn a_filter_is_for_the_dead_alone() {
        assert_eq!(filter(&[]), json!({ "state": "dead" }));
        let expected = json!({ "kind": "run", "state": "dead" });
        assert_eq!(filter(&[("kind", "run")]), expected);
    }
}
