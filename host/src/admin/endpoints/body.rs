//! What operators write into the body of a request about an endpoint, checked as far as it can be
//! without the endpoint.
//!
//! Never asks the directory, and never quotes a secret.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::shown::settings_schema;
use crate::admin::bodies::{self, invalid};
use crate::admin::problem::{Kind, Problem};
use crate::admin::schema::{Schemas, one_of};
use crate::endpoint::{Credential, RawCredential, RawSettings, SecretKind, Settings};
use crate::secrets::Secret;

/// What a patch says of a credential that stays although the URL leads elsewhere.
const KEEP: &str = "keep";

/// An endpoint to make.
pub(super) struct Draft {
    pub(super) settings: RawSettings,
    /// What signs, if the gateway makes it.
    pub(super) signature: SecretKind,
    /// What signs, if somebody brings it along.
    pub(super) secrets: Vec<Secret>,
    pub(super) credential: Option<Credential>,
}

/// What changes of an endpoint.
pub(super) struct Patch {
    members: Map<String, Value>,
    /// The revision that it must have.
    pub(super) revision: Option<u64>,
    /// The credential from now on, or none.
    pub(super) credential: Option<Option<Credential>>,
    /// Whether it says that the one of before goes on, wherever that goes now.
    pub(super) keeps_credential: bool,
}

/// How secrets change.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotate {
    /// How long those of before sign beside the new one.
    pub(super) overlap: Option<String>,
    /// What the gateway makes a secret for.
    pub(super) signature: Option<Signature>,
    /// What signs, if somebody brings it along.
    pub(super) secret: Option<String>,
}

/// The signature that the gateway makes a secret for.
#[derive(Clone, Copy, Deserialize)]
pub(super) enum Signature {
    #[serde(rename = "v1")]
    Shared,
    #[serde(rename = "v1a")]
    Ed25519,
}

impl From<Signature> for SecretKind {
    fn from(signature: Signature) -> Self {
        match signature {
            Signature::Shared => Self::Whsec,
            Signature::Ed25519 => Self::Whsk,
        }
    }
}

/// A member of a body that is wrong, by its name.
pub(super) fn wrong(field: &'static str, detail: &str) -> Problem {
    invalid(format!("`{field}`: {detail}")).with("field", field)
}

/// The members of a body.
fn members(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        let detail = r#"the body is empty: give {"name": "...", "url": "...", "events": [...]}"#;
        return Err(Problem::new(Kind::MalformedBody, detail));
    }
    bodies::read(body)
}

/// What a member of a body says, which is taken out.
fn taken<T: DeserializeOwned>(
    members: &mut Map<String, Value>,
    field: &'static str,
    must_be: &str,
) -> Result<Option<T>, Problem> {
    let Some(value) = members.remove(field).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    // The error of serde may quote a secret.
    serde_json::from_value(value).map(Some).map_err(|_| wrong(field, must_be))
}

fn settings_of(members: Map<String, Value>) -> Result<RawSettings, Problem> {
    serde_json::from_value(members.into()).map_err(|error| {
        // Settings are no secrets.
        let detail = error.to_string();
        let missing = detail.strip_prefix("missing field `").and_then(|it| it.strip_suffix('`'));
        let problem = invalid(format!("the body is wrong: {detail}"));
        match missing {
            Some(field) => problem.with("field", field),
            None => problem,
        }
    })
}

/// A credential that can be sent.
fn credential_of(members: &mut Map<String, Value>) -> Result<Option<Credential>, Problem> {
    let form = "must be {\"basic\": {\"username\", \"password\"}}, {\"bearer\"} or \
                {\"header\": {\"name\", \"value\"}}";
    let raw: Option<RawCredential> = taken(members, "credential", form)?;
    let checked = raw.map(|raw| raw.check()).transpose();
    checked.map_err(|wrong| invalid(wrong.to_string()).with("field", wrong.field))
}

impl Draft {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut members = members(body)?;
        let must_be = "must be \"v1\" or \"v1a\"";
        let signature: Option<Signature> = taken(&mut members, "signature", must_be)?;
        let secrets: Option<Vec<String>> =
            taken(&mut members, "secrets", "must be a list of texts")?;
        let secrets = secrets.unwrap_or_default();
        if signature.is_some() && !secrets.is_empty() {
            return Err(wrong("signature", "is for a secret that the gateway makes"));
        }
        let secrets = secrets.iter().map(|text| Secret::new(text));
        let secrets = secrets.collect::<Option<_>>().ok_or_else(|| wrong("secrets", "is blank"))?;
        Ok(Self {
            credential: credential_of(&mut members)?,
            signature: signature.map_or(SecretKind::Whsec, SecretKind::from),
            secrets,
            settings: settings_of(members)?,
        })
    }
}

impl Patch {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut members = members(body)?;
        let revision = taken(&mut members, "revision", "must be a whole number")?;
        let keeps_credential = members.get("credential").is_some_and(|it| it == KEEP);
        if keeps_credential {
            members.remove("credential");
        }
        let has_credential = members.contains_key("credential");
        let credential = has_credential.then_some(credential_of(&mut members)?);
        Ok(Self { members, revision, credential, keeps_credential })
    }

    /// The settings with what changes; `None` if nothing does.
    pub(super) fn settings(&self, before: &Settings) -> Result<Option<RawSettings>, Problem> {
        if self.members.is_empty() {
            return Ok(None);
        }
        let raw = RawSettings::from(before);
        let mut tenant = self.members.get("tenant");
        if raw.tenant.is_none() {
            tenant = tenant.filter(|tenant| !tenant.is_null());
        }
        if tenant.is_some_and(|tenant| tenant.as_str() != raw.tenant.as_deref()) {
            return Err(wrong("tenant", "can't be changed: make another endpoint"));
        }
        let mut whole = serde_json::to_value(raw).unwrap_or_default();
        // What belongs to another value of these is not said any more.
        for (of, with) in [("rate", "burst"), ("order", "skip_after")] {
            if self.members.contains_key(of)
                && let Some(whole) = whole.as_object_mut()
            {
                whole.remove(with);
            }
        }
        merge(&mut whole, &Value::Object(self.members.clone()));
        match whole {
            Value::Object(members) => settings_of(members).map(Some),
            _ => Err(invalid("the body must be a JSON object")),
        }
    }
}

/// Merges as RFC 7396 says: null takes a member away.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let Some(members) = into.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

fn credential_schema() -> Value {
    let text = || json!({ "type": "string" });
    let object = |members: &[&str]| {
        let properties: Map<String, Value> =
            members.iter().map(|name| ((*name).to_owned(), text())).collect();
        json!({
            "type": "object", "required": members, "additionalProperties": false,
            "properties": properties,
        })
    };
    json!({
        "description": "What goes with each delivery, beside a signature.",
        "type": ["object", "null"],
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
        "properties": {
            "basic": object(&["username", "password"]),
            "bearer": text(),
            "header": object(&["name", "value"]),
        },
    })
}

/// An endpoint to make.
pub(super) fn new(schemas: &mut Schemas) -> Value {
    let mut properties = settings_schema(schemas);
    properties.insert(
        "secrets".to_owned(),
        json!({
            "type": "array", "items": { "type": "string" }, "maxItems": 8,
            "description": "What signs, if you bring it along: `whsec_...` or `whsk_...`.",
        }),
    );
    let mut signature = one_of(&["v1", "v1a"]);
    signature["description"] =
        "What the gateway makes a secret for: HMAC-SHA256, or Ed25519.".into();
    properties.insert("signature".to_owned(), signature);
    properties.insert("credential".to_owned(), credential_schema());
    json!({
        "type": "object",
        "required": ["name", "url", "events"],
        "additionalProperties": false,
        "properties": properties,
    })
}

/// What changes of an endpoint.
pub(super) fn changes(schemas: &mut Schemas) -> Value {
    let mut properties = settings_schema(schemas);
    let credential = json!({
        "anyOf": [credential_schema(), one_of(&[KEEP])],
        "description": "Needed where the `url` gets another scheme, host or port.",
    });
    properties.insert("credential".to_owned(), credential);
    properties.insert("revision".to_owned(), json!({
        "type": "integer", "minimum": 1,
        "description": "The revision that you have read: with another the gateway changes nothing.",
    }));
    json!({
        "type": "object",
        "description": "A JSON merge patch (RFC 7396): null stands for the default.",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// How secrets change.
pub(super) fn rotation(_: &mut Schemas) -> Value {
    let mut signature = one_of(&["v1", "v1a"]);
    signature["description"] =
        "What the gateway makes a secret for; without it the one of before.".into();
    json!({
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "overlap": {
                "type": "string", "default": "24h",
                "description": "How long the secrets of before sign beside the new one: 0s to 30d.",
            },
            "signature": signature,
            "secret": {
                "type": "string",
                "description": "What signs from now on, if you bring it along.",
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Origin, check};

    fn refused(body: &str) -> String {
        Draft::parse(body.as_bytes()).err().unwrap().detail().to_owned()
    }

    #[test]
    fn a_new_endpoint_needs_a_name_a_url_and_events() {
        let least = r#"{"name":"crm","url":"https://crm.example","events":["*"]}"#;
        let draft = Draft::parse(least.as_bytes()).unwrap();
        assert_eq!(draft.settings.name, "crm");
        assert!(draft.signature == SecretKind::Whsec && draft.secrets.is_empty());
        assert!(refused("").starts_with("the body is empty"));
        assert!(refused(r#"{"name":"crm","url":""}"#).contains("missing field `events`"));
        assert!(refused(r#"{"name":"crm","uri":""}"#).contains("unknown field `uri`"));
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said_without_it() {
        let with = |member: &str| {
            refused(&format!(r#"{{"name":"crm","url":"https://a","events":[],{member}}}"#))
        };
        for member in [
            r#""secrets":"whsec_planted""#,
            r#""credential":{"bearers":"planted"}"#,
            r#""credential":{"bearer":"planted secret"}"#,
            r#""signature":"planted""#,
        ] {
            let said = with(member);
            assert!(!said.contains("planted"), "{said}");
        }
    }

    fn patched(body: &str) -> Result<RawSettings, Problem> {
        let raw = RawSettings {
            name: "crm".to_owned(),
            url: "https://crm.example/".to_owned(),
            rate: Some("10/s".to_owned()),
            burst: Some(7),
            headers: Some([("x-a".to_owned(), "1".to_owned())].into()),
            ..RawSettings::default()
        };
        let before = check(raw, Origin::Api).unwrap();
        Ok(Patch::parse(body.as_bytes())?.settings(&before)?.unwrap())
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let after = patched(r#"{"headers":{"x-b":"2"},"description":"new"}"#).unwrap();
        let headers: Vec<_> = after.headers.unwrap().into_keys().collect();
        assert_eq!(headers, ["x-a", "x-b"]);
        assert_eq!((after.burst, after.description.as_deref()), (Some(7), Some("new")));
        let after = patched(r#"{"headers":null,"rate":null}"#).unwrap();
        assert_eq!((after.headers, after.rate, after.burst), (None, None, None));
        assert!(patched(r#"{"tenant":"acme"}"#).is_err() && patched(r#"{"tenant":null}"#).is_ok());
        assert!(patched(r#"{"nmae":"crm"}"#).is_err());
    }

    #[test]
    fn a_patch_says_what_becomes_of_the_credential_or_nothing_of_it() {
        let patch = |body: &str| {
            let patch =
                Patch::parse(body.as_bytes()).map_err(|problem| problem.detail().to_owned());
            patch.map(|it| (it.credential.map(|it| it.is_some()), it.keeps_credential))
        };
        assert_eq!(patch(r#"{"credential":"keep"}"#), Ok((None, true)));
        assert_eq!(patch(r#"{"credential":null}"#), Ok((Some(false), false)));
        assert_eq!(patch(r#"{"credential":{"bearer":"sesame"}}"#), Ok((Some(true), false)));
        assert_eq!(patch(r#"{"description":"new"}"#), Ok((None, false)));
        assert!(patch(r#"{"credential":"drop"}"#).is_err());
    }
}
