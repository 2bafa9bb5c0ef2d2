//! How far somebody has come with a stream, in a file that survives a kill and a power cut.
//!
//! Two lines of a fixed length, written in turns and synced each time: a write that is cut leaves
//! the line before it. One process at a time has the file. Never begins anew over what it can't
//! read: whoever asked would not learn what it has missed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::Timestamp;

const VERSION: u32 = 1;
/// Bytes of a line, with its line end.
const LINE_BYTES: usize = 512;
/// Digits of the sum before the document of a line.
const SUM_DIGITS: usize = 16;

/// How far somebody has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The id of the stream that came last; `None` before the stream has begun.
    pub(super) cursor: Option<String>,
    /// When the last event before it was stored.
    pub(super) recorded_at: Option<Timestamp>,
    /// The tag of the store that it is of, once an event came.
    pub(super) store: Option<u32>,
}

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    version: u32,
    /// The greater one is the newer.
    number: u64,
    /// Tells the filters of the stream from others.
    filters: String,
    /// From when on the stream began: a part of its filters that nobody repeats.
    after: Option<Timestamp>,
    #[serde(flatten)]
    mark: Mark,
}

/// The file of one who listens, for as long as it lives.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
    /// Locked.
    file: File,
    last: Line,
}

impl CursorFile {
    /// Opens it, or makes it for these filters, from this time on. What an existing one says of
    /// the time counts.
    pub(super) fn open(
        path: &Path,
        filters: &[(&str, String)],
        after: Option<Timestamp>,
    ) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path);
        let file = file.with_context(|| format!("failed to open the cursor file {shown}"))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                bail!("another process uses the cursor file {shown}: give each a file of its own")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {shown}"));
            }
        }
        let filters = hash(filters);
        let found = read(&file).with_context(|| format!("failed to read {shown}"))?;
        let has_begun = |line: &Line| line.mark != Mark::default();
        let last = match found {
            Found::Line(line)
                if line.filters == filters && (has_begun(&line) || line.after.is_some()) =>
            {
                line
            }
            Found::Line(line) if has_begun(&line) => bail!(
                "{shown} is the cursor of a stream with other filters: give the same ones, or \
                 another file"
            ),
            // Nothing came by then.
            Found::Nothing | Found::Line(_) => {
                sync_folder(path)
                    .with_context(|| format!("failed to sync the folder of {shown}"))?;
                let line =
                    Line { version: VERSION, number: 0, filters, after, mark: Mark::default() };
                // Who is killed before the first event is finished begins at the same time again.
                put(&file, path, &line)?;
                line
            }
            Found::Unreadable => bail!(
                "{shown} is not a cursor file, or it is damaged: delete it to begin with what \
                 comes next"
            ),
        };
        Ok(Self { path: path.to_owned(), file, last })
    }

    /// How far the last one who had the file has come.
    pub(super) fn mark(&self) -> &Mark {
        &self.last.mark
    }

    /// From when on the stream began.
    pub(super) fn after(&self) -> Option<Timestamp> {
        self.last.after
    }

    /// Writes how far somebody has come, and returns when it is on disk.
    pub(super) fn save(&mut self, mark: Mark) -> anyhow::Result<()> {
        if mark == self.last.mark {
            return Ok(());
        }
        let line = Line { number: self.last.number + 1, mark, ..self.last.clone() };
        put(&self.file, &self.path, &line)?;
        self.last = line;
        Ok(())
    }
}

/// What is in a file.
enum Found {
    /// It is empty: nobody has come anywhere.
    Nothing,
    Line(Line),
    Unreadable,
}

fn read(file: &File) -> io::Result<Found> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    // Whoever wrote more to it wrote something else.
    if length > 2 * LINE_BYTES {
        return Ok(Found::Unreadable);
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    let newest = bytes.chunks(LINE_BYTES).filter_map(parse).max_by_key(|line| line.number);
    Ok(match newest {
        Some(line) => Found::Line(line),
        // Nobody has written to it.
        None if bytes.iter().all(|byte| *byte == 0) => Found::Nothing,
        None => Found::Unreadable,
    })
}

/// Writes a line in the place of the one before the last, and returns when it is on disk.
fn put(file: &File, path: &Path, line: &Line) -> anyhow::Result<()> {
    let at = (line.number % 2) * LINE_BYTES as u64;
    let shown = path.display();
    let written = write(line).ok_or_else(|| anyhow!("the cursor has no room in {shown}"))?;
    let saved = file.write_all_at(&written, at).and_then(|()| file.sync_data());
    saved.with_context(|| format!("failed to write the cursor to {shown}"))
}

/// A line as it is written; `None` if it is too long.
fn write(line: &Line) -> Option<Vec<u8>> {
    let json = serde_json::to_string(line).ok()?;
    let text = format!("{} {json}", sum(json.as_bytes()));
    let room = LINE_BYTES - 1;
    (text.len() <= room).then(|| format!("{text:room$}\n").into_bytes())
}

/// A line that is as it was written.
fn parse(bytes: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (expected, json) = text.split_at_checked(SUM_DIGITS)?;
    let json = json.trim();
    let line: Line = serde_json::from_str(json).ok()?;
    (expected == sum(json.as_bytes()) && line.version == VERSION).then_some(line)
}

fn sum(bytes: &[u8]) -> String {
    let mut sum = hex::encode(Sha256::digest(bytes));
    sum.truncate(SUM_DIGITS);
    sum
}

/// Tells filters from others, in whatever order they are given.
fn hash(filters: &[(&str, String)]) -> String {
    let mut filters = filters.to_vec();
    filters.sort();
    sum(serde_json::to_string(&filters).unwrap_or_default().as_bytes())
}

/// Has the disk hold that the file is there.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Mark {
        let (recorded_at, store) = (Some(Timestamp(number)), Some(7));
        Mark { cursor: Some(format!("v1.{number:022}")), recorded_at, store }
    }

    fn filters() -> Vec<(&'static str, String)> {
        vec![("types", "payment.*".to_owned()), ("source", "stripe".to_owned())]
    }

    /// Take the sum out of [`parse`], and a line that was cut is read.
    #[test]
    fn what_was_saved_is_found_and_a_write_that_was_cut_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let since = Some(Timestamp(5));
        let mut file = CursorFile::open(&path, &filters(), since).unwrap();
        assert_eq!((file.mark(), file.after()), (&Mark::default(), since));
        for number in 1..=3 {
            file.save(mark(number)).unwrap();
        }
        drop(file);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), 2 * LINE_BYTES);
        let file = CursorFile::open(&path, &filters(), None).unwrap();
        assert_eq!((file.mark(), file.after()), (&mark(3), since));
        drop(file);

        // The third save went to the second line.
        for at in LINE_BYTES..LINE_BYTES + 100 {
            let mut cut = whole.clone();
            cut[at] ^= 1;
            std::fs::write(&path, cut).unwrap();
            assert_eq!(CursorFile::open(&path, &filters(), None).unwrap().mark(), &mark(2));
        }
    }

    #[test]
    fn one_process_has_a_file_and_only_for_its_own_filters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let mut file = CursorFile::open(&path, &filters(), None).unwrap();
        file.save(mark(1)).unwrap();
        let open = |filters: &[(&str, String)]| {
            let opened = CursorFile::open(&path, filters, None);
            opened.map(drop).map_err(|error| format!("{error:#}"))
        };
        assert!(open(&filters()).unwrap_err().contains("another process uses"));
        drop(file);
        assert!(open(&filters()[..1]).unwrap_err().contains("other filters"));
        let mut turned = filters();
        turned.reverse();
        open(&turned).unwrap();
    }

    #[test]
    fn what_is_no_cursor_file_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "dear diary").unwrap();
        let error = CursorFile::open(&path, &filters(), None).unwrap_err();
        assert!(format!("{error:#}").contains("is not a cursor file"), "{error:#}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
        // As the image of a disk begins.
        std::fs::write(&path, [0; 4096]).unwrap();
        assert!(CursorFile::open(&path, &filters(), None).is_err());
        std::fs::write(&path, "").unwrap();
        assert_eq!(CursorFile::open(&path, &filters(), None).unwrap().mark(), &Mark::default());
    }

    /// Take [`put`] out of [`CursorFile::open`], and who was killed before it had finished anything
    /// begins later than it was told to.
    #[test]
    fn a_file_in_which_nothing_was_saved_keeps_the_time_from_which_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let (first, later) = (Some(Timestamp(5)), Some(Timestamp(500)));
        drop(CursorFile::open(&path, &filters(), None).unwrap());
        drop(CursorFile::open(&path, &filters(), first).unwrap());
        let file = CursorFile::open(&path, &filters(), later).unwrap();
        assert_eq!((file.mark(), file.after()), (&Mark::default(), first));
        drop(file);
        let file = CursorFile::open(&path, &filters()[..1], later).unwrap();
        assert_eq!(file.after(), later, "to whom nothing came may ask for something else");
    }

    /// Guards that the longest line has room.
    #[test]
    fn the_longest_mark_is_written() {
        let mark = Mark {
            cursor: Some("v1.".to_owned() + &"a".repeat(61)),
            recorded_at: Some(Timestamp::MAX),
            store: Some(u32::MAX),
        };
        let (number, filters) = (u64::MAX, hash(&filters()));
        let after = Some(Timestamp::MAX);
        let line = Line { version: VERSION, number, filters, after, mark };
        let written = write(&line).unwrap();
        assert_eq!(written.len(), LINE_BYTES);
        assert_eq!(parse(&written).unwrap().mark, line.mark);
    }
}
