//! `make bench-shapes`: what a commit and a start cost in each shape that the log could have.
//!
//! No store, only enough of each shape to time it: every commit adds bytes to the log, synced, and
//! rows to a table of what is small and changes often. A process of its own fills the log and kills
//! itself, another opens what is left, with nothing of it in memory. Shares nothing with the
//! store's own code, and checks nothing of it.

mod frames;
mod groups;
mod hot;
mod one_file;
mod table;
mod volumes;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use rustix::process::{Signal, getpid, kill_process};

use self::frames::{Ahead, Frames};
use self::groups::{Groups, ROWS_A_GROUP};
use self::one_file::OneFile;
use self::volumes::Volumes;
use crate::gateway::disk;
use crate::pages;
use crate::times::Times;

/// A volume is closed when it has so many bytes.
const VOLUME_BYTES: u64 = 256 << 20;
/// Between two events of the paced part.
const PACE: Duration = Duration::from_millis(1);

/// What to measure, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct Shapes {
    /// Only these
    #[arg(long, value_name = "SHAPE")]
    only: Vec<Kind>,
    /// Sizes of the log in MiB at which it is killed and opened
    #[arg(long, value_delimiter = ',', default_values_t = [256, 1024, 4096])]
    mib: Vec<u64>,
    /// What a commit adds to the log, in KiB
    #[arg(long, default_value_t = 16)]
    kib: usize,
    /// Commits at the end of each size that are paced by 1,000 events a second
    #[arg(long, default_value_t = 5000)]
    paced: u64,
    /// Where to write, instead of beside this program
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    step: Option<Step>,
}

/// What a process of its own does.
#[derive(Debug, Subcommand)]
enum Step {
    /// Fills a log up to so many MiB, prints the percentiles and kills itself
    #[command(hide = true)]
    Fill { kind: Kind, folder: PathBuf, mib: u64, kib: usize, paced: u64 },
    /// Opens what is there, prints the milliseconds and kills itself
    #[command(hide = true)]
    Open { kind: Kind, folder: PathBuf },
}

/// A shape of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// One redb file for everything, each commit synced
    OneFile,
    /// redb files of 256 MiB, each commit synced; the rows in a file with checkpoints
    Volumes,
    /// Plain files that grow, with checksums; the rows in a file with checkpoints
    Frames,
    /// The same, with zeros written ahead of the log
    FramesAhead,
}

/// A log on disk, and the rows beside it.
trait Shape {
    /// How many groups it has.
    fn end(&self) -> u64;

    /// Adds a group; returns when it is durable.
    fn commit(&mut self, bytes: &[u8]) -> anyhow::Result<()>;
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::OneFile => "one-file",
            Self::Volumes => "volumes",
            Self::Frames => "frames",
            Self::FramesAhead => "frames-ahead",
        }
    }

    /// Opens what is in a folder; returns when it could be served from.
    fn open(self, folder: &Path) -> anyhow::Result<Box<dyn Shape>> {
        Ok(match self {
            Self::OneFile => Box::new(OneFile::open(folder)?),
            Self::Volumes => Box::new(Volumes::open(folder)?),
            Self::Frames => Box::new(Frames::open(folder, Ahead::Nothing)?),
            Self::FramesAhead => Box::new(Frames::open(folder, Ahead::Zeros)?),
        })
    }
}

impl Shapes {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match &self.step {
            Some(Step::Fill { kind, folder, mib, kib, paced }) => {
                return fill(*kind, folder, *mib, *kib, *paced);
            }
            Some(Step::Open { kind, folder }) => return open(*kind, folder),
            None => (),
        }
        let program = std::env::current_exe()?;
        let beside = program.parent().context("it lies in a folder")?;
        let place = self.folder.as_deref().unwrap_or(beside);
        println!(
            "{} KiB and {ROWS_A_GROUP} rows a commit; latencies in ms, p50 and p99\n\n\
             {:<14}{:>8}{:>18}{:>18}{:>16}{:>12}",
            self.kib, "shape", "log", "back to back", "at 1,000/s", "disk for 1 byte", "opening"
        );
        let kinds = Kind::value_variants().iter();
        for kind in kinds.filter(|kind| self.only.is_empty() || self.only.contains(kind)) {
            let folder = tempfile::Builder::new().prefix("shapes-").tempdir_in(place)?;
            for mib in &self.mib {
                self.measure(*kind, folder.path(), *mib)?;
            }
        }
        Ok(())
    }

    /// Fills up to a size, kills, opens, and prints a line.
    fn measure(&self, kind: Kind, folder: &Path, mib: u64) -> anyhow::Result<()> {
        let numbers = [mib.to_string(), self.kib.to_string(), self.paced.to_string()];
        let filled = child("fill", kind, folder, &numbers)?;
        let [back_p50, back_p99, paced_p50, paced_p99] = filled[..] else {
            anyhow::bail!("filling a log printed {filled:?}");
        };
        pages::forget(folder)?;
        let opened = child("open", kind, folder, &[])?;
        let [opening] = opened[..] else { anyhow::bail!("opening a log printed {opened:?}") };
        let share = disk(folder)? as f64 / (mib << 20) as f64;
        println!(
            "{:<14}{:>8}{:>18}{:>18}{share:>16.2}{:>12}",
            kind.name(),
            format!("{mib} MiB"),
            format!("{back_p50:.2} {back_p99:.2}"),
            format!("{paced_p50:.2} {paced_p99:.2}"),
            format!("{opening:.1} ms"),
        );
        Ok(())
    }
}

/// Has a process of its own do a step; gives the numbers that it prints.
fn child(step: &str, kind: Kind, folder: &Path, more: &[String]) -> anyhow::Result<Vec<f64>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["shapes", step, kind.name()])
        .arg(folder)
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start a process")?;
    let stdout = child.stdout.take().context("it is piped")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    child.wait()?;
    ensure!(!line.is_empty(), "`{step}` of {} failed", kind.name());
    Ok(line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

/// Prints numbers, and ends as a kill does: nothing is closed.
fn say_and_die(numbers: &[f64]) -> anyhow::Result<()> {
    let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", numbers.join(" "))?;
    stdout.flush()?;
    Ok(kill_process(getpid(), Signal::KILL)?)
}

fn fill(kind: Kind, folder: &Path, mib: u64, kib: usize, paced: u64) -> anyhow::Result<()> {
    let mut shape = kind.open(folder)?;
    let groups = Groups::of(kib << 10);
    let end = (mib << 20) / (kib << 10) as u64;
    let mut back_to_back = Times::default();
    while shape.end() < end.saturating_sub(paced) {
        let bytes = groups.bytes(shape.end());
        let began = Instant::now();
        shape.commit(bytes)?;
        back_to_back.add(began.elapsed());
    }
    let at_a_pace = keep_pace(shape.as_mut(), &groups, end)?;
    let [back_to_back, at_a_pace] = [back_to_back, at_a_pace].map(Times::percentiles);
    let [(_, back_p50), _, (_, back_p99), _] = back_to_back;
    let [(_, paced_p50), _, (_, paced_p99), _] = at_a_pace;
    say_and_die(&[back_p50, back_p99, paced_p50, paced_p99])
}

/// Events come one after the other; those that wait meanwhile share the next commit. Gives how long
/// each took, from when it came.
fn keep_pace(shape: &mut dyn Shape, groups: &Groups, end: u64) -> anyhow::Result<Times> {
    let mut times = Times::default();
    let began = Instant::now();
    let came = |event: u64| began + Duration::from_millis(event * PACE.as_millis() as u64);
    let mut next = 0;
    while shape.end() < end {
        std::thread::sleep(came(next).saturating_duration_since(Instant::now()));
        let behind = began.elapsed().as_millis() as u64 / PACE.as_millis() as u64 + 1;
        shape.commit(groups.bytes(shape.end()))?;
        let ended = Instant::now();
        (next..behind).for_each(|event| times.add(ended.saturating_duration_since(came(event))));
        next = behind.max(next);
    }
    Ok(times)
}

fn open(kind: Kind, folder: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let shape = kind.open(folder)?;
    let opening = began.elapsed().as_secs_f64() * 1000.0;
    ensure!(shape.end() > 0, "there is nothing in the log");
    say_and_die(&[opening])
}

/// The first groups of the volumes in a folder, in order, by their names.
fn volumes_in(folder: &Path, ending: &str) -> anyhow::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let name = file?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(ending));
        firsts.extend(first.and_then(|first| u64::from_str_radix(first, 16).ok()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Where a volume lies.
fn volume_at(folder: &Path, first: u64, ending: &str) -> PathBuf {
    folder.join(format!("{first:016x}{ending}"))
}
