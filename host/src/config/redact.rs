//! What a source redacts: the places of its table, and the key that their pseudonyms are made with.
//!
//! The key follows from the first master key and from whose the events of the source are, so that
//! equal values can be told within one tenant and not across tenants. Never reads a request.

use std::sync::Arc;

use super::document::Table;
use super::values::all;
use crate::ids::Name;
use crate::master_key::MasterKey;
use crate::pseudonym::Pseudonyms;
use crate::tenant::TenantOf;

/// Most places of one source.
const PLACES_MAX: usize = 64;

const FORM: &str = "a list of 1 to 64 places";

/// What the source of this name redacts, if anything. `master` are the keys of the file; `None` if
/// nobody needs the pseudonyms.
pub(super) fn read(
    table: &mut Table<'_>,
    source: &Name,
    tenant: &TenantOf,
    master: Option<&[MasterKey]>,
) -> Option<Arc<Pseudonyms>> {
    let entry = table.take("redact")?;
    let places = all(Some(entry), FORM, |entry| entry.request_place());
    if entry.is_empty_list() || places.len() > PLACES_MAX {
        entry.wrong(&format!("must be {FORM}"));
    }
    let Some(first) = master?.first() else {
        entry.wrong(
            "needs `master_key`: the gateway puts digests in place of values, and makes their key \
             from it",
        );
        return None;
    };
    let scope = match tenant {
        TenantOf::Operator => "operator".to_owned(),
        TenantOf::Fixed(tenant) => format!("tenant {}", tenant.as_str()),
        // Whose an event is stands in it, and is not known before the gateway has redacted it.
        TenantOf::Label(_) => format!("source {source}"),
    };
    Some(Arc::new(Pseudonyms::new(&first.for_pseudonyms(&scope), places)))
}
