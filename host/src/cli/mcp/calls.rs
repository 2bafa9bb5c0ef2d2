//! What each tool asks the gateway.
//!
//! An id or a name is read before it becomes part of a path, so that no text leads elsewhere. Never
//! decides whether a call may change something.

use anyhow::{Context, bail, ensure};
use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::answer::{hide_credentials, story};
use super::arguments::{
    DeadLetters, Delivery, Endpoints, Events, Failures, Preview, Replay, Show, ShowEndpoint, Start,
    Status, Work,
};
use super::failures::explained;
use crate::cli::at::At;
use crate::cli::endpoint::Called;
use crate::cli::event;
use crate::cli::http;
use crate::cli::status;
use crate::ids::{Id, IdKind};

/// Rows of a page, where the call does not say how many.
const PAGE: u64 = 20;
/// Rows of the longest page.
const PAGE_MAX: u64 = 100;

/// A call of a tool, by the tool's name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Call {
    GetStatus(Status),
    ExplainFailures(Failures),
    SearchEvents(Events),
    ShowEvent(Show),
    ListDeadLetters(DeadLetters),
    ListEndpoints(Endpoints),
    ShowEndpoint(ShowEndpoint),
    PreviewReplay(Preview),
    StartReplay(Start),
    CancelReplay(Replay),
    RetryDelivery(Delivery),
    DiscardDelivery(Delivery),
}

impl Call {
    /// Reads the arguments of a tool.
    pub(super) fn read(tool: &str, arguments: Option<JsonObject>) -> anyhow::Result<Self> {
        let arguments = Value::Object(arguments.unwrap_or_default());
        let call: Map<String, Value> = [(tool.to_owned(), arguments)].into_iter().collect();
        serde_json::from_value(Value::Object(call))
            .with_context(|| format!("the arguments of `{tool}` can't be read"))
    }

    /// Asks the gateway, and gives what it answered.
    pub(super) async fn run(self, at: &At) -> anyhow::Result<Value> {
        match self {
            Self::GetStatus(Status { span }) => {
                let span = span.as_deref().unwrap_or("hour");
                let mut overview = status::overview(at, span).await?;
                if let Some(members) = overview.as_object_mut() {
                    // The points of a chart, which nobody draws here.
                    members.remove("points");
                }
                Ok(overview)
            }
            Self::ExplainFailures(failures) => explained(at, failures).await,
            Self::SearchEvents(events) => get(at, page(at, "/v1/events", &events)?).await,
            Self::ShowEvent(Show { id, with_data }) => {
                let id = id.parse::<Id>()?;
                let answer = at.get(&at.url(&event::path(&id.to_string()))?).await?;
                story(http::ok(&answer)?, with_data)
            }
            Self::ListDeadLetters(letters) => get(at, page(at, "/v1/dead", &letters)?).await,
            Self::ListEndpoints(endpoints) => {
                let mut list = get(at, page(at, "/v1/endpoints", &endpoints)?).await?;
                list["items"].as_array_mut().into_iter().flatten().for_each(hide_credentials);
                Ok(list)
            }
            Self::ShowEndpoint(ShowEndpoint { endpoint }) => show_endpoint(at, &endpoint).await,
            Self::PreviewReplay(Preview { filter }) => {
                preview(at, &members(at, filter).await?).await
            }
            Self::StartReplay(start) => start_replay(at, start).await,
            Self::CancelReplay(Replay { id }) => {
                let id = id_of(IdKind::Replay, &id)?;
                post(at, &format!("/v1/replays/{id}/cancel")).await
            }
            Self::RetryDelivery(Delivery { id }) => {
                let id = id_of(IdKind::Delivery, &id)?;
                post(at, &format!("/v1/deliveries/{id}/retry")).await
            }
            Self::DiscardDelivery(Delivery { id }) => {
                let id = id_of(IdKind::Delivery, &id)?;
                post(at, &format!("/v1/deliveries/{id}/discard")).await
            }
        }
    }
}

/// The id, if it is one of this kind.
fn id_of(kind: IdKind, text: &str) -> anyhow::Result<Id> {
    let id = text.parse::<Id>()?;
    ensure!(id.kind == kind, "`{id}` is the id of something else");
    Ok(id)
}

/// The members of a filter that are given, as the gateway reads them.
fn given(filter: &impl Serialize) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(mut members) = serde_json::to_value(filter)? else {
        bail!("a filter has members");
    };
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

/// Where a page of a list is.
fn page(at: &At, path: &str, filter: &impl Serialize) -> anyhow::Result<Url> {
    let mut members = given(filter)?;
    let limit = members.remove("limit").and_then(|limit| limit.as_u64()).unwrap_or(PAGE);
    ensure!((1..=PAGE_MAX).contains(&limit), "`limit` must be a number from 1 to {PAGE_MAX}");
    let mut url = at.url(path)?;
    url.query_pairs_mut()
        .append_pair("limit", &limit.to_string())
        .extend_pairs(members.iter().filter_map(|(name, value)| Some((name, value.as_str()?))));
    Ok(url)
}

/// What the gateway has there.
async fn get(at: &At, url: Url) -> anyhow::Result<Value> {
    http::json(&at.get(&url).await?)
}

/// What the gateway answers to a request that says nothing more.
async fn post(at: &At, path: &str) -> anyhow::Result<Value> {
    let answer = at.post(path, &json!({})).await?;
    story(http::ok(&answer)?, false)
}

/// An endpoint, and how its attempts of late went.
async fn show_endpoint(at: &At, called: &str) -> anyhow::Result<Value> {
    let called = called.parse::<Called>().map_err(anyhow::Error::msg)?;
    let mut endpoint = called.find(at).await?;
    hide_credentials(&mut endpoint);
    let id = endpoint["id"].as_str().context("the answer of the gateway has no id")?;
    let stats = get(at, at.url(&format!("/v1/endpoints/{id}/stats"))?).await?;
    Ok(json!({ "endpoint": endpoint, "attempts": stats["total"] }))
}

/// The filter of a replay as the body of the request has it.
async fn members(at: &At, filter: Work) -> anyhow::Result<Map<String, Value>> {
    let mut members = given(&filter)?;
    ensure!(!members.is_empty(), "say what to replay by a filter, such as {{\"state\": \"dead\"}}");
    if let Some(endpoint) = filter.endpoint {
        let called = endpoint.parse::<Called>().map_err(anyhow::Error::msg)?;
        members.insert("endpoint".to_owned(), called.id(at).await?.into());
    }
    Ok(members)
}

/// What a replay would come to.
async fn preview(at: &At, filter: &Map<String, Value>) -> anyhow::Result<Value> {
    let body = json!({ "filter": filter, "preview": true });
    http::json(&at.post("/v1/replays", &body).await?)
}

/// Begins a replay that is not larger than the assistant, and whoever it asked, believes.
async fn start_replay(at: &At, start: Start) -> anyhow::Result<Value> {
    let Start { filter, at_most, rate } = start;
    let filter = members(at, filter).await?;
    let found = preview(at, &filter).await?;
    let matches = found["matches"].as_u64().context("the answer of the gateway has no number")?;
    let least = if found["at_least"] == true { "at least " } else { "" };
    ensure!(
        matches <= at_most && least.is_empty(),
        "{least}{matches} works match, and `at_most` is {at_most}: nothing was done. Narrow the \
         filter, or ask the person whether all of it is meant"
    );
    let mut body = json!({ "filter": filter, "preview": false });
    if let Some(rate) = rate {
        body["rate"] = rate.into();
    }
    http::json(&at.post("/v1/replays", &body).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::mcp::tools;

    /// Guards that the table and the calls are about the same tools.
    #[test]
    fn every_tool_can_be_called_by_its_name() {
        let of = |required: &str| match required {
            "filter" => json!({ "state": "dead" }),
            "at_most" => json!(1),
            _ => json!("text"),
        };
        for tool in &tools::ALL {
            let shape = tool.shown().unwrap().schema_as_json_value();
            let required = shape["required"].as_array().into_iter().flatten();
            let names = required.filter_map(Value::as_str);
            let arguments = names.map(|name| (name.to_owned(), of(name))).collect();
            Call::read(tool.name, Some(arguments)).unwrap();
        }
    }

    #[test]
    fn what_a_tool_does_not_know_is_refused_by_its_name() {
        let arguments = json!({ "typ": "payment.failed" });
        let read = Call::read("search_events", arguments.as_object().cloned());
        let error = crate::causes::chain(read.unwrap_err().as_ref());
        assert!(error.contains("unknown field `typ`, expected one of `source`, `type`"), "{error}");
        assert!(id_of(IdKind::Delivery, "dlv_/../../tokens").is_err());
        assert!(id_of(IdKind::Delivery, "evt_000000000001000000").is_err());
    }
}
