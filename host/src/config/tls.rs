//! The `[tls]` table: the certificates and keys of the two ports.
//!
//! The files are read with the configuration. So a change of one is a change of the configuration,
//! and two that do not fit are one that is not applied. No error says anything of what was found.

use std::num::NonZeroU32;

use super::document::{Entry, Table};
use super::secret::Secrets;
use crate::listener::{Issuers, Tls};

/// What the table says, as far as that could be read.
#[derive(Default)]
pub(super) struct Pairs<'a> {
    public: Option<Pair<'a>>,
    admin: Option<Pair<'a>>,
    /// Whether there is a table for the public port, whatever is wrong with it.
    pub(super) names_public: bool,
    /// The same of the admin port.
    pub(super) names_admin: bool,
}

/// A certificate and its key: where each is named, and what its file has.
struct Pair<'a> {
    certificate: (Entry<'a>, Vec<u8>),
    key: (Entry<'a>, Vec<u8>),
}

impl<'a> Pairs<'a> {
    /// Reads the table, if there is one. Each port may be left out, and then has no TLS.
    pub(super) fn read(entry: Option<Entry<'a>>, secrets: &mut Secrets<'_>) -> Self {
        let table = entry.and_then(|entry| entry.table("[tls]".to_owned()));
        table.map(|table| table.read(|table| Self::of(table, secrets))).unwrap_or_default()
    }

    fn of(table: &mut Table<'a>, secrets: &mut Secrets<'_>) -> Self {
        let [public, admin] = ["public", "admin"].map(|port| table.take(port));
        let (names_public, names_admin) = (public.is_some(), admin.is_some());
        let mut pair = |entry: Option<Entry<'a>>| {
            let entry = entry?;
            let table = entry.table(format!("[tls.{}]", entry.key))?;
            table.read(|table| Pair::read(table, secrets))
        };
        Self { public: pair(public), admin: pair(admin), names_public, names_admin }
    }

    /// What the public port and the admin port make of them. To ask peers for a certificate of one
    /// of these issuers, and HTTP/2 with so many requests at a time, is for the public one.
    pub(super) fn tls(
        &self,
        issuers: &[Issuers],
        http2: Option<NonZeroU32>,
    ) -> (Option<Tls>, Option<Tls>) {
        let public = self.public.as_ref().and_then(|pair| pair.tls(issuers, http2));
        let admin = self.admin.as_ref().and_then(|pair| pair.tls(&[], None));
        (public, admin)
    }
}

impl<'a> Pair<'a> {
    fn read(table: &mut Table<'a>, secrets: &mut Secrets<'_>) -> Option<Self> {
        let named = ["certificate", "key"].map(|key| table.need(key));
        let [certificate, key] =
            named.map(|entry| entry.and_then(|entry| Some((entry, secrets.file(entry)?))));
        Some(Self { certificate: certificate?, key: key? })
    }

    /// What a port makes of them. Notes where they are not what they should be.
    fn tls(&self, issuers: &[Issuers], http2: Option<NonZeroU32>) -> Option<Tls> {
        let tls = Tls::new(&self.certificate.1, &self.key.1, issuers, http2);
        let wrong = tls.as_ref().err();
        if let Some(error) = wrong {
            let (entry, _) = if error.is_about_key() { &self.key } else { &self.certificate };
            entry.wrong(&error.to_string());
        }
        tls.ok()
    }
}
