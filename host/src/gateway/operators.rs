//! What answering operators needs, out of the parts of the gateway.
//!
//! Wiring only. Never answers anything.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::live::Live;
use super::rehearsing::Desk;
use super::{ADMIN_CONNECTIONS, Parts, posting, showing};
use crate::admin::{
    Admin, Ask, Auditor, Fares, KnownSources, Rates, Turns, UnderWay, Unread, Usages, WaitRow,
    Waits,
};
use crate::dispatch::Waiting;
use crate::ids::Name;
use crate::ingest::Ingest;
use crate::plugin::{NEXT, Plugin};

impl Parts {
    /// What answering operators needs.
    pub(super) fn operators(
        &self,
        (live, desk, ingest): (&Live, Desk, Arc<Ingest>),
        reload: mpsc::Sender<Ask>,
        writes: TaskTracker,
        cancel: &CancellationToken,
    ) -> Admin {
        let sources = Arc::clone(&self.sources);
        let delivery = Arc::clone(&self.delivery);
        let (host, running) = (self.host.clone(), Arc::clone(&self.registry));
        let used = move || {
            let of = |stem: String, plugin: &Plugin| (stem, host.usage(plugin));
            let live = running.list().into_iter().map(|it| of(it.name().to_string(), &it));
            let next = running.list_next().into_iter();
            live.chain(next.map(|it| of(format!("{}{NEXT}", it.name()), &it))).collect()
        };
        let dispatch = Arc::clone(&self.dispatch);
        Admin {
            store: self.store.clone(),
            directory: self.directory.clone(),
            fares: Fares(Arc::new(move |key: &Name| delivery.health(key).unwrap_or_default())),
            egress: self.delivery.egress().clone(),
            disk: self.disk.clone(),
            metrics: self.metrics.clone(),
            plugins: live.plugins(),
            waits: Waits(Arc::new(move || dispatch.waiting().into_iter().map(wait_row).collect())),
            canaries: super::canaries::desk(self, live, reload.clone()),
            rehearsals: Arc::new(desk),
            registry: Arc::clone(&self.registry),
            usages: Usages(Arc::new(used)),
            // As they are whenever somebody asks.
            sources: KnownSources(Arc::new(move |name: &Name| sources.load().contains_key(name))),
            source_rows: showing::sources(
                self.sources.clone(),
                self.registry.clone(),
                live.config(),
            ),
            samples: posting::samples(ingest, live.config()),
            requests: showing::requests(self.delivery.clone()),
            refused: self.refused.clone(),
            reload,
            ready: live.ready(),
            redaction: self.redaction.clone(),
            access: self.access.clone(),
            auditor: self.auditor(),
            writes,
            hosts: self.admin_hosts.clone(),
            rates: Rates::default(),
            under_way: UnderWay::default(),
            traffic: self.traffic.clone(),
            settings: showing::settings(live.config()),
            turns: Turns::new(ADMIN_CONNECTIONS, cancel.clone()),
            unread: Arc::new(Unread::new(cancel.clone())),
        }
    }

    pub(super) fn auditor(&self) -> Auditor {
        Auditor { store: self.store.clone(), redaction: self.redaction.clone() }
    }
}

fn wait_row(waiting: Waiting) -> WaitRow {
    let Waiting { kind, name, plugin, works } = waiting;
    WaitRow { kind, name, plugin, works }
}
