//! The settings of a source: the public key of its pair of keys.
//!
//! Never holds the private key, which is the source's secret.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// Longest public key.
const KEY_BYTES_MAX: usize = 64;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The public key of the pair; the private key is the source's secret.
    pub(crate) public_key: String,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        let key = &self.public_key;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(known) {
            Ok(())
        } else {
            Err("`public_key` is not a public key from Braintree's control panel".to_owned())
        }
    }
}
