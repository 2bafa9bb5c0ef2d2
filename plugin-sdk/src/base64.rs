//! Base64, standard and for URLs, strictly: one text for every value.
//!
//! Padding is required and the bits behind the last byte must be zero, so a changed text is never
//! read as the same signature.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes standard, padded base64; `None` for anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (quads, []) = text.as_bytes().as_chunks::<4>() else { return None };
    let mut bytes = Vec::with_capacity(quads.len() * 3);
    for (index, quad) in quads.iter().enumerate() {
        let last = index + 1 == quads.len();
        let (digits, taken) = match quad {
            [a, b, b'=', b'='] if last => ([*a, *b, b'A', b'A'], 1),
            [a, b, c, b'='] if last => ([*a, *b, *c, b'A'], 2),
            full => (*full, 3),
        };
        let mut value = 0_u32;
        for digit in digits {
            value = value << 6 | sextet(digit)?;
        }
        let [_, decoded @ ..] = value.to_be_bytes();
        let (kept, rest) = decoded.split_at(taken);
        if rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

/// Encodes bytes as standard, padded base64.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let value = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4_usize {
            let digit = usize::try_from(value >> (18 - 6 * position) & 63).unwrap_or(0);
            let known = position <= chunk.len();
            text.push(if known { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    text
}

/// Decodes base64 for URLs, without padding, as in a JSON Web Token; `None` for anything else.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/', '=']) {
        return None;
    }
    decode(&padded(text.replace('-', "+").replace('_', "/")))
}

/// The text with its padding. `format!` would panic at a text of 64 KiB, which a token may have.
pub(crate) fn padded(mut text: String) -> String {
    let missing = text.len().next_multiple_of(4) - text.len();
    text.extend(std::iter::repeat_n('=', missing));
    text
}

/// Encodes bytes as base64 for URLs, without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_for_urls_has_no_padding_and_its_own_alphabet() {
        assert_eq!(encode_url(&[0xfb, 0xff]), "-_8");
        assert_eq!(decode_url("-_8").unwrap(), [0xfb, 0xff]);
        for text in ["-_8=", "+/8", "-_9", "a", "-_ 8"] {
            assert_eq!(decode_url(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_of_any_length_is_read() {
        for bytes in [49_150, 49_151, 49_152, 200_000] {
            let bytes = vec![0xfb; bytes];
            assert_eq!(decode_url(&encode_url(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn the_examples_of_rfc_4648_hold() {
        let examples = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in examples {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn one_value_has_one_text() {
        for text in
            ["Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm-_", "Zm8= ", "Zm8\n"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn what_is_read_is_written_alike(text in "[A-Za-z0-9+/]{0,7}={0,2}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
