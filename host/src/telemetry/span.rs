//! What is told of a step that has ended, as whoever did it tells it.
//!
//! Values. Never knows how they are exported.

use std::borrow::Cow;
use std::time::Duration;

use crate::ids::Id;
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
        Self { name: name.into(), kind, attributes: Vec::new(), duplicate_of: None }
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
