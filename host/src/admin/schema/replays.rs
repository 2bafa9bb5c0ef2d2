//! The schemas of replays: what each is for, and what it came to.
//!
//! Never says what a replay opens again: those are works, which stand with what is stored.

use serde_json::Value;

use super::object::Members;
use super::{Described, Schemas};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::{Id, Name};
use crate::route::Pattern;
use crate::store::{
    EndpointMatches, EventFilter, Preview, Replay, ReplayFilter, Replayed, Sample, State, WorkKind,
};
use crate::tenant::Tenant;

object! {
    /// What a replay came to, in works.
    Replayed {
        /// Works that were done or dead and are done again.
        reopened: usize,
        /// Works that waited for another try and are tried now.
        hastened: usize,
        /// Works that are as they were.
        unchanged: usize,
        /// What could not be read, if there is any.
        [maybe] damaged: usize,
    }
}

impl Described for EventFilter {
    fn name() -> Option<String> {
        Some("EventFilter".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add::<Name>(schemas, "source", "", "maybe");
        members.add::<Pattern>(schemas, "type", "", "maybe");
        members.add::<String>(schemas, "subject", "", "maybe");
        members.add::<State>(schemas, "state", "", "maybe");
        members.add::<Timestamp>(schemas, "after", "", "maybe");
        members.add::<Timestamp>(schemas, "before", "", "maybe");
        members.add::<Tenant>(schemas, "tenant", "", "maybe");
        members.into_schema("The conditions that events have to meet.")
    }
}

impl Described for ReplayFilter {
    fn name() -> Option<String> {
        Some("ReplayFilter".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add::<EventFilter>(schemas, "events", "", "flat");
        members.add::<Name>(schemas, "endpoint", "As deliveries name it.", "maybe");
        members.add::<Reason>(schemas, "reason", "", "maybe");
        members.add::<WorkKind>(schemas, "kind", "", "maybe");
        members.into_schema("The conditions that works and their events have to meet.")
    }
}

object! {
    /// Deliveries to an endpoint that match.
    EndpointMatches {
        endpoint: Name,
        matches: u64,
    }
}

object! {
    /// A work that matches.
    Sample {
        id: Id,
        kind: WorkKind,
        /// The source, handler or endpoint.
        name: Name,
        /// The event that it is about; a parse has none.
        event: Option<Id>,
    }
}

object! {
    /// What a replay would come to.
    Preview {
        /// How many works match.
        matches: u64,
        /// Whether there may be more: the gateway counts for about 2 s.
        at_least: bool,
        /// How many deliveries there are among them to each endpoint, the most first: at most 100
        /// endpoints.
        by_endpoint: Vec<EndpointMatches>,
        /// The oldest of them, at most 10.
        samples: Vec<Sample>,
    }
}

impl Described for Replay {
    fn name() -> Option<String> {
        Some("Replay".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add::<Id>(schemas, "id", "", "");
        members.add::<ReplayFilter>(schemas, "filter", "The works that it is for.", "");
        members.add::<Timestamp>(schemas, "requested_at", "", "");
        members.add::<Replayed>(schemas, "replayed", "", "flat");
        let said =
            "How many works matched when it began; null if the gateway has not counted them.";
        members.add::<Option<u64>>(schemas, "total", said, "");
        let said = "Works a second, at most; null has no limit of its own.";
        members.add::<Option<u32>>(schemas, "rate", said, "");
        let said = "When it came to its end, or an operator ended it; null while it goes on.";
        members.add::<Option<Timestamp>>(schemas, "finished_at", said, "");
        let said = "Whether an operator ended it before its end.";
        members.add::<bool>(schemas, "canceled", said, "");
        let said = "Whether an operator has it stand still until it is resumed.";
        members.add::<bool>(schemas, "paused", said, "");
        let said = "Whether it stands still for now: too much work is open, or the disk has too \
                    little room.";
        members.add::<bool>(schemas, "waits", said, "");
        members.into_schema("A replay by filter.")
    }
}
