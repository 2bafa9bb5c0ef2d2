//! What a person should look at: endpoints, plugins and sources in trouble, the worst first.
//!
//! Pure: out of one page of each list of the API. Each is a sentence with its cause. Never says
//! that nothing is wrong with what it was not given.

use serde::Deserialize;

use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::pages::answered::Answered;
use crate::dashboard::{figure, link};
use crate::event::Timestamp;

/// Those that get nothing until somebody enables them.
pub(super) const DISABLED: &str = "/v1/endpoints?state=disabled&limit=50";
/// Those that may be failing.
pub(super) const ENABLED: &str = "/v1/endpoints?state=enabled&limit=200";

/// Most that are listed.
const ITEMS_MAX: usize = 8;

#[derive(Deserialize)]
pub(super) struct Endpoints {
    pub(super) items: Vec<Endpoint>,
    /// Where there are more.
    next: Option<String>,
}

/// An endpoint, as far as it may be in trouble.
#[derive(Deserialize)]
pub(super) struct Endpoint {
    id: String,
    name: String,
    state: String,
    /// Who or what decided that.
    reason: Option<String>,
    since: Timestamp,
    locked: bool,
    breaker: Breaker,
}

#[derive(Deserialize)]
struct Breaker {
    state: String,
    failing_since: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct Plugins {
    pub(super) plugins: Vec<Plugin>,
}

/// A plugin, as far as it may be in trouble.
#[derive(Deserialize)]
pub(super) struct Plugin {
    name: String,
    digest: Option<String>,
    refused: Option<String>,
    stopped: Vec<String>,
    #[serde(default)]
    missing: bool,
    #[serde(default)]
    waiting: u64,
    canary_of: Option<String>,
}

/// A source, and how its requests were answered.
#[derive(Deserialize)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) plugin: String,
    pub(super) provider: Option<String>,
    verified: bool,
    stopped: Option<String>,
    pub(super) answered: Answered,
}

impl Source {
    pub(super) fn state(&self) -> Markup {
        self.answered.state(self.stopped.is_some(), self.verified)
    }
}

/// Something to look at.
pub(super) struct Item {
    mood: Mood,
    pub(super) kind: Markup,
    pub(super) name: Markup,
    pub(super) said: String,
}

impl Item {
    fn new(mood: Mood, kind: &str, (path, part, name): (&str, &str, &str), said: String) -> Self {
        let name = markup::link(&link::below(path, part), name);
        Self { mood, kind: markup::pill(mood, kind), name, said }
    }
}

/// The worst of them, and how many more there are.
pub(super) fn first(mut items: Vec<Item>) -> (Vec<Item>, Option<String>) {
    let rank = |mood: Mood| match mood {
        Mood::Bad => 0,
        Mood::Warn => 1,
        Mood::Plain | Mood::Ok | Mood::Info => 2,
    };
    items.sort_by_key(|item| rank(item.mood));
    let left = items.len().saturating_sub(ITEMS_MAX) as u64;
    items.truncate(ITEMS_MAX);
    (items, (left > 0).then(|| figure::counted(left, "more is", "more are")))
}

/// What was not looked at, if anything was not.
pub(super) fn unseen(off: &Endpoints, on: &Endpoints) -> Option<String> {
    (off.next.is_some() || on.next.is_some()).then(|| {
        let [off, on] = [off, on].map(|page| figure::number(page.items.len() as u64));
        format!("Looked at {off} disabled and {on} enabled endpoints: there may be more.")
    })
}

/// Endpoints in trouble.
pub(super) fn endpoints(now: Timestamp, off: &[Endpoint], on: &[Endpoint]) -> Vec<Item> {
    off.iter().chain(on).filter_map(|endpoint| trouble(now, endpoint)).collect()
}

fn trouble(now: Timestamp, endpoint: &Endpoint) -> Option<Item> {
    let Endpoint { id, name, state, reason, since, locked, breaker } = endpoint;
    let failing = breaker.failing_since.map(|since| figure::span(now.since(since)));
    let (mood, said) = if state == "disabled" {
        let since = figure::distance(now, *since);
        let why = match reason.as_deref() {
            Some("gone") => "it answered 410",
            Some("failing") => "nothing but failures for too long",
            _ => "somebody disabled it",
        };
        (
            Mood::Bad,
            format!("disabled {since}: {why}; its deliveries are dead until somebody enables it"),
        )
    } else if *locked {
        (Mood::Bad, "a secret of it does not open with the master key: deliveries wait".to_owned())
    } else if breaker.state == "open" {
        let time = failing.unwrap_or_else(|| "a moment".to_owned());
        (Mood::Bad, format!("has failed for {time}: breaker open, its deliveries wait"))
    } else {
        (Mood::Warn, format!("has failed for {}: the gateway tries again", failing?))
    };
    Some(Item::new(mood, "Endpoint", ("/endpoints", id, name), said))
}

/// Plugins in trouble, and those that are tried out.
pub(super) fn plugins(plugins: &[Plugin]) -> impl Iterator<Item = Item> {
    plugins.iter().filter_map(|plugin| {
        let name = &plugin.name;
        let waiting = match plugin.waiting {
            0 => String::new(),
            works => format!("; {} for it", figure::counted(works, "work waits", "works wait")),
        };
        let (mood, kind, said) = if let Some(why) = &plugin.refused {
            let (mood, goes_on) = match plugin.digest {
                Some(_) => (Mood::Warn, "; the version before goes on"),
                None => (Mood::Bad, ""),
            };
            (mood, "Plugin", format!("file refused: {why}{goes_on}{waiting}"))
        } else if plugin.missing {
            (Mood::Bad, "Plugin", format!("its file is missing{waiting}"))
        } else if !plugin.stopped.is_empty() {
            (Mood::Bad, "Plugin", format!("stopped: {}{waiting}", plugin.stopped.join("; ")))
        } else if let Some(of) = &plugin.canary_of {
            (Mood::Info, "Canary", format!("runs beside {of} on a share of its events"))
        } else {
            return None;
        };
        Some(Item::new(mood, kind, ("/plugins", name, name), said))
    })
}

/// Sources that accept nothing, or refuse much.
pub(super) fn sources(sources: &[Source]) -> impl Iterator<Item = Item> {
    sources.iter().filter_map(|source| {
        let (mood, said) = match &source.stopped {
            Some(why) => (Mood::Bad, format!("stopped: {why}")),
            None if source.answered.is_refusing() => {
                let refused = source.answered.of("refused");
                let share = figure::share(refused, source.answered.judged());
                let refused = figure::counted(refused, "request", "requests");
                (Mood::Warn, format!("refused {refused} ({share}) since the gateway started"))
            }
            None => return None,
        };
        Some(Item::new(mood, "Source", ("/sources", &source.name, &source.name), said))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn endpoint(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let at = Timestamp(NOW.0 - 240_000);
        let mut endpoint = json!({
            "id": "ep_1", "name": "crm", "state": "enabled", "reason": null, "since": at,
            "locked": false, "breaker": { "state": "closed", "failing_since": null },
        });
        change(&mut endpoint);
        let endpoint: Endpoint = serde_json::from_value(endpoint).unwrap();
        endpoints(NOW, &[], &[endpoint]).into_iter().map(|item| item.said).collect()
    }

    /// Guards each branch of `trouble`.
    #[test]
    fn an_endpoint_is_in_trouble_for_its_reason() {
        assert_eq!(endpoint(|_| ()), [""; 0]);
        let failing = |it: &mut Value| it["breaker"]["failing_since"] = it["since"].clone();
        assert!(endpoint(failing)[0].contains("for 4 min: the gateway tries again"));
        let open = |it: &mut Value| {
            failing(it);
            it["breaker"]["state"] = json!("open");
        };
        assert!(endpoint(open)[0].contains("breaker open"));
        assert!(endpoint(|it| it["locked"] = json!(true))[0].contains("master key"));
        let gone = |it: &mut Value| {
            it["state"] = json!("disabled");
            it["reason"] = json!("gone");
        };
        assert!(endpoint(gone)[0].contains("disabled 4 min ago: it answered 410"));
    }

    /// Guards both conditions of [`unseen`]: an endpoint behind them may be in trouble too.
    #[test]
    fn what_was_not_looked_at_is_not_said_to_be_well() {
        let page = |next: Option<&str>| -> Endpoints {
            serde_json::from_value(json!({ "items": [], "next": next })).unwrap()
        };
        let said = |off, on| unseen(&page(off), &page(on)).is_some();
        assert_eq!(
            [said(None, None), said(Some("ep_1"), None), said(None, Some("ep_1"))],
            [false, true, true]
        );
    }

    #[test]
    fn the_worst_comes_first_and_the_rest_is_counted() {
        let item = |mood| Item::new(mood, "Source", ("/sources", "a", "a"), String::new());
        let mut items: Vec<Item> = (0..ITEMS_MAX).map(|_| item(Mood::Info)).collect();
        items.extend([item(Mood::Warn), item(Mood::Bad)]);
        let (items, left) = first(items);
        assert_eq!((items[0].mood, items[1].mood), (Mood::Bad, Mood::Warn));
        assert_eq!((items.len(), left.as_deref()), (ITEMS_MAX, Some("2 more are")));
    }
}
