//! What is taken out of a receipt before an operator sees it: the secret that came in with it.
//!
//! A sender may prove itself with a bare token, and a receipt keeps what came, for the provider's
//! plugin reads it again. Never changes what is stored.

use std::fmt;
use std::sync::Arc;

use crate::ids::Name;
use crate::secrets::Secret;
use crate::store::ReceiptView;

/// Stands where something is not shown.
const HIDDEN: &str = "(hidden)";

/// Headers that carry credentials, also in other forms than the secret's own text.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Gives the secrets of a source, as they are now.
pub type SecretsOf = dyn Fn(&Name) -> Vec<Secret> + Send + Sync;

/// Hides the secrets of the source that a receipt came in by.
#[derive(Clone)]
pub struct Veil(pub Arc<SecretsOf>);

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veil(..)")
    }
}

impl Veil {
    /// The receipt as it may be shown.
    pub(super) fn over(&self, mut receipt: ReceiptView) -> ReceiptView {
        let secrets = (self.0)(&receipt.source);
        let hide = |text: &mut String| {
            secrets.iter().for_each(|secret| secret.take_out_of(text, HIDDEN));
        };
        hide(&mut receipt.url);
        receipt.body.iter_mut().for_each(hide);
        let veiled = receipt.headers.iter().map(|(name, value)| {
            let mut value = value.to_owned();
            if CREDENTIALS.contains(&name) {
                HIDDEN.clone_into(&mut value);
            } else {
                hide(&mut value);
            }
            (name, value)
        });
        receipt.headers = veiled.collect();
        receipt
    }
}
