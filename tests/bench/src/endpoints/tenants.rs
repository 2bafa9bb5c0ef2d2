//! Ten thousand endpoints of a thousand tenants, each of which gets all events of its tenant; and
//! ten of one tenant, which get as many.
//!
//! Made over the API, once for each side; then gateways start on what is stored. Each endpoint of a
//! tenant is another receiver, so an event has arrived when the last of them has it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::runtime::Builder;

use super::{Half, in_turn};
use crate::asking::post;
use crate::bar::{Bars, p99};
use crate::figure::Unit;
use crate::gateway::{Gateway, Workplace};
use crate::load::{Schedule, open};
use crate::payload::{Batch, DIGITS, MARK};
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::supply::Supply;
use crate::times::Times;
use crate::typed::event;
use crate::wire::Connection;

/// Endpoints of a tenant.
const EACH: usize = 10;
/// Events a second.
const RATE: usize = 100;
const RATIO_MAX: f64 = 1.2;
const START_MAX_MS: f64 = 2000.0;
const EFFECT_MAX_MS: f64 = 100.0;
/// For what is still on its way when the last was sent.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// Endpoints that are made under load.
const LATE: usize = 20;
/// For so long events are posted for each of them, one behind the other: for longer than the bar,
/// so that one that is missed has a figure.
const PROBED: Duration = Duration::from_millis(500);
/// No more than that.
const PROBES_MAX: usize = 1000;
/// Of events that were posted before the endpoint was there nothing comes, whatever the wait.
const PROBE_WAIT: Duration = Duration::from_secs(1);

const PLUGINS: [(&str, &str); 1] = [("cloudevents", "cloudevents")];
const MASTER: &str = "b3a1c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// A store with the endpoints of so many tenants.
struct Side {
    data: PathBuf,
    tenants: usize,
}

/// What both sides have.
struct Stage<'w> {
    workplace: &'w Workplace,
    tables: String,
    receivers: Vec<Receiver>,
    /// Where the endpoints send that are made under load.
    late: Receiver,
    /// Numbers that were sent: each only once, to whichever side.
    sent: usize,
}

/// How one side did, in milliseconds.
struct Measured {
    ingest: f64,
    delivered: f64,
    ready: f64,
    /// From the request for an endpoint until it got what was posted.
    effect: Option<f64>,
}

/// Measures both sides in turn, prints the figures and their bars.
pub(super) fn measure(
    workplace: &Workplace,
    tenants: usize,
    pairs: usize,
    time: Duration,
    bars: &mut Bars,
) -> anyhow::Result<()> {
    let mut stage = Stage::new(workplace)?;
    let (one, many) = (stage.side("one", 1)?, stage.side("many", tenants)?);
    let measured = in_turn(pairs, |half, pair| match half {
        Half::Plain => stage.run(&one, time, false),
        Half::Burdened => stage.run(&many, time, pair + 1 == pairs),
    })?;
    let of = |figure: fn(&Measured) -> f64| -> Vec<(f64, f64)> {
        measured.iter().map(|(one, many)| (figure(one), figure(many))).collect()
    };
    println!("{} endpoints of {tenants} tenants, {RATE} events/s", EACH * tenants);
    bars.p99("answered, p99, beside one tenant of 10", &of(|it| it.ingest), RATIO_MAX);
    bars.p99("delivered, p99, beside one tenant of 10", &of(|it| it.delivered), RATIO_MAX);
    let ready = measured.iter().map(|(_, many)| many.ready).fold(0.0, f64::max);
    bars.at_most("longest start", Unit::Milliseconds, ready, START_MAX_MS);
    let effect = measured.iter().filter_map(|(_, many)| many.effect).fold(0.0, f64::max);
    bars.at_most("longest until one made has effect", Unit::Milliseconds, effect, EFFECT_MAX_MS);
    Ok(())
}

impl<'w> Stage<'w> {
    fn new(workplace: &'w Workplace) -> anyhow::Result<Self> {
        let master = workplace.folder("keys")?.join("master");
        std::fs::write(&master, MASTER)?;
        // A text of JSON is one of TOML.
        let tables = format!(
            "master_key = {{ file = {} }}\n[sources.events]\nplugin = \"cloudevents\"\n\
             verify = \"none\"\ntenant_label = \"tenant\"\n",
            serde_json::to_string(&master)?
        );
        let receivers = (0..EACH).map(|_| Receiver::start()).collect::<anyhow::Result<_>>()?;
        Ok(Self { workplace, tables, receivers, late: Receiver::start()?, sent: 0 })
    }

    /// Makes the endpoints of so many tenants.
    fn side(&self, name: &str, tenants: usize) -> anyhow::Result<Side> {
        let data = self.workplace.folder(name)?;
        let gateway = self.workplace.start_on(&data, &PLUGINS, &self.tables)?;
        for tenant in 0..tenants {
            for (number, receiver) in self.receivers.iter().enumerate() {
                create(&gateway, &tenant_of(tenant), &format!("e{number}"), receiver.address)?;
            }
            if (tenant + 1) % 100 == 0 {
                eprintln!("{name}: {} of {tenants} tenants", tenant + 1);
            }
        }
        gateway.stop()?;
        Ok(Side { data, tenants })
    }

    /// Starts a gateway on one side, and sends events to its tenants in turn.
    fn run(&mut self, side: &Side, time: Duration, makes: bool) -> anyhow::Result<Measured> {
        let gateway = self.workplace.start_on(&side.data, &PLUGINS, &self.tables)?;
        let ready = gateway.ready_after.as_secs_f64() * 1000.0;
        self.send(&gateway, side.tenants, time / 4)?;
        let (ingest, delivered) = self.send(&gateway, side.tenants, time)?;
        let effect = makes.then(|| self.effect(&gateway, side.tenants)).transpose()?;
        gateway.stop()?;
        Ok(Measured { ingest: p99(ingest), delivered: p99(delivered), ready, effect })
    }

    /// So many events that nobody has sent.
    fn supply(&mut self, tenants: usize, time: Duration) -> (Supply, usize) {
        let (first, count) = (self.sent, count(RATE, time));
        self.sent += count;
        let request = |number: usize| request(first + number, &tenant_of(number % tenants));
        (Supply::once(&Arc::new(Batch::of(count, request))), first)
    }

    /// How long the answers took, and how long until the last receiver had each event.
    fn send(
        &mut self,
        gateway: &Gateway,
        tenants: usize,
        time: Duration,
    ) -> anyhow::Result<(Times, Times)> {
        let (supply, first) = self.supply(tenants, time);
        let schedule = Schedule::new(RATE, &supply);
        let answered = open(gateway.public, schedule, &supply)?;
        let mut delivered = Times::default();
        for receiver in &self.receivers {
            receiver.arrivals.wait_for(first..self.sent, LAST_WAIT);
        }
        for number in schedule.numbers() {
            let at = self.receivers.iter().map(|it| it.arrivals.at(first + number));
            let last = at.collect::<Option<Vec<_>>>().and_then(|at| at.into_iter().max());
            let last = last.with_context(|| format!("event {number} did not arrive everywhere"))?;
            delivered.add(last.saturating_duration_since(schedule.at(number)));
        }
        Ok((answered, delivered))
    }

    /// The longest time until an endpoint that is made under load has effect, in milliseconds.
    fn effect(&mut self, gateway: &Gateway, tenants: usize) -> anyhow::Result<f64> {
        let time = (PROBED + PROBE_WAIT) * u32::try_from(LATE)?;
        let (supply, _) = self.supply(tenants, time);
        std::thread::scope(|scope| {
            let schedule = Schedule::new(RATE, &supply);
            let sending = scope.spawn(move || open(gateway.public, schedule, &supply));
            let mut longest = 0.0_f64;
            for late in 0..LATE {
                longest = longest.max(self.effect_of(gateway, late)?);
            }
            sending.join().expect("a generator does not panic")?;
            Ok(longest)
        })
    }

    /// The time until one endpoint has effect, in milliseconds: it gets what was posted from then
    /// on. Without an end if it got nothing.
    fn effect_of(&self, gateway: &Gateway, late: usize) -> anyhow::Result<f64> {
        let (tenant, first) = (format!("l{late:04}"), late * PROBES_MAX);
        let begun = Instant::now();
        create(gateway, &tenant, "late", self.late.address)?;
        let posted = Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut connection = Connection::open(gateway.public).await?;
            let mut posted = Vec::new();
            while posted.is_empty() || (begun.elapsed() < PROBED && posted.len() < PROBES_MAX) {
                let probe = request(first + posted.len(), &tenant).0;
                posted.push(Instant::now());
                connection.post(&probe).await?;
            }
            anyhow::Ok(posted)
        })?;
        let arrivals = &self.late.arrivals;
        let last = first + posted.len() - 1;
        arrivals.wait_for(last..last + 1, LAST_WAIT);
        // Those before it may be behind it, and some may never come.
        arrivals.wait_for(first..last, PROBE_WAIT);
        let came = (0..posted.len()).rev().take_while(|it| arrivals.at(first + it).is_some());
        let after = |since: usize| posted[since].saturating_duration_since(begun).as_secs_f64();
        Ok(came.last().map_or(f64::INFINITY, |since| after(since) * 1000.0))
    }
}

/// All have one length.
fn tenant_of(number: usize) -> String {
    format!("t{number:04}")
}

/// The whole request of a number for a tenant, and the length of its body.
fn request(number: usize, tenant: &str) -> (Vec<u8>, usize) {
    // The events of late endpoints have numbers of their own.
    let id = format!("{}{MARK}{number:0DIGITS$}", &tenant[..1]);
    event(&id, "bench.tenanted", &format!("\"tenant\":\"{tenant}\","))
}

fn create(gateway: &Gateway, tenant: &str, name: &str, to: SocketAddr) -> anyhow::Result<()> {
    let body = json!({
        "name": name, "tenant": tenant, "url": format!("http://{to}/"), "events": ["*"],
        "body": "cloudevents",
    });
    let (status, answer) = post(gateway.admin, "/v1/endpoints", &body.to_string())?;
    ensure!(status == 201, "an endpoint was answered with {status}: {answer}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::number;

    #[test]
    fn an_event_has_its_number_and_its_tenant_and_all_have_one_length() {
        let batch = Batch::of(3, |number| request(number, &tenant_of(number % 2)));
        for sent in 0..3 {
            assert_eq!(number(batch.body(sent)), Some(sent));
            let body: serde_json::Value = serde_json::from_slice(batch.body(sent)).unwrap();
            assert_eq!(body["tenant"], format!("t000{}", sent % 2));
        }
        let late = Batch::of(1, |number| request(number, "l0000"));
        let id = |batch: &Batch| {
            let body: serde_json::Value = serde_json::from_slice(batch.body(0)).unwrap();
            body["id"].clone()
        };
        assert_ne!(id(&late), id(&batch), "one would be a duplicate of the other");
    }
}
