//! Providers of one region each: their requests, proven and parsed.
//!
//! One program for many, because a program of its own for each would take longer to build than to
//! run. A module is a provider; what it says beside its line of tests is what is special about it.

mod mercado_pago;
mod monnify;
