//! `make bench-restart`: how long a large store takes to be ready after `kill -9`, from the disk.
//!
//! Filled through the store's own door with payloads as they come, each accepted, parsed, delivered
//! and packed. Then a gateway takes requests on it and is killed, the system forgets what it has in
//! memory of the files, and the next gateway starts. Never measures the first start, which compiles
//! the plugin.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use hookgate::clock::Clock;
use hookgate::store::{Config, Store};
use tokio::runtime::Builder;

use crate::bar::Bars;
use crate::figure::Unit;
use crate::filled::Filled;
use crate::gateway::{Gateway, Path, Workplace, disk, stripe};
use crate::load::{Schedule, open};
use crate::pages;
use crate::payload::Batch;
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::stock::deliver;
use crate::supply::Supply;

const READY_MAX_MS: f64 = 1000.0;

/// Requests a second, before each kill.
const RATE: usize = 1000;
const BEFORE_KILL: Duration = Duration::from_secs(3);
/// Events that are brought between two looks at the size.
const STEP: usize = 20_000;
/// Payloads that take turns in what is brought.
const PAYLOADS: usize = 20_000;
const PLUGINS: [(&str, &str); 1] = [("stripe", "stripe")];

/// How large the store is, and how often to start on it.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// How much the log and the rows take on disk, in GiB
    #[arg(long, default_value_t = 4.0)]
    gib: f64,
    /// Where to keep the store: a later run goes on with what is there
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// How often it is killed and started again
    #[arg(long, default_value_t = 5)]
    kills: usize,
}

impl Restart {
    /// Fills, kills, starts, prints, and fails if the bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.kills > 0, "there must be at least one kill");
        let workplace = Workplace::new()?;
        let mut filled = Filled::at(self.data.as_deref(), &workplace, "delivered events")?;
        self.fill(&mut filled)?;
        let data = filled.store();
        let receiver = Receiver::start()?;
        let tables = format!("{}{}", stripe("stripe"), Path::Delivering.tables(receiver.address));
        let start = || workplace.start_on(&data, &PLUGINS, &tables);

        kill_at_work(start()?)?;
        let mut longest = Duration::ZERO;
        for kill in 0..self.kills {
            pages::forget(&data)?;
            let gateway = start()?;
            let ready = gateway.ready_after;
            eprintln!("kill {} of {}: ready after {} ms", kill + 1, self.kills, ready.as_millis());
            longest = longest.max(ready);
            kill_at_work(gateway)?;
        }

        let size = disk(&data)? as f64 / f64::from(1 << 20);
        println!("a store of {} that was killed", Unit::Mebibytes.show(size));
        let mut bars = Bars::default();
        let longest = longest.as_secs_f64() * 1000.0;
        bars.at_most("ready, from the disk", Unit::Milliseconds, longest, READY_MAX_MS);
        bars.all_hold()
    }

    fn fill(&self, filled: &mut Filled) -> anyhow::Result<()> {
        let data = filled.store();
        let enough = self.bytes();
        if disk(&data)? >= enough {
            return Ok(());
        }
        let batch = Arc::new(Batch::write(PAYLOADS));
        let store = Store::open(&Config::at(&data), Clock::System)?;
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            while disk(&data)? < enough {
                deliver(&store, &batch, STEP).await?;
                filled.reach(filled.count() + STEP)?;
                eprintln!("{} events, {} MiB", filled.count(), disk(&data)? >> 20);
            }
            Ok(store.close().await?)
        })
    }

    fn bytes(&self) -> u64 {
        (self.gib * f64::from(1 << 30)) as u64
    }
}

/// Ends a gateway while it takes requests and delivers.
fn kill_at_work(gateway: Gateway) -> anyhow::Result<()> {
    let supply = Supply::once(&Arc::new(Batch::anew(count(RATE, BEFORE_KILL))));
    open(gateway.public, Schedule::new(RATE, &supply), &supply)?;
    drop(gateway);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        restart: Restart,
    }

    #[test]
    fn four_gibibytes_are_filled_unless_said_otherwise() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.restart);
        assert_eq!(parse(&["bench"]).unwrap().bytes(), 4 << 30);
        assert_eq!(parse(&["bench", "--gib", "0.25"]).unwrap().bytes(), 256 << 20);
        assert!(parse(&["bench", "--gib", "much"]).is_err());
    }
}
