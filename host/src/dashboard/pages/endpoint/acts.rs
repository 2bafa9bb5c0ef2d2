//! What may be done with an endpoint: each is one operation of the API.
//!
//! What ends deliveries says before how many, on a page of its own. Never offers what the API would
//! refuse.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::deliveries;
use super::known::Endpoint;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::page::page;
use crate::dashboard::pages::endpoints::check_may_write;
use crate::dashboard::{Failed, Submitted, Visitor, link};

/// A button on the page of an endpoint.
pub(super) struct Act {
    pub(super) label: &'static str,
    pub(super) path: String,
    /// Of the button: `danger` or nothing.
    pub(super) class: &'static str,
    /// Whether it is a page that asks for more, and not the act itself.
    pub(super) is_page: bool,
}

/// What may be done with an endpoint that stands so.
pub(super) fn acts(endpoint: &Endpoint) -> Vec<Act> {
    let place = link::below("/endpoints", &endpoint.id);
    let act = |label, verb, class, is_page| Act {
        label,
        path: format!("{place}/{verb}"),
        class,
        is_page,
    };
    let mut acts = vec![act("Ping", "ping", "", false)];
    match &*endpoint.state {
        "paused" => acts.push(act("Resume", "resume", "", false)),
        "disabled" => acts.push(act("Enable", "enable", "", false)),
        _ => acts.push(act("Pause", "pause", "", false)),
    }
    if endpoint.is_of_api() {
        acts.push(act("Edit", "edit", "", true));
        acts.push(act("Rotate the secret", "rotate", "", true));
    }
    if endpoint.state != "disabled" {
        acts.push(act("Disable…", "disable", "danger", true));
    }
    if endpoint.is_of_api() {
        acts.push(act("Delete…", "delete", "danger", true));
    }
    acts
}

#[derive(Template)]
#[template(path = "endpoint-confirm.html")]
struct ConfirmPage {
    frame: Frame,
    name: String,
    place: String,
    action: String,
    /// The button, and the title.
    label: &'static str,
    /// What the act touches.
    waiting: String,
    /// What becomes of the endpoint, and whether there is a way back.
    said: &'static str,
}

/// The page that says what an act would touch.
async fn confirm(
    visitor: &Visitor,
    id: &str,
    (label, verb, said): (&'static str, &str, &'static str),
) -> Result<Response, Failed> {
    check_may_write(visitor)?;
    let endpoint: Endpoint = visitor.get(&link::below("/v1/endpoints", id)).await?;
    let waiting = deliveries::waiting(visitor, id).await?;
    let place = link::below("/endpoints", id);
    Ok(page(&ConfirmPage {
        frame: visitor.frame(Section::Endpoints, format!("{label}: {}", endpoint.name)),
        name: endpoint.name,
        action: format!("{place}/{verb}"),
        place,
        label,
        waiting: match waiting {
            waiting if waiting.is_none() => "No delivery waits for it now.".to_owned(),
            waiting if waiting.is_one() => {
                "1 delivery waits for it now, and becomes a dead letter.".to_owned()
            }
            waiting => format!("{} wait for it now, and become dead letters.", waiting.said()),
        },
        said,
    }))
}

pub(super) async fn confirm_disable(
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let said = "New deliveries to it become dead letters too, until somebody enables it. Dead \
                letters can be replayed. To have deliveries wait instead, pause it.";
    confirm(&visitor, &id, ("Disable the endpoint", "disable", said)).await
}

pub(super) async fn confirm_delete(
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let said = "Its settings and secrets go, and there is no way back. To have deliveries wait \
                instead, pause it.";
    confirm(&visitor, &id, ("Delete the endpoint", "delete", said)).await
}

/// Has the API do something with an endpoint, and leads back to its page.
async fn act(submitted: Submitted, id: &str, verb: &str, said: &str) -> Response {
    let visitor = submitted.visitor;
    let place = link::below("/endpoints", id);
    let path = format!("{}/{verb}", link::below("/v1/endpoints", id));
    match visitor.send::<IgnoredAny>((Method::POST, &path), None).await {
        Ok(IgnoredAny) => visitor.done(&place, said),
        Err(failed) => visitor.failed(&place, &failed),
    }
}

pub(super) async fn pause(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(submitted, &id, "pause", "Paused. Its deliveries wait.").await
}

pub(super) async fn resume(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(submitted, &id, "resume", "Resumed. Its deliveries go out again.").await
}

pub(super) async fn enable(Path(id): Path<String>, submitted: Submitted) -> Response {
    let said =
        "Enabled. New deliveries go out again; dead letters stay dead until you replay them.";
    act(submitted, &id, "enable", said).await
}

pub(super) async fn disable(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(submitted, &id, "disable", "Disabled. What waited is dead letters now.").await
}

pub(super) async fn delete(Path(id): Path<String>, submitted: Submitted) -> Response {
    let visitor = submitted.visitor;
    let path = link::below("/v1/endpoints", &id);
    match visitor.send::<IgnoredAny>((Method::DELETE, &path), None).await {
        Ok(IgnoredAny) => visitor.done("/endpoints", "The endpoint is deleted."),
        Err(failed) => visitor.failed(&link::below("/endpoints", &id), &failed),
    }
}

/// The event that a ping is.
#[derive(Deserialize)]
struct Pinged {
    event: String,
}

pub(super) async fn ping(Path(id): Path<String>, submitted: Submitted) -> Response {
    let visitor = submitted.visitor;
    let path = format!("{}/ping", link::below("/v1/endpoints", &id));
    match visitor.send::<Pinged>((Method::POST, &path), None).await {
        Ok(Pinged { event }) => {
            visitor.done(&link::below("/events", &event), "The ping is on its way.")
        }
        Err(failed) => visitor.failed(&link::below("/endpoints", &id), &failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(state: &str, origin: &str) -> Vec<&'static str> {
        let now = crate::event::Timestamp(0);
        let shown = serde_json::json!({
            "id": "ep_1", "name": "crm", "url": "https://crm.example/", "origin": origin,
            "state": state, "since": now, "locked": false, "events": [],
            "breaker": { "state": "closed", "until": null, "failing_since": null },
            "created_at": now, "updated_at": now,
        });
        let endpoint: Endpoint = serde_json::from_str(&shown.to_string()).unwrap();
        acts(&endpoint).into_iter().map(|act| act.label).collect()
    }

    /// Guards [`Endpoint::is_of_api`]: the API refuses to change one of the configuration.
    #[test]
    fn only_what_the_api_would_do_is_offered() {
        let all = ["Ping", "Pause", "Edit", "Rotate the secret", "Disable…", "Delete…"];
        assert_eq!(offered("enabled", "api"), all);
        assert_eq!(offered("enabled", "file"), ["Ping", "Pause", "Disable…"]);
        assert_eq!(offered("disabled", "file"), ["Ping", "Enable"]);
        assert_eq!(offered("paused", "file"), ["Ping", "Resume", "Disable…"]);
    }
}
