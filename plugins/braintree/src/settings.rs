//! What the operator must say of a source: which pair of keys is the source's.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// Longest public key.
const KEY_BYTES_MAX: usize = 64;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The public half; the private one is the source's secret.
    pub(crate) public_key: String,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        let key = &self.public_key;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(known) {
            Ok(())
        } else {
            Err("`public_key` is not the public key of a pair at Braintree".to_owned())
        }
    }
}
