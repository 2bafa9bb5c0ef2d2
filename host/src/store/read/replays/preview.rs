//! What a replay by filter would come to: how many works match, to which endpoints, and the first
//! of them.
//!
//! Counts for a bounded time, so a number may be the least that it can be. Never opens a work.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::ids::{Id, Name};
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::file::death_rows::hash;
use crate::store::kind::WorkKind;
use crate::store::owed::works::{Stored, work_id};
use crate::store::read::filter::ReplayFilter;
use crate::store::read::snapshot::{Bounds, FoundWork, Snapshot};

/// A preview counts for about this time.
const PREVIEW_TIME: Duration = Duration::from_secs(2);
/// Works of one look.
const LOOK_WORKS: usize = 4096;
const SAMPLES_MAX: usize = 10;
const ENDPOINTS_MAX: usize = 100;

/// What a replay would come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Preview {
    /// How many works match.
    pub matches: u64,
    /// Whether there may be more: the gateway stopped counting.
    pub at_least: bool,
    /// How many deliveries there are among them to each endpoint, the most first: at most 100
    /// endpoints.
    pub by_endpoint: Vec<EndpointMatches>,
    /// The oldest of them, at most 10.
    pub samples: Vec<Sample>,
}

/// Deliveries to an endpoint that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointMatches {
    /// The endpoint.
    pub endpoint: Name,
    /// How many there are.
    pub matches: u64,
}

/// A work that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// `rcp_`, `run_` or `dlv_`
    pub id: Id,
    /// What would be done again.
    pub kind: WorkKind,
    /// The source, handler or endpoint.
    pub name: Name,
    /// The event that it is about; a parse has none.
    pub event: Option<Id>,
}

impl Store {
    /// What a replay by this filter would come to now.
    pub async fn preview_replay(&self, filter: ReplayFilter) -> Result<Preview, Error> {
        self.aside(move |shared| Ok(shared.snapshot()?.preview(&filter, PREVIEW_TIME)?)).await
    }

    /// How many works a replay by this filter is for, if they can be counted in this time.
    pub async fn count_for_replay(
        &self,
        filter: ReplayFilter,
        time: Duration,
    ) -> Result<Option<u64>, Error> {
        self.aside(move |shared| {
            let mut count = 0;
            let is_all = shared.snapshot()?.each_work(&filter, time, |_| {
                count += 1;
                Ok(())
            })?;
            Ok(is_all.then_some(count))
        })
        .await
    }
}

/// Deliveries to one endpoint, and the first of them.
struct Counted {
    count: u64,
    first: FoundWork,
}

impl Snapshot<'_> {
    /// Does this with each work that a replay is for, oldest first, for a time; whether those were
    /// all.
    fn each_work(
        &self,
        filter: &ReplayFilter,
        time: Duration,
        mut with: impl FnMut(FoundWork) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let started = Instant::now();
        let mut from = 0;
        loop {
            let time = time.saturating_sub(started.elapsed());
            let bounds = Bounds { most: LOOK_WORKS, time };
            let found = self.works_for(filter, from..u64::MAX, bounds)?;
            found.works.into_iter().try_for_each(&mut with)?;
            match found.next {
                None => return Ok(true),
                Some(_) if time.is_zero() => return Ok(false),
                Some(next) => from = next,
            }
        }
    }

    fn preview(&self, filter: &ReplayFilter, time: Duration) -> Result<Preview, Failure> {
        let mut preview = Preview::default();
        let mut endpoints = HashMap::<u64, Counted>::new();
        let is_all = self.each_work(filter, time, |work| {
            preview.matches += 1;
            if preview.samples.len() < SAMPLES_MAX {
                preview.samples.extend(self.sample(&work)?);
            }
            if work.kind == WorkKind::Delivery
                && let Some(endpoint) = self.endpoint_of(&work)?
            {
                let counted = endpoints.entry(endpoint);
                counted.or_insert(Counted { count: 0, first: work }).count += 1;
            }
            Ok(())
        })?;
        preview.at_least = !is_all;
        let mut endpoints: Vec<Counted> = endpoints.into_values().collect();
        endpoints.sort_by_key(|it| (std::cmp::Reverse(it.count), it.first.position));
        for Counted { count, first } in endpoints.into_iter().take(ENDPOINTS_MAX) {
            let endpoint = match first.group {
                None => self.read_about(&first)?.map(|(name, _)| name),
                group => group,
            };
            let counted = |endpoint| EndpointMatches { endpoint, matches: count };
            preview.by_endpoint.extend(endpoint.map(counted));
        }
        Ok(preview)
    }

    /// What stands for the endpoint of a delivery: of a dead one its row says it.
    fn endpoint_of(&self, work: &FoundWork) -> Result<Option<u64>, Failure> {
        if let Some(name) = &work.group {
            return Ok(Some(hash(name.as_str())));
        }
        match self.letter_name(work.position)? {
            None => Ok(self.read_about(work)?.map(|(name, _)| hash(name.as_str()))),
            name => Ok(name),
        }
    }

    fn sample(&self, work: &FoundWork) -> Result<Option<Sample>, Failure> {
        let Some((name, stored)) = self.read_about(work)? else { return Ok(None) };
        let owner = stored.id();
        let event = match &stored {
            Stored::Receipt(_) => None,
            Stored::Event(event) => Some(event.id),
            Stored::Parcel(parcel) => Some(parcel.event),
        };
        let id = work_id(work.kind, work.position, owner.tag);
        Ok(Some(Sample { id, kind: work.kind, name, event }))
    }
}
