//! Where an object or an array ends, found by its brackets and quotes alone.
//!
//! Most of what a plugin looks up stands beside large values that it passes over, so this is most
//! of its work: a block at a time. Never says whether what is passed over is valid.

use super::block::{BYTES, Block};

/// The state between two bytes of a nested value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nest {
    /// Open brackets.
    depth: usize,
    /// In a string, and there right behind a backslash.
    quoted: bool,
    escaped: bool,
}

impl Nest {
    /// The place behind the bracket that closes the one at `start`; `None` if nothing closes it.
    pub(super) fn end(bytes: &[u8], start: usize) -> Option<usize> {
        let mut nest = Self { depth: 1, quoted: false, escaped: false };
        let mut at = start + 1;
        while let Some(block) = Block::at(bytes, at) {
            // A backslash takes the meaning of the next byte, in strings only: bytes in turn know.
            let closed = if nest.escaped || block.is(b'\\').bits() != 0 {
                nest.each(&bytes[at..at + BYTES])
            } else {
                nest.block(block)
            };
            if let Some(place) = closed {
                return Some(at + place + 1);
            }
            at += BYTES;
        }
        nest.each(&bytes[at..]).map(|place| at + place + 1)
    }

    /// The place of the byte that closes the outermost bracket, among these.
    fn each(&mut self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|&byte| self.byte(byte))
    }

    /// Whether the byte closes the outermost bracket.
    fn byte(&mut self, byte: u8) -> bool {
        if self.quoted {
            if self.escaped {
                self.escaped = false;
            } else {
                self.escaped = byte == b'\\';
                self.quoted = byte != b'"';
            }
            return false;
        }
        match byte {
            b'"' => self.quoted = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => (),
        }
        self.depth == 0
    }

    /// [`each`](Self::each) of a block without a backslash.
    fn block(&mut self, block: Block) -> Option<usize> {
        let outside = !self.quotes(block.is(b'"').bits());
        let block = block.braced();
        let opening = block.is(b'{').bits() & outside;
        let closing = block.is(b'}').bits() & outside;
        let (opened, closed) = (opening.count_ones() as usize, closing.count_ones() as usize);
        if closed < self.depth {
            self.depth = self.depth + opened - closed;
            return None;
        }
        let mut left = opening | closing;
        while left != 0 {
            let place = left.trailing_zeros();
            left &= left - 1;
            if opening >> place & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth -= 1;
            }
            if self.depth == 0 {
                return Some(place as usize);
            }
        }
        None
    }

    /// The bytes in strings, each with its first quote, by where the quotes are.
    fn quotes(&mut self, quotes: u32) -> u32 {
        // A byte is in a string if the number of quotes up to it is odd.
        let mut inside = quotes;
        for distance in [1, 2, 4, 8] {
            inside ^= inside << distance;
        }
        if self.quoted {
            inside = !inside;
        }
        self.quoted = inside >> (BYTES - 1) & 1 == 1;
        inside
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, a byte at a time.
    fn known(bytes: &[u8], start: usize) -> Option<usize> {
        let (mut at, mut depth) = (start, 0_usize);
        loop {
            match *bytes.get(at)? {
                b'"' => {
                    at += 1;
                    while *bytes.get(at)? != b'"' {
                        at += if bytes[at] == b'\\' { 2 } else { 1 };
                    }
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => (),
            }
            at += 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }

    #[test]
    fn an_end_is_found_wherever_it_stands_in_a_block() {
        for before in 0..40 {
            for inner in 0..40 {
                let inside = "x".repeat(inner);
                let text =
                    format!("{}{{\"{inside}]}}\":[\"\\\"{inside}\"]}}}}]", " ".repeat(before));
                let end = text.len() - 2;
                assert_eq!(Nest::end(text.as_bytes(), before), Some(end), "{text}");
                assert_eq!(Nest::end(&text.as_bytes()[..end - 1], before), None, "{text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16_384))]

        #[test]
        fn blocks_end_where_single_bytes_do(
            rest in "(\\{|\\}|\\[|\\]|\"|\\\\|\"[a-z]{0,20}\"|[a-z ]{1,9}|é|\\{\"a\":\\[){0,60}",
        ) {
            let bytes = format!("[{rest}");
            prop_assert_eq!(Nest::end(bytes.as_bytes(), 0), known(bytes.as_bytes(), 0));
        }

        #[test]
        fn any_bytes_end_where_single_bytes_do(
            rest in prop::collection::vec(
                prop_oneof![any::<u8>(), prop::sample::select(&b"\"\\[]{}"[..])], 0..200,
            ),
        ) {
            let bytes = [&b"{"[..], &rest].concat();
            prop_assert_eq!(Nest::end(&bytes, 0), known(&bytes, 0));
        }
    }
}
