//! Scenarios: what users rely on, through real sockets, real wasm and a real store.
//!
//! One binary, so that it is linked once. `make test` builds the gateway and the plugins first.

mod admin;
mod cli;
mod harness;
mod ingest;
mod path;
mod vectors;
