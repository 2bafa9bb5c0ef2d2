//! What anybody may have digested, as the answer to a validation challenge, and what proves nothing
//! for that reason.
//!
//! One rule for both sides of that line: an answer asks it before a text is digested, and the judge
//! once it has made one. It judges bytes, in whatever pieces they come. Never digests anything.

/// Longest text that is digested for anybody, in bytes.
pub(super) const OPEN_BYTES_MAX: usize = 64;

/// Whether this message is one that is digested for whoever asks: short, and hexadecimal.
pub(super) fn is_open<'a>(message: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut length = 0;
    for piece in message {
        length += piece.len();
        if length > OPEN_BYTES_MAX || !piece.iter().all(is_digit) {
            return false;
        }
    }
    length > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(pieces: &[&str]) -> bool {
        is_open(pieces.iter().map(|piece| piece.as_bytes()))
    }

    #[test]
    fn a_short_hexadecimal_text_is_open_in_whatever_pieces() {
        assert!(open(&["00ff"]) && open(&["ab", "", "01"]) && open(&["a".repeat(64).as_str()]));
        for closed in [&[][..], &["", ""], &["ab", "."], &["AB"], &["{}"], &["00ff\n"]] {
            assert!(!open(closed), "{closed:?}");
        }
        assert!(!open(&["a".repeat(40).as_str(), "b".repeat(25).as_str()]));
    }
}
