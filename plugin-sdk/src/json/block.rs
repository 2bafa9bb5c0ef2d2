//! Sixteen bytes of a document at once, and which of them are what somebody looks for.
//!
//! A plugin that `hookgate plugin build` makes compares all of them with one instruction; elsewhere
//! it takes arithmetic on two words. Never reads beyond the bytes that it is given.

/// Bytes of a block.
pub(super) const BYTES: usize = 16;
/// The lowest bit of each byte of a word.
#[cfg(not(target_feature = "simd128"))]
const ONES: u64 = u64::MAX / 0xff;

/// The bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block(Lanes);

/// Bytes that are marked: all bits of each, or its highest one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks(Lanes);

#[cfg(target_feature = "simd128")]
type Lanes = core::arch::wasm32::v128;
#[cfg(not(target_feature = "simd128"))]
type Lanes = [u64; 2];

impl Block {
    /// The block at this place; `None` if fewer bytes than that are left.
    pub(super) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let (words, _) = bytes.get(at..)?.first_chunk::<BYTES>()?.as_chunks::<8>();
        let &[low, high] = words else { return None };
        Some(Self(lanes(u64::from_le_bytes(low), u64::from_le_bytes(high))))
    }
}

#[cfg(target_feature = "simd128")]
fn lanes(low: u64, high: u64) -> Lanes {
    core::arch::wasm32::u64x2(low, high)
}

#[cfg(not(target_feature = "simd128"))]
fn lanes(low: u64, high: u64) -> Lanes {
    [low, high]
}

#[cfg(target_feature = "simd128")]
impl Block {
    /// The bytes that are this one.
    pub(super) fn is(self, byte: u8) -> Marks {
        use core::arch::wasm32::{u8x16_eq, u8x16_splat};
        Marks(u8x16_eq(self.0, u8x16_splat(byte)))
    }

    /// The bytes below this one, which is at most 128.
    pub(super) fn below(self, byte: u8) -> Marks {
        use core::arch::wasm32::{u8x16_lt, u8x16_splat};
        Marks(u8x16_lt(self.0, u8x16_splat(byte)))
    }

    /// The bytes with bit 5 set, which makes a brace of a bracket.
    pub(super) fn braced(self) -> Self {
        use core::arch::wasm32::{u8x16_splat, v128_or};
        Self(v128_or(self.0, u8x16_splat(0x20)))
    }
}

#[cfg(target_feature = "simd128")]
impl Marks {
    /// The bytes that either marks.
    pub(super) fn or(self, other: Self) -> Self {
        Self(core::arch::wasm32::v128_or(self.0, other.0))
    }

    /// A bit for each byte, the lowest for the first.
    pub(super) fn bits(self) -> u32 {
        u32::from(core::arch::wasm32::u8x16_bitmask(self.0))
    }
}

#[cfg(not(target_feature = "simd128"))]
impl Block {
    /// The bytes that are this one.
    pub(super) fn is(self, byte: u8) -> Marks {
        // No carry leaves a byte: adding marks what is not zero below the highest bit.
        let is = |word: u64| {
            let other = word ^ (ONES * u64::from(byte));
            !(((other & (ONES * 0x7f)) + ONES * 0x7f) | other) & (ONES << 7)
        };
        Marks(self.0.map(is))
    }

    /// The bytes below this one, which is at most 128.
    pub(super) fn below(self, byte: u8) -> Marks {
        let least = ONES * u64::from(128 - byte);
        let below = |word: u64| !(((word & (ONES * 0x7f)) + least) | word) & (ONES << 7);
        Marks(self.0.map(below))
    }

    /// The bytes with bit 5 set, which makes a brace of a bracket.
    pub(super) fn braced(self) -> Self {
        Self(self.0.map(|word| word | (ONES << 5)))
    }
}

#[cfg(not(target_feature = "simd128"))]
impl Marks {
    /// The bytes that either marks.
    pub(super) fn or(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a | c, b | d])
    }

    /// A bit for each byte, the lowest for the first.
    pub(super) fn bits(self) -> u32 {
        // The product has the bits of the eight bytes beside one another in its highest byte.
        let bits = |word: u64| (word >> 7).wrapping_mul(0x0102_0408_1020_4080).to_be_bytes()[0];
        let [low, high] = self.0.map(bits);
        u32::from(u16::from_le_bytes([low, high]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bits of the bytes that are so.
    fn those(bytes: &[u8], is: impl Fn(u8) -> bool) -> u32 {
        bytes.iter().enumerate().map(|(place, &byte)| u32::from(is(byte)) << place).sum()
    }

    #[test]
    fn a_block_needs_all_of_its_bytes() {
        assert!(Block::at(&[0; 20], 4).is_some());
        assert!(Block::at(&[0; 20], 5).is_none());
        assert!(Block::at(&[0; 20], 21).is_none());
    }

    proptest! {
        #[test]
        fn every_byte_is_told_by_itself(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), 0x20_u8..0x24, 0x5a_u8..0x7e],
                BYTES,
            ),
            byte in prop_oneof![any::<u8>(), 0x20_u8..0x24],
            limit in 0_u8..=128,
        ) {
            let block = Block::at(&bytes, 0).unwrap();
            prop_assert_eq!(block.is(byte).bits(), those(&bytes, |it| it == byte));
            prop_assert_eq!(block.below(limit).bits(), those(&bytes, |it| it < limit));
            let brace = block.braced().is(b'{').bits();
            prop_assert_eq!(brace, those(&bytes, |it| matches!(it, b'{' | b'[')));
            let either = block.is(byte).or(block.below(limit)).bits();
            prop_assert_eq!(either, those(&bytes, |it| it == byte || it < limit));
        }
    }
}
