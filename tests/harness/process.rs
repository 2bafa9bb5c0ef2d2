//! The real program in a process of its own, for what a signal or a limit of the system does.

use std::process::Stdio;
use std::time::Duration;

use hookgate::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::{Answer, Log, STRIPE_SECRET, Stopped, answer, program, stripe_signature};

/// A start that is refused takes less.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `hookgate serve`. Killed if a test drops it.
pub(crate) struct Process {
    child: Child,
    /// Its log, a JSON object a line.
    pub(crate) log: Log,
    client: reqwest::Client,
    public: String,
    admin: String,
    stopped: Stopped,
}

/// `hookgate serve` on what a gateway has left behind.
pub(crate) fn serve(stopped: &Stopped) -> Command {
    let mut command = Command::new(program());
    command
        .args(["--log", "json", "serve", "--config"])
        .arg(stopped.folder().join("hookgate.toml"))
        .env("RUST_LOG", "hookgate::cli=info,hookgate::store=info,error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A start that must fail with this exit code, and what it says on the way.
pub(crate) async fn refusal(mut command: Command) -> String {
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    let ended = ended.expect("it is refused").expect("the program starts");
    let said = String::from_utf8(ended.stderr).expect("the log is text");
    assert_eq!(ended.status.code(), Some(1), "{said}");
    said
}

impl Process {
    /// Starts it and waits until it accepts webhooks.
    pub(crate) async fn start(stopped: Stopped) -> Self {
        Self::start_with(stopped, |_| ()).await
    }

    /// The same, with something changed on its command line or in its environment.
    pub(crate) async fn start_with(stopped: Stopped, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = serve(&stopped);
        change(&mut command);
        let mut child = command.spawn().expect("the program starts");
        let mut log = Log::of(child.stderr.take().expect("it is piped"));
        let [public, admin] = log.fields(["public", "admin"]).await;
        let process = Self {
            child,
            log,
            client: hookgate::egress::operator_client().expect("there are CA certificates"),
            public: format!("http://{public}"),
            admin: format!("http://{admin}"),
            stopped,
        };
        // A start waits for the compiler only so long, and here everything is to be there.
        let reload = process.client.post(format!("{}/v1/reload", process.admin));
        let reloaded = answer(reload.json(&Value::Null)).await;
        assert_eq!(reloaded.status, 200, "{}", reloaded.body);
        process
    }

    /// Starts it and kills it so long after, wherever it is then.
    pub(crate) async fn kill_in_start(stopped: Stopped, after: Duration) -> Stopped {
        let mut child = serve(&stopped).spawn().expect("the program starts");
        let ended = tokio::time::timeout(after, child.wait()).await;
        assert!(ended.is_err(), "it ended while it started: {ended:?}");
        child.kill().await.expect("it runs");
        stopped
    }

    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    pub(crate) fn stopped(&self) -> &Stopped {
        &self.stopped
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Posts to the source `stripe` as Stripe would, now.
    pub(crate) async fn stripe(&self, body: &str) -> Answer {
        self.stripe_with(STRIPE_SECRET, body).await
    }

    /// The same with another secret.
    pub(crate) async fn stripe_with(&self, secret: &str, body: &str) -> Answer {
        let signature = stripe_signature(secret, Clock::System.now().seconds(), body);
        let post = self.client.post(format!("{}/in/stripe", self.public));
        answer(post.header("stripe-signature", signature).body(body.to_owned())).await
    }

    /// What operators get.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        answer(self.client.get(format!("{}{path}", self.admin))).await
    }

    /// What operators send.
    pub(crate) async fn tell(&self, path: &str, body: &Value) -> Answer {
        answer(self.client.post(format!("{}{path}", self.admin)).json(body)).await
    }

    /// The status of what is answered with bytes, once all of them are there.
    pub(crate) async fn tell_for_bytes(&self, path: &str) -> u16 {
        let sent = self.client.post(format!("{}{path}", self.admin)).send().await;
        let answer = sent.expect("the gateway answers");
        let status = answer.status().as_u16();
        answer.bytes().await.expect("the answer is whole");
        status
    }

    /// Waits until nothing is due any more.
    pub(crate) async fn settle(&self) {
        // After a minute the answer is that it is not so yet.
        while self.ask("/v1/settled").await.status == 503 {}
    }

    /// Each event, newest first.
    pub(crate) async fn each_event(&self, see: impl FnMut(&Value)) {
        self.each("/v1/events", see).await;
    }

    /// Each row of a list, in its order; the path may have filters.
    pub(crate) async fn each(&self, list: &str, mut see: impl FnMut(&Value)) {
        let first = if list.contains('?') { '&' } else { '?' };
        let mut cursor = String::new();
        loop {
            let page = self.ask(&format!("{list}{first}limit=500{cursor}")).await.json();
            page["items"].as_array().into_iter().flatten().for_each(&mut see);
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }

    /// All events, oldest first.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        self.each_event(|event| events.push(event.clone())).await;
        events.reverse();
        events
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) -> Stopped {
        self.child.kill().await.expect("it runs");
        self.stopped
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw).expect("it runs")
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        kill_process(self.pid(), Signal::HUP).expect("it runs");
    }

    /// SIGTERM.
    pub(crate) fn signal_stop(&self) {
        kill_process(self.pid(), Signal::TERM).expect("it runs");
    }

    /// Lowers a limit of the running program, or lifts it again.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit(&self, resource: Resource, limit: Option<u64>) {
        let Rlimit { current, maximum } = getrlimit(resource);
        let new = Rlimit { current: limit.or(current), maximum };
        prlimit(Some(self.pid()), resource, new).expect("it runs, and is ours");
    }

    /// Waits for its own end, which must be in order.
    pub(crate) async fn ended(self) -> Stopped {
        self.ended_with(0).await
    }

    /// Waits for its own end, with this exit code and without an error that is a surprise.
    pub(crate) async fn ended_with(mut self, code: i32) -> Stopped {
        let status = self.child.wait().await.expect("it can be waited for");
        let errors = self.log.errors().await;
        assert!(errors.is_empty(), "{errors:#?}");
        assert_eq!(status.code(), Some(code), "it ended with {status}");
        self.stopped
    }

    /// SIGTERM, and waits.
    pub(crate) async fn terminate(self) -> Stopped {
        self.signal_stop();
        self.ended().await
    }
}
