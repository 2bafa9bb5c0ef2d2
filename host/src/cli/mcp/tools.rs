//! The tools that an assistant finds: their names, what each is for, and the shape of its
//! arguments.
//!
//! A table. What a tool asks the gateway stands in `calls`. Never asks anything.

use std::sync::Arc;

use rmcp::handler::server::tool::schema_for_input;
use rmcp::model::{JsonObject, ToolAnnotations};

use super::arguments::{
    DeadLetters, Delivery, Endpoints, Events, Failures, Preview, Replay, Show, ShowEndpoint, Start,
    Status,
};

/// What a call of a tool does to the work of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing.
    Reads,
    /// Has work done again, or ends a replay: nothing that was there is lost.
    Changes,
    /// Ends work.
    Ends,
}

/// One tool.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    title: &'static str,
    about: &'static str,
    kind: Kind,
    shape: fn() -> Result<Arc<JsonObject>, String>,
}

impl Tool {
    /// Whether a call changes something.
    pub(super) fn writes(&self) -> bool {
        self.kind != Kind::Reads
    }

    /// As a client gets it.
    pub(super) fn shown(&self) -> Result<rmcp::model::Tool, String> {
        let hints = ToolAnnotations::new()
            .read_only(!self.writes())
            .destructive(self.kind == Kind::Ends)
            .open_world(false);
        let tool = rmcp::model::Tool::new(self.name, self.about, (self.shape)()?);
        Ok(tool.with_title(self.title).with_annotations(hints))
    }
}

/// All tools, in the order in which a person would use them.
pub(super) static ALL: [Tool; 12] = [
    Tool {
        name: "get_status",
        title: "Status of the gateway",
        about: "Shows the gateway at a glance: version, how many requests, events and deliveries \
                come and go, what waits, and in `attention` what somebody should look at. For a \
                token without a tenant.",
        kind: Kind::Reads,
        shape: schema_for_input::<Status>,
    },
    Tool {
        name: "explain_failures",
        title: "Why work fails",
        about: "Explains what fails now: dead letters by reason, each with its number, what the \
                reason means, what to do, the newest letter with its last try, and how its \
                endpoint fares; and deliveries that failed and will be tried again.",
        kind: Kind::Reads,
        shape: schema_for_input::<Failures>,
    },
    Tool {
        name: "search_events",
        title: "Search events",
        about: "Lists events, newest first, by source, type, subject, tenant, state and time. \
                `next` of the answer is the `cursor` of the next page.",
        kind: Kind::Reads,
        shape: schema_for_input::<Events>,
    },
    Tool {
        name: "show_event",
        title: "The story of an event",
        about: "Shows all that happened to an event: its receipt, runs, deliveries and each \
                attempt. Also shows one receipt, run, delivery or replay by its id. The payload \
                comes only with `with_data`: it may be personal.",
        kind: Kind::Reads,
        shape: schema_for_input::<Show>,
    },
    Tool {
        name: "list_dead_letters",
        title: "Dead letters",
        about: "Lists work that the gateway does not retry by itself, newest first, with the \
                reason and the words of the last try. `next` is the `cursor` of the next page.",
        kind: Kind::Reads,
        shape: schema_for_input::<DeadLetters>,
    },
    Tool {
        name: "list_endpoints",
        title: "Endpoints",
        about: "Lists the endpoints with their state, breaker and settings, without secrets. \
                `next` is the `cursor` of the next page.",
        kind: Kind::Reads,
        shape: schema_for_input::<Endpoints>,
    },
    Tool {
        name: "show_endpoint",
        title: "One endpoint",
        about: "Shows an endpoint: its settings, state and breaker, and how its attempts of late \
                went. Without secrets.",
        kind: Kind::Reads,
        shape: schema_for_input::<ShowEndpoint>,
    },
    Tool {
        name: "preview_replay",
        title: "Preview a replay",
        about: "Counts the work that a replay with this filter would do again, by endpoint and \
                with samples. Does nothing. Needs the scope `replay`.",
        kind: Kind::Reads,
        shape: schema_for_input::<Preview>,
    },
    Tool {
        name: "start_replay",
        title: "Begin a replay",
        about: "Has the gateway do all work again that the filter matches: runs, and deliveries \
                to endpoints outside. Refused if more than `at_most` works match; preview_replay \
                counts them. show_event with the id of the answer shows how far it is. Needs the \
                scope `replay`.",
        kind: Kind::Changes,
        shape: schema_for_input::<Start>,
    },
    Tool {
        name: "cancel_replay",
        title: "Cancel a replay",
        about: "Ends a replay where it is. Work that it reopened stays open. Needs the scope \
                `replay`.",
        kind: Kind::Changes,
        shape: schema_for_input::<Replay>,
    },
    Tool {
        name: "retry_delivery",
        title: "Retry a delivery",
        about: "Has the gateway try one delivery again now, also one that is done or dead. It \
                keeps its webhook-id. Needs the scope `replay`.",
        kind: Kind::Changes,
        shape: schema_for_input::<Delivery>,
    },
    Tool {
        name: "discard_delivery",
        title: "Discard a delivery",
        about: "Ends one delivery that waits for a try, as a dead letter with the reason \
                `discarded`. Needs the scope `write`.",
        kind: Kind::Ends,
        shape: schema_for_input::<Delivery>,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards what a client relies on: a misspelt argument is refused, and each is explained.
    #[test]
    fn every_tool_says_what_its_arguments_are_and_takes_no_others() {
        for tool in &ALL {
            let shape = (tool.shape)().unwrap();
            assert_eq!(shape["additionalProperties"], false, "{}", tool.name);
            for (name, argument) in shape["properties"].as_object().unwrap() {
                let about = argument["description"].as_str();
                assert!(about.is_some(), "{}: `{name}` is explained", tool.name);
            }
            assert!(tool.about.ends_with('.'), "{}", tool.name);
        }
    }
}
