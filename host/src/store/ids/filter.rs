//! Tells most of the ids that a group does not hold, without a look at the file.
//!
//! A Bloom filter in blocks of a cache line, so that a question touches one. Pure. It may say that
//! an id is there that is not, about once in a thousand; it never denies one that is.

use super::IdKey;

const BLOCK_BYTES: usize = 64;
/// Bits set for each id, all in one block.
const PROBES: u32 = 7;
/// Ids for which a block has room: 16 bits for each.
const IDS_PER_BLOCK: usize = 32;

/// The filter of some ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(Box<[u8]>);

impl Filter {
    pub(super) fn of(keys: impl ExactSizeIterator<Item = IdKey>) -> Self {
        let blocks = keys.len().div_ceil(IDS_PER_BLOCK).max(1);
        let mut bytes = vec![0; blocks * BLOCK_BYTES].into_boxed_slice();
        for key in keys {
            let block = block(key, blocks);
            for bit in probes(key) {
                bytes[block + bit / 8] |= 1 << (bit % 8);
            }
        }
        Self(bytes)
    }

    /// Reads what [`Filter::bytes`] gave; `None` if that is no filter.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let whole = !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK_BYTES);
        whole.then(|| Self(bytes.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn may_hold(&self, key: IdKey) -> bool {
        let block = block(key, self.0.len() / BLOCK_BYTES);
        probes(key).all(|bit| self.0[block + bit / 8] & (1 << (bit % 8)) != 0)
    }
}

/// Where the block of an id begins. Ids of one group share their first bits: not from those.
fn block(key: IdKey, blocks: usize) -> usize {
    let middle = (key.0 >> 64) & u128::from(u32::MAX);
    let block = (middle * blocks as u128) >> 32;
    usize::try_from(block).expect("it is smaller than the number of blocks") * BLOCK_BYTES
}

/// Bits within the block: nine bits of the id for each.
fn probes(key: IdKey) -> impl Iterator<Item = usize> {
    (0..PROBES).map(move |probe| (key.0 >> (9 * probe)) as usize % (8 * BLOCK_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_denied_and_little_else_let_through() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut key = || IdKey(random.u128(..));
        let held: Vec<IdKey> = (0..10_000).map(|_| key()).collect();
        let filter = Filter::of(held.iter().copied());
        let filter = Filter::read(filter.bytes()).unwrap();

        assert!(held.iter().all(|key| filter.may_hold(*key)));
        let wrong = (0..100_000).filter(|_| filter.may_hold(key())).count();
        assert!(wrong < 250, "{wrong} of 100000 let through");
    }

    #[test]
    fn what_is_no_filter_is_not_read() {
        assert!(Filter::read(&[]).is_none() && Filter::read(&[0; 65]).is_none());
    }
}
