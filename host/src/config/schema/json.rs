//! The configuration file as a JSON schema, for editors.
//!
//! In the draft that editors of TOML know. Never says more than the tables do.

use serde_json::{Map, Value, json};

use super::tables::FILE;
use super::{Form, Key, Table};
use crate::config::Limits;

/// The schema of the whole file.
pub(in crate::config) fn document() -> Value {
    let mut schema = object(&FILE);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("hookgate.toml");
    let limits = &mut schema["properties"]["limits"]["properties"];
    for (key, value) in Limits::default().written() {
        // How many threads there are by default depends on the machine.
        if !key.ends_with("_threads") && !matches!(key, "parses" | "runs" | "runs_per_handler") {
            limits[key]["default"] = value;
        }
    }
    schema
}

/// A table.
fn object(table: &Table) -> Value {
    let properties: Map<String, Value> =
        table.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> =
        table.keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": table.others.map_or(json!(false), object),
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn property(key: &Key) -> Value {
    let mut schema = form(key.form);
    schema["description"] = json!(key.said);
    if let Ok(default) = serde_json::from_str::<Value>(key.default) {
        schema["default"] = default;
    }
    schema
}

fn form(form: Form) -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    match form {
        Form::Text | Form::Duration => json!({ "type": "string" }),
        Form::Url => json!({ "type": "string", "format": "uri" }),
        Form::Whole(least) => json!({ "type": "integer", "minimum": least }),
        Form::Truth => json!({ "type": "boolean" }),
        Form::Choice(words) => json!({ "type": "string", "enum": words }),
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Secret => secret(),
        Form::Secrets => json!({ "type": "array", "items": secret() }),
        Form::SecretOrSecrets => {
            json!({ "anyOf": [secret(), { "type": "array", "items": secret() }] })
        }
        Form::NamedSecrets => json!({ "type": "object", "additionalProperties": secret() }),
        Form::HiddenTexts | Form::NamedTexts => texts,
        Form::Credential => credential(),
        Form::Rules => json!({ "type": "array", "items": { "type": "object" } }),
        Form::Settings => json!({ "type": "object" }),
        Form::Table(table) => object(table),
        Form::Named(table) => json!({ "type": "object", "additionalProperties": object(table) }),
        Form::TableOrPath(table) => json!({ "anyOf": [{ "type": "string" }, object(table)] }),
    }
}

/// Where a secret is.
fn secret() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "properties": { "env": text, "file": text, "value": text },
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}

fn credential() -> Value {
    let pair = |text: &str, hidden: &str| {
        json!({
            "type": "object",
            "properties": { text: { "type": "string" }, hidden: secret() },
            "required": [text, hidden],
            "additionalProperties": false,
        })
    };
    json!({
        "type": "object",
        "properties": {
            "basic": pair("username", "password"),
            "bearer": secret(),
            "header": pair("name", "value"),
        },
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}
