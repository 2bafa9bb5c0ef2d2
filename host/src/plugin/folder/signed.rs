//! Whether a file is signed by somebody whom the operator trusts.
//!
//! The signature lies beside the file: `NAME.wasm.minisig` beside `NAME.wasm`. Where the operator
//! names no keys, nothing has to be signed and no signature is read. Never believes what was said
//! of a file before: the very bytes that are loaded are those that it verifies.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Stamp, read_stable};
use crate::minisign::{FILE_BYTES_MAX, PublicKey, Signature, SignatureError, signature_of};
use crate::plugin::load::LoadError;

/// Whom the operator trusts, and the signature of a file as it was read.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    trusted: Arc<[PublicKey]>,
    /// None if there is no such file, or nothing has to be signed.
    signature: Option<Vec<u8>>,
}

/// What lies beside a file, if something has to be there.
pub(super) fn stamp(file: &Path, trusted: &[PublicKey]) -> Option<Stamp> {
    if trusted.is_empty() {
        return None;
    }
    fs::metadata(signature_of(file)).ok().map(|metadata| Stamp::of(&metadata))
}

impl Signed {
    /// Reads the signature of a file in the folder `root` that had this stamp, if it had one.
    pub(super) fn read(
        root: &Path,
        file: &Path,
        stamp: Option<&Stamp>,
        trusted: &Arc<[PublicKey]>,
    ) -> Result<Self, LoadError> {
        let trusted = Arc::clone(trusted);
        let Some(stamp) = stamp else { return Ok(Self { trusted, signature: None }) };
        let target = signature_of(file).canonicalize().map_err(LoadError::SignatureFile)?;
        if !target.starts_with(root) {
            return Err(LoadError::Outside);
        }
        let read = read_stable(&target, stamp, FILE_BYTES_MAX);
        Ok(Self { trusted, signature: Some(read.map_err(LoadError::into_signature)?) })
    }

    /// Tells one content of a file and its signature from another.
    pub(super) fn digest(&self, file: &[u8]) -> [u8; 32] {
        let signature = self.signature.as_deref().unwrap_or_default();
        Sha256::new().chain_update(Sha256::digest(file)).chain_update(signature).finalize().into()
    }

    /// Who has signed these bytes; none if nothing has to be signed.
    pub(super) fn signer(&self, file: &[u8]) -> Result<Option<PublicKey>, LoadError> {
        signer_of(file, self.signature.as_deref(), &self.trusted)
    }
}

/// Who of those whom the operator trusts has signed these bytes, by the text of their signature;
/// none if the operator names nobody, for then nothing has to be signed.
pub fn signer_of(
    file: &[u8],
    signature: Option<&[u8]>,
    trusted: &[PublicKey],
) -> Result<Option<PublicKey>, LoadError> {
    if trusted.is_empty() {
        return Ok(None);
    }
    let signature = signature.ok_or(LoadError::Unsigned)?;
    let text = str::from_utf8(signature).map_err(|_| SignatureError::Malformed);
    let verified = text
        .and_then(str::parse::<Signature>)
        .and_then(|signature| signature.verify(file, trusted));
    Ok(Some(verified.map_err(LoadError::Signature)?.key))
}
