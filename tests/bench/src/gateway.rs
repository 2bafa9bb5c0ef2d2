//! A gateway to measure: the real program, a fresh store on the real disk, real plugins.
//!
//! A process of its own, seen only as an operator sees it: two ports, its folder, what the system
//! says about it. All limits are the defaults, except what a [`Path`] needs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::asking::ask;
use crate::payload::{Batch, SECRET};
use crate::process::Process;
use crate::stock::Stock;

/// Longest time that a gateway may take to load its plugins.
const READY_MAX: Duration = Duration::from_secs(60);

/// A source under this name that takes what [`Batch::write`] writes.
pub(crate) fn stripe(name: &str) -> String {
    format!(
        "[sources.{name}]\nplugin = \"stripe\"\nsecrets = [{{ value = \"{SECRET}\" }}]\n\
         tolerance = \"1h\"\n"
    )
}

/// An endpoint under this name that gets these events.
pub(crate) fn endpoint(name: &str, address: SocketAddr, events: &str) -> String {
    format!(
        "[endpoints.{name}]\nurl = \"http://{address}/\"\nevents = [\"{events}\"]\n\
         secrets = [{{ value = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }}]\n\
         timeout = \"1m\"\nbody = \"cloudevents\"\n"
    )
}

/// How far events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Receipts are verified and kept; nothing is parsed.
    Accepting,
    /// Events are parsed and delivered to one endpoint.
    Delivering,
    /// Events are parsed and handled by `dunning`, whose notices alone are delivered to one
    /// endpoint. For each payload of a [`Batch`] it reads and writes one key of a subject's state
    /// and emits one notice, and raises no alert, because each is about a subject of its own.
    Handling,
}

impl Path {
    fn plugins(self) -> &'static [&'static str] {
        match self {
            Self::Accepting | Self::Delivering => &["stripe"],
            Self::Handling => &["stripe", "dunning"],
        }
    }

    /// The part of the configuration that decides it.
    pub(crate) fn tables(self, endpoint: SocketAddr) -> String {
        let (events, handlers) = match self {
            Self::Accepting => return "[limits]\nparses = 0\n".to_owned(),
            Self::Delivering => ("payment.failed", ""),
            Self::Handling => {
                ("customer.payment_failed_notice", "[handlers.dunning]\nendpoints = [\"crm\"]\n")
            }
        };
        format!("{}{handlers}", self::endpoint("crm", endpoint, events))
    }
}

/// What a gateway logs, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// Where it listens, and errors; into a pipe.
    Errors,
    /// What it logs where nobody says anything; into a file.
    Info,
}

/// The folder that gateways run in, one after the other.
pub(crate) struct Workplace {
    folder: TempDir,
    /// Where cargo puts programs.
    programs: PathBuf,
}

impl Workplace {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let programs = std::env::current_exe()?.parent().context("it lies in a folder")?.to_owned();
        Self::among(programs)
    }

    /// One for the programs and plugins in another target folder than this program's.
    pub(crate) fn of(target: &FilePath) -> anyhow::Result<Self> {
        Self::among(target.join("release").canonicalize()?)
    }

    fn among(programs: PathBuf) -> anyhow::Result<Self> {
        // Not in the system's folder for such, which may be no disk at all.
        let folder =
            tempfile::Builder::new().prefix("bench-").tempdir_in(Self::target(&programs)?)?;
        Ok(Self { folder, programs })
    }

    fn target(programs: &FilePath) -> anyhow::Result<&FilePath> {
        programs.parent().context("the programs lie in the target folder")
    }

    /// Where the figures are written to.
    pub(crate) fn report(&self) -> anyhow::Result<PathBuf> {
        Ok(Self::target(&self.programs)?.join("bench.json"))
    }

    /// Where cargo puts a program.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Where a plugin is built to; those that only tests and benchmarks load, and those that are
    /// not in Rust, in folders of their own.
    pub(crate) fn built(&self, name: &str) -> anyhow::Result<PathBuf> {
        let target = Self::target(&self.programs)?;
        let built = ["plugins", "test-plugins", "languages"]
            .map(|it| target.join(it).join(format!("{name}.wasm")));
        Ok(built.iter().find(|file| file.exists()).unwrap_or(&built[0]).clone())
    }

    /// Fills a store for others to start with, if it is not there yet, and gives its folder.
    pub(crate) fn stock(&self, stock: Stock, batch: &Arc<Batch>) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().join(format!("{stock:?}"));
        if !Stock::is_in(&folder) {
            stock.fill(&folder, batch)?;
        }
        Ok(folder)
    }

    /// The configuration of the gateway that was started last.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("hookgate.toml")
    }

    /// An empty folder for a store of this name.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Starts a gateway without any data, and waits until it accepts webhooks.
    pub(crate) fn start(&self, path: Path, endpoint: SocketAddr) -> anyhow::Result<Gateway> {
        self.start_with(None, path, endpoint)
    }

    /// The same with a copy of the store in a folder.
    pub(crate) fn start_with(
        &self,
        stock: Option<&FilePath>,
        path: Path,
        endpoint: SocketAddr,
    ) -> anyhow::Result<Gateway> {
        self.clear()?;
        if let Some(stock) = stock {
            Stock::copy(stock, &self.data())?;
        }
        let plugins = path.plugins().iter().map(|name| (*name, *name));
        let tables = format!("{}{}", stripe("stripe"), path.tables(endpoint));
        let config = self.configure(&self.data(), plugins, &tables)?;
        self.launch(&self.data(), &config)
    }

    /// Starts a gateway without any data, with these plugins, each as a name and what is built
    /// under which name, and with these tables in its configuration.
    pub(crate) fn start_configured(
        &self,
        plugins: &[(&str, &str)],
        tables: &str,
    ) -> anyhow::Result<Gateway> {
        self.clear()?;
        let config = self.configure(&self.data(), plugins.iter().copied(), tables)?;
        self.launch(&self.data(), &config)
    }

    /// The same of any revision, given as its program, with a log.
    pub(crate) fn start_program(
        &self,
        program: &FilePath,
        log: Log,
        plugins: &[(&str, &str)],
        tables: &str,
    ) -> anyhow::Result<Gateway> {
        self.clear()?;
        let config = self.configure(&self.data(), plugins.iter().copied(), tables)?;
        let file = self.folder.path().join("gateway.log");
        let file = (log == Log::Info).then_some(file);
        Gateway::start(program, &config, self.data(), file)
    }

    /// Starts a gateway on the data in a folder as it is, whose path must be absolute. It changes
    /// what is there.
    pub(crate) fn start_on(
        &self,
        data: &FilePath,
        plugins: &[(&str, &str)],
        tables: &str,
    ) -> anyhow::Result<Gateway> {
        let config = self.configure(data, plugins.iter().copied(), tables)?;
        self.launch(data, &config)
    }

    fn launch(&self, data: &FilePath, config: &FilePath) -> anyhow::Result<Gateway> {
        Gateway::start(&self.program("hookgate"), config, data.to_owned(), None)
    }

    /// Puts the plugins in place and writes the configuration.
    fn configure<'a>(
        &self,
        data: &FilePath,
        named: impl Iterator<Item = (&'a str, &'a str)>,
        tables: &str,
    ) -> anyhow::Result<PathBuf> {
        let plugins = self.plugins();
        std::fs::create_dir_all(&plugins)?;
        for (name, built) in named {
            let built = self.built(built)?;
            std::fs::copy(&built, plugins.join(format!("{name}.wasm")))
                .with_context(|| format!("{} is missing: `make build`", built.display()))?;
        }
        let config = self.config();
        // A text of JSON is one of TOML.
        let place = serde_json::to_string(data)?;
        // The tables may have rules of single plugins, and then the folder too.
        let folder = if tables.contains("[plugins]\n") { "" } else { "plugins = \"plugins\"\n" };
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ndata = {place}\n\
             {folder}egress = {{ allow = [\"127.0.0.0/8\"] }}\n{tables}"
        );
        std::fs::write(&config, text)?;
        Ok(config)
    }

    /// The folder from which its gateways load plugins.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The next gateway has no plugins but those that it is started with.
    pub(crate) fn remove_plugins(&self) -> anyhow::Result<()> {
        let plugins = self.plugins();
        if plugins.exists() {
            std::fs::remove_dir_all(plugins)?;
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Removes everything but compiled plugins.
    fn clear(&self) -> anyhow::Result<()> {
        if let Ok(files) = std::fs::read_dir(self.data()) {
            for file in files {
                let path = file?.path();
                if path.is_file() {
                    std::fs::remove_file(path)?;
                }
            }
        }
        self.remove_plugins()
    }
}

/// A running gateway. Killed when dropped, as `kill -9` does it.
pub(crate) struct Gateway {
    child: Child,
    log: Option<Logged>,
    data: PathBuf,
    pub(crate) public: SocketAddr,
    /// The operators' port.
    pub(crate) admin: SocketAddr,
    /// From the start until it accepted webhooks.
    pub(crate) ready_after: Duration,
}

/// Its log.
enum Logged {
    /// Somebody reads it to the end, so that it can be written.
    Read(JoinHandle<String>),
    /// It is in a file.
    Written(PathBuf),
}

/// Between two looks at a file that the gateway writes, or at whether it is ready: another process
/// can only be asked again.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks at how much is packed.
const PACKING: Duration = Duration::from_secs(2);
/// Nobody waits longer for that.
const PACKED_MAX: Duration = Duration::from_secs(20);

impl Gateway {
    /// Starts it, with its log in a file or read here.
    fn start(
        program: &FilePath,
        config: &FilePath,
        data: PathBuf,
        log: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut command = Command::new(program);
        command.args(["--log", "json", "serve", "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        match &log {
            Some(file) => command.env("RUST_LOG", "info").stderr(File::create(file)?),
            None => command.env("RUST_LOG", "hookgate::cli=info,error").stderr(Stdio::piped()),
        };
        let child = command.spawn();
        let mut child = child
            .with_context(|| format!("failed to start {}: `make build`", program.display()))?;
        let ((public, admin), log) = match log {
            Some(file) => (written_addresses(&mut child, &file)?, Logged::Written(file)),
            None => {
                let mut log = BufReader::new(child.stderr.take().context("it is piped")?);
                let addresses = read_addresses(&mut log)?;
                let rest = std::thread::spawn(move || {
                    let mut text = String::new();
                    // What can't be read any more is not needed: the process has ended.
                    log.read_to_string(&mut text).ok();
                    text
                });
                (addresses, Logged::Read(rest))
            }
        };
        wait_until_ready(admin)?;
        let ready_after = started.elapsed();
        Ok(Self { child, log: Some(log), data, public, admin, ready_after })
    }

    /// It, as the system knows it.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// The most memory that it has had so far, in bytes.
    pub(crate) fn memory_peak(&self) -> anyhow::Result<u64> {
        self.process().memory_peak()
    }

    /// What its data takes on disk, in bytes, compiled plugins not counted. Zeros that the log has
    /// written ahead count: nobody else can use them.
    pub(crate) fn disk(&self) -> anyhow::Result<u64> {
        disk(&self.data)
    }

    /// The same once it has packed what came: when it takes as much twice, a pause apart. Nothing
    /// tells another process that the gateway has nothing left to pack.
    pub(crate) fn packed_disk(&self) -> anyhow::Result<u64> {
        let began = Instant::now();
        let mut before = self.disk()?;
        loop {
            std::thread::sleep(PACKING);
            let now = self.disk()?;
            if now == before || began.elapsed() > PACKED_MAX {
                return Ok(now);
            }
            before = now;
        }
    }

    /// Stops it in order; an error if it logged one.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM)?;
        let ended = self.child.wait()?;
        let log = match self.log.take() {
            Some(Logged::Read(rest)) => rest.join().expect("reading does not panic"),
            Some(Logged::Written(file)) => std::fs::read_to_string(file)?,
            None => String::new(),
        };
        if !ended.success() || log.contains("\"ERROR\"") {
            bail!("the gateway ended with {ended}:\n{log}");
        }
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended in order, and then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Where it listens, as its log says: the public address, and the operators'.
fn read_addresses(log: &mut impl BufRead) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    loop {
        let mut line = String::new();
        ensure!(log.read_line(&mut line)? > 0, "the gateway ended while it started");
        if let Some(addresses) = addresses(&line)? {
            return Ok(addresses);
        }
    }
}

/// The same of a log that is in a file.
fn written_addresses(
    child: &mut Child,
    file: &FilePath,
) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let until = Instant::now() + READY_MAX;
    while Instant::now() < until {
        let has_ended = child.try_wait()?.is_some();
        let text = std::fs::read_to_string(file)?;
        // The last line may not be whole.
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if let Some(addresses) = addresses(line)? {
                return Ok(addresses);
            }
        }
        ensure!(!has_ended, "the gateway ended while it started:\n{text}");
        std::thread::sleep(LOOK);
    }
    bail!("the gateway did not listen after {} s", READY_MAX.as_secs())
}

/// Where it listens, if this line of its log says so.
fn addresses(line: &str) -> anyhow::Result<Option<(SocketAddr, SocketAddr)>> {
    let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let address = |name: &str| line["fields"][name].as_str();
    let Some((public, admin)) = address("public").zip(address("admin")) else { return Ok(None) };
    Ok(Some((public.parse()?, admin.parse()?)))
}

/// Waits until every source has its plugin: a plugin may still be compiled when the port is open.
fn wait_until_ready(admin: SocketAddr) -> anyhow::Result<()> {
    let until = Instant::now() + READY_MAX;
    while Instant::now() < until {
        if ask(admin, "/readyz")?.0 == 200 {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    bail!("the gateway was not ready after {} s", READY_MAX.as_secs())
}

/// What the files in a folder take on disk, in bytes.
pub(crate) fn disk(folder: &FilePath) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        let metadata = file?.metadata()?;
        if metadata.is_file() {
            bytes += metadata.blocks() * 512;
        }
    }
    Ok(bytes)
}
