//! What happens in the demo, step by step, and whether it happened as told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use super::super::http::{self, Answer};
use super::endpoint::Subscriber;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::Request;
use crate::gateway::Gateway;
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{Host, Plugin};
use crate::sample;

const FAILED: &str =
    include_str!("../../../../plugins/stripe/samples/payment_intent.payment_failed.json");
const BATCH: &str = include_str!("../../../../plugins/adyen/samples/batch.json");
const INVOICE: &str =
    include_str!("../../../../plugins/standard-webhooks/samples/invoice.finalized.json");

/// Tells what happens and remembers what went otherwise.
pub(super) struct Story<'a> {
    config: Config,
    host: Host,
    /// Each source's plugin, to sign with.
    providers: BTreeMap<Name, Arc<Plugin>>,
    gateway: &'a Gateway,
    subscriber: &'a Subscriber,
    wrong: usize,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        config: &Path,
        gateway: &'a Gateway,
        subscriber: &'a Subscriber,
    ) -> anyhow::Result<Self> {
        let host = super::super::offline_host()?;
        let config = Config::load(config)?;
        let load =
            |source: &Source| super::super::plugin::load(&host, &config.plugins, &source.plugin);
        let providers = config
            .sources
            .iter()
            .map(|(name, source)| Ok((name.clone(), load(source)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { config, host, providers, gateway, subscriber, wrong: 0 })
    }

    /// How many things went otherwise than told.
    pub(super) fn wrong(&self) -> usize {
        self.wrong
    }

    pub(super) async fn tell(&mut self) -> anyhow::Result<()> {
        self.genuine().await?;
        self.refused().await?;
        self.gateway.store().idle().await;
        self.stored().await?;
        self.worked().await?;
        self.delivered()?;
        self.dead().await
    }

    async fn genuine(&mut self) -> anyhow::Result<()> {
        say!("\n1. Stripe reports the same payment as failed, three times")?;
        for number in 1..=3 {
            let answer = self.post("stripe", failure(number)?.into()).await?;
            self.expect(&answer, 200, answer.body.contains("rcp_"))?;
        }
        say!("\n2. Adyen sends a batch, with a signature inside for every item")?;
        let answer = self.post("adyen", BATCH.into()).await?;
        self.expect(&answer, 200, answer.body == "[accepted]")?;

        say!("\n3. A partner sends an invoice by Standard Webhooks")?;
        let answer = self.post("partner", INVOICE.into()).await?;
        self.expect(&answer, 200, !answer.duplicate)
    }

    async fn refused(&mut self) -> anyhow::Result<()> {
        say!("\n4. Stripe repeats the first: the gateway answers as before and stores nothing")?;
        let answer = self.post("stripe", failure(1)?.into()).await?;
        self.expect(&answer, 200, answer.duplicate)?;

        say!("\n5. Somebody changes the amount and keeps the signature: the gateway rejects that")?;
        let mut forged = self.signed("stripe", failure(4)?.into()).await?;
        let text = String::from_utf8(forged.body.to_vec())?;
        forged.body = text.replace("\"amount\":", "\"amount\":9").into();
        let answer = self.send(&forged).await?;
        self.expect(&answer, 401, !answer.body.contains("rcp_"))?;

        say!("\n6. A genuine request that is not JSON: the gateway keeps it as a dead letter")?;
        let answer = self.post("stripe", Bytes::from_static(b"payment=failed")).await?;
        self.expect(&answer, 200, answer.body.contains("rcp_"))
    }

    async fn stored(&mut self) -> anyhow::Result<()> {
        let page = self.ask("/v1/events?limit=100").await?;
        let events = page["items"].as_array().cloned().unwrap_or_default();
        say!("\nEvents in the store")?;
        for event in events.iter().rev() {
            say!(
                "   {}  {:<8} {:<31} {:<5} {}",
                text(event, "id"),
                text(event, "source"),
                text(event, "type"),
                text(event, "state"),
                text(event, "subject"),
            )?;
        }
        let from = |source: &str| events.iter().filter(|it| text(it, "source") == source).count();
        self.check(
            "three events of Stripe: the repeated one once, and not the forged one",
            from("stripe") == 3,
        )?;
        self.check("both items of Adyen's batch", from("adyen") == 2)?;
        let all_done = events.iter().all(|event| text(event, "state") == "done");
        self.check("every stored event is done", all_done)
    }

    async fn worked(&mut self) -> anyhow::Result<()> {
        say!("\nRuns of the handler")?;
        let page = self.ask("/v1/events?type=payment.failed").await?;
        let mut alerts = 0;
        for event in page["items"].as_array().into_iter().flatten().rev() {
            let event = self.ask(&format!("/v1/events/{}", text(event, "id"))).await?;
            for run in event["runs"].as_array().into_iter().flatten() {
                let tries = run["tries"].as_array();
                let last = tries.and_then(|tries| tries.last()).unwrap_or(&Value::Null);
                say!("   {}  {} on payment.failed", text(run, "id"), text(run, "handler"))?;
                for alert in last["alerts"].as_array().into_iter().flatten() {
                    say!("      alert ({}): {}", text(alert, "severity"), text(alert, "message"))?;
                    alerts += 1;
                }
            }
        }
        self.check("dunning raised one alert, after the third failure", alerts == 1)
    }

    fn delivered(&mut self) -> anyhow::Result<()> {
        say!("\nDeliveries to `crm`, which verifies each signature")?;
        let received = self.subscriber.received();
        for delivery in &received {
            say!(
                "   {:<31} {:<28} {}",
                delivery.text("type"),
                delivery.text("subject"),
                if delivery.genuine { "genuine" } else { "NOT GENUINE" }
            )?;
        }
        let of_type = |name: &str| received.iter().filter(|it| it.text("type") == name).count();
        let failed = of_type("payment.failed");
        let notices = of_type("customer.payment_failed_notice");
        self.check("four failed payments, and a notice for each", failed == 4 && notices == 4)?;
        self.check("the alert", of_type("hookgate.alert") == 1)?;
        self.check("the invoice", of_type("invoice.finalized") == 1)?;
        self.check("every signature is genuine", received.iter().all(|delivery| delivery.genuine))
    }

    async fn dead(&mut self) -> anyhow::Result<()> {
        say!("\nDead letters, which wait for another version of their plugin or a replay")?;
        let page = self.ask("/v1/dead").await?;
        let dead = page["items"].as_array().cloned().unwrap_or_default();
        for letter in &dead {
            say!("   {}  {}", text(letter, "id"), text(letter, "detail"))?;
        }
        self.check("the request that is not JSON, and no other", dead.len() == 1)
    }

    fn expect(&mut self, answer: &Answer, status: u16, as_told: bool) -> anyhow::Result<()> {
        let duplicate = if answer.duplicate { ", hookgate-duplicate: true" } else { "" };
        say!("   answered {}{duplicate}: {}", answer.status, answer.body.trim_end())?;
        if answer.status == status && as_told { Ok(()) } else { self.check("the answer", false) }
    }

    fn check(&mut self, what: &str, as_told: bool) -> anyhow::Result<()> {
        if as_told {
            say!("   ok: {what}")
        } else {
            self.wrong += 1;
            say!("   NOT AS EXPECTED: {what}")
        }
    }

    async fn post(&self, source: &str, body: Bytes) -> anyhow::Result<Answer> {
        let request = self.signed(source, body).await?;
        self.send(&request).await
    }

    async fn signed(&self, source: &str, body: Bytes) -> anyhow::Result<Request> {
        let configured = self.config.sources.get(source).context("the demo has no such source")?;
        let plugin =
            self.providers.get(source).context("the demo has no plugin for this source")?;
        let now = Clock::System.now();
        let request = Arc::new(http::json_request(&format!("/in/{source}"), body, now));
        let settings = &configured.settings;
        let secrets = &configured.secrets;
        Ok(sample::sign(&self.host, plugin, settings, secrets, &request, now).await?)
    }

    async fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        let url = format!("http://{}{}", self.gateway.public_addr(), request.url);
        http::post(&Url::parse(&url)?, None, request).await
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.gateway.admin_addr());
        http::json(&http::get(&Url::parse(&url)?).await?)
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("-")
}

/// The sample of a failed payment, as the provider's event number so-and-so.
fn failure(number: u32) -> anyhow::Result<String> {
    let mut event: Value = serde_json::from_str(FAILED)?;
    event["id"] = json!(format!("evt_demo{number}"));
    Ok(event.to_string())
}
