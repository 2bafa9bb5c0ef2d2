//! What of the log is shown: `RUST_LOG`, or what suits the command.
//!
//! No line shows a secret that the gateway has read, whoever wrote the line: a plugin may log the
//! request that it was given, and a library at `trace` what it sends. A level alone is for
//! Hookgate's own lines; a library says no more than `info` unless it is named, and one that any
//! sender can make write says nothing.

use std::io::{self, Write};
use std::sync::LazyLock;

use anyhow::{Context, bail};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::secrets::Redaction;

/// Knows what no line of this process may show.
static REDACTION: LazyLock<Redaction> = LazyLock::new(Redaction::default);

/// For the gateway to teach.
pub(super) fn redaction() -> &'static Redaction {
    &REDACTION
}

/// Standard error, without secrets.
pub(super) fn stderr() -> impl Write {
    Redacting(io::stderr())
}

/// Writes each line without the secrets in it. A line comes in one piece. One that can't be written
/// is lost: that nobody reads the log, or that its disk is full, ends no gateway.
struct Redacting<W>(W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let written = if text.starts_with('{') {
            self.0.write_all(REDACTION.of_json(&text).as_bytes())
        } else {
            let shown = REDACTION.of_text(&text);
            self.0.write_all(shown.as_deref().unwrap_or(&text).as_bytes())
        };
        // To say so there is only the log.
        drop(written);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        drop(self.0.flush());
        Ok(())
    }
}

/// The filter that `RUST_LOG` asks for, or `default`.
pub(super) fn filter(default: &str) -> anyhow::Result<EnvFilter> {
    match std::env::var("RUST_LOG") {
        Ok(text) if !text.trim().is_empty() => {
            let text = quietly(&directives(&text)?);
            EnvFilter::builder().parse(text).with_context(|| FORM)
        }
        Err(std::env::VarError::NotUnicode(_)) => bail!(FORM),
        _ => Ok(EnvFilter::new(quietly(default))),
    }
}

/// A library that writes an error for every certificate that it does not trust, and so for every
/// forged request that brings one. Who asked it says why, and not more often than is good.
const LOUD: &str = "rustls_platform_verifier=off";

/// The same directives, and nothing of what writes whenever a sender wants it to, unless they name
/// it themselves.
fn quietly(directives: &str) -> String {
    format!("{LOUD},{directives}")
}

const FORM: &str = "RUST_LOG is not a valid log filter: write a level (error, warn, info, debug, \
                    trace), or levels by module such as info,hookgate::delivery=debug";

/// The same directives, with loud libraries held down. `EnvFilter` takes a misspelt level for the
/// name of a module, and then shows nothing.
fn directives(text: &str) -> anyhow::Result<String> {
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let names_module = part.contains(['=', '[', ':']) || part.starts_with("hookgate");
        match part.parse::<LevelFilter>() {
            Ok(level) if level > LevelFilter::INFO => all.push(format!("info,hookgate={level}")),
            Err(_) if !names_module => bail!(FORM),
            _ => all.push(part.to_owned()),
        }
    }
    Ok(all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a full disk, or a pipe that nobody reads.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_lost_and_no_more() {
        let mut log = Redacting(Full);
        assert_eq!(log.write(b"a line\n").unwrap(), 7);
        assert_eq!(log.write(b"{}\n").unwrap(), 3);
        log.flush().unwrap();
    }

    #[test]
    fn a_level_alone_is_for_our_own_lines() {
        assert_eq!(directives("debug").unwrap(), "info,hookgate=debug");
        assert_eq!(directives("TRACE").unwrap(), "info,hookgate=trace");
        assert_eq!(directives("warn, hyper=debug").unwrap(), "warn,hyper=debug");
        assert_eq!(directives("off").unwrap(), "off");
        assert_eq!(directives("hookgate::store").unwrap(), "hookgate::store");
    }

    #[test]
    fn no_sender_makes_a_library_write_unless_it_is_named() {
        let filter = |text: &str| EnvFilter::new(quietly(&directives(text).unwrap())).to_string();
        let open = EnvFilter::new("info").to_string();
        assert_ne!(filter("info"), open);
        assert!(filter("info").contains("rustls_platform_verifier=off"), "{}", filter("info"));
        let named = "info,rustls_platform_verifier=error";
        assert_eq!(filter(named), EnvFilter::new(named).to_string());
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in ["infoo", "all", "info,loud"] {
            assert!(directives(text).is_err(), "{text}");
        }
    }
}
