//! Which edition of the guest this is: a test that needs several writes another number into the
//! file.

use std::hint::black_box;

/// A test looks for these bytes in the file, and writes a number in the place of the zeros.
static EDITION: [u8; 18] = *b"guest-edition:0000";
/// Where the number begins.
const NUMBER: usize = 14;

/// The number of this edition.
pub(crate) fn number() -> u64 {
    let digits = black_box(&EDITION).iter().skip(NUMBER);
    digits.fold(0, |sum, digit| sum * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// Whether this edition fails on the event with this id: on one in as many as its number says, and
/// on none if that is 0.
pub(crate) fn fails_on(id: &str) -> bool {
    let one_in = number();
    // FNV-1a: which events fail has nothing to do with which subjects a canary has.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    one_in > 0 && (hash >> 16).is_multiple_of(one_in)
}
