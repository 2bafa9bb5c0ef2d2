//! Histories drawn at random, and a power cut at every sync of each.
//!
//! A seed gives a history of appends, tries of every kind, effects, replays, sweeps and restarts.
//! Each sync of it leaves disks: one that lost all that was not synced, and torn ones that kept
//! some of it. Every disk is opened; it must show exactly what the model holds before that commit,
//! or, if torn, after it, and all that is left must get done. `HOOKGATE_HISTORIES` says how many
//! histories, `HOOKGATE_SEED` which one alone.

mod model;
mod steps;
mod watch;

use self::model::Model;
use self::steps::History;
use self::watch::{Receipts, look, work_off};
use super::disk::{self, Disk};
use super::*;

const HANDLERS: [&str; 2] = ["ledger", "mailer"];
const SUBJECTS: [&str; 3] = ["pi_1", "pi_2", ""];

/// Histories in an ordinary test run.
const HISTORIES: u64 = 4;
const STEPS: usize = 40;
/// Torn disks that are looked at for every sync.
const TEARS: usize = 2;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[tokio::test]
async fn a_power_cut_at_any_sync_of_any_history_leaves_what_the_model_holds() {
    let seeds = match number("HOOKGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOOKGATE_HISTORIES").unwrap_or(HISTORIES),
    };
    for seed in seeds {
        // Shown if the test fails; with it the history comes again.
        println!("HOOKGATE_SEED={seed}");
        check_history(seed).await;
    }
}

async fn check_history(seed: u64) {
    let mut history = History::new(seed);
    history.disk.record_cuts();
    let mut before = history.model.clone();
    for number in 0..STEPS {
        let models = history.step().await;
        println!("step {number}: {} works pending", history.model.pending());
        check_cuts(&mut history, before, &models).await;
        before = history.model.clone();
        // Accepted is durable [1]: what was answered is on the disk.
        let synced = Disk::holding(history.disk.synced());
        let present = [history.model.clone()];
        check_disk(synced, &present, &history.clock, &history.receipts).await;
    }
    println!("{:?}", history.swept);
}

/// Holds what each cut of a step leaves against the models before and after its commits.
async fn check_cuts(history: &mut History, before: Model, models: &[Model]) {
    let models: Vec<Model> = [before].into_iter().chain(models.iter().cloned()).collect();
    let (clock, receipts) = (history.clock.clone(), history.receipts.clone());
    let mut at = 0;
    for (number, cut) in history.disk.take_cuts().into_iter().enumerate() {
        println!("cut {number}");
        // The first commit is the first sync; then a sync may be a commit or none.
        let reach = if number == 0 { 1 } else { 2 };
        let present = &models[at..models.len().min(at + reach)];
        at += check_disk(cut.disk(|| false), present, &clock, &receipts).await;
        for _ in 0..TEARS {
            let torn = cut.torn(&mut history.random);
            let reached = &models[at..models.len().min(at + 2)];
            check_disk(torn, reached, &clock, &receipts).await;
        }
    }
}

/// Opens the disk; gives which of the models it holds, after all that is owed there was done.
async fn check_disk(disk: Disk, models: &[Model], clock: &Clock, receipts: &Receipts) -> usize {
    let clock = Clock::manual(clock.now());
    let store = Store::open_on(disk, &Config::at("nowhere"), clock).unwrap();
    let seen = look(&store, receipts);
    let Some(held) = models.iter().position(|model| model.seen == seen) else {
        assert_eq!(seen, models[0].seen, "none of {} models", models.len());
        unreachable!("they differ");
    };
    work_off(&store, models[held].clone(), receipts).await;
    held
}
