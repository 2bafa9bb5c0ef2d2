//! `hookgate plugin test`: a plugin against what was recorded, as the gateway would run it.
//!
//! Never needs a gateway, and reaches nothing outside of the files that it is given.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::cases::{self, Otherwise};
use super::{load_with_about, name_of};
use crate::cli::offline_host;
use crate::cli::vectors::{self, Printed};
use crate::config::plugin_memory;
use crate::plugin::PluginRules;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Command {
    /// A .wasm file
    file: PathBuf,
    /// Files of requests that a provider must accept or refuse
    #[arg(required_unless_present = "cases")]
    vectors: Vec<PathBuf>,
    /// The plugin's settings as a JSON object, for requests and cases without settings; if left
    /// out, requests get the example settings in the plugin's file
    #[arg(long, value_parser = object)]
    settings: Option<Map<String, Value>>,
    /// A folder of a handler's cases: files *.toml, each with an event and what must come out
    #[arg(long, value_name = "FOLDER")]
    cases: Option<PathBuf>,
    /// The memory of one instance as the configuration says it for this plugin, such as 64MiB; if
    /// left out, 32MiB
    #[arg(long, value_name = "SIZE", value_parser = plugin_memory)]
    memory: Option<usize>,
    /// Rewrite what a case expects, if something else comes out: review the difference
    #[arg(long, requires = "cases")]
    update: bool,
    /// Print a line of JSON for each request and case
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command { file, vectors, settings, cases, memory, update, json } = command;
    let printed = if json { Printed::Json } else { Printed::All };
    let host = offline_host()?;
    let rules = PluginRules { memory, ..PluginRules::default() };
    host.set_rules(&Arc::new([(name_of(&file)?, rules)].into()));
    let (plugin, about) = load_with_about(&host, &file)?;
    let of_cases = settings.clone().unwrap_or_default();
    let brought = settings.is_none() && !vectors.is_empty() && !about.example.is_empty();
    let settings = settings.unwrap_or(about.example);
    if brought && !json {
        say!("with the example settings {}", Value::Object(settings.clone()))?;
    }
    let mut ended = Ok(0);
    if !vectors.is_empty() {
        ended = vectors::run(&host, &plugin, &vectors, &settings, printed).await;
    }
    if let Some(folder) = cases {
        let otherwise = if update { Otherwise::Rewrite } else { Otherwise::Fail };
        let tested = cases::run(&host, &plugin, &folder, &of_cases, otherwise, printed).await;
        ended = ended.and(tested);
    }
    ended.map(drop)
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("the settings are not a JSON object: {error}"))
}
