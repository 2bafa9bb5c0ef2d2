//! The master keys of a file, and where they may not be.

use super::*;

const KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// The example with this for its master key, and a folder with two keys and something that is none.
fn of(written: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in [("one", KEY), ("two", &"ab".repeat(32)), ("none", "a password")] {
        std::fs::write(folder.path().join(file), content).unwrap();
    }
    let text = format!("master_key = {written}\n{WHOLE}");
    Config::parse(&text, Path::new("hookgate.toml"), folder.path())
}

#[track_caller]
fn check(written: &str, expected: &str) {
    let error = of(written).unwrap_err().to_string();
    assert!(error.lines().count() == 1 && error.contains(expected), "no `{expected}` in {error}");
    assert!(!error.contains(KEY), "{error}");
}

#[test]
fn a_master_key_is_in_a_file_or_several_are() {
    assert!(parse(WHOLE).unwrap().master_keys.is_empty());
    let one = of("{ file = \"one\" }").unwrap();
    let both = of("[{ file = \"two\" }, { file = \"one\" }]").unwrap();
    assert_eq!((one.master_keys.len(), both.master_keys.len()), (1, 2));
    assert_eq!(one.master_keys[0], both.master_keys[1]);
    assert!(one.secrets.iter().any(|secret| secret.expose() == KEY), "no log line shows it");
    assert_eq!(both.secret_files.len(), 2, "a reload sees another key");
    assert!(one.fingerprint != both.fingerprint);
}

#[test]
fn what_is_no_master_key_is_refused_with_its_place() {
    check("{ file = \"none\" }", "hookgate.toml:1:14: a master key has 32 bytes");
    check("[{ file = \"one\" }, { file = \"one\" }]", "`master_key` names the same key twice");
    check("{ env = \"HOOKGATE_SURELY_UNSET\" }", "is not set");
    check("[]", "`master_key` must be { env = \"NAME\" } or { file = \"path\" }");
    let nine = ["{ env = \"PATH\" }"; 9].join(", ");
    let told = of(&format!("[{nine}]")).unwrap_err().to_string();
    assert!(told.contains("a list of 1 to 8"), "{told}");
}

#[test]
fn a_master_key_does_not_stand_in_the_file() {
    let expected = "the key itself must not stand in the configuration";
    check(&format!("{{ value = \"{KEY}\" }}"), expected);
    check(&format!("[{{ value = \"{KEY}\" }}]"), expected);
    check(&format!("\"{KEY}\""), expected);
}
