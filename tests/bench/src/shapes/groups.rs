//! What a commit adds, the same for every shape: bytes as receipts are packed, and rows of works
//! that were tried.
//!
//! Made from a number only, so that the rows of a group that is in the log can be made again.

/// Rows that a commit adds.
pub(super) const ROWS_A_GROUP: u64 = 16;

/// Bytes that groups are cut out of: nothing that a disk could make smaller.
const POOL_BYTES: usize = 8 << 20;
/// From the beginning of one group to that of the next.
const STEP: usize = 4099;

/// The bytes of every group.
pub(super) struct Groups {
    pool: Vec<u8>,
    bytes: usize,
}

impl Groups {
    /// Groups of so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        let mut pool = vec![0; POOL_BYTES + bytes];
        fastrand::Rng::with_seed(1).fill(&mut pool);
        Self { pool, bytes }
    }

    pub(super) fn bytes(&self, group: u64) -> &[u8] {
        let at = (group as usize).wrapping_mul(STEP) % POOL_BYTES;
        &self.pool[at..at + self.bytes]
    }
}

/// The rows of a group.
pub(super) fn rows(group: u64) -> impl Iterator<Item = (u64, [u8; 20])> {
    (0..ROWS_A_GROUP).map(move |row| (group * ROWS_A_GROUP + row, [row as u8; 20]))
}
