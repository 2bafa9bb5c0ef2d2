//! An operation of the API as its row in the table of routes says it: who may ask, what for, and
//! what is answered.
//!
//! Values. The router and the OpenAPI document are both made from these, so that neither can say
//! what the other does not. Never answers anything itself.

use std::sync::Arc;

use axum::routing::MethodRouter;
use serde_json::{Value, json};

use super::Admin;
use super::problem::Kind;
use super::schema::Schemas;
use crate::token::Scope;

/// One method of one path.
pub(super) struct Operation {
    pub(super) verb: Verb,
    /// With the names of its parameters: `/v1/events/{id}`.
    pub(super) path: &'static str,
    /// What programs that are made from the document call it.
    pub(super) id: &'static str,
    /// What it does, in a sentence.
    pub(super) summary: &'static str,
    /// What a request for it needs.
    pub(super) need: Need,
    /// What it is to a token with a tenant: whoever adds an operation has to say it.
    pub(super) tenants: Tenants,
    /// Whether it waits for its turn, and is refused while too many are being answered.
    pub(super) turn: Turn,
    /// Every parameter that it has: one that is not here is refused.
    pub(super) parameters: &'static [Parameter],
    /// What it takes, if it takes anything.
    pub(super) body: Option<Body>,
    /// What it answers if nothing is wrong.
    pub(super) answers: &'static [Answer],
    /// What may be wrong, beside what may be wrong with any request.
    pub(super) problems: &'static [Kind],
    /// Who answers it.
    pub(super) handler: fn() -> MethodRouter<Arc<Admin>>,
}

/// The method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Also answers HEAD.
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    /// As the document writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: a probe has no token.
    Nothing,
    /// The scope `read`, unless the metrics are configured open.
    Metrics,
    /// A token with this scope, once the port asks for one.
    Scope(Scope),
}

/// What an operation is to a token with a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tenants {
    /// The operator's: the gate refuses it.
    Operator,
    /// It answers with what is the tenant's own: its handler takes a `Reach`, and keeps to it.
    Own,
    /// It shows nothing that is anybody's.
    Open,
}

impl Tenants {
    /// As the document writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Own => "own",
            Self::Open => "open",
        }
    }
}

/// Whether an operation waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has half of the port's connections, together with all others that do.
    Shared,
    /// It is always answered at once.
    Always,
}

/// A parameter of an operation.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// What it does, in a sentence.
    pub(super) said: &'static str,
    pub(super) schema: fn(&mut Schemas) -> Value,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    /// As the document writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// The content type of the JSON that operations take.
pub(super) const JSON: &str = "application/json";
/// That of a file: a page of another site has to ask before it may send one, as with JSON.
pub(super) const FILE: &str = "application/octet-stream";

/// What an operation takes.
pub(super) struct Body {
    pub(super) is_required: bool,
    /// [`JSON`] or [`FILE`].
    pub(super) content_type: &'static str,
    pub(super) schema: fn(&mut Schemas) -> Value,
}

impl Body {
    /// JSON, which must be there.
    pub(super) const fn json(schema: fn(&mut Schemas) -> Value) -> Self {
        Self { is_required: true, content_type: JSON, schema }
    }

    /// JSON, which may be left out.
    pub(super) const fn maybe(schema: fn(&mut Schemas) -> Value) -> Self {
        Self { is_required: false, content_type: JSON, schema }
    }

    /// The bytes of a file, which must be there. Its path has no parameter in it.
    pub(super) const fn file() -> Self {
        Self { is_required: true, content_type: FILE, schema: bytes }
    }
}

fn bytes(_: &mut Schemas) -> Value {
    json!({ "type": "string", "format": "binary" })
}

/// What an operation answers.
pub(super) struct Answer {
    pub(super) status: u16,
    /// What it is, in a sentence.
    pub(super) said: &'static str,
    pub(super) content: Content,
}

/// What an answer holds.
pub(super) enum Content {
    Json(fn(&mut Schemas) -> Value),
    /// Of this content type.
    Text(&'static str),
}

impl Operation {
    /// The parameters of its query string.
    pub(super) fn query(&self) -> impl Iterator<Item = &'static str> + Clone {
        let in_query = self.parameters.iter().filter(|it| it.place == Place::Query);
        in_query.map(|parameter| parameter.name)
    }
}

impl Parameter {
    /// One of the query string.
    pub(super) const fn query(
        name: &'static str,
        said: &'static str,
        schema: fn(&mut Schemas) -> Value,
    ) -> Self {
        Self { name, place: Place::Query, said, schema }
    }

    /// A header.
    pub(super) const fn header(
        name: &'static str,
        said: &'static str,
        schema: fn(&mut Schemas) -> Value,
    ) -> Self {
        Self { name, place: Place::Header, said, schema }
    }

    /// One of the path.
    pub(super) const fn path(
        name: &'static str,
        said: &'static str,
        schema: fn(&mut Schemas) -> Value,
    ) -> Self {
        Self { name, place: Place::Path, said, schema }
    }
}

impl Answer {
    /// 200 with JSON.
    pub(super) const fn ok(said: &'static str, schema: fn(&mut Schemas) -> Value) -> Self {
        Self { status: 200, said, content: Content::Json(schema) }
    }

    /// 200 with a text of this content type.
    pub(super) const fn text(said: &'static str, content_type: &'static str) -> Self {
        Self { status: 200, said, content: Content::Text(content_type) }
    }
}
