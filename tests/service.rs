//! `hookgate serve` under a service manager: what it says of itself, and sockets that were opened
//! for it.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::harness::{Process, Setup, payment, refusal, serve};

/// What the gateway says to whoever manages it.
struct Heard(UnixDatagram);

impl Heard {
    fn at(path: &Path) -> Self {
        Self(UnixDatagram::bind(path).expect("it can be made"))
    }

    /// Waits for a message with this line, and gives its lines.
    async fn says(&self, line: &str) -> Vec<String> {
        let mut buffer = [0; 4096];
        loop {
            let length = self.0.recv(&mut buffer).await.expect("it can be read");
            let said = std::str::from_utf8(&buffer[..length]).expect("it is text");
            let lines: Vec<String> = said.lines().map(str::to_owned).collect();
            if lines.iter().any(|said| said == line) {
                return lines;
            }
        }
    }
}

fn begins(lines: &[String], beginning: &str) -> bool {
    lines.iter().any(|line| line.starts_with(beginning))
}

/// Fails if the gateway says that it is ready before it has its ports, or never that it is alive,
/// reads its files again or stops.
#[tokio::test]
async fn a_service_manager_hears_how_the_gateway_is() {
    let stopped = Setup::stripe().prepare();
    let place = stopped.folder().join("notify.sock");
    let heard = Heard::at(&place);
    let gateway = Process::start_with(stopped, |command| {
        command.env("NOTIFY_SOCKET", &place).env("WATCHDOG_USEC", "40000");
    })
    .await;
    let ready = heard.says("READY=1").await;
    assert!(begins(&ready, &format!("STATUS=accepting webhooks on {}", gateway.public())));
    heard.says("WATCHDOG=1").await;
    heard.says("WATCHDOG=1").await;

    gateway.hang_up();
    let reloading = heard.says("RELOADING=1").await;
    assert!(begins(&reloading, "MONOTONIC_USEC="), "{reloading:?}");
    let ready = heard.says("READY=1").await;
    assert!(ready.iter().any(|line| line.contains("read again")), "{ready:?}");

    gateway.signal_stop();
    heard.says("STOPPING=1").await;
    gateway.ended().await;
}

/// The command, with these sockets in the place of what it would open: the descriptors 3 and 4.
fn on(command: &mut Command, [public, admin]: [&TcpListener; 2], names: &str) {
    let lent = |socket: &TcpListener| {
        Stdio::from(OwnedFd::from(socket.try_clone().expect("it can be shared")))
    };
    let inner = command.as_std();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$@\" 3<&0 4<&1 0</dev/null 1>/dev/null", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env("RUST_LOG", "hookgate::cli=info,hookgate::gateway=info,error")
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", names)
        .env_remove("LISTEN_PID")
        .stdin(lent(public))
        .stdout(lent(admin))
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    *command = shell;
}

/// Fails if the gateway opens ports of its own, or if whoever connects while none runs is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_were_opened_for_the_gateway_outlive_it() {
    let open = || TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let (public, admin) = (open(), open());
    let url = |socket: &TcpListener| format!("http://{}", socket.local_addr().unwrap());
    let stopped = Setup::stripe().prepare();
    let both = |command: &mut Command| on(command, [&public, &admin], "public:admin");
    let gateway = Process::start_with(stopped, both).await;
    assert_eq!([gateway.public(), gateway.admin()], [url(&public), url(&admin)]);
    assert_eq!(gateway.log.count("in place of `listen`"), 1);
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();

    let client = gateway.client().clone();
    let stopped = gateway.kill().await;
    // Waits in the queue of the socket until the next gateway takes it.
    let ready = format!("{}/readyz", url(&admin));
    let mut early = JoinSet::new();
    early.spawn(async move { client.get(ready).send().await });
    let gateway = Process::start_with(stopped, both).await;
    let answered = early.join_next().await.expect("there is one").expect("it does not panic");
    answered.expect("it is answered");
    let events = gateway.events().await;
    assert_eq!(events[0]["event_id"], "evt_1");
    gateway.signal_stop();
    gateway.ended().await;

    let stopped = Setup::stripe().prepare();
    let mut command = serve(&stopped);
    on(&mut command, [&public, &admin], "public:other");
    let said = refusal(command).await;
    assert!(said.contains("`other`") && said.contains("FileDescriptorName"), "{said}");
}

/// Fails if something is said before that line, or the line lacks what it is for.
#[tokio::test]
async fn the_first_line_of_the_log_says_which_program_it_is_and_its_limits() {
    let stopped = Setup::stripe().table("[limits]\nrequests = 321").prepare();
    let gateway = Process::start_with(stopped, |command| {
        command.env("RUST_LOG", "info");
    })
    .await;
    let lines = gateway.log.lines("");
    let first: Value = serde_json::from_str(&lines[0]).expect("it is JSON");
    let fields = &first["fields"];
    assert_eq!(fields["message"], "hookgate starts", "{first}");
    assert_eq!(fields["version"], env!("CARGO_PKG_VERSION"));
    assert!(fields["commit"].is_string() && fields["open_files"].is_u64(), "{first}");
    assert_eq!(fields["requests"], 321);
    drop(gateway.kill().await);
}
