//! A form that somebody sent from a page of theirs.
//!
//! It has the text that goes with the forms of its session, which no other site knows, and its body
//! is read only then. What its fields mean is decided by the API. Never bigger than what the API
//! would read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tokio::time::timeout;
use url::form_urlencoded;

use super::{Dashboard, Failed, Visitor};

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 2 << 20;
/// Most fields of a form: what is read takes many times the memory of what was sent.
const FIELDS_MAX: usize = 1024;
/// How long its body may take.
const FORM_TIME_MAX: Duration = Duration::from_secs(10);
/// The field that goes with each form.
const FORM: &str = "form";

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Those of a body, at most so many bytes.
    pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Self, Failed> {
        let late = |_| Failed::invalid("The form did not arrive within 10 seconds.");
        let body = timeout(FORM_TIME_MAX, to_bytes(body, bytes_max)).await.map_err(late)?;
        let broken = |_| Failed::invalid("The form is too large, or did not arrive whole.");
        Self::parse(&body.map_err(broken)?)
    }

    fn parse(body: &Bytes) -> Result<Self, Failed> {
        let pairs = form_urlencoded::parse(body).take(FIELDS_MAX + 1);
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        let fields: Vec<_> = pairs.collect();
        match fields.len() > FIELDS_MAX {
            true => Err(Failed::invalid("The form has more than 1,024 fields.")),
            false => Ok(Self(fields)),
        }
    }

    /// The value of a field, without blanks around it; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.exact(name).trim()
    }

    /// The value of a field as it was written, such as a password; empty if there is none.
    pub(super) fn exact(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }

    /// The same; `None` if it is empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// All values of a field, such as those of boxes that are checked.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(other, _)| other == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty()).collect()
    }
}

/// A form, and who sent it.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) visitor: Visitor,
    pub(super) fields: Fields,
}

impl FromRequest<Arc<Dashboard>> for Submitted {
    type Rejection = Response;

    async fn from_request(request: Request, dashboard: &Arc<Dashboard>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, dashboard).await?;
        let fields = Fields::read(body, FORM_BYTES_MAX).await;
        let fields = fields.map_err(IntoResponse::into_response)?;
        let (own, sent) = (visitor.form(), fields.text(FORM));
        let is_own: bool = own.as_bytes().ct_eq(sent.as_bytes()).into();
        match is_own && !own.is_empty() {
            true => Ok(Self { visitor, fields }),
            false => Err(Failed::foreign_form().into_response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_a_browser_sends_them() {
        let body = Bytes::from_static(b"name=+crm+&scope=read&scope=write&empty=&x=%3Cb%3E");
        let fields = Fields::parse(&body).unwrap();
        assert_eq!((fields.text("name"), fields.text("none")), ("crm", ""));
        assert_eq!((fields.exact("name"), fields.exact("none")), (" crm ", ""));
        assert_eq!(fields.all("scope"), ["read", "write"]);
        assert_eq!((fields.given("empty"), fields.given("x")), (None, Some("<b>")));
    }

    /// Without the bound, two megabytes of these would be a hundred.
    #[test]
    fn a_form_of_a_great_many_fields_is_refused() {
        let body = |many: usize| Bytes::from("a&".repeat(many));
        assert!(Fields::parse(&body(FIELDS_MAX)).is_ok());
        assert!(Fields::parse(&body(FIELDS_MAX + 1)).is_err());
    }
}
