//! How an object is described: its members one by one.
//!
//! `object!` takes a type and its members, each with what it says to a reader and its own type. A
//! member may have another name in JSON (`as "type"`), may be left out of an answer (`[maybe]`), or
//! have its own members in the place of itself (`[flat]`). Never knows a type.

use serde_json::{Map, Value, json};

use super::{Described, Schemas};

/// Describes a type by its members. All of them have to be named.
macro_rules! object {
    (
        $(#[doc = $said:literal])+
        $object:ident {
            $(
                $(#[doc = $member_said:literal])*
                $([$how:ident])? $member:ident $(as $name:literal)? : $kind:ty
            ),+ $(,)?
        }
    ) => {
        impl $crate::admin::schema::Described for $object {
            fn name() -> Option<String> {
                Some(stringify!($object).to_owned())
            }

            fn schema(schemas: &mut $crate::admin::schema::Schemas) -> serde_json::Value {
                // A member that is missing here, or of another type, does not compile.
                const _: fn(&$object) = |object| {
                    let $object { $($member),+ } = object;
                    $($crate::admin::schema::object::is::<$kind>($member);)+
                };
                let mut members = $crate::admin::schema::object::Members::default();
                $({
                    let name = [$($name,)? stringify!($member)][0];
                    let said = concat!("" $(, $member_said)*);
                    let how = concat!("" $(, stringify!($how))?);
                    members.add::<$kind>(schemas, name, said, how);
                })+
                members.into_schema(concat!($($said),+))
            }
        }
    };
}

/// That a value is of this type.
pub(in crate::admin) const fn is<T>(_: &T) {}

/// The members of an object.
#[derive(Debug, Default)]
pub(in crate::admin) struct Members {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Members {
    /// Adds a member; how it stands there is `flat`, `maybe`, or as usual.
    pub(in crate::admin) fn add<T: Described>(
        &mut self,
        schemas: &mut Schemas,
        name: &str,
        said: &str,
        how: &str,
    ) {
        if how == "flat" {
            return self.add_all(&T::schema(schemas));
        }
        let mut schema = schemas.of::<T>();
        if !said.is_empty() {
            schema["description"] = said.trim().into();
        }
        self.properties.insert(name.to_owned(), schema);
        if how != "maybe" {
            self.required.push(name.into());
        }
    }

    /// Adds the members of another object.
    pub(in crate::admin) fn add_all(&mut self, schema: &Value) {
        let properties = schema["properties"].as_object().into_iter().flatten();
        self.properties.extend(properties.map(|(name, schema)| (name.clone(), schema.clone())));
        self.required.extend(schema["required"].as_array().into_iter().flatten().cloned());
    }

    pub(in crate::admin) fn into_schema(self, said: &str) -> Value {
        let Self { properties, required } = self;
        json!({
            "type": "object",
            "description": said.trim(),
            "required": required,
            "properties": properties,
        })
    }
}
