//! Who reaches the admin port by a file: over what, and with which tokens.

use super::*;
use crate::token::{Scope, TokenHash};

const TOKEN: &str = "a token of at least thirty-two bytes";

/// The example with this table behind it.
fn with(table: &str) -> String {
    format!("{WHOLE}\n[tokens.ci]\n{table}\n")
}

#[test]
fn a_token_stands_in_the_file_as_itself_or_as_its_hash() {
    let hash = hex::encode(TokenHash::of("other").bytes());
    let table = format!(
        "scopes = [\"read\", \"replay\"]\nsecrets = [{{ value = \"{TOKEN}\" }}]\n\
         sha256 = [\"{hash}\"]\nexpires = \"2027-01-01T00:00:00Z\"\ntenant = \"acme\""
    );
    let config = parse(&with(&table)).unwrap();
    let token = &config.tokens[0];
    assert_eq!((config.tokens.len(), token.name.as_str()), (1, "ci"));
    assert!(token.scopes.allow(Scope::Replay) && !token.scopes.allow(Scope::Write));
    assert_eq!(token.expires_at.unwrap().to_string(), "2027-01-01T00:00:00.000Z");
    assert_eq!(token.tenant, Some("acme".parse().unwrap()));
    for (hash, text) in token.hashes.iter().zip([TOKEN, "other"]) {
        assert!(hash.is_of_same(&TokenHash::of(text)), "{text}");
    }
    assert_eq!(token.hashes.len(), 2);
    assert!(config.secrets.iter().any(|secret| secret.expose() == TOKEN), "no answer shows it");
}

#[test]
fn a_token_that_is_none_is_refused_with_its_place() {
    let good = format!("secrets = [{{ value = \"{TOKEN}\" }}]");
    let refused = |table: &str, expected: &str| check_wrong(&with(table), expected);
    refused(&good, "[tokens.ci] has no `scopes`");
    refused(&format!("scopes = []\n{good}"), "`scopes` must have at least one of read");
    let unknown = format!("scopes = [\"root\"]\n{good}");
    refused(&unknown, "`scopes` must be \"read\", \"replay\", \"write\" or \"admin\"");
    refused("scopes = [\"read\"]", "[tokens.ci] must have 1 to 8 `secrets` and `sha256`");
    let short = "scopes = [\"read\"]\nsecrets = [{ value = \"guess-me\" }]";
    refused(short, "a token must have at least 32 bytes");
    let digest = "scopes = [\"read\"]\nsha256 = [\"abc\"]";
    refused(digest, "`sha256` must be a list of SHA-256 digests");
    let never = format!("scopes = [\"read\"]\nexpires = \"soon\"\n{good}");
    refused(&never, "`expires` must be a time such as");
}

#[test]
fn metrics_are_open_only_where_that_is_written() {
    assert!(!parse(WHOLE).unwrap().open_metrics);
    assert!(parse(&format!("metrics = \"open\"{WHOLE}")).unwrap().open_metrics);
    let wrong = format!("metrics = \"all\"{WHOLE}");
    check_wrong(&wrong, "`metrics` must be \"token\" or \"open\"");
}

#[test]
fn the_admin_port_may_be_a_socket_in_the_file_system() {
    let config = parse(&WHOLE.replace("127.0.0.1:8081", "unix:run/admin.sock")).unwrap();
    assert_eq!(config.admin.to_string(), "unix:/etc/hookgate/run/admin.sock");
    check_refused("127.0.0.1:8081", "unix:", "`admin` must be an IP address and a port such as");
    check_refused("127.0.0.1:8080", "unix:a", "`listen` must be an IP address and a port such as");
}
