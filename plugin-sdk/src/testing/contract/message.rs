//! The gateway's checks of pieces and of the forms of secrets.
//!
//! A piece may name a value only by an index that is there. Nothing is computed here.

use super::{at_most, text};
use crate::claims::{Piece, SecretForm, Value};

/// Most pieces in one message.
const PIECES_MAX: usize = 256;
/// Most bytes of a text before a secret.
const PREFIX_BYTES_MAX: usize = 64;

/// Checks the pieces in a field, which may name these values.
pub(super) fn pieces(field: &str, pieces: &[Piece], values: &[Value]) -> Result<(), String> {
    at_most(field, pieces.len(), PIECES_MAX)?;
    pieces.iter().try_for_each(|piece| match piece {
        Piece::Text(_) | Piece::Bytes(_) | Piece::Body => Ok(()),
        Piece::Secret(form) => secret_form(field, form),
        Piece::Value(part) => named(field, part.index, values).map(|_| ()),
    })
}

/// The value with this index.
pub(super) fn named<'v>(field: &str, index: u32, values: &'v [Value]) -> Result<&'v Value, String> {
    let value = usize::try_from(index).ok().and_then(|place| values.get(place));
    value.ok_or_else(|| format!("`{field}` names value {index}, which is not before it"))
}

/// Checks what a secret stands for.
pub(super) fn secret_form(field: &str, form: &SecretForm) -> Result<(), String> {
    form.prefix.as_ref().map_or(Ok(()), |prefix| text(field, prefix, PREFIX_BYTES_MAX))
}
