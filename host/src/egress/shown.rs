//! A URL as it may be shown: in errors, in what commands print, in the log.
//!
//! Credentials lie in the user part of a URL, in its query, and in long random parts of its path,
//! as in the webhooks of chat services. Pure; never changes where anything is sent.

use url::Url;

use crate::secrets::HIDDEN;

/// From this length on a part of a path with a digit or with both cases is taken for a credential.
const RANDOM_BYTES_MIN: usize = 16;

/// The URL without anything in it that may be a credential.
pub(crate) fn shown(url: &Url) -> String {
    let has_user = !url.username().is_empty() || url.password().is_some();
    let user = if has_user { format!("{HIDDEN}@") } else { String::new() };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path: Vec<_> =
        url.path().split('/').map(|part| if is_random(part) { HIDDEN } else { part }).collect();
    let query = if url.query().is_some() { format!("?{HIDDEN}") } else { String::new() };
    format!("{}://{user}{host}{port}{}{query}", url.scheme(), path.join("/"))
}

fn is_random(part: &str) -> bool {
    let has = |known: fn(&u8) -> bool| part.as_bytes().iter().any(known);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    part.len() >= RANDOM_BYTES_MIN && (mixed || has(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        assert_eq!(shown(&url.parse().unwrap()), expected);
    }

    #[test]
    fn what_may_be_a_credential_is_not_shown() {
        check("https://user:pw@example.com:8443/hooks", "https://(hidden)@example.com:8443/hooks");
        check("https://example.com/hooks?token=abc#x", "https://example.com/hooks?(hidden)");
        let chat = "https://hooks.slack.com/services/T0001/B0001/XqWeRtYuIoPaSdFgHjKl0123";
        check(chat, "https://hooks.slack.com/services/T0001/B0001/(hidden)");
        check(
            "https://example.com/v1/payment-notifications",
            "https://example.com/v1/payment-notifications",
        );
        check("http://127.0.0.1:9000", "http://127.0.0.1:9000/");
    }
}
