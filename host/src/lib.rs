//! Hookgate: a self-hosted webhook gateway for payments.
//!
//! A payment gateway posts an event. Hookgate proves who sent it, makes it durable, answers, and
//! only then runs the team's own logic on it: WebAssembly plugins, sandboxed, written against the
//! contract in `wit/`, dropped into a folder and reloaded while traffic flows. What the plugins ask
//! for leaves as signed, retried, observable deliveries.
//!
//! ```text
//!  payment gateway                                                     endpoint
//!        |  POST /in/{source}                                             ^
//!        v                                                                | signed, retried
//!     ingest ----------.        dispatch ---------.         delivery -----'
//!  claim, verify,      |     parse, route, run    |       attempt, record
//!  parse, append       v            ^  |          v            ^
//!                  +---------------------------------------------------+
//!                  | store: receipts, events, runs, deliveries, state  |
//!                  +---------------------------------------------------+
//! ```
//!
//! # The path of one event
//!
//! 1. *receive*: [`ingest`] takes `POST /in/{source}`, bounded in size and time.
//! 2. *claim*: the source's provider plugin reads off what was signed ([`provider`]). It never sees
//!    a secret. [`plugin`] runs it, in a fresh instance, as it runs every call but a parse that
//!    follows at once.
//! 3. *verify*: `signature` holds that against the source's [`secrets`], and against public keys
//!    that were fetched ([`keys`]). A validation challenge is answered here, and nothing is stored.
//!    A genuine event gets 429 or 503 here if too much work is open or the disk is nearly full.
//! 4. *parse*: [`dispatch`] lets the plugin turn what is proven and new into [`event`]s, and routes
//!    them; where that is not quick, or something older of the source waits for it, behind 6.
//! 5. *append*: the [`store`] writes the receipt, its event ids and its events, and syncs; all that
//!    wait share one transaction. What is known already is stored no second time.
//! 6. *answer*: only now 2xx.
//! 7. *route*: by type ([`route`]), to handler plugins and to endpoints; with the parse.
//! 8. *run*: [`dispatch`] runs each handler, events of one subject in order, one at a time.
//! 9. *commit*: what it asked for ([`effect`]) and the run's completion land together or not at
//!    all.
//! 10. *deliver*: `delivery` signs, attempts through the guard ([`egress`]), records and judges
//!     ([`retry`]).
//!
//! No task hands data to another except through the store. So there is no shutdown order, no
//! channel whose contents can be lost, and a restart continues from the store.
//!
//! # What always holds
//!
//! 1. *Accepted is durable.* 2xx is sent only after the receipt is synced to disk.
//! 2. *Genuine.* Verification comes before everything else, fails closed, and is off only where the
//!    operator wrote `verify = "none"`.
//! 3. *Once.* An event id of a source yields its events once, also on many connections at once.
//! 4. *Secrets stay out.* No secret is ever handed to a plugin, logged, or returned by an API.
//! 5. *Plugins only ask.* Nothing outside the sandbox changes except by a committed effect.
//! 6. *All or nothing.* A run's effects land in one transaction with the run's completion.
//! 7. *Bounded.* No guest outlives its deadline, memory, log or output limits; no queue is
//!    unbounded.
//! 8. *Nothing is lost.* Every receipt, run and delivery ends done or dead, and the dead can be
//!    replayed.
//! 9. *A bad reload changes nothing*; a good one loses no event in flight.
//! 10. *Stopping loses nothing* and waits at most the grace period.
//! 11. *One cannot starve another.* A slow or hostile plugin or endpoint costs its neighbours
//!     nothing that they would notice.
//! 12. *Nothing decides over the process.* A plugin file, a record, a peer, a setting, a name
//!     server or a panic over one item fails that item only.
//!
//! `docs/design.md` has these with their reasons, and the format of the store byte by byte; tests
//! cite them as I1 to I12.
//!
//! # The code
//!
//! A file imports only from the layers above it in this list; each outside world has one door.
//!
//! - *Values*, with no clock, and no IO but to read what others put in place (`regular_file`):
//!   [`ids`] [`tenant`] [`address`] `causes` `lock` `priority` [`headers`] [`json_text`] [`event`]
//!   [`setting`] [`provider`] [`route`] [`effect`] [`canary`] [`retry`] [`failure`] [`endpoint`]
//!   [`subscribers`] [`trace_context`] [`secrets`] `signature` `signing` [`minisign`] [`token`]
//!   `master_key` `pseudonym` `rate`
//! - *Resources*, one door each: [`clock`] (time) [`store`] (redb) [`plugin`] (wasmtime) [`egress`]
//!   (outbound HTTP) [`directory`] (all endpoints) [`keys`] `listener` (hyper) `watch` (notify)
//!   `metrics`, `telemetry` (OTLP), `streams` (what works on a connection over HTTP/2), `disk`
//!   (free room), `refused` (the last requests that were), `notices` (what happened to the
//!   gateway), `subprocess` (processes that are waited for), the loop in `worker`, `proof` (whether
//!   a request is genuine, by several of them), [`rehearsal`] (what a version of a plugin makes of
//!   what is stored), `sample` (requests as a provider would send them), and `traffic` (what came
//!   and went lately)
//! - *Activities*, which never import each other: [`ingest`] [`dispatch`] `delivery` [`admin`]
//!   `dashboard`
//! - *Wiring*: [`config`] [`gateway`] [`cli`]

pub mod ids;
pub mod tenant;
pub mod address;
mod causes;
mod lock;
mod priority;
pub mod headers;
pub mod json_text;
pub mod event;
pub mod setting;
pub mod provider;
pub mod route;
pub mod effect;
pub mod canary;
pub mod retry;
pub mod failure;
pub mod endpoint;
pub mod subscribers;
pub mod trace_context;
mod rate;
mod signature;
mod signing;
pub mod minisign;

pub mod clock;
mod regular_file;
pub mod secrets;
pub mod token;
mod master_key;
mod pseudonym;
pub mod store;
pub mod plugin;
mod streams;
pub mod egress;
pub mod directory;
pub mod keys;
mod listener;
mod watch;
mod metrics;
mod telemetry;
mod disk;
mod subprocess;
mod refused;
mod notices;
mod worker;
mod proof;
pub mod rehearsal;
mod sample;
mod traffic;

pub mod ingest;
pub mod dispatch;
mod delivery;
pub mod admin;
mod dashboard;

pub mod config;
pub mod gateway;
pub mod cli;
