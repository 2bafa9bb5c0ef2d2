//! The settings of a source: the URL that Twilio calls, which is required.
//!
//! It is never derived from a request, except for its query.

use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The URL that Twilio calls. Its query does not count: Twilio may add to it, so the query
    /// comes from the request.
    url: String,
}

impl Settings {
    /// The URL without a port, and with its port or the default port of its scheme.
    pub(crate) fn urls(&self) -> Option<[String; 2]> {
        let (scheme, host, path) = self.parts()?;
        let default = if scheme == "https" { "443" } else { "80" };
        let (bare, port) = match host.rsplit_once(':') {
            Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (bare, port),
            _ => (host, default),
        };
        Some([format!("{scheme}://{bare}{path}"), format!("{scheme}://{bare}:{port}{path}")])
    }

    /// Scheme, host with its port, and path.
    fn parts(&self) -> Option<(&str, &str, &str)> {
        let url = self.url.split(['?', '#']).next()?;
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        (matches!(scheme, "http" | "https") && !host.is_empty()).then_some((scheme, host, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_with_and_without_its_port() {
        for (url, bare, ported) in [
            ("https://a.b/c", "https://a.b/c", "https://a.b:443/c"),
            ("http://a.b:1234/c", "http://a.b/c", "http://a.b:1234/c"),
            ("http://a.b", "http://a.b", "http://a.b:80"),
            ("https://a.b/c?d=e:1", "https://a.b/c", "https://a.b:443/c"),
            ("https://[::1]/c", "https://[::1]/c", "https://[::1]:443/c"),
        ] {
            let settings = Settings { url: url.to_owned() };
            assert_eq!(settings.urls(), Some([bare.to_owned(), ported.to_owned()]));
        }
    }
}
