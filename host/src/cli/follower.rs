//! The events of a gateway as they come, for a command that goes on for as long as somebody wants.
//!
//! Comes back to a gateway that hangs up, restarts or falls silent, behind what came last; what it
//! is refused for good is an error. Says what may be missing. Never says how far whoever asked has
//! come: that is theirs to write down.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::at::At;
use super::cursor_file::Mark;
use super::filter::{When, when};
use super::http::{self, Message, Opened, Stream};
use super::output::note;
use super::pause;
use super::rows::given;
use crate::causes;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::route::Pattern;
use crate::tenant::Tenant;

const PATH: &str = "/v1/events/stream";

/// Before it comes back for the first time; each time in a row that it can't, twice as long.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Which events.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Only events of these types, with commas between them, such as payment.*,refund.failed
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<Pattern>,
    /// Only events of this source, or that this handler emitted
    #[arg(long, value_name = "NAME")]
    source: Option<Name>,
    /// Only events about this subject, such as pi_123
    #[arg(long)]
    subject: Option<String>,
    /// Only events of this tenant
    #[arg(long)]
    tenant: Option<Tenant>,
    /// Begin with what was stored from this time on, such as 2026-11-22T03:00:00Z, or within this
    /// time, such as 1h; if left out, with what comes next. Of no meaning where a cursor goes on
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
}

impl Choice {
    /// The filters, which a cursor belongs to.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut types: Vec<String> = self.types.iter().map(Pattern::to_string).collect();
        // In whatever order somebody writes them, the cursor goes on.
        types.sort();
        types.dedup();
        given([
            ("types", (!types.is_empty()).then(|| types.join(","))),
            ("source", self.source.as_ref().map(Name::to_string)),
            ("subject", self.subject.clone()),
            ("tenant", self.tenant.as_ref().map(Tenant::to_string)),
        ])
    }

    /// From when on to begin, if that is not now.
    pub(super) fn after(&self, now: Timestamp) -> Option<Timestamp> {
        self.since.map(|when| when.resolve(now))
    }
}

/// What came.
#[derive(Debug)]
pub(super) enum News {
    /// An event, as the gateway says it.
    Event(Heard),
    /// Events may be missing before what comes next.
    Gap(Gap),
    /// Nothing that matches stands before this.
    Far(Mark),
}

/// An event that came.
#[derive(Debug)]
pub(super) struct Heard {
    /// JSON.
    pub(super) text: String,
    pub(super) is_replay: bool,
    /// How far whoever has seen it has come.
    pub(super) mark: Mark,
}

/// Where events may be missing.
#[derive(Debug)]
pub(super) struct Gap {
    /// When the last event before it was stored, if one came.
    pub(super) after: Option<Timestamp>,
    /// What the gateway says of it.
    pub(super) said: Value,
}

/// Somebody who listens.
pub(super) struct Follower<'a> {
    at: &'a At,
    url: Url,
    /// How far it has come.
    mark: Mark,
    stream: Option<Stream>,
    /// The gateway has answered once: from then on it may be away.
    has_begun: bool,
    /// How often in a row it could not come back.
    failures: u32,
    /// It comes back then.
    not_before: Instant,
}

impl<'a> Follower<'a> {
    /// Listens from a mark on; from one without a cursor, from this time on, and else from now on.
    pub(super) async fn open(
        at: &'a At,
        filters: &[(&'static str, String)],
        after: Option<Timestamp>,
        (mark, more): (Mark, &[(&'static str, &str)]),
    ) -> anyhow::Result<Self> {
        let mut url = at.url(PATH)?;
        url.query_pairs_mut()
            .extend_pairs(filters)
            .extend_pairs(more)
            .append_pair("replays", "true");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", &after.to_string());
        }
        if let Some(store) = mark.store {
            check_store(at, store).await?;
        }
        let (failures, not_before) = (0, Instant::now());
        Ok(Self { at, url, mark, stream: None, has_begun: false, failures, not_before })
    }

    /// What comes next. Dropped before it is ready, it loses nothing.
    pub(super) async fn next(&mut self) -> anyhow::Result<News> {
        loop {
            let Some(stream) = &mut self.stream else {
                self.connect().await?;
                continue;
            };
            match stream.next().await {
                Ok(Some(message)) => {
                    self.failures = 0;
                    if let Some(news) = self.heard(message)? {
                        return Ok(news);
                    }
                }
                Ok(None) => self.lose("the gateway ended the stream"),
                Err(error) => self.lose(&causes::chain(error.as_ref())),
            }
        }
    }

    async fn connect(&mut self) -> anyhow::Result<()> {
        sleep_until(self.not_before).await;
        let refused = match self.at.listen(&self.url, self.mark.cursor.as_deref()).await {
            Ok(Opened::Stream(stream)) => {
                if self.failures > 0 {
                    note(format_args!("hookgate: the gateway answers again"));
                }
                self.stream = Some(stream);
                self.has_begun = true;
                return Ok(());
            }
            Ok(Opened::Refused(answer)) => answer,
            Err(error) if self.has_begun => {
                self.lose(&causes::chain(error.as_ref()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let said = http::ok(&refused).map(str::len);
        let Err(error) = said else {
            bail!("the gateway answered {} and no stream", refused.status)
        };
        if self.has_begun && is_passing(refused.status) {
            self.lose(&causes::chain(error.as_ref()));
            return Ok(());
        }
        Err(error)
    }

    /// The connection is gone: it comes back in a while.
    fn lose(&mut self, why: &str) {
        if self.failures == 0 {
            note(format_args!("hookgate: {why}; trying again"));
        }
        self.stream = None;
        let pause = pause::growing(PAUSE, PAUSE_MAX, self.failures);
        self.failures += 1;
        self.not_before = Instant::now() + pause;
    }

    fn heard(&mut self, message: Message) -> anyhow::Result<Option<News>> {
        let Message { id, event, data } = message;
        let is_replay = match event.as_deref() {
            Some("event") => false,
            Some("replay") => true,
            Some("gap") => return Gap::read(self.mark.recorded_at, &data).map(News::Gap).map(Some),
            _ => {
                let Some(id) = id else { return Ok(None) };
                self.mark.cursor = Some(id);
                return Ok(Some(News::Far(self.mark.clone())));
            }
        };
        let Stored { id: event_id, recorded_at } =
            serde_json::from_str(&data).context("the gateway sent an event without an id")?;
        let tag = event_id.parse::<Id>()?.tag;
        if self.mark.store.is_some_and(|store| store != tag) {
            bail!(ANOTHER_STORE);
        }
        let last = self.mark.recorded_at.filter(|last| is_replay || *last > recorded_at);
        let cursor = id.or_else(|| self.mark.cursor.clone());
        self.mark = Mark { cursor, recorded_at: last.or(Some(recorded_at)), store: Some(tag) };
        Ok(Some(News::Event(Heard { text: data, is_replay, mark: self.mark.clone() })))
    }
}

const ANOTHER_STORE: &str = "the cursor is of the store of another gateway: give each gateway a \
                             cursor file of its own";

/// What there is to know of an event to go on behind it.
#[derive(serde::Deserialize)]
struct Stored {
    id: String,
    recorded_at: Timestamp,
}

/// That the gateway has the store that a mark is of, as far as it has any event.
async fn check_store(at: &At, store: u32) -> anyhow::Result<()> {
    let mut url = at.url("/v1/events")?;
    url.query_pairs_mut().append_pair("limit", "1");
    let page = http::json(&at.get(&url).await?)?;
    let id = page["items"][0]["id"].as_str().and_then(|id| id.parse::<Id>().ok());
    if id.is_some_and(|id| id.tag != store) {
        bail!(ANOTHER_STORE);
    }
    Ok(())
}

/// Whether an answer says that a later one may be another.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

impl Gap {
    /// Reads what the gateway says of a gap behind an event of this time.
    fn read(after: Option<Timestamp>, text: &str) -> anyhow::Result<Self> {
        let said = serde_json::from_str(text);
        let said = said.context("the gateway sent a gap that this program can't read")?;
        Ok(Self { after, said: Value::Object(said) })
    }

    /// For a program.
    pub(super) fn json(&self) -> Value {
        let mut gap = self.said.clone();
        gap["after"] = json!(self.after);
        json!({ "gap": gap })
    }

    /// For a person.
    pub(super) fn words(&self) -> String {
        let said = |key: &str| self.said[key].as_str().map(str::to_owned);
        let after = self.after.map(|after| format!(" after {after}")).unwrap_or_default();
        let before = said("next").map(|next| format!(" before {next}")).unwrap_or_default();
        let place = self.said["position"].as_u64();
        let place = place.map(|at| format!(" (position {at} of the log)")).unwrap_or_default();
        let reason = said("reason").unwrap_or_else(|| "unknown".to_owned());
        let detail = said("detail").unwrap_or_default();
        format!("gap: events{after}{before} may be missing, {reason}: {detail}{place}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_from_when_to_when_and_why() {
        let next = "2023-11-16T00:00:00.000Z";
        let said = json!({ "reason": "removed", "detail": "they are removed", "next": next });
        let gap = Gap { after: Some(Timestamp(1_700_000_000_000)), said };
        let words = "gap: events after 2023-11-14T22:13:20.000Z before 2023-11-16T00:00:00.000Z \
                     may be missing, removed: they are removed";
        assert_eq!(gap.words(), words);
        assert_eq!(gap.json()["gap"]["after"], "2023-11-14T22:13:20.000Z");
        assert_eq!(gap.json()["gap"]["next"], next);
        let said = json!({ "reason": "damaged", "detail": "it can't be read", "position": 7 });
        let gap = Gap { after: None, said };
        assert!(gap.words().ends_with("damaged: it can't be read (position 7 of the log)"));
    }

    /// Guards `Gap::json`, which adds a member.
    #[test]
    fn a_gap_that_has_no_members_is_an_error() {
        let read = |text: &str| Gap::read(None, text).map(|gap| gap.json()).is_ok();
        assert!(read(r#"{"reason":"removed"}"#));
        assert!(!["[]", "7", "\"text\"", "null", ""].into_iter().any(read));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        assert!([408, 429, 500, 503].into_iter().all(is_passing));
        assert!(![400, 401, 403, 404, 200].into_iter().any(is_passing));
    }
}
