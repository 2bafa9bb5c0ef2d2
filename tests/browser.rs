//! The dashboard in a real browser: what a person does with it from the first token on, and what
//! each page looks like.
//!
//! `tests/browser/setup` installs Chromium and axe-core. Where it can't, the test says so and
//! passes, except in CI. Never asks the API for what a person would see on a page.

mod driver;
mod looks;

use self::driver::{Browser, ENTER, TAB};
use crate::harness::{Crawl, Harness, Person, Receiver, SECOND_ATTEMPT, Setup, payment, text};

const MASTER: &str = "5f1c2d4e5f60718293a4b5c6d7e8f90ab3a1c2d4e5f60718293a4b5c6d7e8f90";

/// A subject that would open a dialogue, which no test closes, if it were a part of a page.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}";

/// A gateway with something on each page: a handler, an endpoint that fails, a file that is no
/// plugin, a request that was refused.
async fn gateway(ledger: &Receiver) -> Harness {
    let prepared = Setup::stripe()
        .line("master_key = { file = \"master\" }")
        .handler("dunning", "endpoints = [\"ledger\"]")
        .endpoint("ledger", ledger, &["payment.*", "customer.*"])
        .prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    let gateway = prepared.start().await;
    gateway.drop_plugin("broken", b"no plugin");
    gateway.reload().await;
    for number in 1..=3 {
        let id = format!("evt_before_{number}");
        gateway.stripe(&payment(&id, "pi_before", "payment_failed")).await.accepted();
    }
    gateway.stripe(&payment("evt_hostile", HOSTILE, "payment_failed")).await.accepted();
    gateway.stripe_with("whsec_of_another", &payment("evt_forged", "pi_1", "succeeded")).await;
    gateway.settle().await;
    gateway
}

/// A person in front of the browser, at a gateway.
struct Visit<'v> {
    browser: &'v Browser,
    gateway: &'v Harness,
}

impl Visit<'_> {
    async fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.gateway.admin())).await;
    }

    /// Makes the first token, which is shown once, and signs in with it by keys alone.
    async fn signs_in(&self) -> String {
        let Self { browser, .. } = self;
        self.open("/settings/tokens/new").await;
        browser.click("input[value=\"admin\"]").await;
        browser.send("/settings/tokens/new", &[("name", "ops")]).await;
        let token = browser.value("#secret").await;
        assert!(token.starts_with("hgt_"), "{token}");

        self.open("/audit").await;
        browser.says("Sign in").await;
        browser.write("#token", &token).await;
        browser.enter().await;
        assert_eq!(browser.path().await, "/audit", "it leads to where somebody wanted to be");
        assert_eq!(browser.text(".who").await, "token ops");
        self.skips_to_the_content().await;
        token
    }

    /// The first key leads past the rail.
    async fn skips_to_the_content(&self) {
        self.open("/").await;
        self.browser.press(TAB).await;
        self.browser.press(ENTER).await;
        let focused = "document.activeElement.id === 'content'";
        self.browser.until(focused).await;
    }

    /// Adds an endpoint, which gets a ping at once, and gives its path and its secret, which is not
    /// shown again.
    async fn adds_an_endpoint(&self, receiver: &Receiver) -> (String, String) {
        let Self { browser, .. } = self;
        self.open("/endpoints").await;
        browser.follow("a[href=\"/endpoints/new\"]").await;
        let ping = "input[name=\"ping\"]:not(:checked)";
        if browser.has(ping).await {
            browser.click(ping).await;
        }
        let fields = [("name", "crm"), ("url", receiver.url()), ("events", "*")];
        browser.send("/endpoints/new", &fields).await;
        receiver.arrived(1).await;
        let (path, secret) = (browser.path().await, browser.value("#secret").await);
        assert!(path.starts_with("/endpoints/ep_") && secret.starts_with("whsec_"), "{path}");
        assert!(browser.has("[data-copy=\"secret\"]:not([hidden])").await, "it can be copied");
        self.open(&path).await;
        assert!(!browser.has("#secret").await, "it is shown once");
        (path, secret)
    }

    /// Has the gateway send a sample to itself, as the provider would, and opens its event.
    async fn sends_a_sample(&self) -> String {
        let Self { browser, .. } = self;
        self.open("/sources/stripe").await;
        let sample = [("sample", "payment_intent.payment_failed")];
        browser.send("/sources/stripe/sample", &sample).await;
        self.gateway.settle().await;
        self.open("/events?source=stripe").await;
        // The list is live, and may be another one between a look and a click.
        let event = browser.link("#events a[href^=\"/events/evt_\"]").await;
        self.open(&event).await;
        event
    }

    /// Sees a new event come into the list, which nobody has loaded again.
    async fn watches(&self) {
        self.open("/events").await;
        self.browser.until("!document.querySelector('[data-live-state]').hidden").await;
        let event = payment("evt_live", "pi_live", "succeeded");
        self.gateway.stripe(&event).await.accepted();
        self.browser.until("document.querySelector('main').textContent.includes('pi_live')").await;
        self.gateway.settle().await;
    }

    /// Has deliveries fail, and sees why.
    async fn sees_why_it_fails(&self, receiver: &Receiver, reader: &Person<'_>) -> String {
        let Self { browser, gateway } = self;
        receiver.hang_up();
        let event = self.sends_a_sample().await;
        browser.says("Delivery to crm").await;
        browser.says("Pending").await;
        let told = reader.open(&format!("/v1{event}")).await;
        let told: serde_json::Value = serde_json::from_str(&told.html).unwrap();
        let deliveries = told["deliveries"].as_array().unwrap();
        let to_crm = deliveries.iter().find(|it| it["endpoint"]["name"] == "crm").unwrap();
        // What the API has between back quotes looks like code in the page.
        browser.says(&text(&to_crm["attempts"][0]["detail"]).replace('`', "")).await;

        receiver.answer(410);
        gateway.advance(SECOND_ATTEMPT).await;
        self.open(&event).await;
        browser.says("Dead").await;
        browser.says("Answered 410").await;
        event
    }

    /// Enables the endpoint, which answers again, and replays what failed.
    async fn mends_and_replays(&self, receiver: &Receiver, endpoint: &str, event: &str) {
        let Self { browser, gateway } = self;
        self.open(endpoint).await;
        browser.says("Disabled").await;
        receiver.answer(204);
        browser.send(&format!("{endpoint}/enable"), &[]).await;
        let before = receiver.received().len();
        self.open(event).await;
        let replay = format!("{event}/replay");
        assert_eq!(browser.link(&format!("a[href=\"{replay}\"]")).await, replay);
        self.open(&replay).await;
        browser.send(&replay, &[]).await;
        receiver.arrived(before + 1).await;
        gateway.settle().await;
        self.open(event).await;
        browser.says("Answered 204").await;
    }

    /// Makes a new secret, which signs what comes next.
    async fn rotates(&self, receiver: &Receiver, endpoint: &str, old: &str) {
        let Self { browser, gateway } = self;
        self.open(endpoint).await;
        let rotate = format!("{endpoint}/rotate");
        browser.follow(&format!("a[href=\"{rotate}\"]")).await;
        browser.send(&rotate, &[]).await;
        let new = browser.value("#secret").await;
        assert!(new.starts_with("whsec_") && new != old, "it is another one");
        let before = receiver.received().len();
        gateway.stripe(&payment("evt_after", "pi_after", "succeeded")).await.accepted();
        let came = receiver.arrived(before + 1).await;
        assert!(came[before].is_signed_with(&new));
        gateway.settle().await;

        browser.follow("nav a[href=\"/audit\"]").await;
        browser.says(&format!("POST /v1{rotate}")).await;
        browser.says("token ops").await;
    }
}

/// Guards what no page can be read for: that the content policy lets a page do what it should, that
/// a browser sends sessions and forms as the gateway expects them, and that what is live is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_an_event_through_and_each_page_can_be_used() {
    let Some(axe) = looks::checker() else { return };
    let (receiver, ledger) = (Receiver::start().await, Receiver::answering(500).await);
    let (gateway, browser) = (gateway(&ledger).await, Browser::start().await);
    browser.show_in(looks::WIDE).await;
    let visit = Visit { browser: &browser, gateway: &gateway };

    let token = visit.signs_in().await;
    let reader = gateway.signed_in(&token).await;
    let (endpoint, secret) = visit.adds_an_endpoint(&receiver).await;
    let delivered = visit.sends_a_sample().await;
    browser.says("Delivery to crm").await;
    browser.says("Answered 204").await;
    visit.watches().await;
    let failed = visit.sees_why_it_fails(&receiver, &reader).await;
    visit.mends_and_replays(&receiver, &endpoint, &failed).await;
    visit.rotates(&receiver, &endpoint, &secret).await;
    let errors = browser.errors().await;
    assert!(errors.is_empty(), "{errors:#?}");

    let Crawl { pages, .. } = reader.crawl(&["/", &failed, &delivered]).await;
    let pages: Vec<_> = pages.iter().map(|(name, (path, _))| (&**name, &**path)).collect();
    let wrong = look_at_all(&visit, &axe, &pages).await;
    assert!(wrong.is_empty(), "see {}:\n{}", looks::shots().display(), wrong.join("\n"));
    works_without_scripts(&visit, &endpoint, &pages).await;
}

/// Looks at all pages, by their names and paths, and at the one of those who are not signed in.
async fn look_at_all(visit: &Visit<'_>, axe: &str, pages: &[(&str, &str)]) -> Vec<String> {
    // What an earlier run has left there.
    drop(std::fs::remove_dir_all(looks::shots()));
    let mut wrong = Vec::new();
    for (name, path) in pages {
        let url = format!("{}{path}", visit.gateway.admin());
        wrong.extend(looks::look((visit.browser, axe), (name, &url)).await);
    }
    // The browser has a session under the one name of this machine, and none under the other.
    let stranger = visit.gateway.admin().replace("127.0.0.1", "localhost");
    let url = format!("{stranger}/sign-in");
    wrong.extend(looks::look((visit.browser, axe), ("sign-in", &url)).await);
    wrong
}

/// Without JavaScript each page is there, and a form does what it says.
async fn works_without_scripts(visit: &Visit<'_>, endpoint: &str, pages: &[(&str, &str)]) {
    let Visit { browser, .. } = visit;
    browser.switch_scripts(false).await;
    for (_, path) in pages {
        visit.open(path).await;
        assert!(browser.has("main h1").await, "{path}");
    }
    visit.open(endpoint).await;
    browser.send(&format!("{endpoint}/pause"), &[]).await;
    browser.says("Paused").await;
    browser.switch_scripts(true).await;
}
