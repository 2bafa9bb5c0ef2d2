//! The `[limits]` table: a number for everything that could otherwise grow.
//!
//! Only numbers and their defaults; each part is given its own by the gateway.

use std::time::Duration;

use serde::Deserialize;

use super::file::HumanDuration;

/// How much of everything. Every key may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request body, in bytes: 413 beyond it.
    pub body_bytes: usize,
    /// Connections to the public port at a time; more wait.
    pub connections: usize,
    /// Requests being received at a time: 503 beyond it.
    pub requests: usize,
    /// Of these, how many one source may have: 429 beyond it.
    pub requests_per_source: usize,
    /// Receipts waiting to be written: 503 beyond it.
    pub queue: usize,
    /// Parses at a time. Zero is a maintenance switch: receipts are accepted and kept, and nothing is
    /// parsed, run or delivered of them until the gateway starts with more.
    pub parses: usize,
    /// Runs at a time.
    pub runs: usize,
    /// Of these, how many one handler may have.
    pub runs_per_handler: usize,
    /// Deliveries at a time, over all endpoints.
    pub deliveries: usize,
    /// What one instance of a plugin may have of memory, in bytes.
    pub plugin_memory_bytes: usize,
    pub(super) claims_deadline: HumanDuration,
    pub(super) parse_deadline: HumanDuration,
    pub(super) handle_deadline: HumanDuration,
    pub(super) grace: HumanDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            connections: 4096,
            requests: 1024,
            requests_per_source: 768,
            queue: 4096,
            // As many as keep two threads busy while their commits are under way.
            parses: 64,
            runs: 16,
            runs_per_handler: 3,
            deliveries: 256,
            plugin_memory_bytes: 32 * 1024 * 1024,
            claims_deadline: HumanDuration(Duration::from_millis(100)),
            parse_deadline: HumanDuration(Duration::from_secs(1)),
            handle_deadline: HumanDuration(Duration::from_secs(1)),
            grace: HumanDuration(Duration::from_secs(30)),
        }
    }
}

impl Limits {
    /// The name of a limit that is zero and must not be: it would stop everything. Only `parses`
    /// may be, for then everything is still accepted.
    pub(super) fn zero(&self) -> Option<&'static str> {
        let numbers = [
            ("body_bytes", self.body_bytes),
            ("connections", self.connections),
            ("requests", self.requests),
            ("requests_per_source", self.requests_per_source),
            ("queue", self.queue),
            ("runs", self.runs),
            ("runs_per_handler", self.runs_per_handler),
            ("deliveries", self.deliveries),
            ("plugin_memory_bytes", self.plugin_memory_bytes),
        ];
        let durations = [
            ("claims_deadline", self.claims_deadline()),
            ("parse_deadline", self.parse_deadline()),
            ("handle_deadline", self.handle_deadline()),
        ];
        let number = numbers.iter().find(|(_, number)| *number == 0).map(|(name, _)| *name);
        number.or_else(|| durations.iter().find(|(_, time)| time.is_zero()).map(|(name, _)| *name))
    }

    /// How long `claims` may take.
    pub fn claims_deadline(&self) -> Duration {
        self.claims_deadline.0
    }

    /// How long `parse` may take.
    pub fn parse_deadline(&self) -> Duration {
        self.parse_deadline.0
    }

    /// How long `handle` may take.
    pub fn handle_deadline(&self) -> Duration {
        self.handle_deadline.0
    }

    /// How long a stop waits for what is in flight.
    pub fn grace(&self) -> Duration {
        self.grace.0
    }
}
