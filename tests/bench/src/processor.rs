//! What a measurement takes of the processors: how long they stood idle, and how much of them the
//! gateway had.
//!
//! A rate at which processors stand idle waits for something else than work. Counts only the
//! processors that this program may run on. Never counts time that another machine has stolen as
//! idle.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::process::Process;

/// What was taken of the processors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// In percent of what there was.
    pub(crate) idle: f64,
    /// User and system time of the gateway, if one was measured.
    pub(crate) gateway: Option<Duration>,
}

/// Counts from its start on.
#[derive(Debug)]
pub(crate) struct Meter {
    began: Ticks,
    gateway: Option<(Process, Duration)>,
}

impl Meter {
    /// Of all processors, and of a gateway if there is one.
    pub(crate) fn start(gateway: Option<Process>) -> anyhow::Result<Self> {
        let used = |process: Process| Ok::<_, anyhow::Error>((process, process.processor_time()?));
        Ok(Self { gateway: gateway.map(used).transpose()?, began: Ticks::now()? })
    }

    /// What was taken since.
    pub(crate) fn stop(self) -> anyhow::Result<Usage> {
        let idle = self.began.idle_until(Ticks::now()?);
        let used = |(process, before): (Process, Duration)| {
            Ok::<_, anyhow::Error>(process.processor_time()?.saturating_sub(before))
        };
        Ok(Usage { idle, gateway: self.gateway.map(used).transpose()? })
    }
}

/// Works, and meters meanwhile what is taken from one time to another.
pub(crate) fn metered<T>(
    gateway: Process,
    (from, until): (Instant, Instant),
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Usage)> {
    let pause = |until: Instant| {
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    };
    std::thread::scope(|scope| {
        let meter = scope.spawn(move || {
            pause(from);
            let meter = Meter::start(Some(gateway))?;
            pause(until);
            meter.stop()
        });
        let done = work();
        let usage = meter.join().expect("a meter does not panic");
        Ok((done?, usage?))
    })
}

/// How much time the processors have had since the start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    fn now() -> anyhow::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let allowed = ranges(list.context("no list of processors")?.trim())?;
        Self::read(&std::fs::read_to_string("/proc/stat")?, &allowed)
    }

    /// The sum over the processors in these ranges.
    fn read(stat: &str, allowed: &[RangeInclusive<usize>]) -> anyhow::Result<Self> {
        let mut sum = Self::default();
        for line in stat.lines() {
            let mut words = line.split_whitespace();
            let number = words.next().and_then(|word| word.strip_prefix("cpu"));
            // The line of all together has no number.
            let Some(Ok(number)) = number.map(str::parse::<usize>) else { continue };
            if !allowed.iter().any(|range| range.contains(&number)) {
                continue;
            }
            // user, nice, system, idle, iowait, irq, softirq, steal; the guests' are in the user's.
            let times: Vec<u64> = words.take(8).flat_map(str::parse::<u64>).collect();
            ensure!(times.len() == 8, "processor {number} has {} times", times.len());
            sum.idle += times[3] + times[4];
            sum.all += times.iter().sum::<u64>();
        }
        ensure!(sum.all > 0, "no processor has had any time");
        Ok(sum)
    }

    /// The percentage that was idle from here on.
    fn idle_until(self, end: Self) -> f64 {
        let idle = end.idle.saturating_sub(self.idle) as f64;
        let all = end.all.saturating_sub(self.all) as f64;
        if all > 0.0 { 100.0 * idle / all } else { 0.0 }
    }
}

/// What a list such as `0-3,6` names.
fn ranges(list: &str) -> anyhow::Result<Vec<RangeInclusive<usize>>> {
    let range = |part: &str| -> anyhow::Result<RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Ok(first.parse::<usize>()?..=last.parse::<usize>()?)
    };
    list.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  60 0 60 60 60 0 0 0 0 0\ncpu0 10 1 5 80 2 0 1 1 0 0\n\
                        cpu1 10 0 10 70 10 0 0 0 5 0\ncpu2 99 0 0 1 0 0 0 0 0 0\nintr 5 5\n";

    #[test]
    fn a_list_of_processors_has_single_ones_and_ranges() {
        assert_eq!(ranges("0-1").unwrap(), [0..=1]);
        assert_eq!(ranges("0-3,6,8-9").unwrap(), [0..=3, 6..=6, 8..=9]);
        assert!(ranges("").is_err() && ranges("0-x").is_err());
    }

    #[test]
    fn only_the_processors_that_may_be_used_count() {
        let both = Ticks::read(STAT, &[0..=1]).unwrap();
        assert_eq!(both, Ticks { idle: 82 + 80, all: 200 });
        let one = Ticks::read(STAT, &[2..=2]).unwrap();
        assert_eq!(one, Ticks { idle: 1, all: 100 });
        assert!(Ticks::read(STAT, &[7..=9]).is_err());
        assert!(Ticks::read("cpu0 1 2 3\n", &[0..=0]).is_err());
    }

    #[test]
    fn what_was_idle_is_in_percent_of_what_there_was() {
        let began = Ticks { idle: 100, all: 1000 };
        assert_eq!(began.idle_until(Ticks { idle: 120, all: 1200 }), 10.0);
        assert_eq!(began.idle_until(began), 0.0);
    }

    #[test]
    fn a_process_that_works_takes_its_time() {
        let this = Process(std::process::id());
        let meter = Meter::start(Some(this)).unwrap();
        let until = this.processor_time().unwrap() + Duration::from_millis(50);
        while this.processor_time().unwrap() < until {
            std::hint::spin_loop();
        }
        let usage = meter.stop().unwrap();
        assert!(usage.gateway.unwrap() >= Duration::from_millis(50), "{usage:?}");
        assert!((0.0..=100.0).contains(&usage.idle), "{usage:?}");
    }
}
