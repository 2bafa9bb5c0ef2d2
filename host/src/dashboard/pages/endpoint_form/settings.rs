//! The settings of an endpoint as a form has them: their names in the API, how each is written, and
//! what is to say of it.
//!
//! A table. Never decides what a setting may be: that is the API's.

/// How a setting is written into a form, and what it is in the API.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text in one line.
    Text,
    /// A text of several lines.
    Area,
    /// A list of texts, one in a line.
    Lines,
    /// The same of delays, or `none`: an empty list says something else than no list.
    Delays,
    /// An object of texts, `name: value` in a line.
    Pairs,
    Number,
    /// Any JSON.
    Json,
    /// One of these: its value, and what that is called.
    Choice(&'static [(&'static str, &'static str)]),
    /// `yes`, `no`, or left to the gateway.
    Flag(&'static [(&'static str, &'static str)]),
}

/// A part of the form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Where,
    What,
    Pace,
    Failures,
    More,
}

impl Part {
    pub(super) const ALL: [Self; 5] =
        [Self::Where, Self::What, Self::Pace, Self::Failures, Self::More];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Where => "Where it is",
            Self::What => "What goes there",
            Self::Pace => "How fast, and in which order",
            Self::Failures => "When attempts fail",
            Self::More => "Trust, and notes of your own",
        }
    }
}

/// A setting.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    /// In the API and in the form.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
    pub(super) part: Part,
    pub(super) is_required: bool,
}

const fn setting(
    part: Part,
    (name, label): (&'static str, &'static str),
    kind: Kind,
    hint: &'static str,
) -> Setting {
    Setting { name, label, hint, kind, part, is_required: false }
}

const fn required(setting: Setting) -> Setting {
    Setting { is_required: true, ..setting }
}

const BODIES: &[(&str, &str)] = &[
    ("", "The default"),
    ("standard", "Standard Webhooks"),
    ("cloudevents", "CloudEvents"),
    ("raw", "As the provider sent it"),
];
const ORDERS: &[(&str, &str)] =
    &[("", "The default"), ("none", "None"), ("subject", "By subject, one at a time")];
const BREAKERS: &[(&str, &str)] =
    &[("", "As the configuration says for all"), ("yes", "On"), ("no", "Off")];

/// All that both a new endpoint and a change of one can have.
pub(super) static SETTINGS: [Setting; 20] = [
    required(setting(
        Part::Where,
        ("name", "Name"),
        Kind::Text,
        "Small letters, digits and -. No other endpoint of its tenant has it.",
    )),
    required(setting(Part::Where, ("url", "URL"), Kind::Text, "Where deliveries go, by POST.")),
    setting(Part::Where, ("description", "Description"), Kind::Text, "For people."),
    required(setting(
        Part::What,
        ("events", "Event types"),
        Kind::Lines,
        "One in a line: payment.failed, all below a prefix by payment.*, or * for all.",
    )),
    setting(
        Part::What,
        ("filter", "Filter"),
        Kind::Json,
        r#"What must hold besides, in JSON: [{"pointer": "/live", "op": "equals", "value": true}]"#,
    ),
    setting(Part::What, ("body", "Body"), Kind::Choice(BODIES), "What a delivery has inside."),
    setting(
        Part::What,
        ("headers", "Headers"),
        Kind::Pairs,
        "One in a line, name: value. Everybody who sees the endpoint sees them.",
    ),
    setting(Part::Pace, ("concurrency", "Attempts at a time"), Kind::Number, "1 to 256."),
    setting(Part::Pace, ("rate", "Rate"), Kind::Text, "Attempts, such as 10/s or 600/min."),
    setting(Part::Pace, ("burst", "Burst"), Kind::Number, "Attempts at once under a rate."),
    setting(
        Part::Pace,
        ("order", "Order"),
        Kind::Choice(ORDERS),
        "By subject, what is about the same thing waits for what came before.",
    ),
    setting(
        Part::Pace,
        ("skip_after", "Skip after"),
        Kind::Number,
        "With an order: tries after which a failing delivery holds up the others no longer.",
    ),
    setting(
        Part::Pace,
        ("held", "Waiting at most"),
        Kind::Number,
        "Deliveries that may wait while none can go; the oldest beyond it become dead letters.",
    ),
    setting(Part::Failures, ("timeout", "Timeout"), Kind::Text, "Of one attempt, such as 15s."),
    setting(
        Part::Failures,
        ("connect_timeout", "Timeout of the connection"),
        Kind::Text,
        "Such as 5s.",
    ),
    setting(
        Part::Failures,
        ("retries", "Retries"),
        Kind::Delays,
        "The delay before the second attempt, the third, and so on, one in a line: 5s, 5m, 2h. \
         none: only one attempt. Empty: the default.",
    ),
    setting(
        Part::Failures,
        ("use_breaker", "Breaker"),
        Kind::Flag(BREAKERS),
        "Whether it gets nothing for a while when attempts fail in a row.",
    ),
    setting(
        Part::Failures,
        ("disable_after", "Disable after"),
        Kind::Text,
        "A time of nothing but failures, such as 5d, or never.",
    ),
    setting(
        Part::More,
        ("ca", "Authorities"),
        Kind::Area,
        "Certificates in PEM that count in place of the system's.",
    ),
    setting(Part::More, ("metadata", "Metadata"), Kind::Pairs, "One in a line, name: value."),
];
