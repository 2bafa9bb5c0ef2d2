//! The bytes of a file, of which a copy costs next to nothing.
//!
//! Pages that copies share until one of them writes, and none at all where there are only zeros: a
//! disk keeps a copy for every power cut. Never knows what a file is for.

use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE_BYTES: usize = 4096;

type Page = [u8; PAGE_BYTES];

/// The bytes of a file.
#[derive(Debug, Clone, Default)]
pub(in crate::store::tests) struct Pages {
    length: usize,
    /// Those that hold more than zeros, by number.
    pages: BTreeMap<usize, Arc<Page>>,
}

impl Pages {
    pub(in crate::store::tests) fn of(bytes: &[u8]) -> Self {
        let mut pages = Self::default();
        pages.write(0, bytes);
        pages
    }

    pub(in crate::store::tests) fn length(&self) -> usize {
        self.length
    }

    /// Makes it as long as this; what is new is zero.
    pub(in crate::store::tests) fn resize(&mut self, length: usize) {
        drop(self.pages.split_off(&length.div_ceil(PAGE_BYTES)));
        if let Some(last) = self.pages.get_mut(&(length / PAGE_BYTES)) {
            Arc::make_mut(last)[length % PAGE_BYTES..].fill(0);
        }
        self.length = length;
    }

    /// Writes from an offset on, and makes it longer if that needs room.
    pub(in crate::store::tests) fn write(&mut self, offset: usize, data: &[u8]) {
        self.length = self.length.max(offset + data.len());
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (number, from) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let (now, later) = rest.split_at(rest.len().min(PAGE_BYTES - from));
            if self.pages.contains_key(&number) || now.iter().any(|byte| *byte != 0) {
                self.page(number)[from..from + now.len()].copy_from_slice(now);
            }
            (at, rest) = (at + now.len(), later);
        }
    }

    /// Fills `out` with what stands from an offset on; false if there is less.
    pub(in crate::store::tests) fn read(&self, offset: usize, out: &mut [u8]) -> bool {
        if offset + out.len() > self.length {
            return false;
        }
        let (mut at, mut rest) = (offset, out);
        while !rest.is_empty() {
            let (number, from) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let (now, later) = rest.split_at_mut(rest.len().min(PAGE_BYTES - from));
            match self.pages.get(&number) {
                Some(page) => now.copy_from_slice(&page[from..from + now.len()]),
                None => now.fill(0),
            }
            at += now.len();
            rest = later;
        }
        true
    }

    /// Turns one bit of what is there.
    pub(in crate::store::tests) fn flip(&mut self, bit: usize) {
        assert!(bit / 8 < self.length, "there is no bit {bit} in {} bytes", self.length);
        self.page(bit / 8 / PAGE_BYTES)[bit / 8 % PAGE_BYTES] ^= 1 << (bit % 8);
    }

    pub(in crate::store::tests) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        assert!(self.read(0, &mut bytes), "it is as long as it is");
        bytes
    }

    fn page(&mut self, number: usize) -> &mut Page {
        let page = self.pages.entry(number).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
        Arc::make_mut(page)
    }
}
