//! `make bench-languages`: what a run of a handler costs that is not written in Rust.
//!
//! The handlers of `examples/`, as `tests/languages/build` makes them, count a failed payment and
//! emit a notice: with an instance for each call, and with one for a thousand. One thread, outside
//! of a gateway. Never measures how long they take to compile.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use hookgate::effect::Effect;
use hookgate::event::{Event, Timestamp};
use hookgate::ids::Name;
use hookgate::plugin::{
    Compiler, Config, Doors, Grant, HandleContext, Host, Plugin, PluginRules, guest_thread,
};
use hookgate::tenant::Tenant;
use serde_json::json;

use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::Workplace;
use crate::times::Times;

const LANGUAGES: [&str; 2] = ["javascript", "python"];
/// The median of a call in an instance that is used again.
const CALL_MAX_MS: f64 = 1.0;
/// As the papers advise.
const MEMORY: usize = 128 << 20;
const REUSE: u32 = 1_000;
/// Calls before those that are timed.
const BEFORE: usize = 200;

/// How many calls are timed.
#[derive(Debug, Args)]
pub(crate) struct Languages {
    /// How many calls of each handler are timed
    #[arg(long, default_value_t = 5_000)]
    calls: usize,
}

impl Languages {
    /// Measures, prints, and fails if the bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.calls > 0, "there must be at least one call");
        let workplace = Workplace::new()?;
        let host = Host::new(Config::new(Compiler::InProcess, None))?;
        let fresh = PluginRules { memory: Some(MEMORY), ..PluginRules::default() };
        let reused = PluginRules { reuse: NonZeroU32::new(REUSE), ..fresh.clone() };
        let (one, many): (Name, Name) = ("fresh".parse()?, "reused".parse()?);
        host.set_rules(&Arc::new([(one.clone(), fresh), (many.clone(), reused)].into()));

        let mut bars = Bars::default();
        for language in LANGUAGES {
            let file = workplace.built(language)?;
            let wasm = std::fs::read(&file)
                .with_context(|| format!("{}: `make languages` builds it", file.display()))?;
            println!("{language}, {} calls", self.calls);
            let times = self.times(&host, &host.load(one.clone(), &wasm)?)?;
            show("a fresh instance each", times);
            let times = self.times(&host, &host.load(many.clone(), &wasm)?)?;
            let median = times.median().as_secs_f64() * 1000.0;
            show("an instance for a thousand", times);
            let what = format!("{language}, a call with reuse, p50");
            bars.at_most(&what, Unit::Milliseconds, median, CALL_MAX_MS);
        }
        bars.all_hold()
    }

    /// On a thread with a stack for guests, like those that the gateway calls plugins on.
    fn times(&self, host: &Host, plugin: &Arc<Plugin>) -> anyhow::Result<Times> {
        let (host, plugin, calls) = (host.clone(), Arc::clone(plugin), self.calls);
        let timed = move || -> anyhow::Result<Times> {
            let mut times = Times::default();
            for call in 0..BEFORE + calls {
                let time = handle(&host, &plugin, call)?;
                if call >= BEFORE {
                    times.add(time);
                }
            }
            Ok(times)
        };
        let thread = guest_thread("languages").spawn(timed)?;
        thread.join().map_err(|_| anyhow!("the calls panicked"))?
    }
}

/// Runs the handler on a payment that has failed, and says how long that took.
fn handle(host: &Host, plugin: &Plugin, call: usize) -> anyhow::Result<Duration> {
    let event = Event {
        source: "shop".parse()?,
        id: format!("evt_{call}"),
        event_type: "payment.failed".to_owned(),
        subject: Some(format!("pi_{call}")),
        time: Timestamp(0),
        money: None,
        labels: vec![("decline_code".to_owned(), "insufficient_funds".to_owned())],
        data: json!({ "id": "pi_1", "amount": 1099, "currency": "eur" }).into(),
    };
    let run = HandleContext {
        source: "shop".to_owned(),
        event_id: format!("evt_{call}"),
        run_id: format!("run_{call}"),
        attempt: 1,
        now: Timestamp(0),
        replay_by: None,
        tenant: None,
    };
    let nowhere = |_: Option<&Tenant>, _: &Name| None;
    let doors = Doors { state: Arc::new(|_: &str| Ok(None)), endpoints: Arc::new(nowhere) };
    let (settings, grant) = ("{}".into(), Arc::new(Grant::default()));
    let (called, spent) = host.here(plugin).handle(&settings, &event, &run, &grant, doors);
    let asked = called.ended?.map_err(|outcome| anyhow!("the run failed: {outcome:?}"))?;
    let is_noticed = matches!(&asked.effects[..], [Effect::Emit(_), Effect::SetState { .. }]);
    ensure!(is_noticed, "it counts the failure and emits a notice");
    Ok(spent.time)
}

fn show(what: &str, times: Times) {
    let shown = times.percentiles().map(|(name, ms)| format!("{name} {ms:.3} ms"));
    println!("  {what:<46}{}", shown.join("   "));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        languages: Languages,
    }

    #[test]
    fn as_many_calls_are_timed_as_it_is_told() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.languages.calls);
        assert_eq!(parse(&["bench"]).unwrap(), 5_000);
        assert_eq!(parse(&["bench", "--calls", "10"]).unwrap(), 10);
        assert!(parse(&["bench", "--calls", "some"]).is_err());
    }
}
