//! Who asks, as the API says it.
//!
//! A value. Never a token or a cookie.

use serde::Deserialize;

use crate::token::Scope;

/// Who asks, as the API says it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Session {
    /// The name of the token; `None` where the port asks for none.
    pub(super) token: Option<String>,
    pub(super) scopes: Vec<Scope>,
    /// Whose the token is; `None` is the operator's.
    pub(super) tenant: Option<String>,
    /// What goes with each form.
    #[serde(default)]
    pub(super) form: Option<String>,
}
