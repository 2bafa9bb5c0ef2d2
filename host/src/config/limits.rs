//! The `[limits]` table: a number for everything that could otherwise grow.
//!
//! Only numbers, their defaults and their bounds; each part is given its own by the gateway.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::document::Table;
use super::patience::Patience;
use super::values::{hours, ms, secs};
use crate::effect::Allowance;
use crate::ingest::{Bounds, Shares};
use crate::listener;
use crate::plugin::Threads;
use crate::store::Marks;

/// So that one is always left when a source or handler has the others.
const THREADS: RangeInclusive<usize> = Threads::LEAST..=Threads::MOST;

/// What a plugin needs of memory for itself, and how many times as much as a body has: for the
/// body, for the data of its events, and for what it computes with.
const MEMORY_BYTES_MIN: usize = 4 << 20;
const MEMORY_FOR_A_BODY: usize = 3;

/// What a plugin should have of memory for bodies of this size, in bytes.
pub(super) fn memory_for(body_bytes: usize) -> usize {
    MEMORY_BYTES_MIN + MEMORY_FOR_A_BODY * body_bytes
}

/// Open works, by default. Most of so many are on disk only, where each takes about 100 bytes
/// beside what it is about.
const BACKLOG: usize = 4_000_000;
const BACKLOG_PER_SOURCE: usize = BACKLOG / 2;

/// Runs of one handler at a time, by default, for each of the threads that make them: one that is
/// made and one that is next.
const RUNS_PER_THREAD: usize = 2;
/// So many handlers may have as many, by default.
const HANDLERS: usize = 8;
/// Parses at a time, by default, if the machine has many cores.
const PARSES_PER_THREAD: usize = 4;

/// Outcomes on their way to the disk, by default: half of them are what 10,000 in a second are
/// while a commit takes 50 ms, which is long.
const UNCOMMITTED: usize = 1_024;

/// What all runs that one receipt causes may emit, by default.
const EMITTED_EVENTS: usize = 1_000;
const EMITTED_BYTES: usize = 16 << 20;

/// How much of everything. Every key may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Largest request body, in bytes: 413 beyond it.
    pub(crate) body_bytes: usize,
    /// Connections to the public port at a time. In a full table those that keep the gateway
    /// waiting make room; where all are at work, more wait.
    pub(crate) connections: usize,
    /// Of these, how many one address may have: half of them if left out. A proxy in front of the
    /// gateway is one address: if that is on another machine, set this to `connections`.
    pub(crate) connections_per_address: Option<usize>,
    patience: Patience,
    /// Requests at a time on one connection over HTTP/2; zero is no HTTP/2.
    http2_requests: usize,
    /// What is held of all bodies until their requests are answered, in bytes: 503 beyond it, for
    /// the bodies first that have been on their way for the longest with the most.
    pub(crate) held_bytes: usize,
    /// Of these, how many one source may have: 429 beyond it.
    pub(crate) held_bytes_per_source: usize,
    /// Requests being worked on at a time, from when their bodies are whole: 503 beyond it.
    pub(crate) requests: usize,
    /// Of these, how many one source may have: 429 beyond it.
    pub(crate) requests_per_source: usize,
    /// Receipts waiting to be written: 503 beyond it.
    pub(crate) queue: usize,
    /// Open works, which are receipts to parse, runs and deliveries: 503 beyond it.
    pub(crate) backlog: usize,
    /// Of these, how many may go back to the receipts of one source: 429 beyond it.
    pub(crate) backlog_per_source: usize,
    /// Free bytes of the data folder's file system: 503 below it. If left out, a twentieth of the
    /// file system and at most 1 GiB.
    pub(crate) disk_free_bytes: Option<usize>,
    /// Parses at a time. Zero is a maintenance switch: receipts are accepted and kept, and nothing
    /// is parsed, run or delivered of them until the gateway starts with more.
    pub(crate) parses: usize,
    /// Runs at a time.
    pub(crate) runs: usize,
    /// Of these, how many one handler may have.
    pub(crate) runs_per_handler: usize,
    /// Attempts to deliver at a time, over all endpoints; one whose body is large counts as
    /// several, one for each 64 KiB. Endpoints that do not answer have half of them at most.
    pub(crate) deliveries: usize,
    /// Whether endpoints that do not say it themselves get nothing for a while when attempts fail
    /// again and again.
    pub(crate) breaker: bool,
    /// Outcomes of parses, of runs and of attempts that are on their way to the disk, so many of
    /// each, while others are worked on in their place: a crash repeats them. One that is large
    /// counts as several, one for each 64 KiB. One source, handler or endpoint has half at most.
    pub(crate) uncommitted: usize,
    /// Threads that read claims; for slow sources, and as a reserve, there are more.
    pub(crate) claims_threads: usize,
    /// Threads that parse, likewise.
    pub(crate) parse_threads: usize,
    /// Threads that run handlers, likewise.
    pub(crate) run_threads: usize,
    /// Events that all runs may emit that come of one receipt.
    pub(crate) emitted_events: usize,
    /// How many bytes these may have together.
    pub(crate) emitted_bytes: usize,
    /// What one instance of a plugin may have of memory, in bytes.
    pub(crate) plugin_memory_bytes: usize,
    claims_deadline: Duration,
    early_parse: Duration,
    parse_deadline: Duration,
    handle_deadline: Duration,
    grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let threads = Threads::of_this_machine();
        Self {
            body_bytes: 1024 * 1024,
            connections: 4096,
            connections_per_address: None,
            patience: Patience::default(),
            http2_requests: 100,
            held_bytes: 256 * 1024 * 1024,
            held_bytes_per_source: 128 * 1024 * 1024,
            requests: 1024,
            requests_per_source: 768,
            queue: 4096,
            backlog: BACKLOG,
            backlog_per_source: BACKLOG_PER_SOURCE,
            disk_free_bytes: None,
            // Waiting is cheap, and nobody waits here for the disk: more than keep the threads
            // busy, and some are left when several sources or handlers hang.
            parses: (PARSES_PER_THREAD * threads.parse).max(128),
            runs: RUNS_PER_THREAD * HANDLERS * threads.run,
            runs_per_handler: RUNS_PER_THREAD * threads.run,
            deliveries: 4096,
            breaker: true,
            uncommitted: UNCOMMITTED,
            claims_threads: threads.claims,
            parse_threads: threads.parse,
            run_threads: threads.run,
            emitted_events: EMITTED_EVENTS,
            emitted_bytes: EMITTED_BYTES,
            plugin_memory_bytes: 32 * 1024 * 1024,
            claims_deadline: ms(100),
            early_parse: ms(5),
            parse_deadline: secs(1),
            handle_deadline: secs(1),
            grace: secs(30),
        }
    }
}

impl Limits {
    /// Reads the table. Only `parses` may be zero, for then everything is still accepted.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        let (body_bytes, plugin_memory_bytes) = Self::sizes(table);
        let deadline = |table: &mut Table<'_>, key, default: Duration| {
            table.duration(key, ms(1)..=secs(60), default)
        };
        Self {
            body_bytes,
            connections: table.count("connections", 1..=1_000_000, default.connections),
            connections_per_address: table
                .take("connections_per_address")
                .and_then(|entry| entry.count(&(1..=1_000_000))),
            patience: Patience::read(table),
            http2_requests: table.count("http2_requests", 0..=1000, default.http2_requests),
            held_bytes: table.count("held_bytes", 1024..=1 << 40, default.held_bytes),
            held_bytes_per_source: table.count(
                "held_bytes_per_source",
                1024..=1 << 40,
                default.held_bytes_per_source,
            ),
            requests: table.count("requests", 1..=1_000_000, default.requests),
            requests_per_source: table.count(
                "requests_per_source",
                1..=1_000_000,
                default.requests_per_source,
            ),
            queue: table.count("queue", 1..=1_000_000, default.queue),
            backlog: table.count("backlog", 1..=1_000_000_000, default.backlog),
            backlog_per_source: table.count(
                "backlog_per_source",
                1..=1_000_000_000,
                default.backlog_per_source,
            ),
            disk_free_bytes: table
                .take("disk_free_bytes")
                .and_then(|entry| entry.count(&(0..=1 << 50))),
            parses: table.count("parses", 0..=4096, default.parses),
            runs: table.count("runs", 1..=4096, default.runs),
            runs_per_handler: table.count("runs_per_handler", 1..=4096, default.runs_per_handler),
            deliveries: table.count("deliveries", 1..=100_000, default.deliveries),
            breaker: table
                .take("breaker")
                .and_then(|entry| entry.truth())
                .unwrap_or(default.breaker),
            uncommitted: table.count("uncommitted", 0..=100_000, default.uncommitted),
            claims_threads: table.count("claims_threads", THREADS, default.claims_threads),
            parse_threads: table.count("parse_threads", THREADS, default.parse_threads),
            run_threads: table.count("run_threads", THREADS, default.run_threads),
            emitted_events: table.count("emitted_events", 0..=1_000_000, default.emitted_events),
            emitted_bytes: table.count("emitted_bytes", 0..=1 << 30, default.emitted_bytes),
            plugin_memory_bytes,
            claims_deadline: deadline(table, "claims_deadline", default.claims_deadline),
            early_parse: table.duration("early_parse", ms(0)..=secs(1), default.early_parse),
            parse_deadline: deadline(table, "parse_deadline", default.parse_deadline),
            handle_deadline: deadline(table, "handle_deadline", default.handle_deadline),
            grace: table.duration("grace", ms(0)..=hours(1), default.grace),
        }
    }

    /// Every key with its value, as the file has it; without those for which something else
    /// decides unless they are there.
    pub(super) fn written(&self) -> BTreeMap<&'static str, Value> {
        let time = |time: Duration| Value::from(humantime::format_duration(time).to_string());
        let counts = [
            ("body_bytes", self.body_bytes),
            ("connections", self.connections),
            ("http2_requests", self.http2_requests),
            ("held_bytes", self.held_bytes),
            ("held_bytes_per_source", self.held_bytes_per_source),
            ("requests", self.requests),
            ("requests_per_source", self.requests_per_source),
            ("queue", self.queue),
            ("backlog", self.backlog),
            ("backlog_per_source", self.backlog_per_source),
            ("parses", self.parses),
            ("runs", self.runs),
            ("runs_per_handler", self.runs_per_handler),
            ("deliveries", self.deliveries),
            ("uncommitted", self.uncommitted),
            ("claims_threads", self.claims_threads),
            ("parse_threads", self.parse_threads),
            ("run_threads", self.run_threads),
            ("emitted_events", self.emitted_events),
            ("emitted_bytes", self.emitted_bytes),
            ("plugin_memory_bytes", self.plugin_memory_bytes),
        ];
        let times = [
            ("claims_deadline", self.claims_deadline),
            ("early_parse", self.early_parse),
            ("parse_deadline", self.parse_deadline),
            ("handle_deadline", self.handle_deadline),
            ("grace", self.grace),
        ];
        let counts = counts.into_iter().map(|(key, count)| (key, Value::from(count)));
        let times = times.into_iter().chain(self.patience.times());
        let all = counts.chain(times.map(|(key, it)| (key, time(it))));
        all.chain([("breaker", Value::from(self.breaker))]).collect()
    }

    /// How many requests a connection over HTTP/2 may have at a time, if there is HTTP/2.
    pub(super) fn http2(&self) -> Option<NonZeroU32> {
        u32::try_from(self.http2_requests).ok().and_then(NonZeroU32::new)
    }

    /// The largest body, and the memory that must do for it: what is accepted and then can't be
    /// parsed would only be a dead letter.
    fn sizes(table: &mut Table<'_>) -> (usize, usize) {
        let default = Self::default();
        let keys = ["body_bytes", "plugin_memory_bytes"].map(|key| table.take(key));
        let [body, memory] = keys;
        let body_bytes = body.and_then(|entry| entry.count(&(1024..=64 << 20)));
        let memory_bytes = memory.and_then(|entry| entry.count(&(1 << 20..=1 << 30)));
        let body_bytes = body_bytes.unwrap_or(default.body_bytes);
        let memory_bytes = memory_bytes.unwrap_or(default.plugin_memory_bytes);
        let needed = memory_for(body_bytes);
        if memory_bytes < needed
            && let Some(entry) = body.or(memory)
        {
            entry.wrong(&format!(
                "does not fit: a plugin holds a body and its events, so for `body_bytes` = \
                 {body_bytes}, `plugin_memory_bytes` must be at least {needed}"
            ));
        }
        (body_bytes, memory_bytes)
    }

    /// The threads for plugins.
    pub(crate) fn threads(&self) -> Threads {
        let Self { claims_threads: claims, parse_threads: parse, run_threads: run, .. } = *self;
        Threads { claims, parse, run }
    }

    /// What runs may emit that come of one receipt.
    pub(crate) fn allowance(&self) -> Allowance {
        let events = u32::try_from(self.emitted_events).unwrap_or(u32::MAX);
        Allowance { events, bytes: self.emitted_bytes as u64 }
    }

    /// How many peers the public port takes, and how patiently.
    pub(crate) fn public(&self) -> listener::Limits {
        let half = self.connections.div_ceil(2);
        let Patience { stall, tls, head, idle, .. } = self.patience;
        listener::Limits {
            connections_max: self.connections,
            connections_per_address: self.connections_per_address.unwrap_or(half),
            handshake: tls,
            head,
            stall,
            idle,
            half_close: true,
        }
    }

    /// The same of the operators' port, which may have so many connections.
    pub(crate) fn admin(&self, connections_max: usize) -> listener::Limits {
        listener::Limits {
            connections_max,
            // This machine and trusted proxies are not counted.
            connections_per_address: connections_max.div_ceil(2),
            half_close: false,
            ..self.public()
        }
    }

    /// How much is held of bodies, and how patiently.
    pub(crate) fn bodies(&self) -> Bounds {
        let Self { body_bytes, held_bytes, patience: Patience { body, .. }, .. } = *self;
        Bounds { body_bytes, held_bytes, stall: body }
    }

    /// What one source may have of what all share.
    pub(crate) fn shares(&self) -> Shares {
        Shares { requests: self.requests_per_source, held_bytes: self.held_bytes_per_source }
    }

    /// At how many open works requests are put off.
    pub(crate) fn marks(&self) -> Marks {
        Marks { all: self.backlog, per_source: self.backlog_per_source }
    }

    /// What only a start can apply, by its key, as numbers to compare. The deadlines of plugins,
    /// the high-water marks, whether endpoints have breakers and what is for new connections are
    /// not among them: they change while the gateway runs.
    pub(super) fn fixed(&self) -> impl Iterator<Item = (&'static str, u128)> + use<> {
        let Self {
            body_bytes,
            connections,
            connections_per_address,
            patience,
            http2_requests: _,
            held_bytes,
            held_bytes_per_source,
            requests,
            requests_per_source,
            queue,
            backlog: _,
            backlog_per_source: _,
            disk_free_bytes: _,
            parses,
            runs,
            runs_per_handler,
            deliveries,
            breaker: _,
            uncommitted,
            claims_threads,
            parse_threads,
            run_threads,
            emitted_events,
            emitted_bytes,
            plugin_memory_bytes,
            claims_deadline: _,
            early_parse: _,
            parse_deadline: _,
            handle_deadline: _,
            grace,
        } = *self;
        let counts = [
            ("body_bytes", body_bytes),
            ("connections", connections),
            // A file can't say 0.
            ("connections_per_address", connections_per_address.unwrap_or(0)),
            ("held_bytes", held_bytes),
            ("held_bytes_per_source", held_bytes_per_source),
            ("requests", requests),
            ("requests_per_source", requests_per_source),
            ("queue", queue),
            ("parses", parses),
            ("runs", runs),
            ("runs_per_handler", runs_per_handler),
            ("deliveries", deliveries),
            ("uncommitted", uncommitted),
            ("claims_threads", claims_threads),
            ("parse_threads", parse_threads),
            ("run_threads", run_threads),
            ("emitted_events", emitted_events),
            ("emitted_bytes", emitted_bytes),
            ("plugin_memory_bytes", plugin_memory_bytes),
        ];
        let times = patience.times().into_iter().chain([("grace", grace)]);
        let counts = counts.into_iter().map(|(key, count)| (key, count as u128));
        let times = times.map(|(key, time)| (key, time.as_nanos()));
        counts.chain(times)
    }

    /// How long `claims` may take.
    pub(crate) fn claims_deadline(&self) -> Duration {
        self.claims_deadline
    }

    /// How long `parse` may take before a receipt is stored; zero is never.
    pub(crate) fn early_parse(&self) -> Duration {
        self.early_parse
    }

    /// How long `parse` may take.
    pub(crate) fn parse_deadline(&self) -> Duration {
        self.parse_deadline
    }

    /// How long `handle` may take.
    pub(crate) fn handle_deadline(&self) -> Duration {
        self.handle_deadline
    }

    /// How long a stop waits for what is in flight.
    pub(crate) fn grace(&self) -> Duration {
        self.grace
    }
}
