//! A real browser, by what a person does with it: opens a page, reads, writes, clicks, presses.
//!
//! Speaks WebDriver to `chromedriver`, a child of the test with which the browser ends. Waits for
//! what the browser says and never by the clock. Never knows a page.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The member of WebDriver's answers that names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Longer than the browser takes for anything that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// With the pipe the browser ends when its driver does, however that ends. As root there is no
/// sandbox, and it sees only pages of the gateway.
const ARGUMENTS: [&str; 7] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// Keys, as WebDriver writes them.
pub(super) const TAB: &str = "\u{e004}";
pub(super) const ENTER: &str = "\u{e007}";

/// How wide a window is, in pixels, and which scheme its owner prefers.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) width: u32,
    pub(super) scheme: &'static str,
}

/// A browser with one window.
pub(super) struct Browser {
    client: reqwest::Client,
    /// Where the driver has the session.
    session: String,
    _said: Lines<BufReader<ChildStdout>>,
    _driver: Child,
}

impl Browser {
    pub(super) async fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.kill_on_drop(true).spawn().expect("chromedriver starts");
        let mut said = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = tokio::time::timeout(PATIENCE, port(&mut said)).await;
        let port = port.expect("chromedriver says its port");
        let client = hookgate::egress::operator_client().expect("there are CA certificates");
        let sessions = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { client, session: sessions.clone(), _said: said, _driver: driver };
        let options = json!({ "args": ARGUMENTS });
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 30_000, "pageLoad": 30_000 },
        });
        let begun = browser.post("", json!({ "capabilities": { "alwaysMatch": wanted } })).await;
        let id = begun["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("{sessions}/{id}");
        browser
    }

    /// Opens an address, and waits until its page is loaded.
    pub(super) async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    /// The address of the page, without scheme, host and query.
    pub(super) async fn path(&self) -> String {
        self.run("return location.pathname", json!([])).await.as_str().unwrap_or_default().into()
    }

    /// What a person sees of a part of the page.
    pub(super) async fn text(&self, css: &str) -> String {
        let part = self.element(css).await;
        let text = self.get(&format!("/element/{part}/text")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Checks that a person sees this on the page, beside what is on all pages.
    pub(super) async fn says(&self, said: &str) {
        let text = self.text("main").await;
        assert!(text.contains(said), "no `{said}` on {}:\n{text}", self.path().await);
    }

    /// What stands in a field.
    pub(super) async fn value(&self, css: &str) -> String {
        let field = self.element(css).await;
        let value = self.get(&format!("/element/{field}/property/value")).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Where a link leads.
    pub(super) async fn link(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0]).getAttribute('href')";
        self.run(script, json!([css])).await.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on what leads to no other page.
    pub(super) async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Clicks on what leads to another page, and waits for that page.
    pub(super) async fn follow(&self, css: &str) {
        self.leaves().await;
        self.click(css).await;
        self.arrives().await;
    }

    /// Writes into a field in place of what stands there.
    pub(super) async fn write(&self, css: &str, text: &str) {
        let field = self.element(css).await;
        self.post(&format!("/element/{field}/clear"), json!({})).await;
        self.post(&format!("/element/{field}/value"), json!({ "text": text })).await;
    }

    /// Presses the key that sends a form or follows a link, and waits for the page behind it.
    pub(super) async fn enter(&self) {
        self.leaves().await;
        self.press(ENTER).await;
        self.arrives().await;
    }

    /// Marks the page, so that [`Self::arrives`] knows that it is another one.
    async fn leaves(&self) {
        self.run("window.isLeft = true", json!([])).await;
    }

    /// Waits for another page than the one that was marked. On a busy machine the driver answers a
    /// click before the browser has begun to leave, and tells nobody when it has: so it is asked
    /// again.
    async fn arrives(&self) {
        let asked_again = async {
            while !self.has_arrived().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked_again).await.expect("another page is shown");
    }

    /// Whether another page than the one that was marked is whole. While it comes, the driver
    /// answers that the script was cut off.
    async fn has_arrived(&self) -> bool {
        let script = "return !window.isLeft && document.readyState === 'complete'";
        let post = self.client.post(format!("{}/execute/sync", self.session));
        let asked = post.json(&json!({ "script": script, "args": [] })).send().await;
        let answer = asked.expect("the driver answers").json::<Value>().await;
        answer.expect("the driver answers in JSON")["value"] == true
    }

    /// Presses a key where the focus is.
    pub(super) async fn press(&self, key: &str) {
        let strokes = ["keyDown", "keyUp"].map(|it| json!({ "type": it, "value": key }));
        let keys = json!([{ "type": "key", "id": "keys", "actions": strokes }]);
        self.post("/actions", json!({ "actions": keys })).await;
    }

    /// Sends the form that goes to a path, with these fields written into it.
    pub(super) async fn send(&self, action: &str, fields: &[(&str, &str)]) {
        let form = format!("form[action=\"{action}\"]");
        for (name, value) in fields {
            self.write(&format!("{form} [name=\"{name}\"]"), value).await;
        }
        self.follow(&format!("{form} button[type=\"submit\"]")).await;
    }

    /// Runs the body of a function, and gives what it returns.
    pub(super) async fn run(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// Runs the body of a function that is given what to call in the end, as its last argument, and
    /// gives what that is called with.
    pub(super) async fn wait_for(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/async", json!({ "script": script, "args": arguments })).await
    }

    /// Waits until the page has changed by itself to one of which this is so.
    pub(super) async fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const look = () => ({condition}) && (done(true), true);
             if (!look()) {{
               const parts = {{ childList: true, attributes: true, characterData: true }};
               const all = {{ subtree: true, ...parts }};
               new MutationObserver((_, it) => look() && it.disconnect()).observe(document, all);
             }}"
        );
        self.wait_for(&script, json!([])).await;
    }

    /// Shows pages as in such a window from now on.
    pub(super) async fn show_in(&self, View { width, scheme }: View) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tool("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tool("Emulation.setEmulatedMedia", json!({ "features": scheme })).await;
    }

    /// Runs no script of a page from the next one on, or does again.
    pub(super) async fn switch_scripts(&self, are_on: bool) {
        let off = json!({ "value": !are_on });
        self.tool("Emulation.setScriptExecutionDisabled", off).await;
    }

    /// A picture of the whole page, as PNG.
    pub(super) async fn picture(&self) -> Vec<u8> {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.tool("Page.captureScreenshot", whole).await;
        let data = taken["data"].as_str().expect("a picture is text in base64");
        BASE64.decode(data).expect("it is base64")
    }

    /// What the browser has written down as wrong since it was last asked: a page that its policy
    /// blocks a part of, a script that fails, a file that is not there.
    pub(super) async fn errors(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().into_iter().flatten();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Whether the page has such an element.
    pub(super) async fn has(&self, css: &str) -> bool {
        let found = json!({ "using": "css selector", "value": css });
        let found = self.post("/elements", found).await;
        found.as_array().is_some_and(|found| !found.is_empty())
    }

    /// The first element that a selector finds.
    async fn element(&self, css: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": css });
        let found = self.post("/element", wanted).await;
        found[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    /// A command of the tools for developers.
    async fn tool(&self, command: &str, parameters: Value) -> Value {
        let command = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", command).await
    }

    async fn get(&self, path: &str) -> Value {
        self.answer(path, self.client.get(format!("{}{path}", self.session))).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let post = self.client.post(format!("{}{path}", self.session)).json(&body);
        self.answer(path, post).await
    }

    async fn answer(&self, path: &str, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.expect("the driver answers");
        let status = answer.status();
        let mut answer: Value = answer.json().await.expect("the driver answers in JSON");
        let value = answer["value"].take();
        assert!(status.is_success(), "{path}: {}: {}", value["error"], value["message"]);
        value
    }
}

/// The port that the driver has chosen.
async fn port(said: &mut Lines<BufReader<ChildStdout>>) -> u16 {
    while let Some(line) = said.next_line().await.expect("it is text") {
        let port = line.split("started successfully on port ").nth(1);
        let port = port.and_then(|port| port.trim_end_matches('.').parse().ok());
        if let Some(port) = port {
            return port;
        }
    }
    panic!("chromedriver ends at once");
}
