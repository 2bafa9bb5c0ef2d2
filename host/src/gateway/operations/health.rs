//! Which endpoints fail, are disabled, or recover, by what the directory says of them.
//!
//! Pure: remembers those alone that do not do well. Never judges an endpoint itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::fact::Fact;
use crate::directory::{Held, Listed};
use crate::endpoint::Status;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::Health;

/// What happened so long before a start is no news, though whoever subscribed since has not heard
/// of it.
const NEWS: Duration = Duration::from_secs(7 * 86_400);
/// How long before a secret expires somebody is told.
const NOTICE: Duration = Duration::from_secs(86_400);

/// The endpoints that do not do well, by their keys.
#[derive(Debug, Default)]
pub(super) struct Unwell(BTreeMap<Name, Known>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    /// Since when there were only failures, if that is long.
    failing: Option<Timestamp>,
    /// Since when it is disabled.
    disabled: Option<Timestamp>,
}

impl Known {
    fn of(listed: &Listed, health: &Health) -> Self {
        let standing = listed.endpoint.standing;
        let is_disabled = standing.status == Status::Disabled;
        Self {
            failing: health.failing_since.filter(|_| health.warned),
            disabled: is_disabled.then_some(standing.since),
        }
    }
}

impl Unwell {
    /// The keys of those that are known.
    pub(super) fn keys(&self) -> Vec<Name> {
        self.0.keys().cloned().collect()
    }

    /// What happened to an endpoint since it was looked at last, that is so now; `None` if it is
    /// gone.
    pub(super) fn look(
        &mut self,
        key: &Name,
        now: Option<(&Listed, &Health)>,
        at: Timestamp,
    ) -> Vec<Fact> {
        let was = self.0.remove(key).unwrap_or_default();
        let Some((listed, health)) = now.filter(|(listed, _)| listed.deleted.is_none()) else {
            return Vec::new();
        };
        let is = Known::of(listed, health);
        if is != Known::default() {
            self.0.insert(key.clone(), is);
        }
        let is_news = |since: &Timestamp| at.since(*since) <= NEWS;
        let mut facts = Vec::new();
        // A silence moves since when it fails: that is no news.
        if let Some(since) = is.failing.filter(|_| was.failing.is_none()) {
            facts.push(failing(listed, health, since, at));
        }
        if let Some(since) = is.disabled.filter(is_news_of(was.disabled)).filter(is_news) {
            facts.push(disabled(listed, since));
        }
        let recovered = match (was.disabled, was.failing) {
            (Some(since), _) if is.disabled.is_none() => Some(("enabled", since)),
            (None, Some(since)) if health.last_success >= Some(since) && is == Known::default() => {
                Some(("succeeded", since))
            }
            _ => None,
        };
        if let Some((reason, since)) = recovered {
            let key = format!("{}/{}", listed.endpoint.id, since.0);
            let data = json!({ "reason": reason, "since": at });
            let fact = Fact::of_endpoint("endpoint.recovered", &listed.endpoint, at, data);
            facts.push(Fact { key, ..fact });
        }
        facts
    }
}

/// Whether something is so since another time than it was known.
fn is_news_of(was: Option<Timestamp>) -> impl Fn(&Timestamp) -> bool {
    move |since| was != Some(*since)
}

fn failing(listed: &Listed, health: &Health, since: Timestamp, at: Timestamp) -> Fact {
    let data = json!({
        "failing_since": since,
        "failures": health.failures,
        "last_success": health.last_success,
    });
    let fact = Fact::of_endpoint("endpoint.failing", &listed.endpoint, since, data);
    Fact { at, not_to: Some(listed.endpoint.key.clone()), ..fact }
}

fn disabled(listed: &Listed, since: Timestamp) -> Fact {
    let data = json!({ "reason": listed.endpoint.standing.why, "since": since });
    let fact = Fact::of_endpoint("endpoint.disabled", &listed.endpoint, since, data);
    Fact { not_to: Some(listed.endpoint.key.clone()), ..fact }
}

/// The secrets of an endpoint that expire soon.
pub(super) fn expiring(listed: &Listed, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    for held in listed.secrets.iter() {
        let Held::Sealed(secret) = held else { continue };
        let Some(expires_at) = secret.expires_at.filter(|at| *at > now) else { continue };
        if expires_at.since(now) > NOTICE {
            continue;
        }
        let print = hex::encode(secret.sealed.fingerprint);
        let data = json!({
            "secret": { "number": secret.number, "fingerprint": print },
            "expires_at": expires_at,
        });
        let fact = Fact::of_endpoint("secret.expiring", &listed.endpoint, now, data);
        let key = format!("{}/{}/{}", listed.endpoint.id, secret.number, expires_at.0);
        facts.push(Fact { key, ..fact });
    }
    facts
}
