//! Checks the names and values of a provider's labels.
//!
//! Whoever filters by `account` must find the events of all providers, so no provider may use
//! another name for the same thing. Never corrects a label.

use crate::event::Event;
use crate::provider::ProviderInfo;

/// The names that all providers share, and other words for the same, which are errors.
const TWINS: [(&str, &[&str]); 3] = [
    (
        "account",
        &[
            "account_id",
            "merchant",
            "merchant_account",
            "merchant_id",
            "shop",
            "shop_id",
            "store",
            "store_id",
            "business",
            "business_id",
            "profile",
            "profile_id",
            "team",
            "team_id",
            "organization",
            "tenant",
        ],
    ),
    (
        "livemode",
        &["live", "live_mode", "test", "test_mode", "testmode", "mode", "sandbox", "environment"],
    ),
    (
        "reference",
        &[
            "reference_id",
            "merchant_reference",
            "client_reference_id",
            "custom_id",
            "external_id",
            "order",
            "order_id",
            "order_number",
        ],
    ),
];

/// What is wrong with the labels of an event, if anything is. A provider for any sender, which
/// declares the type `*`, passes on that sender's labels under their own names.
pub(super) fn wrong(info: &ProviderInfo, event: &Event) -> Option<String> {
    let names_anything = info.types.iter().any(|declared| declared == "*");
    for (name, value) in &event.labels {
        if value.is_empty() {
            return Some(format!("label `{name}` is empty"));
        }
        if event.labels.iter().filter(|(other, _)| other == name).count() > 1 {
            return Some(format!("label `{name}` is repeated"));
        }
        if names_anything {
            continue;
        }
        if name == "livemode" && !matches!(value.as_str(), "true" | "false") {
            return Some(format!("label `livemode` is `{value}`, neither true nor false"));
        }
        let twin = TWINS.iter().find(|(_, twins)| twins.contains(&name.as_str()));
        if let Some((shared, _)) = twin {
            return Some(format!("label `{name}` must be `{shared}`, as for every provider"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProofKind;

    fn wrong_of(types: &[&str], labels: &[(&str, &str)]) -> Option<String> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let event = Event { labels: labels.collect(), ..Event::new("1", "acme.hello", "{}") };
        wrong(&ProviderInfo::new("acme", "1.0.0", types, &[ProofKind::Mac]), &event)
    }

    #[test]
    fn one_thing_has_one_name() {
        let fine =
            [("account", "a"), ("livemode", "false"), ("reference", "L-1"), ("country", "AT")];
        assert_eq!(wrong_of(&["acme.*"], &fine), None);
        for label in [
            ("merchant_account", "a"),
            ("order_id", "L-1"),
            ("test_mode", "true"),
            ("livemode", "live"),
            ("account", ""),
        ] {
            assert!(wrong_of(&["acme.*"], &[label]).is_some(), "{label:?}");
        }
        assert!(wrong_of(&["acme.*"], &[("risk", "1"), ("risk", "2")]).is_some());
        assert_eq!(wrong_of(&["*"], &[("shop", "vienna")]), None);
    }
}
