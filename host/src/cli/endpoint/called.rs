//! What a person calls an endpoint: its id, its name, or a tenant and a name.
//!
//! A name alone is the operator's endpoint of that name, so that a command never does something to
//! the endpoint of a tenant by mistake.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use serde_json::Value;

use crate::cli::at::At;
use crate::cli::http::{self, Absent};
use crate::cli::output::cell;
use crate::cli::rows::each;
use crate::ids::{Id, Name};
use crate::tenant::Tenant;

/// An endpoint as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Called {
    Id(Id),
    Name { tenant: Option<Tenant>, name: Name },
}

impl FromStr for Called {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // No name has a `_`.
        if text.starts_with("ep_") {
            return text.parse().map(Self::Id).map_err(|error| format!("{error}"));
        }
        let (tenant, name) = match text.split_once('/') {
            Some((tenant, name)) => (Some(tenant), name),
            None => (None, text),
        };
        let tenant = tenant.map(str::parse::<Tenant>).transpose();
        let tenant = tenant.map_err(|error| error.to_string())?;
        let name = name.parse::<Name>().map_err(|error| error.to_string())?;
        Ok(Self::Name { tenant, name })
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name { tenant: Some(tenant), name } => write!(f, "{tenant}/{name}"),
            Self::Name { tenant: None, name } => write!(f, "{name}"),
        }
    }
}

impl Called {
    /// The id of the endpoint.
    pub(in crate::cli) async fn id(&self, at: &At) -> anyhow::Result<String> {
        if let Self::Id(id) = self {
            return Ok(id.to_string());
        }
        let found = self.find(at).await?;
        let id = found["id"].as_str().context("the answer of the gateway has no id")?;
        Ok(id.to_owned())
    }

    /// The endpoint as the gateway shows it.
    pub(in crate::cli) async fn find(&self, at: &At) -> anyhow::Result<Value> {
        let (asked, name) = match self {
            Self::Id(id) => {
                return http::json(&at.get(&at.url(&format!("/v1/endpoints/{id}"))?).await?);
            }
            Self::Name { tenant, name } => (tenant.as_ref().map(Tenant::as_str), name),
        };
        let mut url = at.url("/v1/endpoints")?;
        url.query_pairs_mut().append_pair("name", name.as_str());
        if let Some(tenant) = asked {
            url.query_pairs_mut().append_pair("tenant", tenant);
        }
        let (mut found, mut other) = (None, None);
        each(at, url, None, |endpoint| {
            match endpoint["tenant"].as_str() == asked {
                true => found = Some(endpoint.clone()),
                false => other = Some(called(endpoint)),
            }
            Ok(())
        })
        .await?;
        match (found, other) {
            (Some(found), _) => Ok(found),
            (None, Some(other)) => {
                let said =
                    format!("the operator has no endpoint `{name}`; did you mean `{other}`?");
                Err(Absent(said).into())
            }
            (None, None) => Err(Absent(format!("the gateway has no endpoint `{self}`")).into()),
        }
    }
}

/// What the endpoint is called, as a person writes it.
pub(in crate::cli) fn called(endpoint: &Value) -> String {
    let name = cell(endpoint["name"].as_str().unwrap_or("-"));
    match endpoint["tenant"].as_str() {
        Some(tenant) => format!("{}/{name}", cell(tenant)),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_called_by_its_id_its_name_or_its_tenant_and_name() {
        for text in ["ep_000000000001000000", "crm", "acct_1Nv0FG/crm", "a:b@c.example/crm-2"] {
            assert_eq!(text.parse::<Called>().unwrap().to_string(), text);
        }
        let id = "ep_000000000001000000".parse::<Called>().unwrap();
        assert!(matches!(id, Called::Id(_)));
        for text in ["", "/crm", "acme/", "Crm", "a/b/c", "ep_1", "dlv_000000000001000000"] {
            assert!(text.parse::<Called>().is_err(), "{text}");
        }
    }
}
