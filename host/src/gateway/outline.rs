//! A configuration in outline, for the audit log: what it says, but for secrets and what plugins
//! are set to.
//!
//! Only what differs between two is of use. Never holds a value that may be a secret.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::canary::Canary;
use crate::config::{Config, Verify};
use crate::egress;
use crate::ids::Name;
use crate::ingest::Expected;
use crate::plugin::{Grant, PluginRules, Tenanting};
use crate::tenant::TenantOf;

/// What is said where nothing that differs may be shown.
const HIDDEN: &str = "something that the audit log does not show, such as a secret or a setting";

/// What differs between two configurations: as it was, and as it is.
pub(super) fn difference(before: &Config, after: &Config) -> (Value, Value) {
    let (was, is) = differing(&of(before), &of(after)).unwrap_or_default();
    match is.is_null() && was.is_null() {
        true => (Value::Null, json!({ "changed": HIDDEN })),
        false => (was, is),
    }
}

/// All of it.
pub(super) fn of(config: &Config) -> Value {
    let sources = config.sources.iter().map(|(name, source)| {
        let mut said = json!({
            "plugin": source.plugin,
            "secrets": source.secrets.len(),
            "verified": source.verify != Verify::None,
            "keys_from": source.keys_from,
        });
        match &source.tenant {
            TenantOf::Operator => (),
            TenantOf::Fixed(tenant) => said["tenant"] = json!(tenant),
            TenantOf::Label(label) => said["tenant_label"] = json!(label),
        }
        if let Some(Expected { requests, within }) = source.expected {
            said["expect"] = json!(format!("{requests} in {}", humantime::format_duration(within)));
        }
        (name, said)
    });
    let endpoints = config.endpoints.iter().map(|(name, endpoint)| {
        let said = json!({
            "url": egress::shown(&endpoint.settings.url),
            "events": endpoint.settings.events,
            "secrets": endpoint.keys.len(),
        });
        (name, said)
    });
    let handlers = config.handlers.iter().map(|(name, grants)| (name, granted(&grants.grant)));
    let plugins = config.plugin_rules.iter().map(|(name, rules)| (name, ruled(rules)));
    let trusted = config.trusted_keys.iter().map(|key| key.id().to_string());
    let tokens = config.tokens.iter().map(|token| {
        let said = json!({
            "scopes": token.scopes, "expires_at": token.expires_at, "tenant": token.tenant,
        });
        (&token.name, said)
    });
    let master_keys = config.master_keys.iter().map(|key| hex::encode(key.id()));
    json!({
        "listen": config.listen.to_string(),
        "public_url": config.public_url.as_ref().map(|url| url.as_str()),
        "admin": config.admin.to_string(),
        "admin_hosts": config.admin_hosts,
        "metrics": if config.open_metrics { "open" } else { "token" },
        "egress": config.egress_allow.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sources": named(sources),
        "endpoints": named(endpoints),
        "handlers": named(handlers),
        "plugins": named(plugins),
        "trusted_keys": trusted.collect::<Vec<_>>(),
        "master_keys": master_keys.collect::<Vec<_>>(),
        "tokens": named(tokens),
    })
}

/// What a handler may do, as the file says it.
fn granted(grant: &Grant) -> Value {
    let Grant { endpoints, all, own_tenants, tenants } = grant;
    let words = [(*all, "*"), (*own_tenants, "tenants")];
    let words = words.into_iter().filter(|(is_granted, _)| *is_granted).map(|(_, word)| word);
    let endpoints: Vec<_> = endpoints.iter().map(Name::as_str).chain(words).collect();
    let mut said = json!({ "endpoints": endpoints });
    match tenants {
        Tenanting::Nobody => (),
        Tenanting::These(tenants) => said["tenants"] = json!(tenants),
        Tenanting::All => said["tenants"] = json!(["*"]),
    }
    said
}

/// What a plugin may use, as far as the file says it.
fn ruled(rules: &PluginRules) -> Value {
    let shown = |time: Option<Duration>| time.map(|it| humantime::format_duration(it).to_string());
    let said = json!({
        "memory_bytes": rules.memory,
        "claims": shown(rules.claims),
        "parse": shown(rules.parse),
        "handle": shown(rules.handle),
        "log_lines": rules.log_lines,
        "effects": rules.effects,
        "state_bytes": rules.state_bytes,
        "concurrency": rules.concurrency,
        "reuse": rules.reuse,
        "canary": match &rules.canary {
            Some(Canary::Share(share)) => Some(share.to_string()),
            Some(Canary::Label { name, value }) => Some(format!("{name} = {value}")),
            None => None,
        },
        "retry_dead": rules.retry_dead.then_some(true),
    });
    match said {
        Value::Object(said) => said.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        said => said,
    }
}

fn named<'n>(items: impl Iterator<Item = (&'n Name, Value)>) -> Value {
    items.map(|(name, said)| (name.to_string(), said)).collect::<Map<_, _>>().into()
}

/// What differs, if anything does; of objects their members that do.
fn differing(before: &Value, after: &Value) -> Option<(Value, Value)> {
    if before == after {
        return None;
    }
    let (Value::Object(was), Value::Object(is)) = (before, after) else {
        return Some((before.clone(), after.clone()));
    };
    let (mut only_was, mut only_is) = (Map::new(), Map::new());
    for (key, value) in was.iter().filter(|(key, _)| !is.contains_key(*key)) {
        only_was.insert(key.clone(), value.clone());
    }
    for (key, value) in is {
        match was.get(key) {
            None => drop(only_is.insert(key.clone(), value.clone())),
            Some(before) => {
                if let Some((before, after)) = differing(before, value) {
                    only_was.insert(key.clone(), before);
                    only_is.insert(key.clone(), after);
                }
            }
        }
    }
    Some((only_was.into(), only_is.into()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const TEXT: &str = r#"
listen  = "127.0.0.1:8080"
admin   = "127.0.0.1:8081"
data    = "data"
plugins = "plugins"
[sources.stripe]
plugin  = "stripe"
secrets = [{ value = "whsec_planted_1" }]
[endpoints.crm]
url     = "https://me:planted@crm.example/hooks?key=planted"
events  = ["payment.*"]
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]
"#;

    fn of_text(text: &str) -> Config {
        Config::parse(text, Path::new("hookgate.toml"), Path::new("/nowhere")).unwrap()
    }

    #[test]
    fn only_what_differs_is_shown_and_no_secret() {
        let before = of_text(TEXT);
        let changed = TEXT.replace("payment.*", "refund.*").replace("crm.example", "erp.example");
        let (was, is) = difference(&before, &of_text(&changed));
        assert_eq!(was["endpoints"]["crm"]["events"], json!(["payment.*"]));
        assert_eq!(is["endpoints"]["crm"]["events"], json!(["refund.*"]));
        assert!(is.get("sources").is_none() && is.get("listen").is_none(), "{is}");
        assert!(!format!("{was}{is}").contains("planted"), "{was} {is}");

        let table = "[handlers.dunning]\nendpoints = [\"crm\"]\n";
        let (was, is) = difference(&before, &of_text(&format!("{TEXT}{table}")));
        assert_eq!(
            (was, is),
            (json!({ "handlers": {} }), {
                json!({ "handlers": { "dunning": { "endpoints": ["crm"] } } })
            })
        );
    }

    #[test]
    fn what_a_plugin_may_use_is_shown() {
        let before = of_text(TEXT);
        let table = "plugins = { folder = \"plugins\", slow = { memory = \"64MiB\", deadlines = \
                     { handle = \"2s\" }, canary = { share = \"5%\" } } }";
        let (was, is) =
            difference(&before, &of_text(&TEXT.replace("plugins = \"plugins\"", table)));
        let rules = json!({ "memory_bytes": 64 << 20, "handle": "2s", "canary": "5%" });
        assert_eq!((was, is), (json!({ "plugins": {} }), json!({ "plugins": { "slow": rules } })));
    }

    #[test]
    fn a_rotated_secret_is_a_change_that_is_not_shown() {
        let rotated = TEXT.replace("whsec_planted_1", "whsec_planted_2");
        let (was, is) = difference(&of_text(TEXT), &of_text(&rotated));
        assert_eq!((was, is), (Value::Null, json!({ "changed": HIDDEN })));
    }
}
