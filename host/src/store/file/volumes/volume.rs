//! A volume: a file that begins with a head of its own, and in which frames lie behind that.
//!
//! Reads and makes one; what is written into it is the writer's. A head in which one bit is not as
//! it was written is mended in memory: nothing else in the volume could be read without it. Never
//! takes for its own what another store or another program wrote.

use std::io;
use std::path::PathBuf;

use ring::rand::{SecureRandom, SystemRandom};
use twox_hash::XxHash3_64;

use super::frame::{self, FrameHead, Kind};
use super::seal::{SEALED_HEAD_BYTES, Seal, is_padding};
use crate::store::error::Failure;
use crate::store::file::backend::{Backend, Medium};
use crate::store::volume_keys::VolumeKeys;

/// Where the first frame lies, unless the volume is sealed.
const HEAD_BYTES: u32 = 48;
const MAGIC: [u8; 4] = *b"HGVL";
const VERSION: u16 = 1;
/// Of a volume that is sealed: its key lies behind the head.
const VERSION_SEALED: u16 = 2;
/// Magic, version, sort, tag, number, salt and zeros, and behind this the sum of all that.
const SUMMED: usize = 40;

type HeadBytes = [u8; HEAD_BYTES as usize];

/// What lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Frames of commits.
    Log = 1,
    /// Frames of packed segments.
    Packed = 2,
}

/// A volume, open.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) number: u32,
    pub(super) sort: Sort,
    pub(super) salt: u64,
    /// Whether one bit of its head is not as it was written.
    pub(super) is_mended: bool,
    /// What the bodies of its frames are encrypted under, if they are.
    pub(super) seal: Option<Box<Seal>>,
    pub(super) backend: Box<dyn Backend>,
}

/// What a file is that has a volume's name.
#[derive(Debug)]
pub(super) enum Opened {
    Volume(Volume),
    /// Nothing: a kill came while it was made.
    Unfinished,
    /// A volume of this store whose head can't be read, and so no frame in it.
    Damaged,
    /// Somebody else's, and whose.
    Foreign(&'static str),
}

/// A file's name.
pub(super) fn name(number: u32) -> String {
    format!("volume-{number:08}.hgv")
}

/// The number in a file's name, if it is that of a volume.
pub(super) fn number_in(name_: &str) -> Option<u32> {
    let number = name_.strip_prefix("volume-")?.strip_suffix(".hgv")?.parse().ok()?;
    (number > 0 && name(number) == name_).then_some(number)
}

/// The tag in the head of a volume, whoever wrote it; `None` if the head can't be read.
pub(super) fn tag_in(medium: &dyn Medium, number: u32) -> io::Result<Option<u32>> {
    let backend = match medium.open(&name(number)) {
        Ok(backend) => backend,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes: HeadBytes = [0; HEAD_BYTES as usize];
    match backend.read(0, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    Ok(Head::read(&bytes).map(|head| head.tag))
}

impl Volume {
    /// Opens a file with the name of a volume.
    pub(super) fn open(
        medium: &dyn Medium,
        (tag, number): (u32, u32),
        keys: &VolumeKeys,
    ) -> io::Result<Opened> {
        let backend = match medium.open(&name(number)) {
            Ok(backend) => backend,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Ok(Opened::Foreign("not a regular file"));
            }
            Err(error) => return Err(error),
        };
        let size = backend.size()?;
        let mut bytes: HeadBytes = [0; HEAD_BYTES as usize];
        let there = bytes.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        backend.read(0, &mut bytes[..there])?;
        if bytes.iter().all(|byte| *byte == 0) && has_nothing_else(&*backend, size)? {
            return Ok(Opened::Unfinished);
        }
        let (head, is_mended) = match Head::read(&bytes) {
            Some(head) => (Some(head), false),
            None => (Head::mend(&bytes, tag, number), true),
        };
        let Some(head) = head else {
            let is_ours = bytes.starts_with(&MAGIC);
            return Ok(if is_ours { Opened::Damaged } else { Opened::Foreign("not a volume") });
        };
        if let Some(why) = head.why_foreign(tag, number) {
            return Ok(Opened::Foreign(why));
        }
        if is_mended {
            tracing::warn!(
                volume = name(number),
                "one bit in the head of a volume of the store is damaged; the gateway mended it"
            );
        }
        let Head { version, sort, salt, .. } = head;
        let seal = match version {
            VERSION_SEALED => match Seal::read(&*backend, keys, (tag, number), name(number))? {
                Some(seal) => Some(Box::new(seal)),
                None => return Ok(Opened::Damaged),
            },
            _ => None,
        };
        Ok(Opened::Volume(Self { number, sort, salt, is_mended, seal, backend }))
    }

    /// Makes a new one, durable with its name, and seals it if `keys` do so.
    pub(super) fn make(
        medium: &dyn Medium,
        (tag, number): (u32, u32),
        sort: Sort,
        keys: &VolumeKeys,
    ) -> io::Result<Self> {
        let mut salt = [0; 8];
        let filled = SystemRandom::new().fill(&mut salt);
        filled.map_err(|_| io::Error::other("the system has no random bytes"))?;
        let salt = u64::from_le_bytes(salt);
        let seal = Seal::make(keys, (tag, number), name(number))?.map(Box::new);
        let backend = medium.open(&name(number))?;
        if backend.size()? > 0 {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let version = if seal.is_some() { VERSION_SEALED } else { VERSION };
        let head = Head { version, sort, tag, number, salt };
        // Before the head, which says that it is there.
        let sealed = seal.as_ref().map_or(Ok(()), |seal| seal.write(&*backend));
        let made = sealed.and_then(|()| backend.write(0, &head.write()));
        let made = made.and_then(|()| backend.sync());
        if let Err(error) = made.and_then(|()| medium.sync_names()) {
            // Nothing is in it: another start finds it unfinished, if this does not help.
            drop(medium.remove(&name(number)));
            return Err(error);
        }
        Ok(Self { number, sort, salt, is_mended: false, seal, backend })
    }

    /// Where the first frame lies.
    pub(super) fn begin(&self) -> u32 {
        if self.seal.is_some() { SEALED_HEAD_BYTES } else { HEAD_BYTES }
    }

    /// Puts a frame of this volume, and nothing else, into `out`; its body is all the parts.
    pub(super) fn write_frame(
        &self,
        out: &mut Vec<u8>,
        kind: Kind,
        first: u64,
        parts: &[&[u8]],
    ) -> Result<(), Failure> {
        match self.seal_of(kind) {
            Some(seal) => {
                let body = seal.seal(kind, first, parts)?;
                Ok(frame::write(out, self.salt, kind, first, &[&body])?)
            }
            None => Ok(frame::write(out, self.salt, kind, first, parts)?),
        }
    }

    /// What the body of a frame says; `None` if it was changed, although its sum is right.
    pub(super) fn opened(
        &self,
        head: &FrameHead,
        body: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match self.seal_of(head.kind) {
            Some(seal) => seal.open(head.kind, head.first, body),
            None => Ok(Some(body)),
        }
    }

    /// What a frame of this kind is encrypted under. A probe says nothing.
    fn seal_of(&self, kind: Kind) -> Option<&Seal> {
        self.seal.as_deref().filter(|_| kind != Kind::Probe)
    }

    /// Has the first master key seal its key again, if another did; says whether it was so.
    pub(super) fn renew_seal(&self) -> Result<bool, Failure> {
        self.seal.as_ref().map_or(Ok(false), |seal| seal.renew(&*self.backend))
    }

    /// Where it lies, for messages.
    pub(super) fn place(&self, medium: &dyn Medium) -> PathBuf {
        medium.place(&name(self.number))
    }

    /// The head and the body of a frame at an offset; `None` if it is not whole there.
    pub(super) fn frame(
        &self,
        offset: u32,
        length: u32,
    ) -> Result<Option<(FrameHead, Vec<u8>)>, Failure> {
        let (offset, end) = (u64::from(offset), u64::from(offset) + u64::from(length));
        // Asked first: a row that is damaged may name any length.
        if end > self.backend.size()? {
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        match self.backend.read(offset, &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let Some(head) = FrameHead::read(&bytes, self.salt) else { return Ok(None) };
        drop(bytes.drain(..frame::HEAD_BYTES));
        if !head.is_of(&bytes, self.salt) {
            return Ok(None);
        }
        Ok(self.opened(&head, bytes)?.map(|body| (head, body)))
    }
}

/// Whether a file without a head has nothing else: a kill came while it was made.
fn has_nothing_else(backend: &dyn Backend, size: u64) -> io::Result<bool> {
    if size <= u64::from(HEAD_BYTES) {
        return Ok(true);
    }
    // As long as a seal makes it at once.
    if size != u64::from(SEALED_HEAD_BYTES) {
        return Ok(false);
    }
    let mut bytes = vec![0; (SEALED_HEAD_BYTES - HEAD_BYTES) as usize];
    backend.read(u64::from(HEAD_BYTES), &mut bytes)?;
    let mut places = (HEAD_BYTES as usize..).zip(bytes);
    Ok(places.all(|(at, byte)| byte == 0 || !is_padding(at)))
}

impl Sort {
    /// Whether a frame of this kind may lie in a volume of this sort.
    pub(super) fn may_have(self, kind: Kind) -> bool {
        match self {
            Self::Log => matches!(kind, Kind::Commit | Kind::Probe),
            Self::Packed => kind == Kind::Packed,
        }
    }
}

/// What a volume's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    version: u16,
    sort: Sort,
    tag: u32,
    number: u32,
    salt: u64,
}

impl Head {
    fn write(&self) -> HeadBytes {
        let mut bytes: HeadBytes = [0; HEAD_BYTES as usize];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.version.to_le_bytes());
        bytes[6..8].copy_from_slice(&(self.sort as u16).to_le_bytes());
        bytes[8..12].copy_from_slice(&self.tag.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        let sum = XxHash3_64::oneshot(&bytes[..SUMMED]);
        bytes[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` if it is not as it was written.
    fn read(bytes: &HeadBytes) -> Option<Self> {
        let sum = XxHash3_64::oneshot(&bytes[..SUMMED]).to_le_bytes();
        if !bytes.starts_with(&MAGIC) || bytes[SUMMED..] != sum {
            return None;
        }
        let sort = match u16::from_le_bytes(*bytes[6..].first_chunk()?) {
            1 => Sort::Log,
            2 => Sort::Packed,
            _ => return None,
        };
        let short = |at: usize| bytes[at..].first_chunk().copied().map(u32::from_le_bytes);
        Some(Self {
            version: u16::from_le_bytes(*bytes[4..].first_chunk()?),
            sort,
            tag: short(8)?,
            number: short(12)?,
            salt: u64::from_le_bytes(*bytes[16..].first_chunk()?),
        })
    }

    /// What it was if one bit of it was flipped, and it was this volume's.
    fn mend(bytes: &HeadBytes, tag: u32, number: u32) -> Option<Self> {
        (0..bytes.len() * 8).find_map(|bit| {
            let mut mended = *bytes;
            mended[bit / 8] ^= 1 << (bit % 8);
            Self::read(&mended).filter(|head| head.why_foreign(tag, number).is_none())
        })
    }

    fn why_foreign(&self, tag: u32, number: u32) -> Option<&'static str> {
        if ![VERSION, VERSION_SEALED].contains(&self.version) {
            Some("a volume of a newer Hookgate")
        } else if self.tag != tag {
            Some("a volume of another store")
        } else if self.number != number {
            Some("a volume with another number")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { version: 1, sort: Sort::Log, tag: 5, number: 12, salt: 0x5a17 };

    #[test]
    fn a_name_is_that_of_one_number() {
        assert_eq!(name(1), "volume-00000001.hgv");
        for number in [1, 99_999_999, 100_000_000, u32::MAX] {
            assert_eq!(number_in(&name(number)), Some(number));
        }
        for other in [
            "volume-1.hgv",
            "volume-00000000.hgv",
            "volume-+0000001.hgv",
            "volume-00000001.hgv.bak",
            "volume-4294967296.hgv",
            "hookgate.redb",
            "",
        ] {
            assert_eq!(number_in(other), None, "{other}");
        }
    }

    /// The bytes as they are documented: a change here is another format.
    #[test]
    fn a_head_lies_as_it_is_documented() {
        let bytes = HEAD.write();
        assert_eq!(&bytes[..16], b"HGVL\x01\0\x01\0\x05\0\0\0\x0c\0\0\0");
        assert_eq!(&bytes[16..24], 0x5a17_u64.to_le_bytes());
        assert_eq!(bytes[24..40], [0; 16]);
        assert_eq!(&bytes[40..], XxHash3_64::oneshot(&bytes[..40]).to_le_bytes());
    }

    #[test]
    fn a_head_with_one_flipped_bit_is_mended_and_with_two_is_not() {
        for bit in 0..HEAD_BYTES as usize * 8 {
            let mut flipped = HEAD.write();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::read(&flipped), None, "bit {bit}");
            assert_eq!(Head::mend(&flipped, 5, 12), Some(HEAD), "bit {bit}");
            flipped[(bit / 8 + 7) % 48] ^= 1;
            assert_eq!(Head::mend(&flipped, 5, 12), None, "bit {bit} and another");
        }
    }

    #[test]
    fn what_another_store_wrote_is_not_mended_into_ours() {
        // The tags differ by one bit, and the sum is right as it is.
        let other = Head { tag: 4, ..HEAD }.write();
        assert_eq!(
            Head::read(&other).unwrap().why_foreign(5, 12),
            Some("a volume of another store")
        );
        let mut flipped = other;
        flipped[20] ^= 1;
        assert_eq!(Head::mend(&flipped, 5, 12), None);
    }
}
