//! The real program in a process of its own, for what a signal does.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::{Stopped, answer, program};

/// A running `hookgate serve`. Killed if a test drops it.
pub(crate) struct Process {
    child: Child,
    /// Its log, a JSON object a line; kept open, so that it can be written.
    log: Lines<BufReader<ChildStderr>>,
    client: reqwest::Client,
    public: String,
    admin: String,
    stopped: Stopped,
}

impl Process {
    /// Starts it and waits until it accepts webhooks.
    pub(crate) async fn start(stopped: Stopped) -> Self {
        let mut child = Command::new(program())
            .args(["--log", "json", "serve", "--config"])
            .arg(stopped.folder().join("hookgate.toml"))
            .env("RUST_LOG", "hookgate::cli=info,error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("it is piped");
        let mut log = BufReader::new(stderr).lines();
        let (public, admin) = loop {
            let line = log.next_line().await.expect("the log is text");
            let line = line.expect("the gateway does not end while it starts");
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            let field = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            if let (Some(public), Some(admin)) = (field("public"), field("admin")) {
                break (public, admin);
            }
        };
        Self {
            child,
            log,
            client: hookgate::egress::operator_client().expect("there are CA certificates"),
            public: format!("http://{public}"),
            admin: format!("http://{admin}"),
            stopped,
        }
    }

    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    /// Waits until nothing is due any more.
    pub(crate) async fn settle(&self) {
        let answer = answer(self.client.get(format!("{}/v1/settled", self.admin))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// All events, oldest first.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        let mut cursor = String::new();
        loop {
            let url = format!("{}/v1/events?limit=500{cursor}", self.admin);
            let page = answer(self.client.get(url)).await.json();
            events.extend(page["items"].as_array().into_iter().flatten().cloned());
            let Some(next) = page["next"].as_u64() else { break };
            cursor = format!("&cursor={next}");
        }
        events.reverse();
        events
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) -> Stopped {
        self.child.kill().await.expect("it runs");
        self.stopped
    }

    /// SIGTERM.
    pub(crate) fn signal_stop(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let process = id.and_then(rustix::process::Pid::from_raw).expect("it runs");
        rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it runs");
    }

    /// Waits for its own end, which must be in order.
    pub(crate) async fn ended(mut self) -> Stopped {
        while let Some(line) = self.log.next_line().await.expect("the log is text") {
            assert!(!line.contains("\"ERROR\""), "{line}");
        }
        let status = self.child.wait().await.expect("it can be waited for");
        assert!(status.success(), "it ended with {status}");
        self.stopped
    }

    /// SIGTERM, and waits.
    pub(crate) async fn terminate(self) -> Stopped {
        self.signal_stop();
        self.ended().await
    }
}
