//! What the configuration file may have, for whoever writes one: each key with its form, its
//! default and what it does, and all of it as a JSON schema.
//!
//! Held to what reads the file by a test: a key that one of them has and the other has not fails
//! it. Never reads a file.

mod json;
mod tables;

pub(super) use self::json::document;
pub(super) use self::tables::FILE;

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// A text; what it must look like stands in the description.
    Text,
    /// A URL, which may have a credential inside.
    Url,
    /// A text such as `15s`.
    Duration,
    /// A whole number, from this on.
    Whole(u64),
    /// True or false.
    Truth,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A secret by its place: `{ env }`, `{ file }` or `{ value }`.
    Secret,
    /// A list of these.
    Secrets,
    /// One or several of these.
    SecretOrSecrets,
    /// A table whose keys the operator chooses, with a secret each.
    NamedSecrets,
    /// A table whose keys the operator chooses, with a text each, which may be a credential.
    HiddenTexts,
    /// A table whose keys the operator chooses, with a text each.
    NamedTexts,
    /// A credential with secrets in it.
    Credential,
    /// A list of tables.
    Rules,
    /// What a plugin reads.
    Settings,
    /// A table.
    Table(&'static Table),
    /// A table for each of the names that the operator gives.
    Named(&'static Table),
    /// The same, among the keys of a table.
    TableOrPath(&'static Table),
}

/// What a table may have.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) keys: &'static [Key],
    /// What each key that is not among these has, if the operator may choose some.
    pub(super) others: Option<&'static Table>,
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) is_required: bool,
    /// As JSON; empty if there is none, or if the machine decides.
    pub(super) default: &'static str,
    /// What it does, for people.
    pub(super) said: &'static str,
}

#[cfg(test)]
mod tests;
