//! What a run was given of its state, as a hash.
//!
//! A guest asks for one key after the other, and never for all of a subject: so these questions
//! and their answers are the state that it was given. However many there are, they take no memory.
//! Never sees what the run reads of its own writes, which follows from the rest.

use sha2::{Digest, Sha256};

use crate::effect::StateHash;

/// What a run has read of the store so far; at first nothing.
#[derive(Debug, Default)]
pub(super) struct Reads(Option<Sha256>);

impl Reads {
    /// The store has this value under the key, or none.
    pub(super) fn add(&mut self, key: &str, value: Option<&[u8]>) {
        let hash = self.0.get_or_insert_default();
        // Each with its length, so that no two lists of reads are the same bytes.
        hash.update((key.len() as u64).to_le_bytes());
        hash.update(key);
        hash.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            hash.update((value.len() as u64).to_le_bytes());
            hash.update(value);
        }
    }

    /// The hash of all of it; `None` if the run read nothing.
    pub(super) fn hash(self) -> Option<StateHash> {
        let whole: [u8; 32] = self.0?.finalize().into();
        let (half, _) = whole.split_first_chunk().expect("a hash has 32 bytes");
        Some(StateHash(*half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(reads: &[(&str, Option<&str>)]) -> Option<StateHash> {
        let mut all = Reads::default();
        reads.iter().for_each(|(key, value)| all.add(key, value.map(str::as_bytes)));
        all.hash()
    }

    #[test]
    fn the_same_reads_have_one_hash_and_no_others_have_it() {
        let reads = [("a", Some("1")), ("b", None)];
        let same = hash(&reads);
        assert!(same.is_some());
        assert_eq!(hash(&reads), same);
        for other in [
            &[][..],
            &[("a", Some("1"))],
            &[("a", Some("2")), ("b", None)],
            &[("a", Some("1")), ("b", Some(""))],
            &[("b", None), ("a", Some("1"))],
            &[("a", Some("1")), ("b", None), ("b", None)],
        ] {
            assert_ne!(hash(other), same, "{other:?}");
        }
        assert_eq!(hash(&[]), None);
    }

    #[test]
    fn the_hash_is_the_one_that_the_design_describes() {
        let mut spelled = b"\x05\0\0\0\0\0\0\0count\x01\x01\0\0\0\0\0\0\x007".to_vec();
        spelled.extend(b"\x04\0\0\0\0\0\0\0gone\0");
        let whole: [u8; 32] = Sha256::digest(spelled).into();
        let StateHash(half) = hash(&[("count", Some("7")), ("gone", None)]).unwrap();
        assert_eq!(half, whole[..16]);
    }
}
