//! Scenarios: what users rely on, through real sockets, real wasm and a real store.
//!
//! One binary, so that it is linked once. `make test` builds the gateway and the plugins first.

mod admin;
mod cli;
mod delivery;
mod dispatch;
mod harness;
mod ingest;
mod path;
mod reload;
mod rotation;
mod sandbox;
mod vectors;
