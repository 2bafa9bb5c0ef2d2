//! Hexadecimal digits, as signatures are written.

/// Decodes hex digits in either case; `None` for anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = Vec::with_capacity(pairs.len());
    for &[high, low] in pairs {
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

/// Decodes hex digits in lower case only, for providers whose own libraries compare the texts;
/// `None` for anything else.
pub fn decode_lower(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    decode(text)
}

/// Encodes bytes as hex digits in lower case.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|d| DIGITS[usize::from(d)]).collect()
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_become_bytes() {
        assert_eq!(decode("00fFa5"), Some(vec![0, 255, 165]));
        assert_eq!(decode(""), Some(Vec::new()));
        for text in ["0", "0g", "+1", " 00", "é0", "0x00"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn upper_case_is_refused_where_it_matters() {
        assert_eq!(decode_lower("ff"), Some(vec![255]));
        assert_eq!(decode_lower("fF"), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode_lower(&encode(&bytes)), Some(bytes));
        }
    }
}
