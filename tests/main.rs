//! Scenarios: what users rely on, through real sockets, real wasm and a real store.
//!
//! One binary, so that it is linked once. `make test` builds the gateway and the plugins first.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod harness;

mod path;
mod vectors;
mod proofs;
mod ingest;
mod dispatch;
mod hostile;
mod sandbox;
mod languages;
mod delivery;
mod reload;
mod canary;
mod tls;
mod loading;
mod signing;
mod waiting;
mod retrying;
mod malformed;
mod rotation;
mod standard_webhooks;
mod secrets;
mod encryption;
mod admin;
mod dashboard;
mod browser;
mod tenants;
mod endpoints;
mod operations;
mod grafana;
mod traces;
mod otlp_metrics;
mod provider;
mod fuzz;
mod cli;
mod crash;
mod redaction;
mod backup;
mod forgetting;
mod replay;
mod rehearsal;
mod faults;
mod simulation;
mod shutdown;
mod service;
mod tidy;
mod limits;
mod regressions;
mod sdk;
mod examples;
mod package;
