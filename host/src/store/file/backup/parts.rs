//! A backup as bytes: a head, and behind it parts, each with a hash over all that stands before it.
//!
//! So whoever reads one knows of each part that it is the one that was written there, and of the
//! last that nothing is missing. Never knows what a part says.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// How every backup begins, and the version of what follows.
const MAGIC: [u8; 16] = *b"hookgate-backup\n";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = MAGIC.len() + size_of::<u32>();
/// The kind of a part and the length of its body.
const PART_HEAD_BYTES: usize = 1 + size_of::<u32>();
const HASH_BYTES: usize = 32;

/// A body is about as long as this, if there is as much to say.
pub(super) const PART_BYTES: usize = 1 << 20;
/// No row of a store makes one longer.
const BODY_BYTES_MAX: u32 = 256 << 20;

/// What a part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Which store it is of, and as of when. The first.
    About = 1,
    /// Rows of a table.
    Rows = 2,
    /// Which volume the bytes behind it are of.
    Volume = 3,
    /// The next bytes of that.
    Bytes = 4,
    /// How much there was. The last.
    End = 5,
}

impl Kind {
    fn read(byte: u8) -> Option<Self> {
        [Self::About, Self::Rows, Self::Volume, Self::Bytes, Self::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Why a file is not a backup that can be used. Each place is a number of bytes from its beginning.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// Something else.
    #[error("it is not a backup of Hookgate")]
    Foreign,
    /// A newer Hookgate made it.
    #[error(
        "it is a backup of version {found}, and this Hookgate reads version {VERSION}: use a newer \
         one"
    )]
    Newer {
        /// Its version.
        found: u32,
    },
    /// Its end is missing.
    #[error(
        "the file ends at byte {end}, in the middle of the part that begins at byte {part}: it is \
         cut off, or damaged there"
    )]
    CutOff {
        /// Where the part begins.
        part: u64,
        /// Where the file ends.
        end: u64,
    },
    /// A part of it is not what was written.
    #[error("the part that begins at byte {part} is not as it was written: the backup is damaged")]
    Damaged {
        /// Where it begins.
        part: u64,
    },
    /// A part is whole, and is not what may stand there.
    #[error("the part that begins at byte {part} can't stand there: {why}")]
    Misplaced {
        /// Where it begins.
        part: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something follows behind its end.
    #[error("the backup ends at byte {end}, and the file goes on behind that")]
    Trailing {
        /// Where it ends.
        end: u64,
    },
    /// It is of a store of another format.
    #[error("it is of a store of format {found}, and this Hookgate restores format {known}")]
    OtherFormat {
        /// The format.
        found: u64,
        /// The one that this Hookgate has.
        known: u64,
    },
    /// The file can't be read.
    #[error("failed to read the file")]
    Unreadable(#[from] io::Error),
}

/// Makes the parts of a backup.
pub(super) struct PartsWriter {
    hash: Sha256,
}

impl PartsWriter {
    /// Begins one, and gives its head.
    pub(super) fn begin() -> (Self, Vec<u8>) {
        let head = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        let mut hash = Sha256::new();
        hash.update(&head);
        (Self { hash }, head)
    }

    /// The next part, as it stands in the file.
    pub(super) fn part(&mut self, kind: Kind, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("a body is some MiB at most");
        let mut part = Vec::with_capacity(PART_HEAD_BYTES + body.len() + HASH_BYTES);
        part.push(kind as u8);
        part.extend_from_slice(&length.to_le_bytes());
        part.extend_from_slice(body);
        self.hash.update(&part);
        let hash: [u8; HASH_BYTES] = self.hash.clone().finalize().into();
        part.extend_from_slice(&hash);
        part
    }

    /// What the hash of the last part is.
    pub(super) fn hash(&self) -> [u8; HASH_BYTES] {
        self.hash.clone().finalize().into()
    }
}

/// Reads the parts of a backup, and gives none that is not as it was written.
pub(super) struct PartsReader<R> {
    from: R,
    hash: Sha256,
    /// How much of it was read.
    offset: u64,
    /// Where the last part begins.
    part: u64,
}

impl<R: Read> PartsReader<R> {
    pub(super) fn open(mut from: R) -> Result<Self, BackupFault> {
        let mut head = [0; HEAD_BYTES];
        let read = fill(&mut from, &mut head)?;
        let (magic, version) = head.split_at(MAGIC.len());
        if magic != &MAGIC[..] {
            return Err(BackupFault::Foreign);
        }
        if read < HEAD_BYTES {
            return Err(BackupFault::CutOff { part: 0, end: read as u64 });
        }
        let found = version.try_into().map(u32::from_le_bytes).unwrap_or_default();
        if found != VERSION {
            return Err(BackupFault::Newer { found });
        }
        let mut hash = Sha256::new();
        hash.update(head);
        let offset = HEAD_BYTES as u64;
        Ok(Self { from, hash, offset, part: offset })
    }

    /// The next part.
    pub(super) fn part(&mut self) -> Result<(Kind, Vec<u8>), BackupFault> {
        self.part = self.offset;
        let mut head = [0; PART_HEAD_BYTES];
        self.exactly(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        if length > BODY_BYTES_MAX {
            return Err(BackupFault::Damaged { part: self.part });
        }
        let mut body = Vec::new();
        // Only as much memory as there are bytes: the length may be anything.
        let read = self.from.by_ref().take(u64::from(length)).read_to_end(&mut body)?;
        self.offset += read as u64;
        if read < length as usize {
            return Err(self.cut_off());
        }
        let mut said = [0; HASH_BYTES];
        self.exactly(&mut said)?;
        self.hash.update(head);
        self.hash.update(&body);
        let hash: [u8; HASH_BYTES] = self.hash.clone().finalize().into();
        if hash != said {
            return Err(BackupFault::Damaged { part: self.part });
        }
        let kind = Kind::read(kind).ok_or_else(|| self.misplaced("it is of an unknown kind"))?;
        Ok((kind, body))
    }

    /// Whether the file ends here.
    pub(super) fn end(&mut self) -> Result<(), BackupFault> {
        match fill(&mut self.from, &mut [0])? {
            0 => Ok(()),
            _ => Err(BackupFault::Trailing { end: self.offset }),
        }
    }

    /// How much of the file was read, in bytes.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The hash of the last part.
    pub(super) fn hash(&self) -> [u8; HASH_BYTES] {
        self.hash.clone().finalize().into()
    }

    /// What is wrong with the last part, which is whole.
    pub(super) fn misplaced(&self, why: &'static str) -> BackupFault {
        BackupFault::Misplaced { part: self.part, why }
    }

    fn cut_off(&self) -> BackupFault {
        BackupFault::CutOff { part: self.part, end: self.offset }
    }

    fn exactly(&mut self, out: &mut [u8]) -> Result<(), BackupFault> {
        let read = fill(&mut self.from, out)?;
        self.offset += read as u64;
        if read < out.len() { Err(self.cut_off()) } else { Ok(()) }
    }
}

/// Reads until there is no room or nothing more, and says how much that was.
fn fill(from: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match from.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODIES: [(Kind, &[u8]); 4] = [
        (Kind::About, b"of this store"),
        (Kind::Rows, b""),
        (Kind::Bytes, &[7; 300]),
        (Kind::End, b"all"),
    ];

    fn written() -> Vec<u8> {
        let (mut writer, mut bytes) = PartsWriter::begin();
        for (kind, body) in BODIES {
            bytes.extend(writer.part(kind, body));
        }
        bytes
    }

    /// Reads as many parts as there are, and then the end.
    fn read(bytes: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>, BackupFault> {
        let mut reader = PartsReader::open(bytes)?;
        let parts: Result<Vec<_>, _> = BODIES.iter().map(|_| reader.part()).collect();
        let parts = parts?;
        reader.end()?;
        Ok(parts)
    }

    #[test]
    fn parts_come_back_as_they_were_written() {
        let expected: Vec<_> = BODIES.map(|(kind, body)| (kind, body.to_vec())).into();
        assert_eq!(read(&written()).unwrap(), expected);
    }

    /// Guards that the hash goes over heads and bodies: without either, one of these is not found.
    #[test]
    fn every_flipped_bit_is_found_and_said_where() {
        let whole = written();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let fault = read(&flipped).expect_err("a bit is flipped");
            let place = match &fault {
                BackupFault::Foreign | BackupFault::Newer { .. } => 0,
                BackupFault::Damaged { part } | BackupFault::CutOff { part, .. } => *part,
                other => panic!("bit {bit}: {other}"),
            };
            assert!(place <= bit as u64 / 8, "bit {bit}: {fault}");
        }
    }

    #[test]
    fn a_backup_that_is_cut_off_anywhere_is_none() {
        let whole = written();
        for end in 0..whole.len() {
            let fault = read(&whole[..end]).expect_err("it is cut off");
            match fault {
                BackupFault::Foreign => assert!(end < MAGIC.len()),
                BackupFault::CutOff { end: at, .. } => assert_eq!(at, end as u64),
                other => panic!("{end}: {other}"),
            }
        }
    }

    #[test]
    fn parts_in_another_order_or_behind_the_end_are_found() {
        let (mut writer, head) = PartsWriter::begin();
        let [first, second] = [b"first", b"other"].map(|body| writer.part(Kind::Rows, body));
        let turned = [head, second, first].concat();
        let fault = PartsReader::open(&*turned).unwrap().part().unwrap_err();
        assert!(matches!(fault, BackupFault::Damaged { part: 20 }), "{fault}");

        let longer = [written(), vec![0]].concat();
        assert!(matches!(read(&longer), Err(BackupFault::Trailing { .. })));
    }

    #[test]
    fn a_length_that_is_not_true_takes_no_memory() {
        let (_, head) = PartsWriter::begin();
        let long = [&head[..], &[2], &BODY_BYTES_MAX.to_le_bytes(), b"short"].concat();
        let fault = PartsReader::open(&*long).unwrap().part().unwrap_err();
        assert!(matches!(fault, BackupFault::CutOff { part: 20, end: 30 }), "{fault}");
        let longer = [&head[..], &[2], &[0xff; 4], b"short"].concat();
        let fault = PartsReader::open(&*longer).unwrap().part().unwrap_err();
        assert!(matches!(fault, BackupFault::Damaged { part: 20 }), "{fault}");
    }
}
