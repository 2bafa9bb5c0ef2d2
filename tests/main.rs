//! Scenarios: what users rely on, through real sockets, real wasm and a real store.
//!
//! One binary, so that it is linked once. `make test` builds the gateway and the plugins first.
#![expect(unreachable_pub, reason = "a module of a test binary is reached by its neighbours")]

mod harness;

mod path;
mod crash;
mod shutdown;
mod tidy;
