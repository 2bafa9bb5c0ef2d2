//! The gateway's limits on values from a plugin: the numbers in `wit/`, for plugins and their
//! tests.
//!
//! The gateway rejects a value beyond its limit and names the field; it cuts a text for people. A
//! plugin never enforces these limits itself.

/// Most events in one request.
pub const EVENTS_MAX: usize = 1_000;
/// Most bytes that one call may yield: all effects of a run, or all events of a request. The events
/// of a request may have the size of its body in addition.
pub const YIELD_BYTES_MAX: usize = 4 << 20;
/// Most bytes that a plugin passes in one call of the gateway; the gateway ends a call that passes
/// more.
pub const VALUE_BYTES_MAX: usize = 8 << 20;
/// Most bytes of an event's id.
pub const ID_BYTES_MAX: usize = 255;
/// Most bytes of an event's subject.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Most bytes of an event's type.
pub const TYPE_BYTES_MAX: usize = 128;
/// Most labels on an event.
pub const LABELS_MAX: usize = 64;
/// Most bytes of a label's name.
pub const LABEL_NAME_BYTES_MAX: usize = 64;
/// Most bytes of a label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 1_024;
/// Deepest nesting of brackets in an event's data.
pub const JSON_DEPTH_MAX: usize = 512;
/// Most digits of an amount before its point.
pub const WHOLE_DIGITS_MAX: usize = 30;
/// Most digits of an amount behind its point.
pub const DECIMALS_MAX: usize = 18;
/// Most digests or signatures in one proof.
pub const DIGESTS_MAX: usize = 16;
/// Most bytes of a JSON Web Signature.
pub const JWS_BYTES_MAX: usize = 256 << 10;
/// Most certificates in a chain.
pub const CERTIFICATES_MAX: usize = 8;
/// Most bytes of a certificate in a chain.
pub const CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// Most bytes of the URL of a public key.
pub const KEY_URL_BYTES_MAX: usize = 512;
/// Most bytes of the reply to an accepted request.
pub const REPLY_BYTES_MAX: usize = 64 << 10;
/// Most bytes of the headers of an answer, their names and values together.
pub const HEADERS_BYTES_MAX: usize = 4 << 10;
/// Most bytes of the answer to a validation challenge, with its headers and the messages of its
/// digests.
pub const HANDSHAKE_BYTES_MAX: usize = 4 << 10;
/// Most values that the gateway computes for one request.
pub const VALUES_MAX: usize = 16;
/// Most effects of one run; each key of the state that it sets or deletes counts as one.
pub const EFFECTS_MAX: usize = 64;
/// Most bytes of a key of the state.
pub const STATE_KEY_BYTES_MAX: usize = 256;
/// Most bytes of a value of the state.
pub const STATE_VALUE_BYTES_MAX: usize = 256 << 10;
/// Most bytes of a content type.
pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Most bytes of a reason or an alert. The gateway cuts a longer one.
pub const TEXT_BYTES_MAX: usize = 4 << 10;
/// Most lines that a call logs. The gateway counts and drops the rest.
pub const LOG_LINES_MAX: usize = 50;
/// Most bytes of a line in the log. The gateway cuts a longer one.
pub const LOG_LINE_BYTES_MAX: usize = 1_024;
/// Most events that all runs together may emit which one receipt causes, unless the operator sets
/// another number; an alert is one of them. The gateway divides them among the runs.
pub const EMITTED_EVENTS: usize = 1_000;
/// Most bytes of these events together, unless the operator sets another number.
pub const EMITTED_BYTES: usize = 16 << 20;
/// Most emissions in a chain: a run emits an event, a run on that event emits another, and so on.
pub const CHAIN_MAX: usize = 8;
