//! What an import would do: which endpoints it makes, changes and removes, so that the gateway has
//! what the manifest has.
//!
//! Pure: takes what the file says and what the gateway shows. An endpoint is the same if its tenant
//! and name are. Never removes what nobody marked as the manifest's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::called::called;
use crate::config::Manifest;
use crate::endpoint::{Origin, RawSettings, check};

/// The entry of an endpoint's metadata that says which manifest manages it.
const MANAGED: &str = "managed";

/// What is set for one endpoint beside another.
const PAIRS: [(&str, &str); 2] = [("rate", "burst"), ("order", "skip_after")];

/// An endpoint of the API, as the gateway shows it.
#[derive(Debug, Clone)]
pub(super) struct Present {
    id: String,
    revision: u64,
    /// Each of them, whether or not it is the default.
    settings: RawSettings,
    is_api: bool,
}

/// One thing that an import does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// This is the body of the request.
    Create {
        called: String,
        settings: Value,
    },
    /// This is what changes, if the endpoint still has the revision.
    Change {
        called: String,
        id: String,
        revision: u64,
        patch: Map<String, Value>,
    },
    Remove {
        called: String,
        id: String,
    },
}

/// What an import would do.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Endpoints of the manifest that are as it says.
    pub(super) unchanged: usize,
}

/// Tenant and name.
type Key = (Option<String>, String);

fn key(settings: &RawSettings) -> Key {
    (settings.tenant.clone(), settings.name.clone())
}

fn name((tenant, name): &Key) -> String {
    called(&json!({ "tenant": tenant, "name": name }))
}

/// The same settings of an endpoint of the API, each spelled out.
fn whole(settings: RawSettings) -> anyhow::Result<RawSettings> {
    let called = name(&key(&settings));
    let checked =
        check(settings, Origin::Api).with_context(|| format!("the endpoint `{called}`"))?;
    Ok(RawSettings::from(&checked))
}

impl Present {
    /// What the gateway shows.
    pub(super) fn of(shown: &Value) -> anyhow::Result<Self> {
        let is_api = shown["origin"] == "api";
        let settings = RawSettings::of_row(shown.to_string().as_bytes())
            .context("the answer of the gateway has settings that this program does not know")?;
        Ok(Self {
            id: shown["id"].as_str().context("an endpoint of the gateway has no id")?.to_owned(),
            revision: shown["revision"].as_u64().context("an endpoint has no revision")?,
            settings: if is_api { whole(settings)? } else { settings },
            is_api,
        })
    }

    /// Of the API, and of this tenant if one is asked for.
    pub(super) fn is_of(&self, tenant: Option<&str>) -> bool {
        self.is_api && tenant.is_none_or(|tenant| self.settings.tenant.as_deref() == Some(tenant))
    }

    /// Tenant and name, the operator's endpoints first.
    pub(super) fn key(&self) -> Key {
        key(&self.settings)
    }

    /// The settings that are not the default.
    pub(super) fn said(&self) -> anyhow::Result<RawSettings> {
        let RawSettings { name, tenant, url, events, .. } = self.settings.clone();
        let least = RawSettings { name, tenant, url, events, ..RawSettings::default() };
        let least = members(&whole(least)?)?;
        let mut all = members(&self.settings)?;
        let is_own = |key: &str| ["name", "tenant", "url", "events"].contains(&key);
        all.retain(|key, value| is_own(key) || least.get(key) != Some(&*value));
        Ok(serde_json::from_value(all.into())?)
    }
}

/// The settings by their names, without those that are null.
fn members(settings: &RawSettings) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(settings)? {
        Value::Object(members) => Ok(members),
        _ => bail!("settings are an object"),
    }
}

impl Plan {
    /// What makes the endpoints of the gateway those of the manifest; with `prune`, what it marks
    /// and no longer has goes.
    pub(super) fn of(manifest: Manifest, present: &[Present], prune: bool) -> anyhow::Result<Self> {
        let Manifest { managed, endpoints } = manifest;
        if prune && managed.is_none() {
            bail!(
                "--prune needs a line `managed = \"...\"` in the file: only what that marks is \
                 removed"
            );
        }
        let now: BTreeMap<Key, &Present> = present.iter().map(|it| (it.key(), it)).collect();
        let mut plan = Self::default();
        let mut wanted = BTreeSet::new();
        for mut settings in endpoints {
            if let Some(label) = &managed {
                let metadata = settings.metadata.get_or_insert_default();
                metadata.insert(MANAGED.to_owned(), label.clone());
            }
            let settings = whole(settings)?;
            let key = key(&settings);
            if !wanted.insert(key.clone()) {
                bail!("the file has the endpoint `{}` twice", name(&key));
            }
            plan.add(now.get(&key).copied(), &settings)?;
        }
        let is_managed = |it: &&Present| {
            let label = it.settings.metadata.as_ref().and_then(|all| all.get(MANAGED));
            it.is_api && label.is_some() && label == managed.as_ref()
        };
        let gone = present.iter().filter(is_managed).filter(|it| !wanted.contains(&it.key()));
        plan.steps.extend(
            gone.filter(|_| prune)
                .map(|it| Step::Remove { called: name(&it.key()), id: it.id.clone() }),
        );
        Ok(plan)
    }

    /// What makes one endpoint as it is wanted.
    fn add(&mut self, now: Option<&Present>, wanted: &RawSettings) -> anyhow::Result<()> {
        let called = name(&key(wanted));
        let Some(now) = now else {
            let settings = members(wanted)?.into();
            self.steps.push(Step::Create { called, settings });
            return Ok(());
        };
        if !now.is_api {
            bail!("the endpoint `{called}` is in the configuration: change it there");
        }
        let patch = patch(&members(&now.settings)?, &members(wanted)?);
        if patch.is_empty() {
            self.unchanged += 1;
            return Ok(());
        }
        let (id, revision) = (now.id.clone(), now.revision);
        self.steps.push(Step::Change { called, id, revision, patch });
        Ok(())
    }
}

/// The JSON merge patch that makes one the other.
fn patch(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for key in RawSettings::KEYS {
        let (was, is) = (before.get(key), after.get(key));
        if was == is {
            continue;
        }
        let value = match (was, is) {
            (Some(Value::Object(was)), Some(Value::Object(is))) => {
                let gone = was.keys().filter(|name| !is.contains_key(*name));
                let mut value: Map<String, Value> =
                    gone.map(|name| (name.clone(), Value::Null)).collect();
                value.extend(is.iter().map(|(name, value)| (name.clone(), value.clone())));
                value.into()
            }
            (_, is) => is.cloned().unwrap_or(Value::Null),
        };
        patch.insert(key.to_owned(), value);
    }
    // The gateway forgets the second when the first changes.
    for (first, second) in PAIRS {
        if patch.contains_key(first)
            && let Some(value) = after.get(second)
        {
            patch.insert(second.to_owned(), value.clone());
        }
    }
    patch
}

impl Step {
    /// What is done to which endpoint, and which of its settings change.
    fn parts(&self) -> (&'static str, &str, Vec<&str>) {
        match self {
            Self::Create { called, .. } => ("create", called, Vec::new()),
            Self::Change { called, patch, .. } => {
                ("change", called, patch.keys().map(String::as_str).collect())
            }
            Self::Remove { called, .. } => ("remove", called, Vec::new()),
        }
    }

    /// For a program.
    pub(super) fn document(&self) -> Value {
        let (step, endpoint, settings) = self.parts();
        json!({ "step": step, "endpoint": endpoint, "settings": settings })
    }

    /// The endpoint, as a person calls it.
    pub(super) fn endpoint(&self) -> &str {
        self.parts().1
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, endpoint, settings) = self.parts();
        match settings[..] {
            [] => write!(f, "{step}  {endpoint}"),
            _ => write!(f, "{step}  {endpoint}: {}", settings.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
