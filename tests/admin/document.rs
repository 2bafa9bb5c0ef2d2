//! The OpenAPI document as a test holds answers against it.
//!
//! Reads as much of JSON Schema as the document has, and is stricter in one thing: an answer has no
//! member that the document does not describe. Never asks a gateway.

use serde_json::{Map, Value};

use crate::harness::Answer;

/// The document, as the gateway serves it.
pub(super) struct Document(Value);

impl Document {
    pub(super) fn of(answer: &Answer) -> Self {
        Self(answer.json())
    }

    /// Every operation: its id, method and path.
    pub(super) fn operations(&self) -> Vec<(String, String, String)> {
        let paths = self.0["paths"].as_object().expect("there are paths");
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("a path has methods");
            methods.iter().map(move |(method, operation)| {
                let id = operation["operationId"].as_str().expect("an operation has an id");
                (id.to_owned(), method.to_uppercase(), path.clone())
            })
        });
        operations.collect()
    }

    fn operation(&self, id: &str) -> &Value {
        let paths = self.0["paths"].as_object().into_iter().flat_map(Map::values);
        let mut operations =
            paths.flat_map(|path| path.as_object().into_iter().flat_map(Map::values));
        let found = operations.find(|operation| operation["operationId"] == id);
        found.unwrap_or_else(|| panic!("the document has no operation {id}"))
    }

    /// Checks that an answer is as the document says of this operation.
    #[track_caller]
    pub(super) fn check(&self, id: &str, answer: &Answer) {
        let said = &self.operation(id)["responses"][answer.status.to_string()];
        assert!(said.is_object(), "{id}: no status {}: {}", answer.status, answer.body);
        let content_type = answer.headers["content-type"].to_str().unwrap();
        let content_type = content_type.split(';').next().unwrap();
        let schema = &said["content"][content_type]["schema"];
        assert!(schema.is_object(), "{id}: no content of type {content_type}");
        if content_type.ends_with("json") {
            let value = answer.json();
            if let Err(wrong) = self.validate(schema, &value, "") {
                panic!("{id}: {wrong} in {value:#}");
            }
        }
    }

    /// What is wrong with a value at this place, if anything is.
    pub(super) fn validate(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let place = reference.trim_start_matches('#');
            let referred = self.0.pointer(place).ok_or(format!("{reference} is not there"))?;
            return self.validate(referred, value, at);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(ways) = schema[key].as_array() {
                let fits = ways.iter().any(|way| self.validate(way, value, at).is_ok());
                return fits.then_some(()).ok_or(format!("`{at}` fits none of {key}"));
            }
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one.as_str()],
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|name| is_of(value, name)) {
            return Err(format!("`{at}` is not {types:?}"));
        }
        if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
            return Err(format!("`{at}` is not one of {}", schema["enum"]));
        }
        if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
            for (number, item) in items.iter().enumerate() {
                self.validate(schema, item, &format!("{at}/{number}"))?;
            }
        }
        match value.as_object() {
            Some(members) => self.validate_members(schema, members, at),
            None => Ok(()),
        }
    }

    fn validate_members(
        &self,
        schema: &Value,
        members: &Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().unwrap_or_default()) {
                return Err(format!("`{at}` has no {name}"));
            }
        }
        let properties = schema["properties"].as_object();
        for (name, member) in members {
            let at = format!("{at}/{name}");
            let described = properties.and_then(|properties| properties.get(name));
            match described.or_else(|| schema.get("additionalProperties")) {
                Some(schema) => self.validate(schema, member, &at)?,
                None if properties.is_some() => return Err(format!("`{at}` is not described")),
                None => (),
            }
        }
        Ok(())
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => panic!("the document has no type {name}"),
    }
}

#[test]
fn what_does_not_fit_a_schema_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["id"],
        "properties": {
            "id": { "type": "integer" },
            "state": { "type": "string", "enum": ["done"] },
            "tries": { "type": "array", "items": { "anyOf": [{ "type": "null" }] } },
        },
    });
    let document = Document(Value::Null);
    let fits = |text: &str| {
        let value = serde_json::from_str(text).expect("it is JSON");
        document.validate(&schema, &value, "").is_ok()
    };
    assert!(fits(r#"{"id": 1, "state": "done", "tries": [null]}"#));
    for wrong in [
        "[]",
        "{}",
        r#"{"id": "1"}"#,
        r#"{"id": 1, "state": "gone"}"#,
        r#"{"id": 1, "tries": [1]}"#,
        r#"{"id": 1, "more": 1}"#,
    ] {
        assert!(!fits(wrong), "{wrong}");
    }
}
