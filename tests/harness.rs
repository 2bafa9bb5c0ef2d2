//! A gateway under test, what it posts to, and what posts to it.
//!
//! `settle` waits until the store says that nothing is due, and time moves by `advance`. Nothing
//! here sleeps or polls, but for the pace of `flow` and for who is put off in `load`.

mod certificate;
mod collector;
mod crawl;
mod delays;
mod flow;
mod guest;
mod ledger;
mod load;
mod log;
mod person;
mod process;
mod provider;
mod ran;
mod receiver;
mod recordings;
mod runnable;
mod setup;
mod view;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use hookgate::clock::Clock;
use hookgate::event::Request;
use hookgate::gateway::{Gateway, Seams};
use hookgate::keys::Keys;
use hookgate::plugin::Compiler;
use hookgate::secrets::Redaction;
use hookgate::store::Stats;
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub(crate) use certificate::{Authority, Identity};
pub(crate) use collector::{Collector, Span, SpanKind};
pub(crate) use crawl::Crawl;
pub(crate) use delays::{FOURTH_TRY, SECOND_ATTEMPT, SECOND_TRY, THIRD_ATTEMPT, THIRD_TRY};
pub(crate) use flow::Flow;
pub(crate) use guest::{check_crashed, check_dead, check_reason, log_of};
pub(crate) use ledger::{Ledger, Tally, event_id, subject};
pub(crate) use load::Load;
pub(crate) use log::Log;
pub(crate) use person::{Page, Person};
pub(crate) use process::{Process, refusal, serve};
pub(crate) use provider::{Kind, Provider};
pub(crate) use ran::Ran;
pub(crate) use receiver::{Flood, Received, Receiver};
pub(crate) use recordings::{providers, recordings};
pub(crate) use runnable::{copy_program, write_script};
pub(crate) use setup::{ENDPOINT_SECRET, GUEST_TOKEN, NOT_VERIFIED, NOW, STRIPE_SECRET, Setup};
pub(crate) use view::{delivery_to, reasons, run_of, stands, text, texts};
pub(crate) use wire::{Heard, Wire};

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().expect("it lies in the target folder").to_owned()
}

/// A plugin that `make test` has built.
pub(crate) fn plugin_file(name: &str) -> PathBuf {
    let is_for_tests = ["guest", "prover"].contains(&name);
    let folder = if is_for_tests { "test-plugins" } else { "plugins" };
    let path = target().join(folder).join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: `make test` builds it", path.display());
    path
}

/// The gateway's program, for what needs a process of its own.
pub(crate) fn program() -> PathBuf {
    let path = target().join("release/hookgate");
    assert!(path.exists(), "{} is missing: `make test` builds it", path.display());
    path
}

/// What chance goes by: `HOOKGATE_SEED`, or another one each time. Print it, so that what it led to
/// can be had again.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("HOOKGATE_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |text| text.parse().expect("HOOKGATE_SEED is a number"))
}

/// A running gateway, in a temporary folder.
pub(crate) struct Harness {
    folder: TempDir,
    clock: Clock,
    keys: Option<Keys>,
    compiler: Option<Compiler>,
    client: reqwest::Client,
    public: String,
    admin: String,
    store: hookgate::store::Store,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<Result<(), String>>,
}

/// What a request was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// Accepted for the first time, and the receipt's id.
    #[track_caller]
    pub(crate) fn accepted(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(!self.is_duplicate(), "it is a duplicate");
        self.json()["id"].as_str().map(str::to_owned).unwrap_or_default()
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        self.headers.get("hookgate-duplicate").is_some_and(|value| value == "true")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

impl Harness {
    async fn start(stopped: Stopped) -> Result<Self, String> {
        let Stopped { folder, clock, keys, compiler } = stopped;
        let seams = Seams {
            clock: clock.clone(),
            compiler: compiler.clone().unwrap_or(Compiler::InProcess),
            // Compiled once for all tests, unless it is the compiling that is tested.
            compiled: compiler.is_none().then(|| target().join("test-compiled")),
            keys: keys.clone(),
            redaction: Redaction::default(),
        };
        let config = folder.path().join("hookgate.toml");
        let gateway = Gateway::start(&config, seams).await.map_err(|error| format!("{error:#}"))?;
        let (stop, stopped) = oneshot::channel();
        let (public, admin) = (gateway.public_addr(), gateway.admin_addr());
        let store = gateway.store().clone();
        if compiler.is_none() {
            // A start waits for the compiler only so long, and here everything is to be there.
            gateway.reloads().reload().await.expect("the gateway runs");
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let stopped = async { drop(stopped.await) };
            gateway.run_until(stopped).await.map_err(|error| format!("{error:#}"))
        });
        Ok(Self {
            folder,
            clock,
            keys,
            compiler,
            client: hookgate::egress::operator_client().expect("there are CA certificates"),
            public: format!("http://{public}"),
            admin: format!("http://{admin}"),
            store,
            stop,
            tasks,
        })
    }

    /// Stops it in order and gives what it leaves behind.
    pub(crate) async fn stop(self) -> Stopped {
        let Self { folder, clock, keys, compiler, stop, mut tasks, store, .. } = self;
        drop(store);
        stop.send(()).expect("the gateway runs");
        let ended = tasks.join_next().await.expect("there is one task");
        ended.expect("the gateway does not panic").expect("the gateway stops in order");
        Stopped { folder, clock, keys, compiler }
    }

    pub(crate) async fn restart(self) -> Self {
        self.stop().await.start().await
    }

    /// Waits until nothing is due any more.
    pub(crate) async fn settle(&self) {
        self.store.idle().await;
    }

    /// What the store holds and owes.
    pub(crate) fn stats(&self) -> Stats {
        self.store.stats()
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Moves time forward and lets what becomes due happen.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    /// Posts a body with these headers.
    pub(crate) async fn post(
        &self,
        source: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut post = self.client.post(format!("{}/in/{source}", self.public)).body(body.into());
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        answer(post).await
    }

    /// Sends a request to a source as it is, with its own query.
    pub(crate) async fn send(&self, source: &str, request: &Request) -> Answer {
        let query = request.url.find('?').map_or("", |at| &request.url[at..]);
        let url = format!("{}/in/{source}{query}", self.public);
        let method = request.method.parse().expect("a method");
        let mut sent = self.client.request(method, url).body(request.body.clone());
        for (name, value) in request.headers.iter() {
            sent = sent.header(name, value);
        }
        answer(sent).await
    }

    /// Posts to the source `stripe` as Stripe would, now, with the harness's secret.
    pub(crate) async fn stripe(&self, body: &str) -> Answer {
        self.stripe_with(STRIPE_SECRET, body).await
    }

    /// The same with another secret.
    pub(crate) async fn stripe_with(&self, secret: &str, body: &str) -> Answer {
        let signature = stripe_signature(secret, self.clock.now().seconds(), body);
        self.post("stripe", &[("stripe-signature", &signature)], body).await
    }

    /// Posts a command to the source `guest`.
    pub(crate) async fn guest(&self, command: &Value) -> Answer {
        self.post("guest", &[("x-token", GUEST_TOKEN)], command.to_string()).await
    }

    /// What operators get.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        answer(self.client.get(format!("{}{path}", self.admin))).await
    }

    /// What operators take away.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.client.delete(format!("{}{path}", self.admin))).await
    }

    /// What operators send.
    pub(crate) async fn tell(&self, path: &str, body: &Value) -> Answer {
        answer(self.client.post(format!("{}{path}", self.admin)).json(body)).await
    }

    /// Has the gateway look at its files now, and gives what became of them.
    pub(crate) async fn reload(&self) -> Value {
        let answer = self.tell("/v1/reload", &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Puts a built plugin into the plugins folder, or replaces one, as `mv` does.
    pub(crate) fn drop_plugin(&self, name: &str, wasm: &[u8]) {
        let folder = self.folder.path().join("plugins");
        let partial = folder.join(format!(".{name}.partial"));
        std::fs::write(&partial, wasm).expect("the folder can be written");
        std::fs::rename(partial, folder.join(format!("{name}.wasm"))).expect("it can be renamed");
    }

    /// The configuration file, changed.
    pub(crate) fn rewrite_config(&self, change: impl FnOnce(String) -> String) {
        let path = self.folder.path().join("hookgate.toml");
        let text = std::fs::read_to_string(&path).expect("the file is there");
        std::fs::write(path, change(text)).expect("the file can be written");
    }

    /// The configuration file, changed and applied.
    pub(crate) async fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        self.rewrite_config(change);
        // Who watches the files may have seen it first: then nothing is left to apply.
        let config = self.reload().await["config"].clone();
        assert_ne!(config["outcome"], "kept", "{config}");
    }

    /// The events of a listing, oldest first.
    pub(crate) async fn events(&self, query: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = self.ask(&format!("/v1/events?limit=500&{query}{cursor}")).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let page = answer.json();
            events.extend(page["items"].as_array().into_iter().flatten().cloned());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        events.reverse();
        events
    }
}

/// A gateway that has stopped, and what it left behind.
pub(crate) struct Stopped {
    folder: TempDir,
    clock: Clock,
    keys: Option<Keys>,
    compiler: Option<Compiler>,
}

impl Stopped {
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files of its store: that of the rows, then the volumes of the log, oldest first.
    pub(crate) fn store_files(&self) -> Vec<PathBuf> {
        let data = std::fs::read_dir(self.folder().join("data")).expect("there is a store");
        let paths = data.map(|file| file.expect("it can be listed").path());
        let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
        files.sort();
        files
    }

    pub(crate) async fn start(self) -> Harness {
        self.is_let_go().await;
        Harness::start(self).await.expect("the gateway starts")
    }

    /// Waits until the gateway before has let go of the store: a thread of it may still read there.
    async fn is_let_go(&self) {
        let Ok(data) = std::fs::File::open(self.folder().join("data")) else { return };
        let let_go = tokio::task::spawn_blocking(move || data.lock().is_ok());
        // Whoever never lets go is told of by the start that follows.
        let _is_let_go = tokio::time::timeout(Duration::from_secs(5), let_go).await;
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the gateway answers");
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.expect("the answer is whole"),
    }
}

/// The `Stripe-Signature` of a body.
pub(crate) fn stripe_signature(secret: &str, seconds: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// A payment that failed or succeeded, as Stripe says it.
pub(crate) fn payment(id: &str, subject: &str, what: &str) -> String {
    serde_json::json!({
        "id": id,
        "object": "event",
        "created": 1_700_000_000,
        "type": format!("payment_intent.{what}"),
        "data": { "object": {
            "id": subject, "object": "payment_intent", "amount": 1000, "currency": "usd",
        } },
    })
    .to_string()
}
