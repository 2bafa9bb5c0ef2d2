//! What the system says of a process: its time of the processors, its memory, its threads.
//!
//! Reads `/proc`. Never sends a signal.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};

/// A process, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// The time that it has had of the processors so far. Unlike a rate, it hardly depends on what
    /// else runs.
    pub(crate) fn processor_time(self) -> anyhow::Result<Duration> {
        Ok(duration(processor_ticks(&self.read("stat")?)?))
    }

    /// The most memory that it has had so far, in bytes.
    pub(crate) fn memory_peak(self) -> anyhow::Result<u64> {
        Ok(number(&self.read("status")?, "VmHWM:")? * 1024)
    }

    /// What it has had written to disks so far, in bytes.
    pub(crate) fn written(self) -> anyhow::Result<u64> {
        number(&self.read("io")?, "write_bytes:")
    }

    /// What its threads have taken so far, those of one sort together: the names of a pool's differ
    /// by a number at the end. Threads that have ended are not there any more.
    pub(crate) fn threads(self) -> anyhow::Result<BTreeMap<String, Taken>> {
        let mut sorts = BTreeMap::<String, Taken>::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.0))? {
            let folder = entry?.path();
            let read = |file: &str| std::fs::read_to_string(folder.join(file));
            // It may have ended since it was listed.
            let (Ok(stat), Ok(status)) = (read("stat"), read("status")) else { continue };
            let sort = sorts.entry(sort(&stat)?.to_owned()).or_default();
            sort.time += duration(processor_ticks(&stat)?);
            sort.switches += number(&status, "voluntary_ctxt_switches:")?;
            sort.switches += number(&status, "nonvoluntary_ctxt_switches:")?;
        }
        Ok(sorts)
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{file}", self.0))?)
    }
}

/// What threads have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    /// User and system time.
    pub(crate) time: Duration,
    /// How often they gave a processor up or lost it.
    pub(crate) switches: u64,
}

/// The sort of the thread with this `stat`.
fn sort(stat: &str) -> anyhow::Result<&str> {
    let (before, _) = stat.rsplit_once(')').context("no name in the thread's state")?;
    let (_, name) = before.split_once('(').context("no name in the thread's state")?;
    Ok(name.trim_end_matches(|char: char| char.is_ascii_digit()).trim_end_matches('-'))
}

/// So many ticks of the clock by which the system counts processor time.
fn duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// User and system time in ticks, from a `stat` of a process or a thread.
fn processor_ticks(stat: &str) -> anyhow::Result<u64> {
    // The name, in brackets, may hold spaces; the two times are the 12th and 13th after it.
    let (_, after) = stat.rsplit_once(')').context("no name in the process's state")?;
    let times: Vec<u64> =
        after.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).collect();
    ensure!(times.len() == 2, "no processor time in the process's state");
    Ok(times.iter().sum())
}

/// The number behind a name in a file of a line for each.
fn number(file: &str, name: &str) -> anyhow::Result<u64> {
    let line = file.lines().find_map(|line| line.strip_prefix(name));
    let first = line.and_then(|line| line.split_whitespace().next());
    Ok(first.with_context(|| format!("no {name}"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn the_time_of_a_process_is_behind_its_name_whatever_that_is() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 900 0 3 0 250 40 9 9 20 0 12 0 100";
        assert_eq!(processor_ticks(stat).unwrap(), 290);
        for cut in ["7 a S 1", "7 (a) S 1 7 7 0 -1 4194560 900 0 3 0 250"] {
            assert!(processor_ticks(cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_number_is_found_by_its_name() {
        let status = "Name:\thookgate\nVmHWM:\t   12345 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(number(status, "VmHWM:").unwrap(), 12_345);
        assert!(number(status, "VmSwap:").is_err());
    }

    #[test]
    fn threads_of_a_pool_are_of_one_sort() {
        assert_eq!(sort("8 (parse-11) S 1").unwrap(), "parse");
        assert_eq!(sort("8 (store-writer) S 1").unwrap(), "store-writer");
        assert_eq!(sort("8 (a (b) 2) S 1").unwrap(), "a (b) ");
        assert!(sort("8 S 1").is_err());
    }

    #[test]
    fn a_thread_is_found_by_the_name_of_its_sort() {
        let ((ready, is_ready), (end, ended)) = (channel::<()>(), channel::<()>());
        let wait = move || {
            ready.send(()).unwrap();
            ended.recv().is_err()
        };
        let named = std::thread::Builder::new().name("bench-sort-7".into());
        let thread = named.spawn(wait).unwrap();
        is_ready.recv().unwrap();
        let threads = Process(std::process::id()).threads();
        drop(end);
        assert!(thread.join().unwrap());
        assert!(threads.unwrap().contains_key("bench-sort"));
    }

    #[test]
    fn this_process_has_had_memory() {
        let memory = Process(std::process::id()).memory_peak().unwrap();
        assert!(memory > 1 << 20, "{memory} bytes");
    }
}
