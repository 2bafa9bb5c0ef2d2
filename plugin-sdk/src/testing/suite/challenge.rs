//! Recorded validation challenges and the answers that they must get.
//!
//! They lie in `challenges.json` beside `vectors.json`, and among the shared vectors, in the same
//! format. One with an `action` is left out: no answer is enough for it, because the receiver must
//! do something, so its plugin reads it as an event. Never passes if a provider answers challenges
//! and none is recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{NOW, Suite};
use crate::claims::Claims;
use crate::provider::Provider;
use crate::request::Request;
use crate::testing::{Bench, Tolerance, answer, sign, vectors, verify};

#[derive(Debug, Deserialize)]
struct Challenge {
    provider: String,
    name: String,
    method: String,
    url: Option<String>,
    secret: Option<String>,
    public_key: Option<String>,
    #[serde(default)]
    request_headers: BTreeMap<String, String>,
    #[serde(default)]
    request_body: String,
    response_status: u16,
    response_body: String,
    /// For a provider that reads headers of the answer.
    #[serde(default)]
    response_headers: BTreeMap<String, String>,
    /// What the receiver must do beside its answer, such as a visit to a URL.
    action: Option<String>,
}

impl<P: Provider> Suite<P> {
    /// Checks that every recorded validation challenge, of the provider or shared, gets its answer.
    ///
    /// # Panics
    ///
    /// If a challenge gets another answer, or the provider answers challenges and none is recorded.
    pub fn check_handshakes(&self) {
        let own = fs::read_to_string(Path::new(self.folder).join("challenges.json"));
        let must_have = own.is_ok() || self.has_handshakes();
        let mut checked = 0;
        let shared = vectors::shared("vectors/challenges.json");
        for text in own.into_iter().chain(shared.into_iter().map(|(_, text)| text)) {
            let challenges: Vec<Challenge> =
                serde_json::from_str(&text).expect("challenges are in their format");
            let is_own = |it: &&Challenge| it.provider == self.name && it.action.is_none();
            for challenge in challenges.iter().filter(is_own) {
                self.check_handshake(challenge);
                checked += 1;
            }
        }
        assert!(checked > 0 || !must_have, "{}: no handshake was tried", self.name);
    }

    /// Whether the provider declares methods for challenges, or answers a sample as a challenge.
    fn has_handshakes(&self) -> bool {
        let answers = |request: &Request| {
            let signed = self.sign(request);
            self.call(|| P::claim(&signed)).is_ok_and(|claims| claims.handshake.is_some())
        };
        !P::describe().handshakes.is_empty()
            || self.samples().iter().any(|sample| answers(&sample.request))
    }

    fn check_handshake(&self, challenge: &Challenge) {
        let name = &challenge.name;
        let settings = challenge.public_key.as_ref().map_or_else(
            || self.settings(),
            |key| serde_json::json!({ "public_key": key }).to_string(),
        );
        let secret = challenge.secret.as_deref().unwrap_or(&self.secret);
        let url = challenge.url.as_deref().unwrap_or(self.url);
        let mut request =
            Request { received_at: NOW, ..Request::post(url, challenge.request_body.clone()) };
        challenge.request_headers.iter().for_each(|(name, value)| request.set_header(name, value));
        Bench::new().with_settings(&settings).call(|| {
            let info = P::describe();
            let claims = if challenge.method != "POST" {
                request.method.clone_from(&challenge.method);
                assert!(info.handshakes.contains(&challenge.method), "{name}");
                P::claim(&request).expect(name)
            } else if let Some(claims) = open_challenge::<P>(&request) {
                claims
            } else {
                // The provider signs a challenge by POST like any other request.
                request = sign::<P>(&request, secret, NOW);
                let claims = P::claim(&request).expect(name);
                let proven = verify(&info, &claims, &request, &[secret], NOW, Tolerance::Provider);
                assert_eq!(proven, Ok(()), "{name}");
                claims
            };
            let handshake = claims.handshake.as_ref().expect(name);
            assert_eq!(handshake.status, challenge.response_status, "{name}");
            let body = answer(&info, &claims, &request, secret).expect(name);
            assert_eq!(meaning(&body), meaning(&challenge.response_body), "{name}");
            for (header, value) in &challenge.response_headers {
                let mut headers = handshake.headers.iter();
                let found = headers.find(|found| found.name.eq_ignore_ascii_case(header));
                assert_eq!(found.map(|found| &found.value), Some(value), "{name}: {header}");
            }
        });
    }
}

/// The claims of a challenge by POST that carries no evidence.
fn open_challenge<P: Provider>(request: &Request) -> Option<Claims> {
    let claims = P::claim(request).ok()?;
    (claims.handshake.is_some() && claims.evidence.is_empty()).then_some(claims)
}

/// JSON without its layout, or the text if it is not JSON.
fn meaning(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}
