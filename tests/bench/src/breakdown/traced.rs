//! How often a process called the system, as `perf` counts it.
//!
//! Where `perf` is missing or may not count, nothing is known. Never slows the process by more than
//! the counting.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::Process;

/// Every call.
pub(super) const CALLS: &str = "raw_syscalls:sys_enter";
/// Calls after which data is on the disk: the store makes one of them for a commit.
pub(super) const SYNCS: [&str; 2] = ["syscalls:sys_enter_fdatasync", "syscalls:sys_enter_fsync"];

/// Counts until it is stopped.
pub(super) struct Traced {
    child: Child,
}

impl Traced {
    /// Counts from a moment later on, if that can be counted at all.
    pub(super) fn start(process: Process) -> Option<Self> {
        let events = format!("{CALLS},{}", SYNCS.join(","));
        let child = Command::new("perf")
            .args(["stat", "-x", ",", "-e", &events, "-p"])
            .arg(process.0.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        child.ok().map(|child| Self { child })
    }

    /// What was counted, by name.
    pub(super) fn stop(self) -> anyhow::Result<Vec<(String, u64)>> {
        // It may have ended by itself, and then it has counted nothing.
        kill_process(Pid::from_child(&self.child), Signal::INT).ok();
        let said = self.child.wait_with_output()?;
        Ok(counts(&String::from_utf8_lossy(&said.stderr)))
    }
}

/// Reads lines such as `1200,,raw_syscalls:sys_enter,5000,100.00,,`.
fn counts(said: &str) -> Vec<(String, u64)> {
    let count = |line: &str| {
        let mut fields = line.split(',');
        let count = fields.next()?.parse().ok()?;
        Some((fields.nth(1)?.to_owned(), count))
    };
    said.lines().filter_map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_counted_is_left_out() {
        let said = "1200,,raw_syscalls:sys_enter,5000,100.00,,\n\
                    <not counted>,,syscalls:sys_enter_fsync,0,100.00,,\nError: no access\n";
        assert_eq!(counts(said), [(CALLS.to_owned(), 1200)]);
    }
}
