//! `hookgate store export`: all that a store has, one JSON document a line.
//!
//! Opens the store as a start does, and works on nothing. Shows what the admin port shows: never a
//! secret of the configuration, nor a credential that came in with a request.

use std::path::Path;

use anyhow::bail;
use serde::Serialize;

use super::super::progress::{Progress, Unit};
use crate::admin::credentials;
use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::open_store;
use crate::ids::{Id, IdKind};
use crate::secrets::Redaction;
use crate::store::{self, Damaged, DamagedItem, Error, EventView, ReceiptView, Store};

/// Receipts and events that are looked up at a time.
const PART: usize = 1000;

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Receipt(Box<ReceiptView>),
    Event(Box<EventView>),
    /// What can't be read.
    Damaged(DamagedItem),
}

pub(super) async fn export(config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    // To open what is not there would make it.
    if !store::file_in(&config.data).exists() {
        bail!("the folder {} has no store", config.data.display());
    }
    let redaction = Redaction::default();
    redaction.learn(&config.secrets);
    let store = open_store(&config, Clock::System).await?;
    let written = write(&store, &redaction).await;
    let closed = store.close().await;
    written?;
    Ok(closed?)
}

async fn write(store: &Store, redaction: &Redaction) -> anyhow::Result<()> {
    let (mut next, mut done) = (Some(0), 0);
    let mut progress = Progress::new("wrote", Unit::Of("receipts and events"));
    while let Some(position) = next {
        let part = store.stored_from(position, PART).await?;
        done += part.ids.len() as u64;
        progress.tell(done, None);
        for id in part.ids {
            if let Some(line) = read(store, id).await? {
                print(&line, redaction)?;
            }
        }
        for damaged in part.damaged {
            print(&Line::Damaged(damaged), redaction)?;
        }
        next = part.next;
    }
    Ok(())
}

/// Reads a receipt or an event as the admin API shows it; `None` if the store has no such id.
async fn read(store: &Store, id: Id) -> anyhow::Result<Option<Line>> {
    let found = match id.kind {
        IdKind::Receipt => store.receipt(id).await.map(|view| {
            let shown = view.map(credentials);
            shown.map(|view| Line::Receipt(Box::new(view)))
        }),
        IdKind::Event | IdKind::Run | IdKind::Delivery => {
            store.event(id).await.map(|view| view.map(|view| Line::Event(Box::new(view))))
        }
        // They are not stored in the log.
        IdKind::Replay | IdKind::Endpoint => return Ok(None),
    };
    match found {
        Err(Error::Damaged(Damaged { position })) => {
            Ok(Some(Line::Damaged(DamagedItem { id: Some(id), position })))
        }
        found => Ok(found?),
    }
}

fn print(line: &Line, redaction: &Redaction) -> anyhow::Result<()> {
    let shown = redaction.of_json(&serde_json::to_string(line)?);
    // An event's data is shown as it came, and JSON may go over lines between its values.
    say!("{}", shown.replace(['\n', '\r'], " "))
}
