//! Histories drawn at random, and a kill in every commit of each [I1, I3, I6, I8].
//!
//! A seed gives a history of appends, tries of every kind, effects, replays, sweeps, restarts and
//! leaps of the clock. Each commit of it is cut short: nothing of it is left, or some of it. What
//! is left is opened; it must show exactly what the model holds before that commit, or, if some is
//! left, after it, and all that is owed must get done. `HOOKGATE_HISTORIES` says how many
//! histories, `HOOKGATE_SEED` which one alone.

mod model;
mod steps;
mod watch;

use self::model::Model;
use self::steps::History;
use self::watch::{Receipts, look, work_off};
use super::*;

const HANDLERS: [&str; 2] = ["ledger", "mailer"];
const SUBJECTS: [&str; 3] = ["pi_1", "pi_2", ""];
/// The endpoint that wants the deliveries of a subject in order.
const IN_ORDER: &str = "erp";

/// Histories in an ordinary test run.
const HISTORIES: u64 = 4;
const STEPS: usize = 40;
/// Ways to leave some of a commit that are looked at for each.
const TEARS: usize = 2;

/// So few items to a block of the index that a history has several.
fn config() -> Config {
    let ordered = [(name(IN_ORDER), Order::Subject { skip_after: None })].into();
    Config { index_items: 6, ordered, ..Config::at("nowhere") }
}

/// What a variable of the environment says that changes the tests.
pub(in crate::store) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok();
    text.map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} must be a number: {text}")))
}

/// The seeds of the histories to look at, each shown when it begins: if the check fails, it comes
/// again with that.
pub(super) fn seeds() -> impl Iterator<Item = u64> {
    let seeds = match number("HOOKGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOOKGATE_HISTORIES").unwrap_or(HISTORIES),
    };
    seeds.inspect(|seed| println!("HOOKGATE_SEED={seed}"))
}

/// [I1, I3, I6, I8]
pub(in crate::store) async fn a_kill_in_any_commit_of_any_history_leaves_what_the_model_holds<
    S: Subject,
>() {
    for seed in seeds() {
        check_history::<S>(seed).await;
    }
}

async fn check_history<S: Subject>(seed: u64) {
    let mut history = History::<S>::new(seed);
    history.case.subject.keep_cuts();
    let mut before = history.model.clone();
    for number in 0..STEPS {
        let models = history.step().await;
        println!("step {number}: {} works pending", history.model.pending());
        check_cuts(&mut history, before, &models).await;
        before = history.model.clone();
        // Accepted is durable [I1]: what was answered is there.
        let killed = history.case.subject.killed();
        let present = [history.model.clone()];
        check_left(&killed, &present, &history.case.clock, &history.receipts).await;
    }
    println!("{:?}", history.swept);
}

/// Holds what each cut of a step leaves against the models before and after its commits.
async fn check_cuts<S: Subject>(history: &mut History<S>, before: Model, models: &[Model]) {
    let models: Vec<Model> = [before].into_iter().chain(models.iter().cloned()).collect();
    let (clock, receipts) = (history.case.clock.clone(), history.receipts.clone());
    let cuts = history.case.subject.take_cuts(TEARS, &mut history.random);
    let mut at = 0;
    for (number, Cut { before, torn }) in cuts.into_iter().enumerate() {
        println!("cut {number}");
        // The first commit has the first cut; then a cut may be of a commit or of none.
        let reach = if number == 0 { 1 } else { 2 };
        let present = &models[at..models.len().min(at + reach)];
        at += check_left(&before, present, &clock, &receipts).await;
        for torn in torn {
            let reached = &models[at..models.len().min(at + 2)];
            check_left(&torn, reached, &clock, &receipts).await;
        }
    }
}

/// Opens what a kill left; gives which of the models it holds, after all that is owed there was
/// done.
async fn check_left<S: Subject>(
    left: &S,
    models: &[Model],
    clock: &Clock,
    receipts: &Receipts,
) -> usize {
    let clock = Clock::manual(clock.now());
    let store = left.open(&config(), clock.clone());
    let seen = look(&store, receipts).await;
    let Some(held) = models.iter().position(|model| model.seen == seen) else {
        assert_eq!(seen, models[0].seen, "none of {} models", models.len());
        unreachable!("they differ");
    };
    work_off(&store, &clock, models[held].clone(), receipts).await;
    held
}
