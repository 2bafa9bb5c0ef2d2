//! What a configuration says of the keys that sign plugins.

use super::*;
use crate::minisign::SecretKey;

fn with_keys(keys: &str) -> String {
    let table = format!("[plugins]\nfolder = \"plugins\"\ntrusted_keys = {keys}\n");
    WHOLE.replace("plugins = \"plugins\"\n", "") + &table
}

fn check_wrong(keys: &str, expected: &str) {
    let wrong = wrong(&with_keys(keys));
    assert!(wrong.len() == 1 && wrong[0].contains(expected), "{wrong:#?}");
}

/// Without the check of the empty list, it would trust everybody and look as if it trusted nobody.
#[test]
fn keys_are_public_ones_of_minisign_and_never_an_empty_list() {
    let [one, other] = [(); 2].map(|()| SecretKey::fresh().unwrap());
    let keys = [one.public(), other.public()];
    assert!(parse(WHOLE).unwrap().trusted_keys.is_empty());
    let [line, file] = [keys[0].to_string(), keys[1].file()];
    let config = parse(&with_keys(&format!("[\"{line}\", \"\"\"{file}\"\"\"]"))).unwrap();
    assert_eq!(config.trusted_keys[..], keys);

    check_wrong("[]", ":25:16: `trusted_keys` must have a key");
    check_wrong("\"RWQ\"", "`trusted_keys` must be a list of public keys of minisign, not text");
    check_wrong("[5]", "must be a public key of minisign: 56 characters that begin with RW, not");
    // Nor is it said again: it may be the secret one.
    let secret = one.file().lines().nth(1).unwrap().to_owned();
    let wrong = wrong(&with_keys(&format!("[\"{secret}\"]")));
    assert!(
        wrong[0].ends_with("must be a public key of minisign: 56 characters that begin with RW")
    );
    assert!(!wrong.concat().contains(&secret[..20]), "{wrong:?}");
}
