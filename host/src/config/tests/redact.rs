//! What a source redacts, and what the operator must write for it.

use super::*;
use crate::event::{Request, Timestamp};

const KEYS: [&str; 2] = ["01", "02"];

/// The example with these lines in the source, and a folder with two master keys.
fn of(lines: &str, master: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    for key in KEYS {
        std::fs::write(folder.path().join(key), key.repeat(32)).unwrap();
    }
    let text = format!("{master}\n{}", WHOLE.replace("tolerance = \"5m\"", lines));
    Config::parse(&text, Path::new("hookgate.toml"), folder.path())
}

/// What a source of this name makes of a card.
fn card(config: &Config, source: &str) -> String {
    let request = Request {
        method: "POST".to_owned(),
        url: "/".to_owned(),
        headers: crate::headers::Headers::default(),
        body: r#"{"card":"4242"}"#.into(),
        received_at: Timestamp(0),
    };
    let replaced = config.sources[source].redact.as_ref().unwrap().of(&request).unwrap();
    String::from_utf8(replaced.request.body.to_vec()).unwrap()
}

#[test]
fn equal_values_are_equal_within_a_tenant_and_under_one_master_key() {
    let master = "master_key = { file = \"01\" }";
    let other = "\n[sources.other]\nplugin = \"stripe\"\nsecrets = [{ value = \"whsec_two\" }]\n\
                 redact = [\"/card\"]\n";
    let of = |tenant: &str, other_tenant: &str, master: &str| {
        let config = of(&format!("redact = [\"/card\"]\n{tenant}{other}{other_tenant}"), master);
        let config = config.unwrap();
        (card(&config, "stripe"), card(&config, "other"))
    };
    let acme = "tenant = \"acme\"\n";
    let (one, two) = of("", "", master);
    assert_eq!(one, two, "both are the operator's");
    let (own, same) = of(acme, acme, master);
    assert_eq!(own, same);
    assert_ne!(own, one, "another tenant can't tell");
    let label = "tenant_label = \"merchant\"\n";
    let (by_label, other_label) = of(label, label, master);
    assert_ne!(by_label, other_label, "nobody knows yet whose they are");
    assert_ne!(of("", "", "master_key = { file = \"02\" }").0, one);
    assert_eq!(of("", "", "master_key = [{ file = \"01\" }, { file = \"02\" }]").0, one);
}

#[test]
fn what_can_not_be_redacted_is_refused_with_its_place() {
    let master = "master_key = { file = \"01\" }";
    let check = |lines: &str, master: &str, expected: &str| {
        let error = of(lines, master).unwrap_err().to_string();
        assert!(error.lines().count() == 1 && error.contains(expected), "{error}");
    };
    check("redact = [\"/card\"]", "", "`redact` needs `master_key`");
    check("redact = []", master, "`redact` must be a list of 1 to 64 places");
    check("redact = [\"card\"]", master, "`redact` must be a place such as");
    check("redact = \"/card\"", master, "`redact` must be a list of 1 to 64 places");
    check("redact = [\"/card\"]", "master_key = { env = \"HOOKGATE_SURELY_UNSET\" }", "is not set");
}
