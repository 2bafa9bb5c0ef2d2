//! What goes with each delivery to an endpoint beside a signature: a credential, and the key of a
//! client certificate.
//!
//! Spelled as the API spells it, with a reference in the place of each secret. Never repeats one.

use super::document::{Entry, Table};
use super::secret::Secrets;
use crate::egress::Identity;
use crate::endpoint::{Credential, RawCredential, Settings};
use crate::secrets::Secret;

const FORM: &str = "must be { basic = { username, password } }, { bearer } or \
                    { header = { name, value } }";

/// What stands under `credential` and `client_key`.
pub(super) struct Shown<'a> {
    credential: Option<(Entry<'a>, Credential)>,
    client_key: Option<(Entry<'a>, Secret)>,
}

impl<'a> Shown<'a> {
    pub(super) fn read(table: &mut Table<'a>, secrets: &mut Secrets<'_>) -> Self {
        let [credential, client_key] = ["credential", "client_key"].map(|key| table.take(key));
        let credential = credential.and_then(|entry| Some((entry, read(entry, secrets)?)));
        let client_key = client_key.and_then(|entry| Some((entry, secrets.read(entry)?)));
        Self { credential, client_key }
    }

    /// The credential and the key, if they fit the settings that they are for.
    pub(super) fn of(
        self,
        settings: &Settings,
        table: &Table<'_>,
    ) -> (Option<Credential>, Option<Secret>) {
        let client = match (&settings.trust.client, &self.client_key) {
            (Some(chain), Some((_, key))) => Some((chain.as_bytes(), key)),
            (None, None) => None,
            _ => {
                let title = table.title();
                table.wrong(format!(
                    "{title} must have both `client_certificate` and `client_key`, or neither"
                ));
                None
            }
        };
        if let Err(wrong) = Identity::new(&settings.trust.ca, client) {
            let title = table.title();
            table.wrong(format!("the certificates of {title} can't be used: they have {wrong}"));
        }
        if let Some((entry, credential)) = &self.credential
            && let Some((name, _)) = credential.header()
            && settings.headers.iter().any(|(other, _)| *other == name)
        {
            entry.wrong("must be another header than those of `headers`");
        }
        let credential = self.credential.map(|(_, credential)| credential);
        (credential, self.client_key.map(|(_, key)| key))
    }
}

fn read(entry: Entry<'_>, secrets: &mut Secrets<'_>) -> Option<Credential> {
    let raw = entry.table("`credential`".to_owned())?.read(|table| {
        let [basic, bearer, header] = ["basic", "bearer", "header"].map(|key| table.take(key));
        match (basic, bearer, header) {
            (Some(basic), None, None) => {
                let (username, password) = pair(basic, ("username", "password"), secrets)?;
                Some(RawCredential::Basic { username, password })
            }
            (None, Some(bearer), None) => {
                Some(RawCredential::Bearer(secrets.read(bearer)?.expose().to_owned()))
            }
            (None, None, Some(header)) => {
                let (name, value) = pair(header, ("name", "value"), secrets)?;
                Some(RawCredential::Header { name, value })
            }
            _ => {
                entry.wrong(FORM);
                None
            }
        }
    })?;
    match raw.check() {
        Ok(credential) => Some(credential),
        Err(invalid) => {
            entry.wrong(&format!("can't be sent: {}", invalid.detail));
            None
        }
    }
}

/// A text, and a secret beside it.
fn pair(
    entry: Entry<'_>,
    (text, secret): (&'static str, &'static str),
    secrets: &mut Secrets<'_>,
) -> Option<(String, String)> {
    entry.table(format!("`{}`", entry.key))?.read(|table| {
        let text = table.need(text).and_then(|entry| entry.text("a text"));
        let secret = table.need(secret).and_then(|entry| secrets.read(entry));
        Some((text?.to_owned(), secret?.expose().to_owned()))
    })
}
