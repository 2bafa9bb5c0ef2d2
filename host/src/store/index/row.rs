//! A row of the index: terms in their order, each with the positions that have it.
//!
//! Pure. A term is bytes: the text of a source or type, or a hash. A sum at the end of the row
//! tells a flipped bit, so that a damaged row is never believed. Never knows which part of a block
//! it is.

use twox_hash::XxHash3_64;

/// A row is full when it has this many bytes: one fits in a page of the file.
const ROW_BYTES: usize = 3800;
/// At the end of each: the lower half of a sum of all before it.
const SUM_BYTES: usize = 4;
/// Longer terms are cut here: what they select is looked at anyway.
const TERM_BYTES_MAX: usize = 255;

/// A term as rows have it.
pub(super) fn term(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(TERM_BYTES_MAX)]
}

/// What stands for a text of which there are many.
pub(super) fn hash(text: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = XxHash3_64::oneshot(text.as_bytes()).to_be_bytes();
    [a, b, c, d]
}

fn sum(bytes: &[u8]) -> [u8; SUM_BYTES] {
    let [a, b, c, d, ..] = XxHash3_64::oneshot(bytes).to_le_bytes();
    [a, b, c, d]
}

/// The bytes with their sum.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = sum(&bytes);
    bytes.extend(sum);
    bytes
}

/// The bytes without their sum, if that is right.
pub(super) fn unsealed(row: &[u8]) -> Option<&[u8]> {
    let (bytes, stored) = row.split_last_chunk::<SUM_BYTES>()?;
    (*stored == sum(bytes)).then_some(bytes)
}

pub(super) fn push_number(number: u64, bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(&number, bytes).expect("a number can be written to memory")
}

pub(super) fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    // Most are small, and a list reads thousands for a page.
    match bytes.split_first()? {
        (small, rest) if *small < 0x80 => Some((u64::from(*small), rest)),
        _ => postcard::take_from_bytes(bytes).ok(),
    }
}

/// A row in the making.
#[derive(Debug)]
pub(super) struct RowWriter {
    /// Positions count from here.
    base: u64,
    bytes: Vec<u8>,
    /// Its first term and position.
    first: Option<(Vec<u8>, u64)>,
    /// The term and the position that came last.
    last: (Vec<u8>, u64),
}

/// A row, and the term and position that it begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) term: Vec<u8>,
    pub(super) position: u64,
    pub(super) bytes: Vec<u8>,
}

impl RowWriter {
    /// An empty row of a block that begins at `base`.
    pub(super) fn new(base: u64) -> Self {
        Self { base, bytes: Vec::new(), first: None, last: (Vec::new(), 0) }
    }

    /// Adds what is behind all that was added, in the order of terms and then of positions.
    pub(super) fn push(&mut self, term: &[u8], position: u64) {
        let bytes = std::mem::take(&mut self.bytes);
        let is_same = self.first.is_some() && self.last.0 == term;
        self.bytes = if is_same {
            push_number(position - self.last.1, bytes)
        } else {
            self.begin(term, position, bytes)
        };
        self.last.1 = position;
    }

    fn begin(&mut self, term: &[u8], position: u64, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.first.is_some() {
            bytes.push(0);
        } else {
            self.first = Some((term.to_vec(), position));
        }
        bytes.push(u8::try_from(term.len()).expect("a longer term was cut"));
        bytes.extend(term);
        self.last.0.clear();
        self.last.0.extend(term);
        push_number(position - self.base + 1, bytes)
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= ROW_BYTES
    }

    /// The row, if anything is in it; the next one begins empty.
    pub(super) fn finish(&mut self) -> Option<Row> {
        let (term, position) = self.first.take()?;
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.push(0);
        Some(Row { term, position, bytes: sealed(bytes) })
    }
}

/// Shows each term of a row of a block that begins at `base`, with its positions in ascending
/// order, until `take` says that it has enough; `None` if the row is damaged.
pub(super) fn each(
    row: &[u8],
    base: u64,
    mut take: impl FnMut(&[u8], &[u64]) -> bool,
) -> Option<()> {
    let mut rest = unsealed(row)?;
    let mut positions = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let (term, mut behind) = behind.split_at_checked(usize::from(*length))?;
        positions.clear();
        let mut last = base.checked_sub(1);
        loop {
            let (step, more) = take_number(behind)?;
            behind = more;
            if step == 0 {
                break;
            }
            // The first position of a log is 1: where it is 0, the steps count from there too.
            let next = match last {
                Some(last) => last.checked_add(step)?,
                None => step - 1,
            };
            positions.push(next);
            last = Some(next);
        }
        if !take(term, &positions) {
            break;
        }
        rest = behind;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(base: u64, entries: &[(&str, u64)]) -> Row {
        let mut writer = RowWriter::new(base);
        entries.iter().for_each(|(text, position)| writer.push(term(text), *position));
        writer.finish().unwrap()
    }

    fn read(base: u64, row: &[u8]) -> Option<Vec<(String, Vec<u64>)>> {
        let mut found = Vec::new();
        each(row, base, |term, positions| {
            found.push((String::from_utf8(term.to_vec()).unwrap(), positions.to_vec()));
            true
        })?;
        Some(found)
    }

    #[test]
    fn a_row_reads_back_as_its_terms_and_their_positions() {
        for base in [0, 1, 700] {
            let entries =
                [("a", base), ("a", base + 900), ("b", base + 1), ("c", base + (1 << 40))];
            let row = row(base, &entries);
            assert_eq!((row.term.as_slice(), row.position), (&b"a"[..], base));
            let expected = vec![
                ("a".to_owned(), vec![base, base + 900]),
                ("b".to_owned(), vec![base + 1]),
                ("c".to_owned(), vec![base + (1 << 40)]),
            ];
            assert_eq!(read(base, &row.bytes), Some(expected), "{base}");
        }
        assert_eq!(RowWriter::new(7).finish(), None);
    }

    #[test]
    fn a_row_that_is_cut_or_flipped_is_damaged() {
        let bytes = row(5, &[("stripe", 5), ("stripe", 6), ("adyen", 9)]).bytes;
        for length in 0..bytes.len() {
            assert_eq!(read(5, &bytes[..length]), None, "{length} bytes");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(5, &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_position_of_a_common_term_takes_one_byte() {
        let mut writer = RowWriter::new(1);
        (1..1000).for_each(|number| writer.push(b"stripe", 3 * number));
        assert!(writer.finish().unwrap().bytes.len() < 1020);
    }
}
