//! The form that makes an endpoint, and the same that changes one.
//!
//! Its fields are settings of the API, which says what is wrong with them. A change names only what
//! somebody has changed, and the revision that they saw. A secret that is made is shown once, on
//! the page that follows. Never keeps one, and never gives back one that somebody has written.

mod inputs;
mod settings;
mod written;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use self::inputs::{Chosen, Group, Purpose, groups};
use self::written::{Members, Written};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::notes::{MadeSecret, Note};
use crate::dashboard::page::{page, page_with};
use crate::dashboard::pages::endpoints::check_may_write;
use crate::dashboard::submitted::Fields;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, link};

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/endpoints/new", get(show_new).post(create))
        .route("/endpoints/{id}/edit", get(show_edit).post(change))
}

#[derive(Template)]
#[template(path = "endpoint-form.html")]
struct FormPage {
    frame: Frame,
    title: &'static str,
    /// The endpoint that is changed.
    of: Option<Known>,
    action: String,
    back: String,
    button: &'static str,
    groups: Vec<Group>,
    /// The revision that somebody saw; nothing for a new one.
    revision: String,
    /// Whether a new one gets a ping.
    is_pinged: bool,
    problem: Option<Failed>,
}

/// An endpoint that there is already.
struct Known {
    name: String,
    place: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Secret {
    value: Option<String>,
}

/// What somebody has written and chosen, but for secrets.
struct Draft {
    written: Written,
    chosen: Chosen,
    is_pinged: bool,
}

impl Draft {
    fn read(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        let chosen = Chosen {
            tenant: text("tenant"),
            credential: text("credential"),
            credential_name: fields.exact("credential_name").to_owned(),
            signature: text("signature"),
        };
        Self { written: Written::read(fields), chosen, is_pinged: fields.given("ping").is_some() }
    }

    fn of(endpoint: &Members) -> Self {
        let written = Written::of(endpoint);
        Self { written, chosen: Chosen::default(), is_pinged: false }
    }
}

/// What a form says of the credential; `None` if it says nothing of it. A user or a password may
/// begin or end with a blank, which nobody could see if it was gone.
fn credential(fields: &Fields) -> Option<Value> {
    let (name, value) = (fields.exact("credential_name"), fields.exact("credential_value"));
    match fields.text("credential") {
        "bearer" => Some(json!({ "bearer": value })),
        "basic" => Some(json!({ "basic": { "username": name, "password": value } })),
        "header" => Some(json!({ "header": { "name": name.trim(), "value": value } })),
        "keep" => Some("keep".into()),
        "none" => Some(Value::Null),
        _ => None,
    }
}

fn new_page(visitor: &Visitor, draft: &Draft, problem: Option<Failed>) -> FormPage {
    let purpose = Purpose::New { is_operator: visitor.is_operator() };
    FormPage {
        frame: visitor.frame(Section::Endpoints, "New endpoint"),
        title: "New endpoint",
        of: None,
        action: "/endpoints/new".to_owned(),
        back: "/endpoints".to_owned(),
        button: "Add the endpoint",
        groups: groups(purpose, (&draft.written, &draft.chosen), problem.as_ref()),
        revision: String::new(),
        is_pinged: draft.is_pinged,
        problem,
    }
}

async fn show_new(visitor: Visitor) -> Result<Response, Failed> {
    check_may_write(&visitor)?;
    let (written, chosen) = (Written::fresh(), Chosen::default());
    let draft = Draft { written, chosen, is_pinged: true };
    Ok(page(&new_page(&visitor, &draft, None)))
}

/// The body that makes an endpoint.
fn draft_body(draft: &Draft, fields: &Fields) -> Result<Value, Failed> {
    let mut body = draft.written.members()?;
    for name in ["tenant", "signature"] {
        if let Some(text) = fields.given(name) {
            body.insert(name.to_owned(), text.into());
        }
    }
    if let Some(secret) = fields.given("secret") {
        body.insert("secrets".to_owned(), json!([secret]));
    }
    if let Some(credential) = credential(fields) {
        body.insert("credential".to_owned(), credential);
    }
    Ok(body.into())
}

async fn create(submitted: Submitted) -> Response {
    let Submitted { visitor, fields } = submitted;
    let draft = Draft::read(&fields);
    let made: Result<Made, Failed> = match draft_body(&draft, &fields) {
        Ok(body) => visitor.send((Method::POST, "/v1/endpoints"), Some(&body)).await,
        Err(failed) => Err(failed),
    };
    match made {
        Ok(made) => {
            let is_own = fields.given("secret").is_some();
            made_known(&visitor, made, (is_own, draft.is_pinged)).await
        }
        Err(failed) => page_with(failed.status, &new_page(&visitor, &draft, Some(failed))),
    }
}

/// Leads to the endpoint that was made, with its secret, and has a ping sent if somebody wants one.
async fn made_known(visitor: &Visitor, made: Made, (is_own, is_pinged): (bool, bool)) -> Response {
    let Made { id, secrets } = made;
    let secret = secrets.into_iter().find_map(|secret| secret.value).filter(|_| !is_own);
    let mut said = "The endpoint is there.".to_owned();
    if secret.is_some() {
        said.push_str(" Keep its secret: it is not shown again.");
    }
    let ping = format!("{}/ping", link::below("/v1/endpoints", &id));
    let mut is_bad = false;
    if is_pinged {
        match visitor.send::<IgnoredAny>((Method::POST, &ping), None).await {
            Ok(IgnoredAny) => said.push_str(" A ping is on its way."),
            Err(failed) => {
                is_bad = true;
                said.push_str(&format!(" The ping was not sent: {}", failed.detail));
            }
        }
    }
    let secret = secret.map(|value| MadeSecret { name: "Signing secret".to_owned(), value });
    visitor.say(&link::below("/endpoints", &id), Note { said, is_bad, secret })
}

/// The form that changes an endpoint, with what somebody has written or else as it is.
fn edit_page(
    visitor: &Visitor,
    (id, endpoint): (&str, &Members),
    draft: &Draft,
    problem: Option<Failed>,
) -> FormPage {
    let place = link::below("/endpoints", id);
    let name = endpoint.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    FormPage {
        frame: visitor.frame(Section::Endpoints, format!("Edit {name}")),
        title: "Edit the endpoint",
        of: Some(Known { name, place: place.clone() }),
        action: format!("{place}/edit"),
        back: place,
        button: "Save",
        groups: groups(Purpose::Edit, (&draft.written, &draft.chosen), problem.as_ref()),
        revision: revision(endpoint).to_string(),
        is_pinged: false,
        problem,
    }
}

fn revision(endpoint: &Members) -> u64 {
    endpoint.get("revision").and_then(Value::as_u64).unwrap_or_default()
}

async fn show_edit(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    check_may_write(&visitor)?;
    let endpoint: Members = visitor.get(&link::below("/v1/endpoints", &id)).await?;
    Ok(page(&edit_page(&visitor, (&id, &endpoint), &Draft::of(&endpoint), None)))
}

/// Somebody else was faster.
fn overtaken() -> Failed {
    let detail = "Somebody has changed the endpoint since you opened it, and nothing of yours is \
                  saved. What you wrote stands below. Look at the endpoint as it is now, and save \
                  again if all of it is still right.";
    let failed = Failed::invalid(detail);
    Failed { title: "Changed meanwhile".to_owned(), kind: "changed".to_owned(), ..failed }
}

/// What a form changes of the endpoint that somebody saw.
fn patch_of(draft: &Draft, fields: &Fields, endpoint: &Members) -> Result<Members, Failed> {
    if fields.text("revision") != revision(endpoint).to_string() {
        return Err(overtaken());
    }
    let mut patch = draft.written.changes(&Written::of(endpoint))?;
    if let Some(credential) = credential(fields) {
        patch.insert("credential".to_owned(), credential);
    }
    Ok(patch)
}

async fn change(Path(id): Path<String>, submitted: Submitted) -> Result<Response, Failed> {
    let Submitted { visitor, fields } = submitted;
    let draft = Draft::read(&fields);
    let (place, path) = (link::below("/endpoints", &id), link::below("/v1/endpoints", &id));
    let endpoint: Members = visitor.get(&path).await?;
    let changed: Result<IgnoredAny, Failed> = match patch_of(&draft, &fields, &endpoint) {
        Ok(patch) if patch.is_empty() => return Ok(visitor.done(&place, "Nothing has changed.")),
        Ok(mut patch) => {
            patch.insert("revision".to_owned(), revision(&endpoint).into());
            visitor.send((Method::PATCH, &path), Some(&Value::Object(patch))).await
        }
        Err(failed) => Err(failed),
    };
    let failed = match changed {
        Ok(IgnoredAny) => return Ok(visitor.done(&place, "Saved.")),
        Err(failed) if failed.kind == "changed" => overtaken(),
        Err(failed) => failed,
    };
    // Whoever saves again has the revision that is looked at now.
    let endpoint: Members = visitor.get(&path).await?;
    let status = failed.status;
    Ok(page_with(status, &edit_page(&visitor, (&id, &endpoint), &draft, Some(failed))))
}
