//! Requests with large bodies that are refused before anybody has read these.

use crate::harness::{Setup, Wire};

/// More than the system takes of what a sender has sent and nobody has read.
const BODY_BYTES: usize = 24 << 20;

/// Guards `read_behind`. Without it the connection breaks while a body is sent, and its sender
/// never reads the answer.
#[tokio::test]
async fn who_sends_everything_before_reading_reads_why_it_was_refused() {
    let gateway = Setup::guest().line("admin_hosts = [\"here\"]").start().await;
    let body = "x".repeat(BODY_BYTES);
    let mut wire = Wire::open(gateway.admin()).await.unwrap();
    let file = ("content-type", "application/octet-stream");

    for (path, header, status) in [
        ("/v1/rehearsals?plugin=guest", ("sec-fetch-site", "cross-site"), 403),
        ("/v1/rehearsals?plugin=guest", ("content-type", "text/plain"), 415),
        ("/v1/rehearsals?plugin=guest&limit=0", file, 400),
        ("/v1/rehearsal?plugin=guest", file, 404),
        ("/v1/reload", ("content-type", "application/json"), 413),
    ] {
        let heard = wire.post(path, &[header], &body).await;
        let heard = heard.expect("the connection holds until the answer is there");
        assert_eq!(heard.status, status, "{path}: {}", heard.body);
    }
}
