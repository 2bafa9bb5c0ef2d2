//! What plugins use of what they may, as they are read: of those that run, since each was loaded.
//!
//! Nothing is counted here, and nothing stays of a plugin that is gone. Never knows what a plugin
//! is.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::Metrics;
use crate::plugin::{CallUsage, Most, Usage};

/// What one plugin used.
#[derive(Debug, Clone)]
pub(crate) struct PluginUse {
    /// Its name, as operators see it.
    pub(crate) plugin: String,
    pub(crate) usage: Usage,
    /// What its handler remembers, in bytes; none if it is not a handler.
    pub(crate) state: Option<Most>,
}

/// What there is of plugins in [`Metrics`]. Clones show the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Plugins(Arc<ArcSwap<Vec<PluginUse>>>);

/// The labels of one series behind that of the plugin, and their values.
type Labels = Vec<(&'static str, &'static str)>;

impl Plugins {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let plugins = Self::default();
        registry.register_collector(Box::new(plugins.clone()));
        plugins
    }
}

impl Metrics {
    /// What the plugins used that run now; set before [`Metrics::render`].
    pub(crate) fn set_plugins(&self, plugins: Vec<PluginUse>) {
        self.plugins.0.store(Arc::new(plugins));
    }
}

impl PluginUse {
    /// The calls of each kind that it has.
    fn calls(&self) -> impl Iterator<Item = (&'static str, CallUsage)> {
        let Usage { claims, parses, runs, .. } = self.usage;
        let kinds = [("claim", claims), ("parse", parses), ("handle", runs)];
        kinds.into_iter().filter_map(|(kind, calls)| Some((kind, calls?)))
    }

    /// How many calls, by their kind and by whether their instance was called before.
    fn counts(&self) -> Vec<(Labels, u64)> {
        let counts = self.calls().flat_map(|(kind, calls)| {
            let labels = |instance| vec![("call", kind), ("instance", instance)];
            [(labels("fresh"), calls.fresh), (labels("reused"), calls.reused)]
        });
        counts.collect()
    }

    fn seconds(&self) -> Vec<(Labels, f64)> {
        let seconds =
            |(kind, calls): (_, CallUsage)| (vec![("call", kind)], calls.time.as_secs_f64());
        self.calls().map(seconds).collect()
    }

    /// The most that one call or instance used of each limit, of 1.
    fn parts(&self) -> Vec<(Labels, f64)> {
        let Usage { claims, parses, runs, memory, log_lines, effects, .. } = self.usage;
        let time =
            |calls: CallUsage| part(calls.longest.as_secs_f64(), calls.deadline.as_secs_f64());
        let most = |most: Most| part(most.used as f64, most.limit as f64);
        let parts = [
            ("memory", Some(most(memory))),
            ("claims", claims.map(time)),
            ("parse", parses.map(time)),
            ("handle", runs.map(time)),
            ("log_lines", Some(most(log_lines))),
            ("effects", effects.map(most)),
            ("state_bytes", self.state.map(most)),
        ];
        let shown = |(limit, part): (_, Option<f64>)| Some((vec![("limit", limit)], part?));
        parts.into_iter().filter_map(shown).collect()
    }
}

/// Of a limit of nothing, nothing is used.
fn part(used: f64, limit: f64) -> f64 {
    if limit > 0.0 { used / limit } else { 0.0 }
}

impl Collector for Plugins {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let plugins = self.0.load();
        let none = Labels::new;
        let help = "Calls of each plugin since it was loaded, by kind and by whether its instance \
                    had been called before.";
        let counts = plugins.iter().map(|it| (it, it.counts()));
        family(&mut encoder, ("plugin_calls", None, help), counts, ConstCounter::new)?;

        let help = "Time of the calls of each plugin since it was loaded, by kind.";
        let seconds = plugins.iter().map(|it| (it, it.seconds()));
        family(&mut encoder, ("plugin", Some(&Unit::Seconds), help), seconds, ConstCounter::new)?;

        let help = "Memory of the largest instance of each plugin since it was loaded.";
        let memory = plugins.iter().map(|it| (it, vec![(none(), it.usage.memory.used)]));
        family(&mut encoder, ("plugin_memory", Some(&Unit::Bytes), help), memory, ConstGauge::new)?;

        let help = "Log lines that the gateway did not keep, by plugin since it was loaded.";
        let dropped = plugins.iter().map(|it| (it, vec![(none(), it.usage.dropped_log_lines)]));
        let name = ("plugin_dropped_log_lines", None, help);
        family(&mut encoder, name, dropped, ConstCounter::new)?;

        let help = "The most that one call of each plugin used of a limit since it was loaded, as \
                    a part of what it may use now.";
        let parts = plugins.iter().map(|it| (it, it.parts()));
        family(&mut encoder, ("plugin_limit_used_ratio", None, help), parts, ConstGauge::new)
    }
}

/// Writes one metric of all plugins, unless there are none.
fn family<'p, N, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, unit, help): (&str, Option<&Unit>, &str),
    plugins: impl Iterator<Item = (&'p PluginUse, Vec<(Labels, N)>)>,
    metric: impl Fn(N) -> M,
) -> fmt::Result {
    let series = plugins.flat_map(|(it, series)| {
        let plugin = ("plugin", it.plugin.as_str());
        series.into_iter().map(move |(labels, value)| ([&[plugin][..], &labels].concat(), value))
    });
    let mut series = series.map(|(labels, value)| (labels, metric(value))).peekable();
    let Some((_, first)) = series.peek() else { return Ok(()) };
    let kind = first.metric_type();
    let mut encoder = encoder.encode_descriptor(name, help, unit, kind)?;
    series.try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(&labels)?))
}
