//! The tenant that an event, an endpoint or a token is of: a customer of the operator.
//!
//! A pure value, as the operator's own systems write it: never checked against a list of tenants,
//! for there is none.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::Name;

/// Longest tenant, in bytes.
const BYTES_MAX: usize = 64;

/// Whom an event, an endpoint or a token belongs to: 1 to 64 characters out of
/// `a-z A-Z 0-9 - _ . : @`, beginning with a letter or digit. Every [`Name`] is one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(Arc<str>);

/// Whose the events of a source are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TenantOf {
    /// The operator's.
    #[default]
    Operator,
    /// All of this tenant.
    Fixed(Tenant),
    /// Each of the tenant that its label of this name says; the operator's if it has none.
    Label(String),
}

impl TenantOf {
    /// Whose an event with these labels is. An error is what the label says in place of a tenant.
    pub fn tenant(&self, labels: &[(String, String)]) -> Result<Option<Tenant>, InvalidTenant> {
        match self {
            Self::Operator => Ok(None),
            Self::Fixed(tenant) => Ok(Some(tenant.clone())),
            Self::Label(label) => {
                let said = labels.iter().find(|(name, _)| name == label);
                said.map(|(_, value)| value.parse()).transpose()
            }
        }
    }
}

/// A text that is not a [`Tenant`].
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a tenant: 1 to 64 characters out of a-z, A-Z, 0-9 and `-_.:@`, beginning with a \
     letter or digit"
)]
pub struct InvalidTenant(String);

impl Tenant {
    /// The text of the tenant.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, InvalidTenant> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
        let fits = (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(known);
        if fits && text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTenant(text.to_owned()))
        }
    }
}

impl From<Name> for Tenant {
    fn from(name: Name) -> Self {
        Self(name.as_str().into())
    }
}

impl TryFrom<String> for Tenant {
    type Error = InvalidTenant;

    fn try_from(text: String) -> Result<Self, InvalidTenant> {
        text.parse()
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0.as_ref().to_owned()
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_that_platforms_give_their_customers_are_tenants() {
        let longest = "a".repeat(64);
        for text in ["acme", "acct_1Nv0FG", "7", "shop.example:eu", "a@b", longest.as_str()] {
            assert_eq!(text.parse::<Tenant>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_tenant_is_refused() {
        let too_long = "a".repeat(65);
        for text in ["", "_a", "-a", ".a", "a b", "a/b", "é", "a\n", too_long.as_str()] {
            assert!(text.parse::<Tenant>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_label_says_whose_an_event_is_and_what_is_no_tenant_there_is_nobody() {
        let labels = |value: &str| [("merchant".to_owned(), value.to_owned())];
        let acme: Tenant = "acme".parse().unwrap();
        let by_label = TenantOf::Label("merchant".to_owned());
        assert_eq!(by_label.tenant(&labels("acme")).unwrap(), Some(acme.clone()));
        assert_eq!(by_label.tenant(&[]).unwrap(), None);
        for wrong in ["", "a b", "*"] {
            assert!(by_label.tenant(&labels(wrong)).is_err(), "{wrong}");
        }
        let fixed = TenantOf::Fixed(acme.clone());
        assert_eq!(fixed.tenant(&labels("globex")).unwrap(), Some(acme));
        assert_eq!(TenantOf::Operator.tenant(&labels("globex")).unwrap(), None);
    }

    #[test]
    fn every_name_is_a_tenant_and_is_written_as_it_was() {
        let name: Name = "3ds-eu".parse().unwrap();
        let tenant = Tenant::from(name.clone());
        assert_eq!(tenant.to_string(), name.to_string());
        let written = postcard::to_stdvec(&name).unwrap();
        assert_eq!(postcard::to_stdvec(&tenant).unwrap(), written);
        assert_eq!(postcard::from_bytes::<Tenant>(&written).unwrap(), tenant);
    }
}
