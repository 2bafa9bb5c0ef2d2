//! What the guest is told to do with a request, drawn by chance.

use fastrand::Rng;
use serde_json::{Value, json};

/// Entities that the events are about.
pub(super) const SUBJECTS: usize = 4;

/// A request's body.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) id: String,
    pub(super) subject: usize,
    /// Events in it; none if it can't be parsed.
    pub(super) events: usize,
    /// How a parse fails, if it can't be parsed.
    pub(super) broken: Broken,
    pub(super) act: Act,
    pub(super) then: Then,
    /// The try that does not fail any more.
    pub(super) until: u32,
}

/// How a parse fails.
#[derive(Debug, Clone, Copy)]
pub(super) enum Broken {
    Fail,
    Trap,
}

/// What a run asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Counts the events of the subject.
    Count,
    /// Emits an event, which goes to both endpoints.
    Emit,
    /// Sends to the second endpoint.
    Send,
}

/// What a run does after it has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Return,
    Fail,
    Trap,
    Retry,
    /// Asks for a longer delay than the gateway's own.
    RetryLater,
}

/// What the guest asks for when it wants to be tried later.
pub(super) const LATER_MS: u64 = 120_000;

impl Command {
    pub(super) fn draw(number: usize, subject: usize, random: &mut Rng) -> Self {
        let acts = [Act::Nothing, Act::Count, Act::Count, Act::Emit, Act::Send];
        let fails = [Then::Fail, Then::Trap, Then::Retry, Then::RetryLater];
        let events = [0, 1, 1, 1, 1, 1, 1, 3][random.usize(..8)];
        // What several events of a request ask for could not be told apart.
        let acts = if events > 1 { &acts[..2] } else { &acts[..] };
        Self {
            id: format!("evt_{number}"),
            subject,
            events,
            // Thirty traps in a row would pause the source, of which the model knows nothing.
            broken: if random.bool() && number.is_multiple_of(8) {
                Broken::Trap
            } else {
                Broken::Fail
            },
            act: acts[random.usize(..acts.len())],
            then: if random.bool() { Then::Return } else { fails[random.usize(..fails.len())] },
            until: random.u32(2..=4),
        }
    }

    /// The ids of its events.
    pub(super) fn event_ids(&self) -> Vec<String> {
        match self.events {
            1 => vec![self.id.clone()],
            events => (1..=events).map(|number| format!("{}-{number}", self.id)).collect(),
        }
    }

    /// The subject's name.
    pub(super) fn subject(&self) -> String {
        format!("pi_{}", self.subject)
    }

    pub(super) fn json(&self) -> Value {
        let (id, subject) = (&self.id, self.subject());
        if self.events == 0 {
            let broken = match self.broken {
                Broken::Fail => "fail",
                Broken::Trap => "trap",
            };
            return json!({ "id": id, "subject": subject, "at": "parse", "do": broken });
        }
        let act = match self.act {
            Act::Nothing => "nothing",
            Act::Count => "state",
            Act::Emit => "emit",
            Act::Send => "send",
        };
        let mut command = json!({
            "id": id, "subject": subject, "do": act,
            "data": { "by": id }, "endpoint": "books", "text": format!("for {id}"),
        });
        if self.events > 1 {
            command["events"] = json!(self.events);
        }
        let then = match self.then {
            Then::Return => return command,
            Then::Fail => "fail",
            Then::Trap => "trap",
            Then::Retry | Then::RetryLater => "retry",
        };
        command["then"] = json!(then);
        // A failure that would last is not worth another try.
        if self.then != Then::Fail {
            command["until"] = json!(self.until);
        }
        if self.then == Then::RetryLater {
            command["after_ms"] = json!(LATER_MS);
        }
        command
    }
}
