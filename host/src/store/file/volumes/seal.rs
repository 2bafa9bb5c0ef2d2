//! The seal of a volume: a key of its own, under which the body of each frame is encrypted.
//!
//! The key lies behind the volume's head, sealed by a master key, twice and in sectors of their
//! own: when another master key comes, one is written anew while the other still opens. No byte of
//! a frame changes for that. A nonce is random: what a kill has cut off may be written again at
//! the same place. Never gives the key away.

use std::sync::{Mutex, OnceLock};
use std::{fmt, io};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use twox_hash::XxHash3_64;

use super::frame::Kind;
use crate::lock::lock;
use crate::master_key::WrappedKey;
use crate::store::error::Failure;
use crate::store::file::backend::Backend;
use crate::store::volume_keys::VolumeKeys;

/// Where the sealed keys lie, each in a sector of its own.
const SLOTS: [u64; 2] = [512, 1024];
/// A sealed key, and its sum.
const SLOT_BYTES: usize = WrappedKey::BYTES + 8;
/// Where the first frame of a sealed volume lies.
pub(super) const SEALED_HEAD_BYTES: u32 = 1536;
/// What tells that a body was not changed.
const TAG_BYTES: usize = 16;

/// The seal of one volume.
#[derive(Debug)]
pub(super) struct Seal {
    keys: VolumeKeys,
    /// The name of the volume's file.
    file: String,
    /// The store's tag and the volume's number: elsewhere its key opens nothing.
    place: [u8; 8],
    slots: Mutex<[Option<WrappedKey>; 2]>,
    /// Once one of the master keys has opened it.
    key: OnceLock<OpenKey>,
}

/// The key of a volume.
struct OpenKey {
    /// For another master key, also if the one that sealed it is gone by then.
    bytes: [u8; 32],
    cipher: LessSafeKey,
}

impl fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenKey(..)")
    }
}

impl Seal {
    /// A new one; `None` if volumes are not sealed.
    pub(super) fn make(
        keys: &VolumeKeys,
        (tag, number): (u32, u32),
        file: String,
    ) -> io::Result<Option<Self>> {
        if !keys.seals() {
            return Ok(None);
        }
        let place = place(tag, number);
        let mut bytes = [0; 32];
        random(&mut bytes)?;
        let none = || io::Error::other("there is no master key to encrypt the store with");
        let wrapped = keys.wrap(&place, &bytes).ok_or_else(none)?;
        let key = OnceLock::from(OpenKey::of(bytes));
        let slots = Mutex::new([Some(wrapped.clone()), Some(wrapped)]);
        Ok(Some(Self { keys: keys.clone(), file, place, slots, key }))
    }

    /// That of a volume which has one; `None` if it can't be read.
    pub(super) fn read(
        backend: &dyn Backend,
        keys: &VolumeKeys,
        (tag, number): (u32, u32),
        file: String,
    ) -> io::Result<Option<Self>> {
        if backend.size()? < u64::from(SEALED_HEAD_BYTES) {
            return Ok(None);
        }
        let mut slots = [None, None];
        for (slot, at) in slots.iter_mut().zip(SLOTS) {
            let mut bytes = [0; SLOT_BYTES];
            backend.read(at, &mut bytes)?;
            *slot = read_slot(&bytes);
        }
        if slots.iter().all(Option::is_none) {
            return Ok(None);
        }
        let (place, slots, key) = (place(tag, number), Mutex::new(slots), OnceLock::new());
        Ok(Some(Self { keys: keys.clone(), file, place, slots, key }))
    }

    /// Writes the sealed keys of a new volume.
    pub(super) fn write(&self, backend: &dyn Backend) -> io::Result<()> {
        backend.write(u64::from(SEALED_HEAD_BYTES) - 1, &[0])?;
        for (slot, at) in lock(&self.slots).iter().zip(SLOTS) {
            if let Some(wrapped) = slot {
                backend.write(at, &slot_of(wrapped))?;
            }
        }
        backend.sync()
    }

    /// Has the first master key seal the key again, if another did; says whether it was so. At each
    /// moment one of the two on the disk opens.
    pub(super) fn renew(&self, backend: &dyn Backend) -> Result<bool, Failure> {
        let mut slots = lock(&self.slots);
        let is_old = |slot: &Option<WrappedKey>| {
            slot.as_ref().is_none_or(|wrapped| self.keys.is_old(wrapped))
        };
        if !slots.iter().any(is_old) {
            return Ok(false);
        }
        let held = self.key.get().map(|key| key.bytes);
        let Some(bytes) = held.or_else(|| self.unwrapped(&slots)) else {
            return Err(self.locked(&slots));
        };
        let Some(wrapped) = self.keys.wrap(&self.place, &bytes) else { return Ok(false) };
        for (slot, at) in slots.iter_mut().zip(SLOTS) {
            backend.write(at, &slot_of(&wrapped))?;
            backend.sync()?;
            *slot = Some(wrapped.clone());
        }
        Ok(true)
    }

    /// Whether one of the master keys opens it; if not, why.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.key().map(drop)
    }

    /// The ids of the master keys that would open it.
    pub(super) fn sealed_by(&self) -> Vec<String> {
        lock(&self.slots).iter().flatten().map(|wrapped| hex::encode(wrapped.by)).collect()
    }

    /// The body of a frame, encrypted.
    pub(super) fn seal(&self, kind: Kind, first: u64, parts: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        let key = self.key()?;
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut body = Vec::with_capacity(NONCE_LEN + length + TAG_BYTES);
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        body.extend(nonce);
        parts.iter().for_each(|part| body.extend_from_slice(part));
        let nonce = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(self.aad(kind, first));
        let tag = key.seal_in_place_separate_tag(nonce, aad, &mut body[NONCE_LEN..]);
        let tag = tag.map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        body.extend_from_slice(tag.as_ref());
        Ok(body)
    }

    /// The body of a frame as it was; `None` if it is another frame's, or was changed.
    pub(super) fn open(
        &self,
        kind: Kind,
        first: u64,
        mut body: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let key = self.key()?;
        let Some((nonce, sealed)) = body.split_first_chunk_mut::<NONCE_LEN>() else {
            return Ok(None);
        };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.aad(kind, first));
        let Ok(plain) = key.open_in_place(nonce, aad, sealed) else { return Ok(None) };
        let length = plain.len();
        drop(body.drain(..NONCE_LEN));
        body.truncate(length);
        Ok(Some(body))
    }

    fn key(&self) -> Result<&LessSafeKey, Failure> {
        if let Some(key) = self.key.get() {
            return Ok(&key.cipher);
        }
        // The configuration may name the master key by now.
        let slots = lock(&self.slots);
        let bytes = self.unwrapped(&slots).ok_or_else(|| self.locked(&slots))?;
        Ok(&self.key.get_or_init(|| OpenKey::of(bytes)).cipher)
    }

    /// The key, if one of the master keys opens it.
    fn unwrapped(&self, slots: &[Option<WrappedKey>; 2]) -> Option<[u8; 32]> {
        slots.iter().flatten().find_map(|it| self.keys.unwrapped(&self.place, it))
    }

    fn locked(&self, slots: &[Option<WrappedKey>; 2]) -> Failure {
        let by = slots.iter().flatten().next().map(|wrapped| hex::encode(wrapped.by));
        Failure::Locked { file: self.file.clone(), by: by.unwrap_or_default() }
    }

    /// What is authenticated along: where the volume is, and which frame it is.
    fn aad(&self, kind: Kind, first: u64) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[..8].copy_from_slice(&self.place);
        bytes[8] = kind as u8;
        bytes[9..].copy_from_slice(&first.to_le_bytes());
        bytes
    }
}

/// Whether a byte of a sealed volume's head, which is at this place in the file, lies in none of
/// the sealed keys.
pub(super) fn is_padding(at: usize) -> bool {
    !SLOTS.iter().any(|slot| (*slot as usize..*slot as usize + SLOT_BYTES).contains(&at))
}

fn place(tag: u32, number: u32) -> [u8; 8] {
    let mut place = [0; 8];
    place[..4].copy_from_slice(&tag.to_le_bytes());
    place[4..].copy_from_slice(&number.to_le_bytes());
    place
}

fn slot_of(wrapped: &WrappedKey) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    let (key, sum) = bytes.split_at_mut(WrappedKey::BYTES);
    key.copy_from_slice(&wrapped.write());
    sum.copy_from_slice(&XxHash3_64::oneshot(key).to_le_bytes());
    bytes
}

/// `None` if it is not as it was written.
fn read_slot(bytes: &[u8; SLOT_BYTES]) -> Option<WrappedKey> {
    let (key, sum) = bytes.split_first_chunk::<{ WrappedKey::BYTES }>()?;
    (XxHash3_64::oneshot(key).to_le_bytes() == *sum).then(|| WrappedKey::read(key))
}

impl OpenKey {
    fn of(bytes: [u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &bytes);
        let cipher = LessSafeKey::new(key.expect("the cipher's keys have 32 bytes"));
        Self { bytes, cipher }
    }
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    let filled = SystemRandom::new().fill(bytes);
    filled.map_err(|_| io::Error::other("the system has no random bytes"))
}
