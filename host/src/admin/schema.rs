//! The schemas of what the admin port answers and takes, made from the types that it writes out.
//!
//! `object!` names each member of a type and its type in turn: the compiler refuses one that the
//! type does not have, and one that is left out. So a new member is described, or nothing builds.
//! Never looks at a value.

#[macro_use]
pub(in crate::admin) mod object;

mod gateway;
mod rehearsals;
mod replays;
mod stored;
mod tried;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The schemas that others refer to, by their names.
#[derive(Debug, Default)]
pub(super) struct Schemas(BTreeMap<String, Value>);

/// A type that can be described.
pub(super) trait Described {
    /// Its name among the schemas, if it has one of its own there.
    fn name() -> Option<String> {
        None
    }

    /// What its JSON looks like.
    fn schema(schemas: &mut Schemas) -> Value;
}

impl Schemas {
    /// The schema of a type, or where it stands.
    pub(super) fn of<T: Described>(&mut self) -> Value {
        let Some(name) = T::name() else { return T::schema(self) };
        if !self.0.contains_key(&name) {
            let schema = T::schema(self);
            self.0.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// All that have names.
    pub(super) fn into_named(self) -> Map<String, Value> {
        self.0.into_iter().collect()
    }
}

/// A whole number within these, and what it is if nobody says.
pub(super) fn number(least: usize, most: usize, default: usize) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "default": default })
}

/// A text that is one of these.
pub(super) fn one_of(texts: &[&str]) -> Value {
    json!({ "type": "string", "enum": texts })
}

/// A text of this form.
pub(super) fn text(pattern: &str, said: &str) -> Value {
    json!({ "type": "string", "pattern": pattern, "description": said })
}

/// The same, or null.
fn or_null(schema: Value) -> Value {
    match schema {
        Value::Object(mut plain) if plain.get("type").is_some_and(Value::is_string) => {
            let name = plain.remove("type");
            plain.insert("type".to_owned(), json!([name, "null"]));
            if let Some(Value::Array(texts)) = plain.get_mut("enum") {
                texts.push(Value::Null);
            }
            plain.into()
        }
        other => json!({ "anyOf": [other, { "type": "null" }] }),
    }
}

impl<T: Described> Described for Option<T> {
    fn schema(schemas: &mut Schemas) -> Value {
        or_null(schemas.of::<T>())
    }
}

impl<T: Described> Described for Vec<T> {
    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "array", "items": schemas.of::<T>() })
    }
}

impl<K, T: Described> Described for BTreeMap<K, T> {
    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "object", "additionalProperties": schemas.of::<T>() })
    }
}

impl Described for String {
    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string" })
    }
}

impl Described for &'static str {
    fn schema(schemas: &mut Schemas) -> Value {
        String::schema(schemas)
    }
}

impl Described for bool {
    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "boolean" })
    }
}

/// Whole numbers that are never negative.
macro_rules! numbers {
    ($($number:ty),+) => {
        $(
            impl Described for $number {
                fn schema(_: &mut Schemas) -> Value {
                    json!({ "type": "integer", "minimum": 0 })
                }
            }
        )+
    };
}

numbers!(u8, u16, u32, u64, usize);

impl Described for f64 {
    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "number" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Part {
        here: bool,
    }

    struct Whole {
        id: u64,
        kind: Option<String>,
        part: Part,
        parts: Vec<Part>,
    }

    object! {
        /// A part.
        Part {
            /// Whether it is here.
            here: bool,
        }
    }

    object! {
        /// A whole.
        Whole {
            /// Its number.
            id: u64,
            kind as "type": Option<String>,
            [flat] part: Part,
            [maybe] parts: Vec<Part>,
        }
    }

    #[test]
    fn an_object_is_described_by_its_members() {
        drop(Whole { id: 1, kind: None, part: Part { here: true }, parts: Vec::new() });
        let mut schemas = Schemas::default();
        assert_eq!(schemas.of::<Whole>(), json!({ "$ref": "#/components/schemas/Whole" }));
        let named = schemas.into_named();
        let part = json!({ "$ref": "#/components/schemas/Part" });
        let expected = json!({
            "type": "object",
            "description": "A whole.",
            "required": ["id", "type", "here"],
            "properties": {
                "id": { "type": "integer", "minimum": 0, "description": "Its number." },
                "type": { "type": ["string", "null"] },
                "here": { "type": "boolean", "description": "Whether it is here." },
                "parts": { "type": "array", "items": part },
            },
        });
        assert_eq!(named["Whole"], expected);
        assert_eq!(named["Part"]["required"], json!(["here"]));
    }

    #[test]
    fn what_may_be_null_says_so() {
        let mut schemas = Schemas::default();
        assert_eq!(schemas.of::<Option<u64>>()["type"], json!(["integer", "null"]));
        let part = json!({ "$ref": "#/components/schemas/Part" });
        let nullable = json!({ "anyOf": [part, { "type": "null" }] });
        assert_eq!(schemas.of::<Option<Part>>(), nullable);
    }
}
