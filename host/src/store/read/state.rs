//! What handlers remember: values by handler, scope and key.
//!
//! Read straight from the file, on the threads that run plugins. Written only with the commit of a
//! run, in [`crate::store::write::commit`].

use bytes::Bytes;

use crate::ids::Name;
use crate::store::Store;
use crate::store::error::Error;

impl Store {
    /// The value that the handler last committed under this key for this scope.
    pub fn state(&self, handler: &Name, scope: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let view = self.handle.shared.file.read()?;
        let value = view.state(&state_key(handler, scope, key));
        self.noting(value.map_err(Error::from))
    }
}

/// Each part but the last behind its length, so that no two triples are written alike.
pub(in crate::store) fn state_key(handler: &Name, scope: &str, key: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(handler.as_str().len() + scope.len() + key.len() + 8);
    for part in [handler.as_str(), scope] {
        let length = u32::try_from(part.len()).expect("a scope is smaller than 4 GiB");
        bytes.extend(length.to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes.extend(key.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_share_a_key() {
        let key = |handler: &str, scope, key| state_key(&handler.parse().unwrap(), scope, key);
        assert_ne!(key("a", "bc", "d"), key("a", "b", "cd"));
        assert_ne!(key("ab", "c", "d"), key("a", "bc", "d"));
    }
}
