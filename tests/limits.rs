//! The limits of the contract, which the gateway enforces and the SDK tells: two crates that never
//! see each other, and one number each.

use std::collections::BTreeMap;
use std::path::Path;

/// A limit by its name in the SDK, and where the gateway has the same: the file and the name there.
const LIMITS: &[(&str, &str, &str)] = &[
    ("EVENTS_MAX", "plugin/contract/convert", "EVENTS_MAX"),
    ("YIELD_BYTES_MAX", "plugin/contract/convert", "YIELD_BYTES_MAX"),
    ("DIGESTS_MAX", "plugin/contract/convert/claims", "DIGESTS_MAX"),
    ("JWS_BYTES_MAX", "plugin/contract/convert/claims", "JWS_BYTES_MAX"),
    ("CERTIFICATES_MAX", "plugin/contract/convert/lookup", "CERTIFICATES_MAX"),
    ("CERTIFICATE_BYTES_MAX", "plugin/contract/convert/lookup", "CERTIFICATE_BYTES_MAX"),
    ("KEY_URL_BYTES_MAX", "plugin/contract/convert/lookup", "URL_BYTES_MAX"),
    ("VALUES_MAX", "plugin/contract/convert/message", "VALUES_MAX"),
    ("ID_BYTES_MAX", "plugin/contract/violation", "ID_BYTES_MAX"),
    ("SUBJECT_BYTES_MAX", "plugin/contract/violation", "SUBJECT_BYTES_MAX"),
    ("TYPE_BYTES_MAX", "route", "TYPE_BYTES_MAX"),
    ("LABELS_MAX", "plugin/contract/violation", "LABELS_MAX"),
    ("LABEL_NAME_BYTES_MAX", "plugin/contract/violation", "LABEL_NAME_BYTES_MAX"),
    ("LABEL_VALUE_BYTES_MAX", "plugin/contract/violation", "LABEL_VALUE_BYTES_MAX"),
    ("JSON_DEPTH_MAX", "plugin/contract/violation", "JSON_DEPTH_MAX"),
    ("CONTENT_TYPE_BYTES_MAX", "plugin/contract/violation", "CONTENT_TYPE_BYTES_MAX"),
    ("TEXT_BYTES_MAX", "plugin/contract/violation", "TEXT_BYTES_MAX"),
    ("WHOLE_DIGITS_MAX", "event", "WHOLE_DIGITS_MAX"),
    ("DECIMALS_MAX", "event", "DECIMALS_MAX"),
    ("REPLY_BYTES_MAX", "plugin/contract/convert/answer", "BODY_BYTES_MAX"),
    ("HEADERS_BYTES_MAX", "plugin/contract/convert/answer", "HEADERS_BYTES_MAX"),
    ("HANDSHAKE_BYTES_MAX", "plugin/contract/convert/answer", "TEXT_BYTES_MAX"),
    ("EFFECTS_MAX", "plugin/call/outbox", "EFFECTS_MAX"),
    ("STATE_KEY_BYTES_MAX", "plugin/call/outbox", "KEY_BYTES_MAX"),
    ("STATE_VALUE_BYTES_MAX", "plugin/call/outbox", "VALUE_BYTES_MAX"),
    ("VALUE_BYTES_MAX", "plugin/call/context", "LIFT_BYTES_MAX"),
    ("LOG_LINES_MAX", "plugin/call/log", "LINES_MAX"),
    ("LOG_LINE_BYTES_MAX", "plugin/call/log", "LINE_BYTES_MAX"),
    ("CHAIN_MAX", "dispatch/emitted", "DEPTH_MAX"),
    ("EMITTED_EVENTS", "config/limits", "EMITTED_EVENTS"),
    ("EMITTED_BYTES", "config/limits", "EMITTED_BYTES"),
];

/// Further limits that have the same name in the SDK's checks and in the gateway: the file of the
/// SDK, that of the gateway, and the names.
const CHECKED: &[(&str, &str, &[&str])] = &[
    (
        "contract/claims",
        "plugin/contract/convert/claims",
        &[
            "EVIDENCE_MAX",
            "BODY_PIECES_MAX",
            "RULES_MAX",
            "MEMBER_BYTES_MAX",
            "MEMBER_VALUE_BYTES_MAX",
        ],
    ),
    (
        "contract/claims",
        "plugin/contract/convert/lookup",
        &["FIELDS_MAX", "FIELD_BYTES_MAX", "EXTENSIONS_MAX", "HOST_BYTES_MAX"],
    ),
    ("contract/claims", "plugin/contract/convert/message", &["DATA_BYTES_MAX"]),
    ("contract/message", "plugin/contract/convert/message", &["PIECES_MAX", "PREFIX_BYTES_MAX"]),
    ("contract/answer", "plugin/contract/convert/answer", &["HEADERS_MAX", "PIECES_MAX"]),
    (
        "contract/description",
        "plugin/contract/convert",
        &[
            "NAME_BYTES_MAX",
            "SCHEME_BYTES_MAX",
            "TYPES_MAX",
            "PROOFS_MAX",
            "ROOTS_MAX",
            "ROOT_BYTES_MAX",
        ],
    ),
    ("contract/description", "plugin/contract/convert/lookup", &["PLACES_MAX", "FIELD_BYTES_MAX"]),
    ("contract/description", "plugin/contract/convert/setting", &["STATES_MAX"]),
    (
        "contract/setting",
        "plugin/contract/convert/setting",
        &["SETTINGS_MAX", "NAME_BYTES_MAX", "CHOICES_MAX", "HELP_BYTES_MAX", "VALUE_BYTES_MAX"],
    ),
    ("setting", "setting", &["TEXT_BYTES_MAX", "URL_BYTES_MAX", "ITEMS_MAX"]),
    (
        "cost",
        "signature/cost",
        &[
            "PROOFS_MAX",
            "DIGESTS_MAX",
            "SIGNATURES_MAX",
            "P521_WEIGHT",
            "CHAINS_MAX",
            "BODIES_MAX",
            "BYTES_MORE",
        ],
    ),
    ("open", "signature/open", &["OPEN_BYTES_MAX"]),
];

/// The numbers that a file of Rust names, and others that are known before.
fn constants(path: &str, mut constants: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository");
    let text = std::fs::read_to_string(root.join(path)).expect(path);
    for line in text.lines() {
        let Some((_, constant)) = line.split_once("const ") else { continue };
        let Some((name, value)) = constant.trim_end_matches(';').split_once(": ") else { continue };
        let value = value.split_once(" = ").and_then(|(_, value)| number(value, &constants));
        if let Some(value) = value {
            constants.insert(name.to_owned(), value);
        }
    }
    constants
}

/// `64`, `1_000`, `4 << 10`, `2 * YIELD_BYTES_MAX`.
fn number(text: &str, known: &BTreeMap<String, u64>) -> Option<u64> {
    if let Some((left, right)) = text.split_once(" << ") {
        return Some(number(left, known)? << number(right, known)?);
    }
    if let Some((left, right)) = text.split_once(" * ") {
        return Some(number(left, known)? * number(right, known)?);
    }
    known.get(text).copied().or_else(|| text.replace('_', "").parse().ok())
}

#[test]
fn the_sdk_tells_the_limits_that_the_gateway_enforces() {
    let told = constants("plugin-sdk/src/limits.rs", BTreeMap::new());
    for (name, file, own) in LIMITS {
        let shared = constants("host/src/plugin/contract/convert.rs", BTreeMap::new());
        let enforced = constants(&format!("host/src/{file}.rs"), shared);
        let enforced = enforced.get(*own);
        assert!(enforced.is_some() && told.get(*name) == enforced, "{name} and {file}: {own}");
    }
    let named: Vec<&str> = LIMITS.iter().map(|(name, ..)| *name).collect();
    let unknown: Vec<_> = told.keys().filter(|name| !named.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "nobody enforces {unknown:?}");
}

#[test]
fn the_checks_of_the_sdk_have_the_numbers_of_the_gateway() {
    for (sdk, host, names) in CHECKED {
        let checked = constants(&format!("plugin-sdk/src/testing/{sdk}.rs"), BTreeMap::new());
        let enforced = constants(&format!("host/src/{host}.rs"), BTreeMap::new());
        for name in *names {
            let number = enforced.get(*name);
            assert!(number.is_some() && checked.get(*name) == number, "{sdk} and {host}: {name}");
        }
    }
}

#[test]
fn the_sdk_knows_the_headers_that_the_gateway_reserves() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository");
    let reserved = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).expect(path);
        let lists = text.split("const RESERVED").skip(1);
        let lists: Vec<String> =
            lists.map(|list| list.split("];").next().unwrap_or_default().to_owned()).collect();
        assert_eq!(lists.len(), 2, "{path}");
        lists
    };
    let sdk = reserved("plugin-sdk/src/testing/contract/answer.rs");
    assert_eq!(sdk, reserved("host/src/plugin/contract/convert/answer.rs"));
}

/// What the bench of the SDK says where the gateway says it: the file of the SDK, that of the
/// gateway, and the words, which the code has between its values.
const WORDS: &[(&str, &str, &[&str])] = &[
    (
        "testing/doors",
        "plugin/call/outbox",
        &[
            "a run has at most {",
            "the effects of a run have at most {YIELD_BYTES_MAX} bytes",
            "the operator has not granted the endpoint `{shown}`",
            "BYTES_MAX} bytes, not {}",
            "a value has at most {",
            "the operator has not granted the tenant `{",
        ],
    ),
    ("testing/doors", "plugin/call/context", &["only `handle` may ask for effects"]),
    (
        "testing/contract",
        "plugin/contract/violation",
        &[
            "not an event type such as payment.failed",
            "bytes, not 1 to {most}",
            "has the name `{shown}`, not 1 to 64 of a-z 0-9 _ - .",
            "has more than 1024 bytes under `{name}`",
            "items; the limit is {",
            "is not JSON: {error}",
            "levels deep",
            "has characters that a header can't have",
            "has control characters",
        ],
    ),
    (
        "testing/contract/claims",
        "plugin/contract/convert/claims",
        &[
            "must be empty where `claims.handshake` is set, which is an answer itself",
            "may have texts, bytes, the body and decrypted values only",
            "names a value that is a digest",
            "must be empty where `jws.payload` is set",
            "must have at least one value",
        ],
    ),
    (
        "testing/contract/claims",
        "plugin/contract/convert/lookup",
        &[
            "must be 1 to 8 certificates of 1 byte to 16 KiB each",
            "is not an object identifier such as 1.2.840",
            "must be 0, the certificate of the key, with a root of the platform",
        ],
    ),
    (
        "testing/contract/claims",
        "plugin/contract/convert/message",
        &["may have texts, bytes and the body only", "must be empty, and so the associated data"],
    ),
    (
        "testing/contract/message",
        "plugin/contract/convert/message",
        &["names value {index}, which is not before it"],
    ),
    (
        "testing/contract/answer",
        "plugin/contract/convert/answer",
        &[
            "must have a status of 200 to 299, not {status}",
            "has a body, which the status {status} does not allow",
            "has a body of {bytes} bytes; the limit is {",
            "may have texts, bytes and digests only",
            "has an invalid header or one that HTTP needs",
            "has {bytes} bytes of headers; the limit is {",
        ],
    ),
    (
        "testing/contract/description",
        "plugin/contract/convert",
        &["must be 400 to 499, not {", "not an event type such as payment.* or *"],
    ),
    (
        "testing/contract/description",
        "plugin/contract/convert/answer",
        &["may have GET and no other method", "has `{shown}`, not GET, HEAD or OPTIONS"],
    ),
    (
        "testing/contract/description",
        "plugin/contract/convert/lookup",
        &[
            "must be https:// with a host name and a path, and no more",
            "may have `*` for one whole label of the host name, before the last two",
        ],
    ),
    (
        "testing/contract/setting",
        "plugin/contract/convert/setting",
        &[
            "not a letter and more of a-z 0-9 _",
            "must be none, because the setting is required",
            "has no number from {least} to {most}",
            "has a choice of no text",
            "of `{name}` is not JSON: {error}",
            "of `{name}` must be {}",
        ],
    ),
    (
        "testing/contract",
        "event",
        &[
            "amount `{amount}` is not a decimal number",
            "currency `{currency}` is not a code such as USD",
        ],
    ),
    (
        "testing/contract",
        "plugin/contract/convert",
        &["have {bytes} bytes; the limit is {", "which is after the year 9999"],
    ),
    ("testing/doors", "plugin/call/trap", &["has more than {"]),
    ("testing/bench", "plugin/call/error", &["the plugin broke the contract: {"]),
    ("testing/bench", "plugin/call/log", &["more lines: a call may write {"]),
    (
        "testing/emitted",
        "dispatch/emitted",
        &[
            "the chain of emitted events is longer than {",
            "the run emits {count} events of {bytes} bytes together, but its share of the \\",
        ],
    ),
];

#[test]
fn the_bench_refuses_in_the_words_of_the_gateway() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository");
    let read = |path: String| std::fs::read_to_string(root.join(&path)).expect(&path);
    for (sdk, host, words) in WORDS {
        let files = [format!("plugin-sdk/src/{sdk}.rs"), format!("host/src/{host}.rs")];
        for path in files {
            let text = read(path.clone());
            let missing: Vec<_> = words.iter().filter(|words| !text.contains(**words)).collect();
            assert!(missing.is_empty(), "{path} does not say {missing:?}");
        }
    }
}
