//! `hookgate check`: everything that a start would find wrong, and what would run.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::config::{Config, Verify};
use crate::egress;
use crate::gateway::{Admission, misfits};
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{About, Folder, Host, NEXT, Plugin, Registry, Reloaded};
use crate::secrets;

pub(super) async fn check(path: &Path) -> anyhow::Result<()> {
    let config = Config::load_and_try(path)?;
    say!("the file {} is valid", path.display())?;
    for warning in &config.warnings {
        say!("WARNING {warning}")?;
    }
    let host = super::offline_host()?;
    host.set_rules(&config.plugin_rules);
    let registry = Registry::default();
    let mut wrong = load(&host, &registry, &config).await?;

    say!("\nsources")?;
    for (name, source) in &config.sources {
        wrong += usize::from(!describe_source(name, source, &registry, &config)?);
    }
    say!("\nendpoints")?;
    for (name, endpoint) in &config.endpoints {
        let settings = &endpoint.settings;
        let patterns: Vec<_> = settings.events.iter().map(ToString::to_string).collect();
        let events = if patterns.is_empty() {
            "only deliveries from handlers".to_owned()
        } else {
            patterns.join(", ")
        };
        say!("  {name}: {events} to {}", egress::shown(&settings.url))?;
    }
    say!("\nhandlers")?;
    for plugin in registry.list().iter() {
        describe_handler(plugin, &config)?;
    }
    for name in config.handlers.keys() {
        let state = match registry.get(name) {
            Some(plugin) if plugin.handler().is_some() => continue,
            Some(_) => "NOT A HANDLER",
            None => not_loaded(&config, name),
        };
        say!("  {name}: {state}")?;
        if registry.get(name).is_none() {
            say!("    events wait for it if it has run before, and else pass it by")?;
        }
        wrong += 1;
    }
    if wrong > 0 {
        bail!("problems found: {wrong}");
    }
    say!("\neverything can run")?;
    Ok(())
}

/// Prints a source, and says whether its provider is loaded.
fn describe_source(
    name: &Name,
    source: &Source,
    registry: &Registry,
    config: &Config,
) -> anyhow::Result<bool> {
    let plugin = registry.get(&source.plugin);
    let is_loaded = plugin.as_ref().is_some_and(|plugin| plugin.provider().is_some());
    let state = match plugin {
        Some(_) if is_loaded => "loaded",
        Some(_) => "NOT A PROVIDER",
        None => not_loaded(config, &source.plugin),
    };
    let proof = match source.verify {
        Verify::Evidence if source.keys_from.is_empty() => {
            format!("secrets: {}", source.secrets.len())
        }
        Verify::Evidence => {
            let hosts = source.keys_from.join(", ");
            format!("secrets: {}, keys from {hosts}", source.secrets.len())
        }
        Verify::None => "NOT VERIFIED".to_owned(),
    };
    let plugin = source.plugin.as_str();
    let plugin = if is_loaded { plugin } else { secrets::shown(plugin) };
    say!("  POST /in/{name}: provider {plugin} ({state}), {proof}")?;
    Ok(is_loaded)
}

/// Why no plugin of this name is loaded. What is wrong with a file that is there stands above.
fn not_loaded(config: &Config, plugin: &Name) -> &'static str {
    let is_there = config.plugins.join(format!("{plugin}.wasm")).exists();
    if is_there { "NOT LOADED" } else { "NOT LOADED, the plugins folder has no such file" }
}

/// Loads the plugins, prints each, and counts what is wrong.
async fn load(host: &Host, registry: &Registry, config: &Config) -> anyhow::Result<usize> {
    say!("\nplugins in {}", config.plugins.display())?;
    let mut wrong = 0;
    let mut admission = Admission::default();
    let mut folder = Folder::new(config.plugins.clone());
    folder.trust(&config.trusted_keys);
    let scanned = folder
        .rescan(host)
        .with_context(|| format!("failed to read the folder {}", config.plugins.display()))?;
    for (name, change) in scanned {
        match change {
            Reloaded::Loaded(plugin) if name.ends_with(NEXT) => {
                let fits =
                    describe_canary(host, &mut admission, config, (name.as_str(), &plugin)).await?;
                wrong += usize::from(!fits);
            }
            Reloaded::Loaded(plugin) => {
                registry.insert(&plugin);
                let refusals = admission.refusals(host, config, &plugin).await;
                let mut found: Vec<_> = refusals.into_values().collect();
                let about = About::of_path(&config.plugins.join(format!("{name}.wasm")));
                if plugin.provider().is_some() {
                    found.extend(misfits(host, config, &plugin, &about).await);
                }
                if found.is_empty() {
                    let signed = plugin.signed_by().map(|key| format!(", signed by {}", key.id()));
                    let signed = signed.unwrap_or_default();
                    say!("  {name}: {} bytes, {}{signed}", plugin.size(), plugin.digest())?;
                }
                for reason in &found {
                    say!("  {name}: WRONG: {reason}")?;
                }
                wrong += found.len();
            }
            Reloaded::Kept(error) => {
                say!("  {name}: WRONG: {error}")?;
                wrong += 1;
            }
            Reloaded::Unchanged | Reloaded::Removed => (),
        }
    }
    Ok(wrong)
}

/// Prints the next version of a handler, and says whether it can be a canary.
async fn describe_canary(
    host: &Host,
    admission: &mut Admission,
    config: &Config,
    (stem, plugin): (&str, &Arc<Plugin>),
) -> anyhow::Result<bool> {
    let admitted = admission.admit_next(host, config, stem, plugin).await;
    if let Err(reason) = &admitted {
        say!("  {stem}: WRONG: {reason}")?;
        return Ok(false);
    }
    let rules = config.plugin_rules.get(plugin.name());
    let canary = rules.and_then(|rules| rules.canary.as_ref());
    let gets = canary
        .map_or("no events, because `canary` is missing".to_owned(), |canary| canary.to_string());
    let (name, bytes, digest) = (plugin.name(), plugin.size(), plugin.digest());
    say!("  {stem}: canary of {name}, gets {gets}: {bytes} bytes, {digest}")?;
    Ok(true)
}

fn describe_handler(plugin: &Plugin, config: &Config) -> anyhow::Result<()> {
    let Some(info) = plugin.handler() else { return Ok(()) };
    let types: Vec<_> = info.types.iter().map(ToString::to_string).collect();
    let granted = config
        .handlers
        .get(plugin.name())
        .map(|grants| {
            grants.grant.endpoints.iter().map(Name::to_string).collect::<Vec<_>>().join(", ")
        })
        .filter(|names| !names.is_empty());
    let may = granted.map_or("has no grants".to_owned(), |names| format!("may send to {names}"));
    say!("  {}: runs on {}, {may}", plugin.name(), types.join(", "))
}
