//! An endpoint as operators see it: all of its settings, also those that are the default, where it
//! stands, and whether deliveries can leave.
//!
//! What the gateway has one default of for all is null where an endpoint says nothing of it. Never
//! shows a secret; of a URL in the configuration neither a password nor a query.

use serde_json::{Map, Value, json};

use crate::admin::Admin;
use crate::admin::schema::{Described, Schemas, one_of};
use crate::directory::Listed;
use crate::egress;
use crate::endpoint::{Format, Origin, RawSettings, Status};
use crate::event::Timestamp;
use crate::route::Pattern;
use crate::tenant::Tenant;

/// The endpoint.
pub(super) fn shown(admin: &Admin, listed: &Listed) -> Value {
    let endpoint = &listed.endpoint;
    let settings = serde_json::to_value(RawSettings::from(&*endpoint.settings));
    let mut shown = settings.unwrap_or_default();
    for key in RawSettings::KEYS {
        // What is left out there is null here.
        shown[key] = shown[key].take();
    }
    if endpoint.origin == Origin::File {
        shown["url"] = egress::shown(&endpoint.settings.url).into();
    }
    let health = (admin.fares.0)(&endpoint.key);
    let breaker = match health.breaker {
        1 => "open",
        2 => "half_open",
        _ => "closed",
    };
    let is_locked = listed.active(admin.directory.vault(), admin.access.now()).is_err();
    let more = json!({
        "id": endpoint.id,
        "origin": endpoint.origin,
        "state": endpoint.standing.status,
        "reason": endpoint.standing.why,
        "since": endpoint.standing.since,
        "locked": is_locked,
        "breaker": {
            "state": breaker,
            "until": health.open_until,
            "failing_since": health.failing_since,
        },
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "revision": endpoint.revision,
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}

/// An endpoint as it is shown.
pub(super) enum Shown {}

impl Described for Shown {
    fn name() -> Option<String> {
        Some("Endpoint".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let time = schemas.of::<Timestamp>();
        let maybe = schemas.of::<Option<Timestamp>>();
        let mut properties = settings_schema(schemas);
        let mut reason = one_of(&["operator", "gone", "failing"]);
        reason["type"] = json!(["string", "null"]);
        reason["enum"] = json!(["operator", "gone", "failing", null]);
        reason["description"] =
            "Who or what decided that; `gone` is a 410, `failing` nothing but failures.".into();
        let states = [Status::Enabled, Status::Paused, Status::Disabled].map(Status::as_str);
        let more = json!({
            "id": { "type": "string", "pattern": "^ep_[0-9a-hjkmnp-tv-z]{18}$" },
            "origin": one_of(&["file", "api"]),
            "state": one_of(&states),
            "reason": reason,
            "since": time,
            "locked": {
                "type": "boolean",
                "description": "Whether a secret does not open, so that deliveries wait.",
            },
            "breaker": {
                "type": "object",
                "required": ["state", "until", "failing_since"],
                "properties": {
                    "state": one_of(&["closed", "open", "half_open"]),
                    "until": maybe,
                    "failing_since": maybe,
                },
            },
            "created_at": time,
            "updated_at": time,
            "revision": { "type": "integer", "minimum": 1 },
        });
        if let Value::Object(more) = more {
            properties.extend(more);
        }
        let required: Vec<&String> = properties.keys().collect();
        json!({
            "type": "object",
            "description": "An endpoint, without its secrets.",
            "required": required,
            "properties": properties,
        })
    }
}

/// An endpoint that was made, or whose secrets have changed.
pub(super) fn with_secrets(schemas: &mut Schemas) -> Value {
    let mut made = Shown::schema(schemas);
    made["description"] = "An endpoint, and its secrets: new ones with their values.".into();
    made["properties"]["secrets"] = secrets_schema(schemas);
    if let Some(required) = made["required"].as_array_mut() {
        required.push("secrets".into());
    }
    made
}

/// What may be known of secrets.
pub(super) fn secrets_schema(schemas: &mut Schemas) -> Value {
    let kinds = ["whsec", "whsk", "basic", "bearer", "header", "client_key", "unknown"];
    let time = schemas.of::<Option<Timestamp>>();
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": [
                "number", "kind", "fingerprint", "public_key", "created_at", "expires_at",
            ],
            "properties": {
                "number": { "type": ["integer", "null"], "minimum": 1 },
                "kind": one_of(&kinds),
                "fingerprint": {
                    "type": ["string", "null"],
                    "pattern": "^[0-9a-f]{16}$",
                    "description": "Tells it from others; null for a credential of the file.",
                },
                "public_key": {
                    "type": ["string", "null"],
                    "description": "Of a `whsk_` secret what verifies its signatures: `whpk_`.",
                },
                "created_at": time,
                "expires_at": time,
                "value": {
                    "type": "string",
                    "description": "The secret, in the answer that makes it only.",
                },
            },
        },
    })
}

/// The settings of an endpoint, by their names.
pub(super) fn settings_schema(schemas: &mut Schemas) -> Map<String, Value> {
    let text = |said: &str| json!({ "type": ["string", "null"], "description": said });
    let number = |least: u64, most: u64, said: &str| {
        json!({
            "type": ["integer", "null"], "minimum": least, "maximum": most, "description": said,
        })
    };
    let texts = |said: &str| {
        json!({
            "type": ["object", "null"], "additionalProperties": { "type": "string" },
            "description": said,
        })
    };
    let choice = |words: &[&str], said: &str| {
        let mut words: Vec<Value> = words.iter().map(|word| (*word).into()).collect();
        words.push(Value::Null);
        json!({ "type": ["string", "null"], "enum": words, "description": said })
    };
    let formats = Format::ALL.map(Format::as_str);
    let mut schema = json!({
        "name": { "type": "string", "description": "No other endpoint of its tenant has it." },
        "tenant": schemas.of::<Option<Tenant>>(),
        "description": text("For people."),
        "url": { "type": "string", "format": "uri", "maxLength": 2048 },
        "events": schemas.of::<Vec<Pattern>>(),
        "filter": rules_schema(),
        "headers": texts("What goes with each delivery; no credentials."),
        "body": choice(&formats, "What the body of a delivery is."),
        "concurrency": number(1, 256, "Attempts at a time."),
        "rate": text("Attempts in a second or minute: `10/s` or `600/min`."),
        "burst": number(1, 10_000, "Attempts at once under a rate."),
        "timeout": text("Of one attempt: `15s`."),
        "connect_timeout": text("Of its connection: `5s`."),
        "held": number(1, 10_000_000, "Deliveries that may wait while none can go."),
        "use_breaker": {
            "type": ["boolean", "null"],
            "description": "Whether it gets nothing for a while when attempts fail in a row; \
                            null if that is what `[limits]` says for all.",
        },
        "disable_after": text("It is disabled after nothing but failures for this time: `5d`."),
        "order": choice(&["none", "subject"], "Whether deliveries of one subject wait."),
        "skip_after": number(1, 100, "Tries after which one holds up the others no longer."),
        "metadata": texts("The owner's own notes."),
        "ca": text("Authorities in PEM that count in place of the system's."),
        "client_certificate": text("The certificate chain that the gateway shows, in PEM."),
    });
    schema["events"]["maxItems"] = json!(64);
    schema["retries"] = json!({
        "type": ["array", "null"], "items": { "type": "string" }, "maxItems": 100,
        "description": "The delay before the second attempt, the third, and so on: `5m`.",
    });
    match schema {
        Value::Object(properties) => properties,
        _ => Map::new(),
    }
}

fn rules_schema() -> Value {
    let ops = ["equals", "not_equals", "in", "exists", "prefix", "greater", "less"];
    json!({
        "type": ["array", "null"],
        "maxItems": 32,
        "description": "What must hold of an event besides its type, all of it.",
        "items": {
            "type": "object",
            "required": ["op"],
            "additionalProperties": false,
            "properties": {
                "pointer": { "type": "string", "maxLength": 256 },
                "label": { "type": "string", "maxLength": 256 },
                "op": one_of(&ops),
                "value": {},
            },
        },
    })
}
