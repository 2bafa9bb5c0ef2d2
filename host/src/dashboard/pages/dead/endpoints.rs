//! The endpoints that dead letters name: what they are called, and where they are shown.
//!
//! A letter names an endpoint of the API by its id in another form, and one of the configuration
//! by its name. Asks the API for a few names alone; the others are shown as the letter has them.
//! Never lists all endpoints.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::DeadLetter;
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::{Failed, Visitor, link};
use crate::ids::Name;

/// The most endpoints of a page whose names it asks for.
const NAMED_MAX: usize = 5;

/// The names of endpoints, by what letters call them.
pub(super) struct Endpoints(BTreeMap<String, String>);

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    origin: String,
}

/// What a letter calls its endpoint, if it is of a delivery.
pub(super) fn key_of(letter: &DeadLetter) -> Option<&str> {
    (letter.kind == "delivery").then_some(letter.name.as_str())
}

/// What letters call the endpoint of this id.
pub(super) async fn key(visitor: &Visitor, id: &str) -> Result<String, Failed> {
    let found = visitor.get(&link::below("/v1/endpoints", id)).await?;
    let Endpoint { name, origin } = found;
    Ok(if origin == "api" { id.replacen('_', "-", 1) } else { name })
}

/// The id of an endpoint of the API, by what letters call it. A name of the configuration may look
/// much like one.
fn id_of(key: &str) -> Option<String> {
    let name: Name = key.parse().ok()?;
    name.endpoint_id().map(|id| id.to_string())
}

impl Endpoints {
    /// The names of the first few of these.
    pub(super) async fn named(visitor: &Visitor, keys: &[&str]) -> Self {
        let mut names = BTreeMap::new();
        let mut asked: Vec<&str> = Vec::new();
        for key in keys {
            let Some(id) = id_of(key).filter(|_| !asked.contains(key)) else { continue };
            if asked.len() == NAMED_MAX {
                break;
            }
            asked.push(*key);
            // One that is deleted, or another's, has no name here.
            if let Ok(Endpoint { name, .. }) = visitor.get(&link::below("/v1/endpoints", &id)).await
            {
                names.insert((*key).to_owned(), name);
            }
        }
        Self(names)
    }

    /// Leads to an endpoint.
    pub(super) fn link(&self, key: &str) -> Markup {
        let text = self.0.get(key).map_or(key, String::as_str);
        match id_of(key) {
            Some(id) => markup::link(&link::below("/endpoints", &id), text),
            None => markup::link(&link::with_query("/endpoints", [("name", key)]), text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_the_api_is_found_by_its_id_and_another_by_its_name() {
        let endpoints = Endpoints(BTreeMap::new());
        let api = endpoints.link("ep-0123456789abcdefgh").0;
        assert!(api.contains("href=\"/endpoints/ep_0123456789abcdefgh\""), "{api}");
        for name in ["ep-mail", "ep-production-mailing"] {
            let file = endpoints.link(name).0;
            assert!(file.contains(&format!("href=\"/endpoints?name={name}\"")), "{file}");
        }
    }
}
