//! What handlers remember: values by handler, scope and key.
//!
//! Read straight from the file, on the threads that run plugins. Written only with the commit of a
//! run, in [`crate::store::write::states`].

use bytes::Bytes;

use crate::ids::Name;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::file::view::View;
use crate::store::{Store, state};

impl Store {
    /// The value that the handler last committed under this key for this scope.
    pub fn state(&self, handler: &Name, scope: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let view = self.handle.shared.file.read()?;
        let value = stored(&view, &state::key(handler, scope, key));
        self.noting(value.map_err(Error::from))
    }
}

fn stored(view: &View, key: &[u8]) -> Result<Option<Bytes>, Failure> {
    match view.state(key)? {
        // It stands at no position.
        Some(row) => Ok(Some(state::value(key, &row).ok_or(Damaged { position: 0 })?)),
        None => view.state(state::old(key)),
    }
}
