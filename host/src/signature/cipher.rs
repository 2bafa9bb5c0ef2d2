//! Encrypted texts: AES-GCM, which proves who wrote them, and AES-CBC, which does not.
//!
//! Bad padding and a wrong key look alike to whoever sent the text: both decrypt to something, and
//! what it is worth is a choice that is made in the end. Never says which of the two it was.

use aes_gcm::aes::cipher::consts::{U12, U16};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeLess};

use crate::provider::{Cipher, Encrypted};

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// What was decrypted, and whether it is what somebody with the key encrypted; for AES-CBC, whether
/// its padding is right. `None` if the key, the nonce or the text has another size.
pub(super) fn decrypt(
    encrypted: &Encrypted,
    key: &[u8],
    ciphertext: Vec<u8>,
) -> Option<(Vec<u8>, Choice)> {
    let Encrypted { cipher, nonce, tag, associated_data, .. } = encrypted;
    match cipher {
        Cipher::AesGcm => gcm(key, nonce, tag, associated_data, ciphertext),
        Cipher::AesCbc => unpadded(cbc(key, nonce, ciphertext)?),
    }
}

fn gcm(
    key: &[u8],
    nonce: &[u8],
    tag: &[u8],
    associated_data: &[u8],
    mut text: Vec<u8>,
) -> Option<(Vec<u8>, Choice)> {
    let tag = Tag::<U16>::try_from(tag).ok()?;
    macro_rules! open {
        ($aes:ty, $size:ty) => {{
            let cipher = <AesGcm<$aes, $size> as KeyInit>::new_from_slice(key).ok()?;
            let nonce = Nonce::<$size>::try_from(nonce).ok()?;
            let text = text.as_mut_slice().into();
            cipher.decrypt_inout_detached(&nonce, associated_data, text, &tag).is_ok()
        }};
    }
    let is_authentic = match (key.len(), nonce.len()) {
        (16, 12) => open!(Aes128, U12),
        (24, 12) => open!(Aes192, U12),
        (32, 12) => open!(Aes256, U12),
        (16, 16) => open!(Aes128, U16),
        (24, 16) => open!(Aes192, U16),
        (32, 16) => open!(Aes256, U16),
        _ => return None,
    };
    if !is_authentic {
        // It is ciphertext still.
        text.clear();
    }
    Some((text, Choice::from(u8::from(is_authentic))))
}

fn cbc(key: &[u8], nonce: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
        return None;
    }
    macro_rules! open {
        ($aes:ty) => {{
            let cipher = <cbc::Decryptor<$aes> as KeyIvInit>::new_from_slices(key, nonce).ok()?;
            cipher.decrypt_padded::<NoPadding>(&mut text).ok()?.len()
        }};
    }
    let length = match key.len() {
        16 => open!(Aes128),
        24 => open!(Aes192),
        32 => open!(Aes256),
        _ => return None,
    };
    text.truncate(length);
    Some(text)
}

/// Takes the padding of PKCS #7 off; a text without it keeps all its bytes, and is not sound.
fn unpadded(mut text: Vec<u8>) -> Option<(Vec<u8>, Choice)> {
    let last = *text.last()?;
    let mut sound = !last.ct_eq(&0) & last.ct_lt(&(BLOCK as u8 + 1));
    for (back, byte) in (1_u8..=BLOCK as u8).zip(text.iter().rev()) {
        let is_padding = back.ct_lt(&last) | back.ct_eq(&last);
        sound &= !is_padding | byte.ct_eq(&last);
    }
    let padding = u8::conditional_select(&0, &last, sound);
    text.truncate(text.len() - usize::from(padding));
    Some((text, sound))
}

#[cfg(test)]
mod tests;
