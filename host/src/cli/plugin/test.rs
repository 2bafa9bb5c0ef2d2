//! `hookgate plugin test`: a plugin against what was recorded, as the gateway would run it.
//!
//! Never needs a gateway, and reaches nothing outside of the files that it is given.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::load_with_about;
use crate::cli::{offline_host, vectors};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Command {
    /// A .wasm file
    file: PathBuf,
    /// Files of recorded requests
    #[arg(required = true)]
    vectors: Vec<PathBuf>,
    /// The plugin's settings as a JSON object, for recorded requests without settings; if left out,
    /// the example settings in the plugin's file
    #[arg(long, value_parser = object)]
    settings: Option<Map<String, Value>>,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command { file, vectors, settings } = command;
    let host = offline_host()?;
    let (plugin, about) = load_with_about(&host, &file)?;
    let brought = settings.is_none() && !about.example.is_empty();
    let settings = settings.unwrap_or(about.example);
    if brought {
        say!("with the example settings {}", Value::Object(settings.clone()))?;
    }
    vectors::run(&host, &plugin, &vectors, &settings).await
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("the settings are not a JSON object: {error}"))
}
