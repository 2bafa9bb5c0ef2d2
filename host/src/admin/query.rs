//! What operators write into a query string, checked.
//!
//! Every parameter that is not known or can't be read is refused by name, so that a misspelt filter
//! never selects everything. Which an operation has is in its row of the table; never looks at a
//! body.

mod streamed;

use std::num::NonZeroU64;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;

pub(super) use self::streamed::{AttemptsQuery, DATA, REPLAYS, StreamQuery, TYPES_OF};
use super::operation::Parameter;
use super::path;
use super::problem::{Kind, Problem};
use super::schema::{self, Schemas};
use crate::directory::EndpointFilter;
use crate::endpoint::Status;
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::{Id, IdKind, InvalidName, Name};
use crate::route::Pattern;
use crate::store::{
    AuditFilter, Cursor, DeadFilter, DeliveryFilter, EventFilter, Page, ReceiptFilter, State,
    WorkKind,
};
use crate::tenant::Tenant;
use crate::traffic::Span;

const STATUSES: [Status; 3] = [Status::Enabled, Status::Paused, Status::Disabled];

const TYPES: &str = "an event type such as payment.failed or payment.*";

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

pub(super) const SOURCE: Parameter = Parameter::query(
    "source",
    "Only what came in by this source, or what this handler emitted.",
    Schemas::of::<Name>,
);
pub(super) const TYPE: Parameter = Parameter::query(
    "type",
    "Only events of this type, such as payment.failed, or of all types below a prefix: payment.*",
    Schemas::of::<Pattern>,
);
pub(super) const SUBJECT: Parameter =
    Parameter::query("subject", "Only events about exactly this subject.", Schemas::of::<String>);
pub(super) const TENANT: Parameter =
    Parameter::query("tenant", "Only what is about events of this tenant.", Schemas::of::<Tenant>);
pub(super) const STATE: Parameter =
    Parameter::query("state", "Only what stands so.", Schemas::of::<State>);
pub(super) const AFTER: Parameter =
    Parameter::query("after", "Only what came at this time or later.", Schemas::of::<Timestamp>);
pub(super) const BEFORE: Parameter =
    Parameter::query("before", "Only what came before this time.", Schemas::of::<Timestamp>);
pub(super) const KIND: Parameter =
    Parameter::query("kind", "Only dead letters of this kind of work.", Schemas::of::<WorkKind>);
pub(super) const NAME: Parameter = Parameter::query(
    "name",
    "Only dead letters of this source, handler or endpoint.",
    Schemas::of::<Name>,
);
pub(super) const REASON: Parameter =
    Parameter::query("reason", "Only dead letters with this reason.", Schemas::of::<Reason>);
pub(super) const REASON_OF: Parameter =
    Parameter::query("reason", "Only dead deliveries with this reason.", Schemas::of::<Reason>);
pub(super) const ENDPOINT: Parameter = Parameter::query(
    "endpoint",
    "Only deliveries to this endpoint: its id, or the name of one of the configuration.",
    endpoints,
);
pub(super) const CURSOR: Parameter = Parameter::query(
    "cursor",
    "The `next` of the previous page of the list with the same filters.",
    Schemas::of::<Cursor>,
);
pub(super) const LIMIT: Parameter = Parameter::query(
    "limit",
    "Most items of the page; a page may have fewer and still not be the last.",
    limits,
);

pub(super) const TENANT_OF: Parameter =
    Parameter::query("tenant", "Only endpoints of this tenant.", Schemas::of::<Tenant>);
pub(super) const NAME_OF: Parameter =
    Parameter::query("name", "Only endpoints of this name.", Schemas::of::<Name>);
pub(super) const STANDS: Parameter =
    Parameter::query("state", "Only endpoints that stand so.", standings);
pub(super) const BEHIND_ENDPOINT: Parameter =
    Parameter::query("cursor", "The `next` of the previous page.", path::endpoint_id);

pub(super) const ORDER: Parameter =
    Parameter::query("order", "Which come first: the newest, or the oldest.", orders);
pub(super) const BEHIND: Parameter =
    Parameter::query("cursor", "The `next` of the previous page in the same order.", numbers);

pub(super) const SPAN: Parameter =
    Parameter::query("span", "How far back the figures go, and in which steps.", spans);

fn spans(_: &mut Schemas) -> serde_json::Value {
    schema::one_of(&Span::ALL.map(Span::as_str))
}

fn endpoints(_: &mut Schemas) -> serde_json::Value {
    let names = "[a-z0-9][a-z0-9-]{0,62}";
    schema::text(&format!("^(ep_[0-9a-hjkmnp-tv-z]{{18}}|{names})$"), "An id or a name.")
}

fn orders(_: &mut Schemas) -> serde_json::Value {
    schema::one_of(&["newest", "oldest"])
}

fn standings(_: &mut Schemas) -> serde_json::Value {
    schema::one_of(&STATUSES.map(Status::as_str))
}

fn numbers(_: &mut Schemas) -> serde_json::Value {
    schema::text("^[0-9]{1,20}$", "The number of an entry.")
}

fn limits(_: &mut Schemas) -> serde_json::Value {
    schema::number(1, LIMIT_MAX, LIMIT_DEFAULT)
}

/// A parameter that can't be what it is.
fn wrong(name: &str, detail: impl Into<String>) -> Problem {
    Problem::new(Kind::InvalidParameter, detail).with("parameter", name)
}

/// Checks that a query string has only parameters of these names, and each of them once.
pub(super) fn check<'n>(
    uri: &Uri,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Result<(), Problem> {
    let Pairs(pairs) = Pairs::of(uri)?;
    for (number, (name, _)) in pairs.iter().enumerate() {
        if !known.clone().any(|known| known == name) {
            return Err(unknown(name, known));
        }
        if pairs[..number].iter().any(|(other, _)| other == name) {
            return Err(wrong(name, format!("`{name}` appears twice")));
        }
    }
    Ok(())
}

fn unknown<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Problem {
    let known: Vec<&str> = known.collect();
    let said = match known[..] {
        [] => "the path has no parameters".to_owned(),
        _ => format!("its parameters are `{}`", known.join("`, `")),
    };
    let detail = format!("`{name}` is not a parameter of this path; {said}");
    Problem::new(Kind::UnknownParameter, detail).with("parameter", name)
}

/// The parameters of a query string.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn of(uri: &Uri) -> Result<Self, Problem> {
        let detail = "the query string is not made of names and values";
        let malformed = |_| Problem::new(Kind::MalformedQuery, detail);
        Query::try_from_uri(uri).map(|Query(pairs)| Self(pairs)).map_err(malformed)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, which must be such a thing.
    fn value<T: FromStr>(&self, name: &str, thing: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |_| wrong(name, format!("`{name}` must be {thing}, not `{text}`"));
        text.parse().map(Some).map_err(wrong)
    }

    fn page(&self) -> Result<Page, Problem> {
        let cursor = self.value("cursor", "the `next` of the previous page")?;
        Ok(Page { cursor, limit: self.limit()? })
    }

    fn limit(&self) -> Result<usize, Problem> {
        let thing = format!("a number from 1 to {LIMIT_MAX}");
        let limit = self.value("limit", &thing)?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(wrong("limit", format!("`limit` must be {thing}, not `{limit}`")));
        }
        Ok(limit)
    }

    fn filter(&self) -> Result<EventFilter, Problem> {
        Ok(EventFilter {
            source: self.name("source")?,
            event_type: self.value("type", TYPES)?,
            subject: self.text("subject").map(str::to_owned),
            state: self.state()?,
            counted: None,
            after: self.time("after")?,
            before: self.time("before")?,
            tenant: self.tenant()?,
        })
    }

    fn receipts(&self) -> Result<ReceiptFilter, Problem> {
        Ok(ReceiptFilter {
            source: self.name("source")?,
            state: self.state()?,
            after: self.time("after")?,
            before: self.time("before")?,
        })
    }

    fn dead(&self) -> Result<DeadFilter, Problem> {
        let reasons = Reason::ALL.map(Reason::as_str).join(", ");
        Ok(DeadFilter {
            kind: self.value("kind", "parse, run or delivery")?,
            name: self.name("name")?,
            among: None,
            reason: self.value("reason", &format!("one of {reasons}"))?,
            tenant: self.tenant()?,
        })
    }

    fn deliveries(&self) -> Result<DeliveryFilter, Problem> {
        let reasons = Reason::ALL.map(Reason::as_str).join(", ");
        Ok(DeliveryFilter {
            endpoint: None,
            among: None,
            state: self.state()?,
            reason: self.value("reason", &format!("one of {reasons}"))?,
            event_type: self.value("type", TYPES)?,
            subject: self.text("subject").map(str::to_owned),
            tenant: self.tenant()?,
            after: self.time("after")?,
            before: self.time("before")?,
        })
    }

    fn tenant(&self) -> Result<Option<Tenant>, Problem> {
        self.value("tenant", "a tenant: 1 to 64 letters, digits and `-_.:@`")
    }

    fn name(&self, name: &str) -> Result<Option<Name>, Problem> {
        let thing =
            "a name: 1 to 63 characters out of a-z, 0-9 and -, beginning with a letter or digit";
        self.value(name, thing)
    }

    fn state(&self) -> Result<Option<State>, Problem> {
        self.value("state", "pending, done or dead")
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.value(name, "a time such as 2026-11-22T03:00:00Z")
    }
}

/// Which dead letters, and which part of the list.
pub(super) struct DeadQuery(pub(super) DeadFilter, pub(super) Page);

impl<S: Sync> FromRequestParts<S> for DeadQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        Ok(Self(pairs.dead()?, pairs.page()?))
    }
}

/// Which deliveries, and which part of the list.
pub(super) struct DeliveriesQuery {
    /// To this endpoint.
    pub(super) endpoint: Option<NamedEndpoint>,
    pub(super) filter: DeliveryFilter,
    pub(super) page: Page,
}

/// An endpoint as somebody names it.
pub(super) enum NamedEndpoint {
    Id(Id),
    Name(Name),
}

impl FromStr for NamedEndpoint {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.parse::<Id>() {
            Ok(id) if id.kind == IdKind::Endpoint => Ok(Self::Id(id)),
            _ => text.parse().map(Self::Name),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for DeliveriesQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        let endpoint = pairs.value("endpoint", "the id or the name of an endpoint")?;
        Ok(Self { endpoint, filter: pairs.deliveries()?, page: pairs.page()? })
    }
}

/// Which events, and which part of the list.
pub(super) struct ListQuery(pub(super) EventFilter, pub(super) Page);

impl<S: Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        Ok(Self(pairs.filter()?, pairs.page()?))
    }
}

/// From when on, and until when.
pub(super) struct TimesQuery(pub(super) Option<Timestamp>, pub(super) Option<Timestamp>);

impl<S: Sync> FromRequestParts<S> for TimesQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        Ok(Self(pairs.time("after")?, pairs.time("before")?))
    }
}

/// Which receipts, and which part of the list.
pub(super) struct ReceiptsQuery(pub(super) ReceiptFilter, pub(super) Page);

impl<S: Sync> FromRequestParts<S> for ReceiptsQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        Ok(Self(pairs.receipts()?, pairs.page()?))
    }
}

/// Which endpoints, and which part of the list.
pub(super) struct EndpointsQuery {
    pub(super) filter: EndpointFilter,
    /// Those behind this one.
    pub(super) behind: Option<Id>,
    pub(super) limit: usize,
}

impl<S: Sync> FromRequestParts<S> for EndpointsQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        let state = pairs.text("state").map(|text| {
            let known = STATUSES.into_iter().find(|status| status.as_str() == text);
            let detail = || format!("`state` must be enabled, paused or disabled, not `{text}`");
            known.ok_or_else(|| wrong("state", detail()))
        });
        let (name, state) = (pairs.name("name")?, state.transpose()?);
        Ok(Self {
            filter: EndpointFilter { tenant: pairs.tenant()?, name, state },
            behind: pairs.value("cursor", "the `next` of the previous page")?,
            limit: pairs.limit()?,
        })
    }
}

/// What to run again, by which plugin.
pub(super) struct RehearsalQuery {
    /// The plugin whose work it is.
    pub(super) plugin: Name,
    pub(super) source: Option<Name>,
    pub(super) event_type: Option<Pattern>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// At most so many receipts or runs, the oldest.
    pub(super) limit: Option<NonZeroU64>,
}

impl<S: Sync> FromRequestParts<S> for RehearsalQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        let missing = || wrong("plugin", "`plugin` is missing: name the plugin to compare with");
        Ok(Self {
            plugin: pairs.name("plugin")?.ok_or_else(missing)?,
            source: pairs.name("source")?,
            event_type: pairs.value("type", TYPES)?,
            since: pairs.time("since")?,
            until: pairs.time("until")?,
            limit: pairs.value("limit", "a number from 1")?,
        })
    }
}

/// How far back.
pub(super) struct SpanQuery(pub(super) Span);

impl<S: Sync> FromRequestParts<S> for SpanQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let span = Pairs::of(&parts.uri)?.value("span", "hour, day or week")?;
        Ok(Self(span.unwrap_or_default()))
    }
}

/// Which part of the audit log.
pub(super) struct AuditQuery {
    pub(super) filter: AuditFilter,
    /// The entries behind the one with this number.
    pub(super) behind: Option<u64>,
    pub(super) limit: usize,
    pub(super) is_oldest_first: bool,
}

impl<S: Sync> FromRequestParts<S> for AuditQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        let is_oldest_first = match pairs.text("order") {
            None | Some("newest") => false,
            Some("oldest") => true,
            Some(other) => {
                let detail = format!("`order` must be newest or oldest, not `{other}`");
                return Err(wrong("order", detail));
            }
        };
        let filter = AuditFilter {
            actor: pairs.text("actor").map(str::to_owned),
            operation: pairs.text("operation").map(str::to_owned),
            since: pairs.time("since")?,
            until: pairs.time("until")?,
        };
        let behind = pairs.value("cursor", "the `next` of the previous page")?;
        Ok(Self { filter, behind, limit: pairs.limit()?, is_oldest_first })
    }
}
