//! What reading the claims off a request costs, in the sandbox and natively.
//!
//! One thread, one request of a little over 1 KiB, and for every call an instance that nothing was
//! called in before. The same code runs natively in a program of its own, because linked into this
//! one it would have wasmtime built with other features than the gateway's.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use hookgate::event::{Request, Timestamp};
use hookgate::plugin::{Compiler, Config, Host};

use super::Stage;
use crate::figure::{Figure, Unit};
use crate::times::Times;

/// What is timed, and how many calls come before so that everything is warm.
const CALLS: usize = 20_000;
const CALLS_BEFORE: usize = 2_000;

pub(super) fn times(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let (sandboxed, native) = (sandboxed(stage)?, native(stage)?);
    let (slow, fast) = (sandboxed.median(), native.median());
    let ratio = slow.as_secs_f64() / fast.as_secs_f64();
    Ok(vec![
        Figure::new("in the sandbox, a fresh instance each").short_times(sandboxed),
        Figure::new("natively").short_times(native),
        Figure::new("the sandbox, of the native time").value("", Unit::Ratio, ratio),
    ])
}

fn sandboxed(stage: &Stage) -> anyhow::Result<Times> {
    let wasm = std::fs::read(stage.workplace.built("stripe")?)?;
    let host = Host::new(Config::new(Compiler::InProcess, None))?;
    let plugin = host.load("stripe".parse()?, &wasm)?;
    let request = Request {
        method: "POST".to_owned(),
        url: "/in/stripe".to_owned(),
        headers: stage.batch.headers().collect(),
        body: stage.batch.body(0).to_vec().into(),
        received_at: Timestamp(0),
    };
    let settings: Arc<str> = "{}".into();
    let claim = || {
        let claims = host.here(&plugin).claims(&settings, &request)?;
        claims.map_err(|refusal| anyhow!("it was refused: {}", refusal.reason))
    };
    // With a stack of its own, like those that the gateway calls plugins on.
    let timed = || -> anyhow::Result<Times> {
        let mut times = Times::default();
        for call in 0..CALLS_BEFORE + CALLS {
            let began = Instant::now();
            let claims = claim()?;
            let took = began.elapsed();
            ensure!(claims.event_ids == [stage.batch.event_id(0)], "the claims name the event");
            if call >= CALLS_BEFORE {
                times.add(took);
            }
        }
        Ok(times)
    };
    thread::scope(|scope| scope.spawn(timed).join()).map_err(|_| anyhow!("the calls panicked"))?
}

fn native(stage: &Stage) -> anyhow::Result<Times> {
    let program = stage.workplace.program("examples/claim");
    let mut child = Command::new(&program)
        .args([CALLS_BEFORE, CALLS].map(|count| count.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} is missing: `make bench` builds it", program.display()))?;
    child.stdin.take().context("it is piped")?.write_all(stage.batch.request(0))?;
    let ran = child.wait_with_output()?;
    ensure!(ran.status.success(), "the native claims failed");
    let mut times = Times::default();
    for line in String::from_utf8(ran.stdout)?.lines() {
        times.add(Duration::from_nanos(line.parse()?));
    }
    ensure!(times.count() == CALLS, "{} native calls were timed", times.count());
    Ok(times)
}
