//! What operators see, as a test asks for it.

use serde_json::{Value, json};

use super::Harness;

impl Harness {
    /// The event that a source or handler gave this id, with its runs and deliveries.
    pub(crate) async fn event(&self, event_id: &str) -> Value {
        let events = self.events("").await;
        let found = events.iter().find(|event| event["event_id"] == event_id);
        let id = found.unwrap_or_else(|| panic!("there is no event {event_id}: {events:#?}"));
        self.shown(&format!("/v1/events/{}", text(&id["id"]))).await
    }

    /// A receipt with its tries.
    pub(crate) async fn receipt(&self, id: &str) -> Value {
        self.shown(&format!("/v1/receipts/{id}")).await
    }

    /// The dead letters, newest first.
    pub(crate) async fn dead(&self) -> Vec<Value> {
        self.shown("/v1/dead").await["items"].as_array().cloned().unwrap_or_default()
    }

    /// Opens this again, which must be finished, and lets it happen.
    pub(crate) async fn replay(&self, id: &str) {
        let replayed = self.tell("/v1/replay", &json!({ "ids": [id] })).await;
        assert_eq!(
            replayed.json(),
            json!({ "reopened": 1, "hastened": 0, "unchanged": 0 }),
            "{}",
            replayed.body
        );
        self.settle().await;
    }

    /// Begins a replay by filter, lets it happen, and gives how far it is then.
    pub(crate) async fn replay_matching(&self, filter: &Value) -> Value {
        let begun = self.tell("/v1/replay", &json!({ "filter": filter })).await;
        assert_eq!(begun.status, 202, "{}", begun.body);
        self.settle().await;
        self.shown(&format!("/v1/replays/{}", text(&begun.json()["id"]))).await
    }

    /// What the plugin of this name is now.
    pub(crate) async fn plugin(&self, name: &str) -> Value {
        let plugins = self.shown("/v1/plugins").await;
        let rows = plugins["plugins"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["name"] == name).unwrap_or_default()
    }

    async fn shown(&self, path: &str) -> Value {
        let answer = self.ask(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }
}

/// The run of this handler on an event.
pub(crate) fn run_of(event: &Value, handler: &str) -> Value {
    one(&event["runs"], handler, |run| run["handler"] == handler)
}

/// The delivery of an event to the endpoint that deliveries call so: by the name of one of the
/// configuration, by the id of one of the API.
#[track_caller]
pub(crate) fn delivery_to(event: &Value, endpoint: &str) -> Value {
    one(&event["deliveries"], endpoint, |delivery| {
        let to = &delivery["endpoint"];
        let is_operators = to["tenant"].is_null();
        text(&to["id"]).replace('_', "-") == endpoint || is_operators && to["name"] == endpoint
    })
}

/// How a run, a delivery or a receipt stands: its state, and its tries since it was opened.
#[track_caller]
pub(crate) fn stands(work: &Value) -> (&str, u64) {
    let state = work["state"].as_str();
    let tries_made = work["tries_made"].as_u64();
    state.zip(tries_made).unwrap_or_else(|| panic!("it is no work: {work:#}"))
}

/// The texts under this key in the items of a list: of the tries of a run, of the lines of a log.
pub(crate) fn texts(list: &Value, key: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| text(&item[key])).collect()
}

/// Why each try, attempt or dead letter in a list failed, in words.
pub(crate) fn reasons(tries: &Value) -> Vec<String> {
    texts(tries, "detail")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn one(list: &Value, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut found = list.as_array().into_iter().flatten().filter(|item| is_it(item));
    let item = found.next().unwrap_or_else(|| panic!("there is none of {name}: {list:#}"));
    assert!(found.next().is_none(), "there are two of {name}: {list:#}");
    item.clone()
}
