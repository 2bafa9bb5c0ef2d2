//! Which event ids are known, and which receipt brought each first.
//!
//! The one place that decides whether an event is new. Ids are kept as the first 128 bits of a
//! SHA-256 over source and id: two of ten billion ids meet with a chance of 1 in 10^18, far below
//! that of a disk that lies, and nobody can make an id that meets another's without 2^128 tries.
//! Nothing outside of this file knows how they are kept.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use sha2::{Digest, Sha256};

use super::Failure;
use crate::ids::Name;

const IDS: TableDefinition<'_, u128, u64> = TableDefinition::new("ids");

/// Sets these hashes apart from all others.
const DOMAIN: &[u8] = b"hookgate event id 1\0";

/// An event id of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct IdKey(u128);

impl IdKey {
    pub(super) fn new(source: &Name, event_id: &str) -> Self {
        // A name has no zero byte, so no two pairs are written alike.
        let hash = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(source.as_str())
            .chain_update([0])
            .chain_update(event_id)
            .finalize();
        let half: [u8; 16] = hash[..16].try_into().expect("a SHA-256 has 32 bytes");
        Self(u128::from_be_bytes(half))
    }
}

pub(super) fn create(transaction: &WriteTransaction) -> Result<(), Failure> {
    transaction.open_table(IDS)?;
    Ok(())
}

/// The known ids, within one transaction.
#[derive(Debug)]
pub(super) struct KnownIds<'t> {
    table: Table<'t, u128, u64>,
}

impl<'t> KnownIds<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Failure> {
        Ok(Self { table: transaction.open_table(IDS)? })
    }

    /// The position of the receipt that this id belongs to.
    pub(super) fn owner(&self, key: IdKey) -> Result<Option<u64>, Failure> {
        Ok(self.table.get(key.0)?.map(|receipt| receipt.value()))
    }

    /// Gives an id that nobody owns to a receipt.
    pub(super) fn bind(&mut self, key: IdKey, receipt: u64) -> Result<(), Failure> {
        self.table.insert(key.0, receipt)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_sources_never_meet() {
        let key = |source: &str, id: &str| IdKey::new(&source.parse().unwrap(), id);
        assert_eq!(key("stripe", "evt_1"), key("stripe", "evt_1"));
        assert_ne!(key("stripe", "evt_1"), key("stripe2", "evt_1"));
        assert_ne!(key("stripe", "2evt"), key("stripe2", "evt"));
    }
}
