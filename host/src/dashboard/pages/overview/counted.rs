//! What the API has counted for the overview, as `/v1/overview` gives it.
//!
//! Tiles and charts are both made of it. Never a figure that a page does not show.

use std::time::Duration;

use serde::Deserialize;

use crate::dashboard::chart;
use crate::dashboard::markup::{Markup, Mood};
use crate::event::Timestamp;

/// `/v1/overview`.
#[derive(Deserialize)]
pub(super) struct Overview {
    pub(super) version: String,
    pub(super) now: Timestamp,
    /// From when on the gateway counted.
    pub(super) since: Timestamp,
    pub(super) span: String,
    pub(super) step_s: u64,
    pub(super) total: Figures,
    pub(super) points: Vec<Point>,
    pub(super) waiting: u64,
    pub(super) waiting_for_s: Option<u64>,
    pub(super) dead: u64,
    pub(super) disk: Option<Disk>,
    pub(super) not_ready: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Disk {
    pub(super) free_bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) figures: Figures,
    pub(super) waiting: u64,
    pub(super) dead: u64,
}

#[derive(Deserialize)]
pub(super) struct Figures {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) refused: u64,
    pub(super) put_off: u64,
    pub(super) failed: u64,
    pub(super) parsed: u64,
    pub(super) parse_failures: u64,
    pub(super) ran: u64,
    pub(super) run_failures: u64,
    pub(super) delivered: u64,
    pub(super) attempt_failures: u64,
    pub(super) answer_us: Times,
    pub(super) delivery_us: Times,
}

#[derive(Deserialize)]
pub(super) struct Times {
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
}

impl Overview {
    /// For how long its points count.
    pub(super) fn counted_for(&self) -> Duration {
        let seconds = self.step_s.saturating_mul(self.points.len() as u64);
        Duration::from_secs(seconds).min(self.now.since(self.since))
    }

    /// A small chart of one figure of each point.
    pub(super) fn spark(&self, value: fn(&Point) -> u64, mood: Mood) -> Markup {
        let values: Vec<f64> = self.points.iter().map(|point| value(point) as f64).collect();
        chart::spark(&values, mood)
    }
}
