//! Frames of volumes, found by nothing but what the design says of their bytes.
//!
//! So that a test can damage one where it lies, or say which one a byte belongs to. Shares no code
//! with the store's own.

use super::disk::Files;

/// The head of a volume.
const VOLUME_HEAD_BYTES: usize = 48;
/// The head of a frame.
pub(super) const HEAD_BYTES: usize = 40;

/// What the store writes into a log volume and into a packed one.
pub(super) const COMMIT: u8 = 1;
pub(super) const PACKED: u8 = 2;

/// A frame in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) file: String,
    pub(super) kind: u8,
    pub(super) offset: usize,
    /// With its head.
    pub(super) length: usize,
    /// The first position of its segment.
    pub(super) first: u64,
}

impl Frame {
    /// Whether this byte of this file is one of its.
    pub(super) fn has(&self, file: &str, byte: usize) -> bool {
        self.file == file && (self.offset..self.offset + self.length).contains(&byte)
    }
}

/// Whether a file of a store is a volume.
pub(super) fn is_volume(name: &str) -> bool {
    name.starts_with("volume-")
}

/// All frames of all volumes, in the order of the volumes.
pub(super) fn frames(files: &Files) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (name, bytes) in files.iter().filter(|(name, _)| is_volume(name)) {
        let bytes = bytes.to_vec();
        let mut at = VOLUME_HEAD_BYTES;
        while let Some(frame) = frame(name, &bytes, at) {
            at += frame.length;
            frames.push(frame);
        }
    }
    frames
}

fn frame(file: &str, bytes: &[u8], offset: usize) -> Option<Frame> {
    let head: &[u8; HEAD_BYTES] = bytes.get(offset..)?.first_chunk()?;
    if !head.starts_with(b"HGFR") {
        return None;
    }
    let body = u32::from_le_bytes(*head[8..].first_chunk()?) as usize;
    let first = u64::from_le_bytes(*head[16..].first_chunk()?);
    Some(Frame { file: file.to_owned(), kind: head[4], offset, length: HEAD_BYTES + body, first })
}

/// The frame that has the segment with this key now: a packed one comes behind what it replaces.
pub(super) fn frame_of(files: &Files, first: u64) -> Frame {
    let all = frames(files).into_iter().filter(|frame| frame.first == first);
    let last = all.max_by_key(|frame| frame.kind);
    last.unwrap_or_else(|| panic!("no frame has the segment at {first}"))
}
