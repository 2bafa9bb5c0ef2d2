//! Who may post to a source: the keys of its table that say so.
//!
//! Beside its secrets, and never in their place. Never lets anybody in.

use std::ops::RangeInclusive;

use super::document::{Entry, Table};
use super::secret::Secrets;
use crate::ingest::Gate;
use crate::listener::Issuers;
use crate::rate::Rate;

/// Genuine requests in a second, and at once.
const RATE: RangeInclusive<u32> = 1..=1_000_000;
const BURST: RangeInclusive<u32> = 1..=10_000_000;
/// How many seconds' requests may come at once, unless that is said.
const BURST_SECONDS: u32 = 10;

/// Reads its keys of the table. `has_tls` is whether peers can show certificates at all.
pub(super) fn read(table: &mut Table<'_>, secrets: &mut Secrets<'_>, has_tls: bool) -> Gate {
    let allow = table.take("allow");
    if let Some(entry) = allow.filter(Entry::is_empty_list) {
        entry.wrong("must have at least one network; without this key everybody may post");
    }
    let listed = allow.and_then(|entry| entry.list("a list of networks")).unwrap_or_default();
    let networks = listed.iter().filter_map(|entry| entry.network()).collect();
    let client_ca = table.take("client_ca");
    if let Some(entry) = client_ca.filter(|_| !has_tls) {
        entry.wrong("needs TLS on the public port: add [tls.public]");
    }
    let issuers = client_ca.and_then(|entry| {
        let issuers = Issuers::of_pem(&secrets.file(entry)?);
        if issuers.is_none() {
            entry.wrong("must name a file with certificates in PEM of those who issue to clients");
        }
        issuers
    });
    Gate::new(networks, issuers, rate(table))
}

fn rate(table: &mut Table<'_>) -> Option<Rate> {
    let [rate, burst] = ["rate", "burst"].map(|key| table.take(key));
    if let Some(entry) = burst.filter(|_| rate.is_none()) {
        entry.wrong("needs `rate`, the requests in a second that it is a burst of");
    }
    let rate = rate.and_then(|entry| entry.count(&RATE));
    let burst = burst.and_then(|entry| entry.count(&BURST));
    rate.map(|rate| Rate::new(rate, burst.unwrap_or(rate.saturating_mul(BURST_SECONDS))))
}
