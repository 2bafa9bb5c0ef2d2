//! Where something stands in a trace: the ids that a trace and one span of it have, and whether the
//! trace is sampled; as W3C Trace Context writes it.
//!
//! A value that goes along with a receipt and with all that follows from it. The ids of further
//! spans follow from it and from what they are of, so that a restart changes none. Never exports
//! anything.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use tracing::field::{DisplayValue, display};
use twox_hash::XxHash3_64;

/// The first version of `traceparent`, the only one so far.
const VERSION: &str = "00";
/// The length of a `traceparent` of that version. Later ones may go on behind it with a `-`.
const LENGTH: usize = 55;
/// The flag that says that a trace is sampled.
const SAMPLED: u8 = 1;
/// Of the last eight bytes of a trace id, those that are random.
const RANDOM: u64 = (1 << 56) - 1;

/// The id of a trace: 16 bytes, not all zero. In JSON it is a text of 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "[u8; 16]")]
pub struct TraceId([u8; 16]);

/// The id of a span within its trace: 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "[u8; 8]", into = "[u8; 8]")]
pub struct SpanId([u8; 8]);

/// An id of which every byte is zero, which is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every byte of the id is zero")]
pub struct ZeroId;

/// A span of a trace, as others refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    /// Of which trace.
    pub trace: TraceId,
    /// Which span of it.
    pub span: SpanId,
    /// Whether the trace is exported as a whole; of another one only what failed is.
    pub is_sampled: bool,
}

impl TraceId {
    /// The id of these bytes, unless all are zero.
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Whether it is among this share of all ids, from 0 to 1. All who ask for the same share say
    /// the same, and of a larger one nobody says no who said yes before.
    pub fn is_among(self, share: f64) -> bool {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]) & RANDOM;
        // Of 2 to the power of 56, every share is exact enough.
        let refused = ((1.0 - share.clamp(0.0, 1.0)) * (RANDOM + 1) as f64) as u64;
        random >= refused
    }
}

impl SpanId {
    /// The id of these bytes, unless all are zero.
    pub fn new(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl TraceContext {
    /// What a header `traceparent` says, unless it says nothing that can be believed.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let text = traceparent.as_bytes();
        let is_written = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
        if text.len() < LENGTH || !text[..LENGTH].iter().all(is_written) {
            return None;
        }
        let (version, is_longer) = (&traceparent[..2], text.len() > LENGTH);
        let may_be_longer = version != VERSION && text.get(LENGTH) == Some(&b'-');
        if version == "ff" || is_longer && !may_be_longer {
            return None;
        }
        let [b'-', b'-', b'-'] = [text[2], text[35], text[52]] else { return None };
        let (mut trace, mut span, mut flags) = ([0; 16], [0; 8], [0; 1]);
        hex::decode_to_slice(version, &mut flags).ok()?;
        hex::decode_to_slice(&text[3..35], &mut trace).ok()?;
        hex::decode_to_slice(&text[36..52], &mut span).ok()?;
        hex::decode_to_slice(&text[53..LENGTH], &mut flags).ok()?;
        let is_sampled = flags[0] & SAMPLED != 0;
        Some(Self { trace: TraceId::new(trace)?, span: SpanId::new(span)?, is_sampled })
    }

    /// The text of a header `traceparent`.
    pub fn traceparent(&self) -> String {
        let flags = u8::from(self.is_sampled) * SAMPLED;
        format!("{VERSION}-{}-{}-{flags:02x}", self.trace, self.span)
    }

    /// The span of the same trace that is known by this below the one here; the same each time.
    pub fn child(&self, known_by: [u64; 4]) -> Self {
        let span = SpanId(self.hash(0, known_by).to_be_bytes());
        Self { span: SpanId::new(span.0).unwrap_or(SpanId([1; 8])), ..*self }
    }

    /// The first span of the trace that is known by this behind the span here; the same each time.
    /// It is sampled as the trace here.
    pub fn next_trace(&self, known_by: [u64; 4]) -> Self {
        let halves = [self.hash(1, known_by), self.hash(2, known_by)].map(u64::to_be_bytes);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&halves[0]);
        bytes[8..].copy_from_slice(&halves[1]);
        let trace = TraceId::new(bytes).unwrap_or(self.trace);
        Self { trace, ..self.child(known_by) }
    }

    fn hash(&self, seed: u64, known_by: [u64; 4]) -> u64 {
        let mut bytes = [0; 56];
        bytes[..16].copy_from_slice(&self.trace.0);
        bytes[16..24].copy_from_slice(&self.span.0);
        for (part, number) in bytes[24..].chunks_exact_mut(8).zip(known_by) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        XxHash3_64::oneshot_with_seed(seed, &bytes)
    }
}

impl TryFrom<[u8; 16]> for TraceId {
    type Error = ZeroId;

    fn try_from(bytes: [u8; 16]) -> Result<Self, ZeroId> {
        Self::new(bytes).ok_or(ZeroId)
    }
}

impl TryFrom<[u8; 8]> for SpanId {
    type Error = ZeroId;

    fn try_from(bytes: [u8; 8]) -> Result<Self, ZeroId> {
        Self::new(bytes).ok_or(ZeroId)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A record of the store has no room for a text, and nobody reads one from JSON.
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl From<SpanId> for [u8; 8] {
    fn from(id: SpanId) -> Self {
        id.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

/// The ids of a span as a line of the log has them, in its fields `trace_id` and `span_id`; none if
/// there is no span.
pub(crate) fn log_fields(
    of: Option<TraceContext>,
) -> (Option<DisplayValue<TraceId>>, Option<DisplayValue<SpanId>>) {
    (of.map(|of| display(of.trace)), of.map(|of| display(of.span)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn context() -> TraceContext {
        TraceContext::parse(TRACEPARENT).unwrap()
    }

    #[test]
    fn a_traceparent_reads_as_it_is_written() {
        let read = context();
        assert!(read.is_sampled);
        assert_eq!(read.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read.span.to_string(), "00f067aa0ba902b7");
        assert_eq!(read.traceparent(), TRACEPARENT);
        let unsampled = TRACEPARENT.replace("-01", "-00");
        assert_eq!(TraceContext::parse(&unsampled).unwrap().traceparent(), unsampled);
        // The random flag, and what a later version says behind.
        let later = TRACEPARENT.replace("00-4b", "cc-4b").replace("-01", "-03-what-comes");
        assert_eq!(TraceContext::parse(&later), Some(read));
    }

    /// Each is wrong in one place. Take out a check of `parse`, and one of them is believed.
    #[test]
    fn what_is_not_a_traceparent_is_not_believed() {
        let wrong = [
            String::new(),
            "00".to_owned(),
            TRACEPARENT[..54].to_owned(),
            format!("{TRACEPARENT}-00"),
            TRACEPARENT.replace("00-4b", "cc-4b") + "x",
            TRACEPARENT.replace("00-4b", "ff-4b"),
            TRACEPARENT.replace("4bf92f", "4BF92F"),
            TRACEPARENT.replace("4bf92f", "4bf92g"),
            TRACEPARENT.replace("00-4b", "0--4b"),
            TRACEPARENT.replace("-00f0", "000f0"),
            TRACEPARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            TRACEPARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            TRACEPARENT.replace("b7-01", "b7-0é"),
        ];
        for text in wrong {
            assert_eq!(TraceContext::parse(&text), None, "{text}");
        }
    }

    /// Write a text in the store too, and no record from before can be read.
    #[test]
    fn the_id_of_a_trace_is_a_text_to_people_and_sixteen_bytes_in_the_store() {
        let trace = context().trace;
        let text = serde_json::to_string(&trace).unwrap();
        assert_eq!(text, "\"4bf92f3577b34da6a3ce929d0e0e4736\"");
        let bytes = postcard::to_stdvec(&trace).unwrap();
        assert_eq!(bytes, trace.bytes());
        assert_eq!(postcard::from_bytes::<TraceId>(&bytes).unwrap(), trace);
    }

    #[test]
    fn the_ids_of_spans_follow_from_what_they_are_of() {
        let first = context().child([1, 2, 3, 4]);
        assert_eq!(first, context().child([1, 2, 3, 4]));
        assert_eq!((first.trace, first.is_sampled), (context().trace, true));
        assert_ne!(first.span, context().child([1, 2, 4, 4]).span);
        assert_ne!(first.span, first.child([1, 2, 3, 4]).span);

        let next = context().next_trace([1, 2, 3, 4]);
        assert_eq!(next, context().next_trace([1, 2, 3, 4]));
        assert!(next.trace != context().trace && next.is_sampled);
    }

    #[test]
    fn a_share_of_all_traces_is_sampled_and_a_larger_one_has_them_too() {
        let ids: Vec<TraceContext> = (0..10_000).map(|it| context().next_trace([it; 4])).collect();
        let among = |share: f64| ids.iter().filter(|it| it.trace.is_among(share)).count();
        assert_eq!((among(0.0), among(1.0)), (0, 10_000));
        assert!((800..1_200).contains(&among(0.1)), "{}", among(0.1));
        let both = |it: &&TraceContext| it.trace.is_among(0.1) && !it.trace.is_among(0.2);
        assert_eq!(ids.iter().filter(both).count(), 0);
    }
}
