//! `plugins` of the file: where the plugins are, and what single ones may use.
//!
//! A path, or a table that has the folder and below it a table for each plugin with rules of its
//! own. A rule may be of a plugin that is dropped in later. Never loads one.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Entry, Table};
use super::limits::memory_for;
use super::values::{all, ms, secs, size};
use super::world::{Extent, has_plugin};
use crate::canary::Canary;
use crate::minisign::PublicKey;
use crate::plugin::{AllRules, PluginRules};

const TITLE: &str = "[plugins]";
const A_KEY: &str = "a public key of minisign: 56 characters that begin with RW";

/// What one plugin may use: the bounds of what an operator may say.
const MEMORY: RangeInclusive<usize> = 1 << 20..=1 << 30;
const DEADLINE: RangeInclusive<Duration> = ms(1)..=secs(60);
const LOG_LINES: RangeInclusive<usize> = 0..=1_000;
const EFFECTS: RangeInclusive<usize> = 0..=1_024;
/// What its handler may remember, in bytes.
pub(super) const STATE_BYTES: RangeInclusive<u64> = 1024..=1 << 40;
const CONCURRENCY: RangeInclusive<usize> = 1..=4_096;
const REUSE: RangeInclusive<u32> = 2..=100_000;

/// The bytes of memory of one instance, as `memory` of a plugin's table says it: `64MiB`.
///
/// # Errors
///
/// What it must be.
pub(crate) fn plugin_memory(text: &str) -> Result<usize, String> {
    size(text, &MEMORY)
}

/// What the file says of plugins, as far as that could be read.
#[derive(Default)]
pub(super) struct Plugins<'a> {
    /// Where they are, and where that is said.
    pub(super) folder: Option<(Entry<'a>, PathBuf)>,
    /// What single ones may use.
    pub(super) rules: AllRules,
    /// The keys of which one must have signed each file; none if nothing has to be signed.
    pub(super) trusted: Vec<PublicKey>,
}

/// Reads all of it. Paths count from `base`; a plugin should have memory for bodies of this size.
pub(super) fn read<'a>(
    entry: Option<Entry<'a>>,
    base: &Path,
    body_bytes: usize,
    extent: Extent,
) -> Plugins<'a> {
    let Some(entry) = entry else { return Plugins::default() };
    if !entry.is_table() {
        return Plugins { folder: folder(entry, base), ..Plugins::default() };
    }
    let Some(table) = entry.table(TITLE.to_owned()) else { return Plugins::default() };
    table.read(|table| {
        let folder = folder_of(table, base);
        let trusted = trusted_of(table);
        let path = folder.as_ref().map(|(_, path)| path);
        let path = path.filter(|_| extent != Extent::Nothing);
        let mut rules = AllRules::new();
        for (name, table) in table.named() {
            if path.is_some_and(|path| !has_plugin(path, &name)) {
                table.warn(format!(
                    "{} is about a plugin that the plugins folder does not have: the rules count \
                     once it is there",
                    table.title()
                ));
            }
            rules.insert(name, rules_of(table, body_bytes));
        }
        Plugins { folder, rules, trusted }
    })
}

/// Where the plugins are, whatever else is said of them.
pub(super) fn folder<'a>(entry: Entry<'a>, base: &Path) -> Option<(Entry<'a>, PathBuf)> {
    if !entry.is_table() {
        return Some((entry, base.join(entry.path()?)));
    }
    folder_of(&mut entry.table(TITLE.to_owned())?, base)
}

fn folder_of<'a>(table: &mut Table<'a>, base: &Path) -> Option<(Entry<'a>, PathBuf)> {
    let entry = table.need("folder")?;
    if entry.is_table() {
        entry.wrong(
            "must be a path: it is a key of [plugins] itself, so a plugin of this name can't have \
             a table",
        );
        return None;
    }
    Some((entry, base.join(entry.path()?)))
}

/// Whose files are loaded. A list without a key would trust nobody, or everybody.
fn trusted_of(table: &mut Table<'_>) -> Vec<PublicKey> {
    let keys = table.take("trusted_keys");
    if let Some(entry) = keys.filter(|entry| entry.is_empty_list()) {
        entry.wrong("must have a key: leave it out to load plugins that nobody has signed");
    }
    all(keys, "a list of public keys of minisign", |entry| {
        let key: Result<PublicKey, _> = entry.text(A_KEY)?.parse();
        key.inspect_err(|_| entry.wrong(&format!("must be {A_KEY}"))).ok()
    })
}

/// What one plugin may use, without what has a flaw.
fn rules_of(table: Table<'_>, body_bytes: usize) -> PluginRules {
    table.read(|table| {
        let memory = memory_of(table, body_bytes);
        let deadlines = table.take("deadlines").and_then(|it| it.table("`deadlines`".to_owned()));
        let [claims, parse, handle] = deadlines.map(times).unwrap_or_default();
        PluginRules {
            memory,
            claims,
            parse,
            handle,
            log_lines: table.take("log_lines").and_then(|entry| entry.count(&LOG_LINES)),
            effects: table.take("effects").and_then(|entry| entry.count(&EFFECTS)),
            state_bytes: table.take("state_bytes").and_then(|entry| entry.count(&STATE_BYTES)),
            concurrency: table.take("concurrency").and_then(|entry| entry.count(&CONCURRENCY)),
            reuse: table
                .take("reuse")
                .and_then(|entry| entry.count(&REUSE))
                .and_then(NonZeroU32::new),
            canary: table.take("canary").and_then(canary_of),
            retry_dead: table
                .take("retry_dead")
                .and_then(|entry| entry.truth())
                .unwrap_or_default(),
        }
    })
}

/// How much memory it may have. A provider that has too little for the largest bodies fails these.
fn memory_of(table: &mut Table<'_>, body_bytes: usize) -> Option<usize> {
    let entry = table.take("memory")?;
    let bytes = entry.size(&MEMORY)?;
    let needed = memory_for(body_bytes);
    if bytes < needed {
        entry.warn(format!(
            "`memory` is less than the {needed} bytes that a provider needs for a body of \
             `body_bytes` = {body_bytes}: the gateway may fail to parse large requests"
        ));
    }
    Some(bytes)
}

/// The times of its calls.
fn times(table: Table<'_>) -> [Option<Duration>; 3] {
    table.read(|table| {
        ["claims", "parse", "handle"]
            .map(|key| table.take(key).and_then(|entry| entry.duration(&DEADLINE)))
    })
}

/// Which events the next version of a handler gets.
fn canary_of(entry: Entry<'_>) -> Option<Canary> {
    entry.table("`canary`".to_owned())?.read(|table| {
        let keys = ["share", "label", "value"].map(|key| table.take(key));
        match keys {
            [Some(share), None, None] => share.percent().map(Canary::Share),
            [None, Some(label), Some(value)] => {
                let value = value.text("the value of a label")?.to_owned();
                Some(Canary::Label { name: label.label()?, value })
            }
            _ => {
                entry.wrong("must have either `share`, or `label` and `value`");
                None
            }
        }
    })
}
