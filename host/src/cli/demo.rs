//! `hookgate demo`: the whole path on this machine, told as it happens.
//!
//! A real gateway in a temporary folder, real plugins, real signatures, a real endpoint. Everything
//! that it tells is checked; if anything goes otherwise than told, it exits with 1.

mod endpoint;
mod story;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::gateway::Gateway;

use endpoint::Subscriber;
use story::Story;

/// Where the plugins are.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The folder with the built plugins
    #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
    plugins: PathBuf,
}

/// The plugins that the story needs.
const PLUGINS: [&str; 4] = ["stripe", "adyen", "standard-webhooks", "dunning"];

/// The configuration of the demo; `{...}` is filled in.
const CONFIG: &str = r#"listen  = "127.0.0.1:0"
admin   = "127.0.0.1:0"
data    = "data"
plugins = "plugins"

[sources.stripe]
plugin  = "stripe"
secrets = [{ value = "whsec_demo_stripe" }]

[sources.adyen]
plugin  = "adyen"
secrets = [{ value = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056" }]

[sources.partner]
plugin  = "standard-webhooks"
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]

[endpoints.crm]
url     = "{endpoint}"
events  = ["payment.*", "invoice.*", "customer.payment_failed_notice", "hookgate.alert"]
secrets = [{ value = "{secret}" }]
body    = "cloudevents"

[handlers.dunning]
endpoints = ["crm"]
config    = { alert_after = 3 }

[egress]
allow = ["127.0.0.0/8"]
"#;

pub(super) async fn demo(args: &Demo) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("failed to create a temporary folder")?;
    copy_plugins(&args.plugins, &folder.path().join("plugins"))?;
    let subscriber = Subscriber::start().await?;
    let config = folder.path().join("hookgate.toml");
    let text =
        CONFIG.replace("{endpoint}", &subscriber.url()).replace("{secret}", endpoint::SECRET);
    std::fs::write(&config, text).context("failed to write the configuration")?;

    let gateway = Gateway::start(&config, super::serve::seams()?).await?;
    // The plugins are compiled for the first time, and the story begins when all are.
    gateway.reloads().reload().await.context("the gateway stopped by itself")?;
    say!("Hookgate {}, in {}", env!("CARGO_PKG_VERSION"), folder.path().display())?;
    say!("  payment gateways post to  http://{}/in/{{source}}", gateway.public_addr())?;
    say!("  operators query           http://{}/v1/events", gateway.admin_addr())?;
    say!("  the endpoint `crm` is     {}", subscriber.url())?;

    let mut story = Story::new(&config, &gateway, &subscriber)?;
    story.tell().await?;
    let wrong = story.wrong();

    if wrong == 0 && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        say!("\nThe gateway runs until you press Ctrl-C. Try in another terminal:")?;
        let admin = format!("--gateway http://{}", gateway.admin_addr());
        say!("  target/release/hookgate event list {admin}")?;
        say!("  target/release/hookgate event replay --type 'payment.*' {admin}")?;
        let public = format!("--to http://{}", gateway.public_addr());
        let sample = "plugins/stripe/samples/payment_intent.payment_failed.json";
        say!(
            "  target/release/hookgate send stripe {sample} --config {} {public}",
            config.display()
        )?;
        gateway.run_until(super::serve::stop_signal()?).await?;
    } else {
        gateway.run_until(std::future::ready(())).await?;
    }
    subscriber.stop().await;
    if wrong > 0 {
        bail!("results that are not as expected: {wrong}");
    }
    Ok(())
}

fn copy_plugins(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(to).context("failed to create the plugins folder")?;
    for name in PLUGINS {
        let file = format!("{name}.wasm");
        std::fs::copy(from.join(&file), to.join(&file)).with_context(|| {
            format!("failed to copy {} (`make build` builds it)", from.join(&file).display())
        })?;
    }
    Ok(())
}
