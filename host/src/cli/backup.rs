//! `hookgate backup` and `hookgate restore`: the store as one file, and a store from such a file.
//!
//! A backup comes from a running gateway over its admin API, or from the folder of one that is
//! stopped. It has its name only once it is whole, durable and read again. Never writes over a file
//! that is there, and never has the configuration or a master key in it.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::at::At;
use super::deed::by_command;
use super::progress::{Progress, Unit};
use crate::clock::Clock;
use crate::dashboard::figure;
use crate::regular_file::RegularFile;
use crate::store::{self, BackupCounts, BackupMade, Restored};

/// Read from a file at a time.
const READ_BYTES: usize = 1 << 20;

/// What to back up, and to where.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write, which must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Back up the store in this data folder, on which no gateway runs, and ask no gateway
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// What to restore, and to where.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data folder to make, which is not there yet or empty
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

/// What was made of what, for programs.
#[derive(Debug, Serialize)]
struct Document<'d, T> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    #[serde(flatten)]
    made: &'d T,
}

pub(super) async fn backup(options: Backup) -> anyhow::Result<()> {
    let Backup { file, data, json, at } = options;
    let shown = file.display().to_string();
    if file.symlink_metadata().is_ok() {
        bail!("{shown} exists already: a backup goes into a new file");
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Only its owner may read it: receipts hold what customers paid.
    let draft = tempfile::Builder::new().prefix(".hookgate-backup-").tempfile_in(folder);
    let mut draft = draft.with_context(|| format!("failed to make a file beside {shown}"))?;
    let failed = || format!("failed to back up the store; {shown} was not written");
    write(&mut draft, data.as_deref(), &at).await.with_context(failed)?;
    let made = checked(draft.path()).with_context(failed)?;
    let named = draft.persist_noclobber(&file).map_err(|error| error.error);
    named.with_context(|| format!("failed to name the file {shown}"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).context("failed to sync the folder")?;
    if json {
        let document = Document { file: shown, store: None, made: &made };
        return say!("{}", serde_json::to_string_pretty(&document)?);
    }
    let BackupMade { counts, bytes, sha256, .. } = &made;
    say!("backed up the store to {shown}: {}", said(counts, *bytes, sha256))?;
    if let Some(lacking) = lacking(counts) {
        say!("{lacking}")?;
    }
    say!(
        "it has neither the configuration nor the files of secrets and the master key: keep those \
         elsewhere"
    )
}

/// Writes a backup to a file that has no name yet, and makes it durable.
async fn write(draft: &mut NamedTempFile, data: Option<&Path>, at: &At) -> anyhow::Result<()> {
    let mut progress = Progress::new("backed up", Unit::Bytes);
    let mut written = 0;
    let mut take = |piece: &[u8]| -> io::Result<()> {
        draft.write_all(piece)?;
        written += piece.len() as u64;
        progress.tell(written, None);
        Ok(())
    };
    match data {
        Some(folder) => {
            let mut take = |piece: Vec<u8>| take(&piece);
            store::backup_folder(folder, Clock::System.now(), &mut take)?;
        }
        None => at.download(&at.url("/v1/backup")?, &mut take).await?,
    }
    drop(progress);
    Ok(draft.as_file().sync_all()?)
}

/// Reads a backup to its end.
fn checked(path: &Path) -> anyhow::Result<BackupMade> {
    let (from, length) = opened(path)?;
    let mut progress = Progress::new("read again", Unit::Bytes);
    Ok(store::check_backup(from, &mut |read| progress.tell(read, Some(length)))?)
}

/// A file to read, and its length.
fn opened(path: &Path) -> anyhow::Result<(impl Read, u64)> {
    let file =
        RegularFile::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    let length = file.metadata()?.len();
    Ok((BufReader::with_capacity(READ_BYTES, file.into_file()), length))
}

pub(super) fn restore(options: &Restore) -> anyhow::Result<()> {
    let Restore { file, data, json } = options;
    let (shown, folder) = (file.display().to_string(), data.display().to_string());
    let (from, length) = opened(file)?;
    let mut progress = Progress::new("restored", Unit::Bytes);
    let restored = store::restore(from, data, &mut |read| progress.tell(read, Some(length)));
    drop(progress);
    let restored = restored.with_context(|| format!("failed to restore {shown}"))?;
    let deed = by_command("hookgate restore", serde_json::to_value(&restored)?);
    store::record(data, &deed, Clock::System.now())
        .context("the store is restored, but its audit log could not be written")?;
    if *json {
        let document = Document { file: shown, store: Some(folder), made: &restored };
        return say!("{}", serde_json::to_string_pretty(&document)?);
    }
    let Restored { made_at, hookgate, counts, bytes, sha256 } = &restored;
    say!("restored {shown} into {folder}: {}", said(counts, *bytes, sha256))?;
    if let Some(lacking) = lacking(counts) {
        say!("{lacking}")?;
    }
    say!(
        "it is the store as of {made_at}, backed up by hookgate {hookgate}; what happened since \
         then is unknown to it"
    )
}

/// How much it is.
fn said(counts: &BackupCounts, bytes: u64, sha256: &str) -> String {
    let BackupCounts { rows, volumes, .. } = *counts;
    let [rows, volumes] = [rows, volumes].map(figure::number);
    format!("{}, rows {rows}, volumes {volumes}, SHA-256 {sha256}", figure::bytes(bytes))
}

/// What is not in it, if anything.
fn lacking(counts: &BackupCounts) -> Option<String> {
    let BackupCounts { unreadable, .. } = *counts;
    let told = || {
        format!(
            "volumes that the backup lacks, because nobody could read them: {unreadable}; \
             `hookgate store check` says more"
        )
    };
    (unreadable > 0).then(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that neither a backup nor a restore looks whole when it is not.
    #[test]
    fn volumes_that_nobody_could_read_are_told() {
        let counts = BackupCounts { volumes: 3, ..BackupCounts::default() };
        assert_eq!(lacking(&counts), None);
        let told = lacking(&BackupCounts { unreadable: 2, ..counts }).unwrap();
        assert!(told.contains("lacks") && told.contains(": 2;"), "{told}");
    }
}
