//! Samples that operators have a source receive: made as its provider would make them, and handed
//! to what answers the public port, within the process.
//!
//! Wiring. A sample comes out of the very file that runs, because the source's own secret signs it.
//! Never over a socket, and never past the proof.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use arc_swap::ArcSwap;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::admin::{NoSample, Samples, SentSample, WantedSample};
use crate::causes::chain;
use crate::config::{Config, Verify};
use crate::event::Request;
use crate::ids::{Id, IdKind};
use crate::ingest::{Ingest, Within};
use crate::plugin::{About, FILE_BYTES_MAX};
use crate::regular_file;
use crate::sample::{Renewed, renewed, renewed_unsigned};

/// How much of an answer is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 4096;
/// Most names of samples that are listed where another was wanted.
const NAMES_MAX: usize = 16;

/// Has the sources of this gateway receive samples.
pub(super) fn samples(ingest: Arc<Ingest>, config: Arc<ArcSwap<Config>>) -> Samples {
    Samples(Arc::new(move |wanted| {
        let (ingest, config) = (Arc::clone(&ingest), config.load_full());
        Box::pin(async move {
            let sent = send(&ingest, &config, wanted).await;
            sent.map_err(|error| NoSample(chain(error.as_ref())))
        })
    }))
}

async fn send(
    ingest: &Arc<Ingest>,
    config: &Config,
    wanted: WantedSample,
) -> anyhow::Result<SentSample> {
    let WantedSample { source: name, sample, from } = wanted;
    let sources = ingest.sources.load_full();
    let source = sources.get(&name).context("there is no such source any more")?;
    let plugin = ingest.registry.get(&source.plugin).context("its plugin is not loaded")?;
    let file = config.plugins.join(format!("{}.wasm", source.plugin));
    let digest = plugin.digest().to_owned();
    let about = spawn_blocking(move || about(&file, &digest)).await??;
    let found = match &sample {
        None => about.samples.first_key_value(),
        Some(sample) => about.samples.get_key_value(sample),
    };
    let Some((sample, content)) = found else {
        let names: Vec<_> = about.samples.keys().map(String::as_str).take(NAMES_MAX).collect();
        if names.is_empty() {
            bail!("the file of its plugin has no samples");
        }
        bail!("its plugin has no such sample; it has: {}", names.join(", "));
    };
    let at = ingest.clock.now();
    let own = [("content-type".to_owned(), content.content_type.clone())];
    let request = Request {
        method: "POST".to_owned(),
        url: format!("/in/{name}"),
        headers: own.into_iter().chain(content.headers.clone()).collect(),
        body: content.body.clone().into(),
        received_at: at,
    };
    let (host, settings, secrets) = (&ingest.host, &source.settings, &source.secrets);
    let Renewed { request, .. } = match source.verify {
        Verify::None if secrets.is_empty() => {
            renewed_unsigned(host, &plugin, settings, request, at).await?
        }
        _ => renewed(host, &plugin, settings, secrets, request, &[], at).await?,
    };
    let within = ingest.receive_within(&name, from, &request).await;
    Ok(shown(sample.clone(), within.context("the sample can't be sent over HTTP")?))
}

/// What the file says of itself, if it is the one that runs: `digest` is the SHA-256 of that in
/// hexadecimal.
fn about(file: &Path, digest: &str) -> anyhow::Result<About> {
    let wasm = regular_file::read(file, FILE_BYTES_MAX).context("failed to read its plugin")?;
    ensure!(
        hex::encode(Sha256::digest(&wasm)) == digest,
        "the file of its plugin is not the one that runs: reload it first"
    );
    Ok(About::of_file(&wasm))
}

/// The answer to a request that was stored, if a plugin does not answer itself.
#[derive(Deserialize)]
struct Stored {
    id: String,
}

fn shown(sample: String, within: Within) -> SentSample {
    let Within { status, is_duplicate, body } = within;
    let stored: Option<Stored> = serde_json::from_slice(&body).ok();
    let receipt = stored.and_then(|stored| stored.id.parse::<Id>().ok());
    let text = String::from_utf8_lossy(&body);
    SentSample {
        sample,
        status,
        receipt: receipt.filter(|id| id.kind == IdKind::Receipt),
        is_duplicate,
        body: text[..text.floor_char_boundary(SHOWN_BYTES_MAX)].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the digest in `about`: a sample of a file that somebody has put there since, and that
    /// nobody has loaded, may be signed with the secret of the source.
    #[test]
    fn samples_are_those_of_the_file_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stripe.wasm");
        let of = |wasm: &[u8]| hex::encode(Sha256::digest(wasm));
        std::fs::write(&file, b"\0asm new").unwrap();
        assert!(about(&file, &of(b"\0asm new")).unwrap().samples.is_empty());
        let error = about(&file, &of(b"\0asm old")).unwrap_err().to_string();
        assert!(error.contains("not the one that runs"), "{error}");
        std::fs::remove_file(&file).unwrap();
        assert!(about(&file, &of(b"\0asm new")).is_err());
    }

    /// Guards that a plugin's own answer is not taken for the id of a receipt.
    #[test]
    fn a_receipt_is_named_by_its_id_and_by_nothing_else() {
        let within =
            |body: &str| Within { status: 200, is_duplicate: false, body: body.to_owned().into() };
        let receipt = |body: &str| shown("paid".to_owned(), within(body)).receipt.is_some();
        assert!(receipt(r#"{"id":"rcp_000000000000000000"}"#));
        for body in [r#"{"id":"evt_000000000000000000"}"#, r#"{"id":"ch_1"}"#, "[accepted]", ""] {
            assert!(!receipt(body), "{body}");
        }
        let long = shown("paid".to_owned(), within(&"é".repeat(SHOWN_BYTES_MAX)));
        assert_eq!(long.body.len(), SHOWN_BYTES_MAX);
    }
}
