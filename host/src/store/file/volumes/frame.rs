//! A frame: a head that says what follows and how long it is, and a body.
//!
//! Both have a sum that is seeded with the volume's salt, so that nobody who can put bytes into a
//! body, and does not know the salt, can make them look like a frame. Knows nothing of what a body
//! says, and never where a frame lies.

use std::io;

use twox_hash::XxHash3_64;

/// Every frame begins so.
pub(super) const MAGIC: [u8; 4] = *b"HGFR";
/// Magic, kind, length of the body, first position, sum of the body, and behind [`SUMMED`] the sum
/// of what stands before it.
pub(super) const HEAD_BYTES: usize = 40;
const KIND: usize = 4;
const LENGTH: usize = 8;
const FIRST: usize = 16;
const BODY_SUM: usize = 24;
const SUMMED: usize = 32;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a commit added.
    Commit = 1,
    /// A segment that was packed.
    Packed = 2,
    /// Nothing: only whether it can be written.
    Probe = 3,
}

/// What a whole head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) kind: Kind,
    /// Of the body.
    pub(super) length: u32,
    pub(super) first: u64,
    body_sum: u64,
}

impl FrameHead {
    /// `None` if it is not the whole head of a frame with this salt.
    pub(super) fn read(bytes: &[u8], salt: u64) -> Option<Self> {
        let bytes: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
        if !bytes.starts_with(&MAGIC) || number(bytes, SUMMED) != sum(salt, &bytes[..SUMMED]) {
            return None;
        }
        let kind = match bytes[KIND] {
            1 => Kind::Commit,
            2 => Kind::Packed,
            3 => Kind::Probe,
            _ => return None,
        };
        let length = bytes[LENGTH..].first_chunk().copied().map(u32::from_le_bytes)?;
        Some(Self { kind, length, first: number(bytes, FIRST), body_sum: number(bytes, BODY_SUM) })
    }

    /// Whether this is the body that was written behind it.
    pub(super) fn is_of(&self, body: &[u8], salt: u64) -> bool {
        body.len() == self.length as usize && sum(salt, body) == self.body_sum
    }
}

/// Puts a frame, and nothing else, into `out`; its body is all the parts.
pub(super) fn write(
    out: &mut Vec<u8>,
    salt: u64,
    kind: Kind,
    first: u64,
    parts: &[&[u8]],
) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // An extent's length is that of the head too.
    let whole = u32::try_from(length.saturating_add(HEAD_BYTES));
    let whole = whole.map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    out.clear();
    out.reserve(whole as usize);
    out.extend(MAGIC);
    out.extend([kind as u8, 0, 0, 0]);
    out.extend((whole - HEAD_BYTES as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend(first.to_le_bytes());
    out.resize(HEAD_BYTES, 0);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let body_sum = sum(salt, &out[HEAD_BYTES..]);
    out[BODY_SUM..SUMMED].copy_from_slice(&body_sum.to_le_bytes());
    let head_sum = sum(salt, &out[..SUMMED]);
    out[SUMMED..HEAD_BYTES].copy_from_slice(&head_sum.to_le_bytes());
    Ok(())
}

fn sum(salt: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(salt, bytes)
}

fn number(head: &[u8; HEAD_BYTES], at: usize) -> u64 {
    let bytes = head[at..].first_chunk().expect("it lies in the head");
    u64::from_le_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u64 = 0x5a17;

    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        let mut out = b"what stood there before".to_vec();
        write(&mut out, SALT, Kind::Commit, 7, parts).unwrap();
        out
    }

    fn is_whole(bytes: &[u8], salt: u64) -> bool {
        let head = FrameHead::read(bytes, salt);
        head.is_some_and(|head| head.is_of(&bytes[HEAD_BYTES..], salt))
    }

    #[test]
    fn a_frame_says_what_was_written() {
        for (number, kind) in [(1, Kind::Commit), (2, Kind::Packed), (3, Kind::Probe)] {
            let mut out = Vec::new();
            write(&mut out, SALT, kind, u64::MAX, &[&b"one"[..], b"", b"two"]).unwrap();
            let head = FrameHead::read(&out, SALT).unwrap();
            assert_eq!((head.kind, head.length, head.first), (kind, 6, u64::MAX));
            assert_eq!((out[KIND], &out[HEAD_BYTES..]), (number, &b"onetwo"[..]));
            assert!(head.is_of(b"onetwo", SALT));
        }
    }

    /// The bytes as they are documented: a change here is another format.
    #[test]
    fn a_frame_lies_as_it_is_documented() {
        let bytes = frame(&[b"body"]);
        assert_eq!(&bytes[..16], b"HGFR\x01\0\0\0\x04\0\0\0\0\0\0\0");
        assert_eq!(&bytes[16..24], 7_u64.to_le_bytes());
        assert_eq!(&bytes[24..32], XxHash3_64::oneshot_with_seed(SALT, b"body").to_le_bytes());
        let sum = XxHash3_64::oneshot_with_seed(SALT, &bytes[..32]);
        assert_eq!(&bytes[32..40], sum.to_le_bytes());
        assert_eq!(&bytes[40..], b"body");
    }

    #[test]
    fn no_flipped_bit_is_taken_for_the_frame() {
        for body in [&b""[..], b"x", &[0; 300]] {
            let whole = frame(&[body]);
            assert!(is_whole(&whole, SALT));
            for bit in 0..whole.len() * 8 {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_whole(&flipped, SALT), "bit {bit} of {}", whole.len());
            }
        }
    }

    #[test]
    fn neither_another_salt_nor_less_of_it_is_the_frame() {
        let whole = frame(&[b"body"]);
        assert!(!is_whole(&whole, SALT + 1));
        assert_eq!(FrameHead::read(&whole[..HEAD_BYTES - 1], SALT), None);
        assert!(!is_whole(&whole[..whole.len() - 1], SALT));
    }
}
