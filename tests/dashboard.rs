//! The dashboard, as people use it without JavaScript: what its pages say, offer and do.

mod dead;
mod endpoints;
mod events;
mod hostile;
mod overview;
mod settings;
mod strangers;

use serde_json::{Value, json};

use crate::harness::{Harness, Receiver, Setup, answer, payment, text};

const MASTER: &str = "b3a1c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// With the source `stripe`, and a master key, so that endpoints can be made.
async fn start() -> Harness {
    let prepared = Setup::stripe().line("master_key = { file = \"master\" }").prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    prepared.start().await
}

/// Makes a token by the API, and gives what is sent with it. The first of a gateway is the
/// operator's.
async fn token(gateway: &Harness, by: Option<&str>, body: &Value) -> String {
    let post = gateway.client().post(format!("{}/v1/tokens", gateway.admin())).json(body);
    let post = match by {
        Some(by) => post.header("authorization", format!("Bearer {by}")),
        None => post,
    };
    let made = answer(post).await;
    assert_eq!(made.status, 201, "{}", made.body);
    text(&made.json()["token"])
}
