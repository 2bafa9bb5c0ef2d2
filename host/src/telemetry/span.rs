//! What is told of a step that has ended, as whoever did it tells it.
//!
//! Values. Never knows how they are exported.

use std::borrow::Cow;
use std::time::Duration;

use super::room::Held;
use crate::ids::{Id, Name};
use crate::trace_context::{SpanId, TraceContext};

/// One step on the path of an event, which becomes a span if it is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// As others refer to it.
    pub(crate) context: TraceContext,
    /// The span that it is below.
    pub(super) parent: Option<SpanId>,
    /// Whether another process has that.
    pub(super) is_remote: bool,
    /// A span of another trace that it belongs to.
    pub(super) link: Option<TraceContext>,
}

/// Which side of something a step is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanKind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(Cow<'static, str>),
    Number(i64),
}

/// What a step was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    /// The source, handler or endpoint that has it done, if that is known.
    pub(crate) owner: Option<Name>,
    /// By the conventions of OpenTelemetry, or beginning with `hookgate.`.
    pub(crate) attributes: Vec<(&'static str, Value)>,
    /// The receipt that brought the same before, if that was a duplicate.
    pub(crate) duplicate_of: Option<Id>,
}

/// A step that has ended.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) step: Step,
    /// In nanoseconds since 1970.
    pub(super) ended: u64,
    pub(super) took: Duration,
    pub(super) is_failed: bool,
    pub(super) description: Description,
    /// Its room among those that wait.
    pub(super) _held: Held,
}

impl Step {
    pub(super) fn root(context: TraceContext, parent: Option<TraceContext>) -> Self {
        let is_remote = parent.is_some();
        Self { context, parent: parent.map(|parent| parent.span), is_remote, link: None }
    }

    /// Below this span, in its trace.
    pub(super) fn below(of: TraceContext, known_by: [u64; 4]) -> Self {
        let (context, parent) = (of.child(known_by), Some(of.span));
        Self { context, parent, is_remote: false, link: None }
    }

    /// The first of a trace that is linked to this span.
    pub(super) fn linked(to: TraceContext, known_by: [u64; 4]) -> Self {
        let context = to.next_trace(known_by);
        Self { context, parent: None, is_remote: false, link: Some(to) }
    }

    /// The first of the trace of an event that this step makes, by its number.
    pub(crate) fn makes(&self, number: u64) -> Self {
        Self::linked(self.context, [u64::MAX, number, 0, 0])
    }

    /// The same in a trace of its own, linked to what another process has above it, if that has
    /// anything there.
    pub(super) fn apart(self) -> Self {
        let Some(parent) = self.parent.filter(|_| self.is_remote) else { return self };
        let own = u64::from_be_bytes(self.context.span.bytes());
        Self::linked(TraceContext { span: parent, ..self.context }, [u64::MAX, 0, own, 0])
    }
}

impl Description {
    pub(crate) fn new(kind: SpanKind, name: impl Into<Cow<'static, str>>) -> Self {
        let (name, attributes) = (name.into(), Vec::new());
        Self { name, kind, owner: None, attributes, duplicate_of: None }
    }

    /// The same, done for this source, handler or endpoint.
    pub(crate) fn done_for(self, owner: &Name) -> Self {
        Self { owner: Some(owner.clone()), ..self }
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((key, value.into()));
        self
    }

    /// The same with an attribute that there may be.
    pub(crate) fn with_some(self, key: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The memory of a span that says this, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let text = |(_, value): &(&'static str, Value)| match value {
            Value::Text(text) => text.len(),
            Value::Number(_) => 0,
        };
        let texts: usize = self.attributes.iter().map(text).sum();
        let attributes = self.attributes.capacity() * size_of::<(&'static str, Value)>();
        size_of::<Span>() + self.name.len() + attributes + texts
    }

    /// What the conventions for messages say of a step: what it does, to what, and with which
    /// message.
    pub(crate) fn messaging(
        self,
        operation: &'static str,
        kind: &'static str,
        destination: String,
        message: String,
    ) -> Self {
        self.with("messaging.system", "hookgate")
            .with("messaging.operation.name", operation)
            .with("messaging.operation.type", kind)
            .with("messaging.destination.name", destination)
            .with("messaging.message.id", message)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leave the texts out of `bytes`, and a plugin that names long types decides how much memory
    /// spans take.
    #[test]
    fn the_memory_of_a_span_is_that_of_its_texts_too() {
        let short = Description::new(SpanKind::Producer, "emit").bytes();
        let long = "x".repeat(5_000);
        assert!(Description::new(SpanKind::Producer, long.clone()).bytes() >= short + 4_990);
        let more = Description::new(SpanKind::Producer, "emit").with("hookgate.outcome", long);
        assert!(more.bytes() >= short + 5_000);
    }
}
