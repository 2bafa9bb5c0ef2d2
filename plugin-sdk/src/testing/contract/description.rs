//! The gateway's checks of what a plugin says of itself, when it loads the plugin.
//!
//! The gateway also parses the URLs of keys; here only their shape is checked.

use super::{answer, at_most, line, setting, shortened, text};
use crate::claims::{KeyFormat, KeyPlace};
use crate::event::is_event_type;
use crate::handler::{HandlerInfo, StateRule};
use crate::limits::{KEY_URL_BYTES_MAX, STATE_KEY_BYTES_MAX};
use crate::provider::ProviderInfo;

/// Most bytes of a name and a version.
const NAME_BYTES_MAX: usize = 64;
/// Most bytes of the text on how a provider signs.
const SCHEME_BYTES_MAX: usize = 200;
/// Most event types.
const TYPES_MAX: usize = 256;
/// Most proofs.
const PROOFS_MAX: usize = 16;
/// The methods of validation challenges, beside POST.
const METHODS: [&str; 3] = ["GET", "HEAD", "OPTIONS"];
/// Most places of keys.
const PLACES_MAX: usize = 16;
/// Most bytes of the DNS name of a certificate.
const FIELD_BYTES_MAX: usize = 256;
/// Most root certificates, and most bytes of one.
const ROOTS_MAX: usize = 8;
const ROOT_BYTES_MAX: usize = 8 << 10;
/// Most rules for states.
const STATES_MAX: usize = 64;
/// The shortest and the longest time in a state, in milliseconds.
const STUCK_AFTER_MS: std::ops::RangeInclusive<u64> = 1_000..=366 * 86_400_000;

/// Checks what a provider says of itself.
pub(crate) fn provider(info: &ProviderInfo) -> Result<(), String> {
    patterns("provider-info.types", &info.types)?;
    let status = info.refusal_status;
    if !(400..=499).contains(&status) {
        return Err(format!("`provider-info.refusal-status` must be 400 to 499, not {status}"));
    }
    at_most("provider-info.proofs", info.proofs.len(), PROOFS_MAX)?;
    line("provider-info.name", &info.name, NAME_BYTES_MAX)?;
    line("provider-info.version", &info.version, NAME_BYTES_MAX)?;
    line("provider-info.scheme", &info.scheme, SCHEME_BYTES_MAX)?;
    if let Some(reply) = &info.reply {
        answer::answer("provider-info.reply", reply, &[])?;
    }
    if !info.methods.is_empty() && info.methods != ["GET"] {
        return Err("`provider-info.methods` may have GET and no other method".to_owned());
    }
    at_most("provider-info.handshakes", info.handshakes.len(), METHODS.len())?;
    if let Some(other) = info.handshakes.iter().find(|name| !METHODS.contains(&name.as_str())) {
        let shown = shortened(other, 16);
        return Err(format!("`provider-info.handshakes` has `{shown}`, not GET, HEAD or OPTIONS"));
    }
    at_most("provider-info.key-places", info.key_places.len(), PLACES_MAX)?;
    info.key_places.iter().try_for_each(place)?;
    roots(&info.roots)?;
    setting::settings("provider-info.settings", &info.settings)
}

/// Checks what a handler says of itself.
pub(crate) fn handler(info: &HandlerInfo) -> Result<(), String> {
    line("handler-info.name", &info.name, NAME_BYTES_MAX)?;
    line("handler-info.version", &info.version, NAME_BYTES_MAX)?;
    patterns("handler-info.types", &info.types)?;
    patterns("handler-info.emits", &info.emits)?;
    setting::settings("handler-info.settings", &info.settings)?;
    at_most("handler-info.states", info.states.len(), STATES_MAX)?;
    info.states.iter().try_for_each(state)
}

fn patterns(field: &str, types: &[String]) -> Result<(), String> {
    at_most(field, types.len(), TYPES_MAX)?;
    let fits = |text: &str| text == "*" || is_event_type(text.strip_suffix(".*").unwrap_or(text));
    match types.iter().find(|text| !fits(text)) {
        None => Ok(()),
        Some(other) => {
            let shown = shortened(other, NAME_BYTES_MAX);
            Err(format!("`{field}` has `{shown}`, not an event type such as payment.* or *"))
        }
    }
}

fn place(place: &KeyPlace) -> Result<(), String> {
    let field = "key-place.url";
    text(field, &place.url, KEY_URL_BYTES_MAX)?;
    if let KeyFormat::Certificate(name) = &place.format {
        text("key-place.format", name, FIELD_BYTES_MAX)?;
    }
    let rest = place.url.strip_prefix("https://").unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.contains('@') || path.contains(['?', '#']) {
        let reason = "must be https:// with a host name and a path, and no more";
        return Err(format!("`{field}` {reason}"));
    }
    let labels: Vec<&str> = host.split('.').collect();
    let owners = labels.len().saturating_sub(2);
    let stars = labels.iter().filter(|label| label.contains('*')).count();
    if stars == 0 || stars == 1 && labels[..owners].contains(&"*") {
        Ok(())
    } else {
        let reason = "may have `*` for one whole label of the host name, before the last two";
        Err(format!("`{field}` {reason}"))
    }
}

fn roots(roots: &[Vec<u8>]) -> Result<(), String> {
    let field = "provider-info.roots";
    at_most(field, roots.len(), ROOTS_MAX)?;
    match roots.iter().find(|root| !(1..=ROOT_BYTES_MAX).contains(&root.len())) {
        None => Ok(()),
        Some(root) => {
            let (bytes, most) = (root.len(), ROOT_BYTES_MAX);
            Err(format!("`{field}` has a root of {bytes} bytes, not 1 to {most}"))
        }
    }
}

fn state(rule: &StateRule) -> Result<(), String> {
    let after = rule.stuck_after_ms;
    if !STUCK_AFTER_MS.contains(&after) {
        let reason = format!("is {after} ms, not 1 second to 366 days");
        return Err(format!("`state-rule.stuck-after-ms` {reason}"));
    }
    line("state-rule.key", &rule.key, STATE_KEY_BYTES_MAX)?;
    let fits = |value: &String| line("state-rule.value", value, STATE_KEY_BYTES_MAX);
    rule.value.as_ref().map_or(Ok(()), fits)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::claims::{Answer, ProofKind};

    #[track_caller]
    fn check(change: impl FnOnce(ProviderInfo) -> ProviderInfo, expected: &str) {
        let info = ProviderInfo::new("acme", "1.0.0", &["acme.*"], &[ProofKind::Mac]);
        assert_eq!(provider(&change(info.with_scheme("HMAC"))), Err(expected.to_owned()));
    }

    #[test]
    fn a_provider_describes_itself_within_the_contract() {
        let info = ProviderInfo::new("acme", "1.0.0", &["payment.*", "*"], &[ProofKind::Mac]);
        assert_eq!(provider(&info.with_scheme("HMAC").asking_by("GET").sending_by_get()), Ok(()));
        check(|it| it.with_scheme(""), "`provider-info.scheme` has 0 bytes, not 1 to 200");
        check(|it| it.with_scheme("a\x1b[2J"), "`provider-info.scheme` has control characters");
        check(
            |it| ProviderInfo { types: vec!["pay*".to_owned()], ..it },
            "`provider-info.types` has `pay*`, not an event type such as payment.* or *",
        );
        check(
            |it| it.refusing_with(500),
            "`provider-info.refusal-status` must be 400 to 499, not 500",
        );
        check(
            |it| it.with_reply(Answer::new("text/plain", vec![b' '; 65_537])),
            "`provider-info.reply` has a body of 65537 bytes; the limit is 65536",
        );
        check(
            |it| it.asking_by("PUT"),
            "`provider-info.handshakes` has `PUT`, not GET, HEAD or OPTIONS",
        );
        check(
            |it| it.with_roots([vec![0; 8_193]]),
            "`provider-info.roots` has a root of 8193 bytes, not 1 to 8192",
        );
        let shape = "must be https:// with a host name and a path, and no more";
        for url in ["http://a.example/", "https://", "https://a.example/?b", "https://a@b.example/"]
        {
            check(|it| it.with_keys_at([KeyPlace::jwk(url)]), &format!("`key-place.url` {shape}"));
        }
        let star = "may have `*` for one whole label of the host name, before the last two";
        for url in ["https://*.example/", "https://a*.b.example/", "https://*.*.b.example/"] {
            check(|it| it.with_keys_at([KeyPlace::jwk(url)]), &format!("`key-place.url` {star}"));
        }
        let places = ["https://sns.*.amazonaws.com/", "https://a.example/get"].map(KeyPlace::jwk);
        let info = ProviderInfo::new("acme", "1.0.0", &["*"], &[ProofKind::Jws]);
        assert_eq!(provider(&info.with_scheme("JWS").with_keys_at(places)), Ok(()));
    }

    #[test]
    fn a_handler_describes_itself_within_the_contract() {
        let info = || HandlerInfo::new("ledger", "1.0.0", &["payment.*"]).emitting(&["ledger.*"]);
        let day = Duration::from_secs(86_400);
        let good = info().stuck_after("step", Some("paid"), day).stuck_after("step", None, day);
        assert_eq!(handler(&good), Ok(()));
        for (wrong, expected) in [
            (HandlerInfo::new("", "1", &[]), "`handler-info.name` has 0 bytes, not 1 to 64"),
            (
                info().emitting(&["ledger."]),
                "`handler-info.emits` has `ledger.`, not an event type such as payment.* or *",
            ),
            (
                info().stuck_after("step", None, Duration::from_millis(999)),
                "`state-rule.stuck-after-ms` is 999 ms, not 1 second to 366 days",
            ),
            (info().stuck_after("", None, day), "`state-rule.key` has 0 bytes, not 1 to 256"),
            (
                info().stuck_after("step", Some(""), day),
                "`state-rule.value` has 0 bytes, not 1 to 256",
            ),
        ] {
            assert_eq!(handler(&wrong), Err(expected.to_owned()));
        }
    }
}
