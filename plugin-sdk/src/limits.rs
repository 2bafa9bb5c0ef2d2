//! What the gateway takes of a plugin at most: the numbers of `wit/`, for plugins and their tests.
//!
//! A value beyond one of them is refused by the name of its field; of a text for people the rest is
//! cut off. Nothing here is enforced by a plugin itself.

/// Most events in one request.
pub const EVENTS_MAX: usize = 1_000;
/// Most bytes that one call may yield: the effects of a run, or the events of a request together,
/// which may have as many bytes more as the request's body has.
pub const YIELD_BYTES_MAX: usize = 4 << 20;
/// Most bytes of one value that a plugin passes; a call that passes more is over.
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
/// Most bytes of an answer to an accepted request.
pub const REPLY_BYTES_MAX: usize = 64 << 10;
/// Most bytes of an answer to a handshake, with its headers.
pub const HANDSHAKE_BYTES_MAX: usize = 4 << 10;
/// Most bytes that are digested for a handshake.
pub const DIGESTED_BYTES_MAX: usize = 1 << 10;
/// Most effects of one run; every key of the state that it sets or deletes counts as one.
pub const EFFECTS_MAX: usize = 64;
/// Most bytes of a key of the state.
pub const STATE_KEY_BYTES_MAX: usize = 256;
/// Most bytes of a value of the state.
pub const STATE_VALUE_BYTES_MAX: usize = 256 << 10;
/// Most bytes of a content type.
pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Most bytes of a reason or an alert. What is longer is cut.
pub const TEXT_BYTES_MAX: usize = 4 << 10;
/// Most lines that a call logs. The others are counted.
pub const LOG_LINES_MAX: usize = 50;
/// Most bytes of a line in the log. What is longer is cut.
pub const LOG_LINE_BYTES_MAX: usize = 1_024;
/// Most emissions in a chain: an event that a run emitted, on which another run emitted, and so on.
pub const CHAIN_MAX: usize = 8;
