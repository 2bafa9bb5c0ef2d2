//! A client for the URL that events are forwarded to, on the operator's own machine mostly.
//!
//! It follows no redirect: what an endpoint of the gateway would see as a failure is one here too.
//! Never tries twice.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use url::Url;

use crate::causes;
use crate::egress;

/// As long as an endpoint of the gateway has by default.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Most bytes of an answer that are read.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Posts to one URL.
#[derive(Clone)]
pub(in crate::cli) struct Forward {
    client: reqwest::Client,
    url: Url,
}

impl Forward {
    pub(in crate::cli) fn to(url: Url) -> anyhow::Result<Self> {
        Ok(Self { client: egress::forwarding_client()?, url })
    }

    /// Posts once, and gives the status of the answer, or why there is none.
    pub(in crate::cli) async fn post(
        &self,
        headers: Vec<(HeaderName, String)>,
        body: Bytes,
    ) -> Result<u16, String> {
        let mut post = self.client.post(self.url.clone()).body(body).timeout(TIMEOUT);
        for (name, value) in headers {
            let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            post = post.header(name, value);
        }
        let answered = post.send().await.map_err(reqwest::Error::without_url);
        let mut answer = answered.map_err(|error| causes::chain(&error))?;
        // A short body is read, so that the connection can be used again.
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > BODY_BYTES_MAX {
                break;
            }
        }
        Ok(answer.status().as_u16())
    }
}
