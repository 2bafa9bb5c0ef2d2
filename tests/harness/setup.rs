//! How a gateway under test is set up, in words.

use std::fmt::Write as _;
use std::path::PathBuf;

use hookgate::clock::Clock;
use hookgate::event::Timestamp;
use hookgate::keys::Keys;
use hookgate::plugin::Compiler;

use super::{Harness, Receiver, Stopped, plugin_file, program};

/// The time at which every test begins.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What the source `stripe` is signed with.
pub(crate) const STRIPE_SECRET: &str = "whsec_test_stripe";

/// What deliveries are signed with.
pub(crate) const ENDPOINT_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The one body of every refusal.
pub(crate) const NOT_VERIFIED: &str = r#"{"error":"not verified"}"#;

/// What is posted to the source `guest` with.
pub(crate) const GUEST_TOKEN: &str = "token_of_the_guest";

/// A configuration in the making.
pub(crate) struct Setup {
    config: String,
    /// Names, and files.
    plugins: Vec<(String, Vec<u8>)>,
    clock: Clock,
    /// What stands in for the public keys that are fetched.
    keys: Option<Keys>,
    /// Who compiles, if not a thread, and with no code from other tests.
    compiler: Option<Compiler>,
}

impl Setup {
    /// Both ports, a folder for data and one for plugins, and loopback allowed for deliveries.
    pub(crate) fn new() -> Self {
        let config = r#"
listen  = "127.0.0.1:0"
admin   = "127.0.0.1:0"
data    = "data"
plugins = "plugins"
egress  = { allow = ["127.0.0.0/8"] }
"#;
        Self {
            config: config.to_owned(),
            plugins: Vec::new(),
            clock: Clock::manual(NOW),
            keys: None,
            compiler: None,
        }
    }

    /// With the source `stripe`, its plugin and [`STRIPE_SECRET`].
    pub(crate) fn stripe() -> Self {
        let secrets = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
        Self::new().plugin("stripe").source("stripe", "stripe", &secrets)
    }

    /// With the source `guest`, its plugin, which is a handler too, and [`GUEST_TOKEN`].
    pub(crate) fn guest() -> Self {
        let secrets = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]");
        Self::new().plugin("guest").source("guest", "guest", &secrets)
    }

    pub(crate) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn keys(mut self, recorded: Keys) -> Self {
        self.keys = Some(recorded);
        self
    }

    /// With plugins compiled by the program in a process of its own, as a gateway does.
    pub(crate) fn compiled_apart(self) -> Self {
        self.compiled_by(program())
    }

    /// With another program in its place.
    pub(crate) fn compiled_by(mut self, program: PathBuf) -> Self {
        self.compiler = Some(Compiler::Child(program));
        self
    }

    /// With a plugin in the folder from the start.
    pub(crate) fn plugin(self, name: &str) -> Self {
        self.plugin_as(name, name)
    }

    /// With a plugin under another name.
    pub(crate) fn plugin_as(self, name: &str, built: &str) -> Self {
        let wasm = std::fs::read(plugin_file(built)).expect("it can be read");
        self.plugin_of(name, wasm)
    }

    /// With a plugin of these bytes.
    pub(crate) fn plugin_of(mut self, name: &str, wasm: Vec<u8>) -> Self {
        self.plugins.push((name.to_owned(), wasm));
        self
    }

    /// With a source; `rest` are more lines of its table.
    pub(crate) fn source(self, name: &str, plugin: &str, rest: &str) -> Self {
        self.table(&format!("[sources.{name}]\nplugin = \"{plugin}\"\n{rest}"))
    }

    /// With an endpoint that gets CloudEvents.
    pub(crate) fn endpoint(self, name: &str, receiver: &Receiver, events: &[&str]) -> Self {
        self.endpoint_with(name, receiver, events, "body = \"cloudevents\"")
    }

    /// With an endpoint; `rest` are more lines of its table.
    pub(crate) fn endpoint_with(
        self,
        name: &str,
        receiver: &Receiver,
        events: &[&str],
        rest: &str,
    ) -> Self {
        let url = receiver.url();
        self.table(&format!(
            "[endpoints.{name}]\nurl = \"{url}\"\nevents = {events:?}\n\
             secrets = [{{ value = \"{ENDPOINT_SECRET}\" }}]\n{rest}"
        ))
    }

    /// With a handler's plugin and its grants; `rest` are the lines of its table.
    pub(crate) fn handler(self, name: &str, rest: &str) -> Self {
        self.plugin(name).table(&format!("[handlers.{name}]\n{rest}"))
    }

    /// With a line before all tables.
    pub(crate) fn line(mut self, text: &str) -> Self {
        self.config.insert_str(0, &format!("{text}\n"));
        self
    }

    /// With any other lines.
    pub(crate) fn table(mut self, text: &str) -> Self {
        writeln!(self.config, "\n{text}").expect("a string can be written");
        self
    }

    /// Without these lines.
    #[track_caller]
    pub(crate) fn without(mut self, text: &str) -> Self {
        assert!(self.config.contains(text), "there is no `{text}`");
        self.config = self.config.replace(text, "");
        self
    }

    /// Writes the folder and starts nothing.
    pub(crate) fn prepare(self) -> Stopped {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins).expect("it is empty");
        for (name, wasm) in &self.plugins {
            let to = plugins.join(format!("{name}.wasm"));
            std::fs::write(to, wasm).expect("it can be written");
        }
        std::fs::write(folder.path().join("hookgate.toml"), patient(&self.config))
            .expect("it can be written");
        Stopped { folder, clock: self.clock, keys: self.keys, compiler: self.compiler }
    }

    pub(crate) async fn start(self) -> Harness {
        self.prepare().start().await
    }
}

/// With deadlines that hold on a machine that has other things to do, where a test sets none.
fn patient(config: &str) -> String {
    let deadlines = ["claims_deadline", "parse_deadline", "handle_deadline"];
    let unset = deadlines.into_iter().filter(|key| !config.contains(key));
    let unset: String = unset.map(|key| format!("{key} = \"10s\"\n")).collect();
    if config.contains("[limits]\n") {
        return config.replacen("[limits]\n", &format!("[limits]\n{unset}"), 1);
    }
    format!("{config}\n[limits]\n{unset}")
}
