//! The tables of the configuration file, and what each of their keys does.
//!
//! Only declarations, in the order in which people write them. Bounds are what reads the file says.

use super::{Form, Key, Table};

/// A key that may be left out, and for which nothing counts then, or what the machine has.
const fn key(name: &'static str, form: Form, said: &'static str) -> Key {
    Key { name, form, is_required: false, default: "", said }
}

/// The same, with what counts if it is left out.
const fn or(name: &'static str, form: Form, default: &'static str, said: &'static str) -> Key {
    Key { name, form, is_required: false, default, said }
}

/// A key that must be there.
const fn need(name: &'static str, form: Form, said: &'static str) -> Key {
    Key { name, form, is_required: true, default: "", said }
}

/// The file itself.
pub(in crate::config) static FILE: Table = Table {
    others: None,
    keys: &[
        need("listen", Form::Text, "Where payment gateways post: an IP address and a port"),
        need("admin", Form::Text, "Where operators ask: an IP address and a port, or unix:PATH"),
        need("data", Form::Text, "The folder of the store"),
        need(
            "plugins",
            Form::TableOrPath(&PLUGINS),
            "The folder of plugins, and what each may use",
        ),
        key("sources", Form::Named(&SOURCE), "Where to post to: POST /in/NAME"),
        key("endpoints", Form::Named(&ENDPOINT), "Who receives what"),
        key("handlers", Form::Named(&HANDLER), "What handler plugins may do"),
        key(
            "master_key",
            Form::SecretOrSecrets,
            "What seals the secrets of the store; the first does",
        ),
        or(
            "encrypt_bodies",
            Form::Truth,
            "false",
            "Whether the store's log is encrypted under the first master key",
        ),
        key("tokens", Form::Named(&TOKEN), "Tokens of the admin port, beside those of the store"),
        key("tls", Form::Table(&TLS), "The certificates of the two ports"),
        key("public_url", Form::Url, "Where the internet reaches the public port, to be shown"),
        or("metrics", Form::Choice(&["token", "open"]), "\"token\"", "Who may read /metrics"),
        or("behind_proxy", Form::Truth, "false", "Whether a proxy speaks TLS with the operators"),
        or(
            "trusted_proxies",
            Form::Texts,
            "[]",
            "The networks of proxies that the gateway believes",
        ),
        or("proxy_protocol", Form::Truth, "false", "Whether those speak the PROXY protocol"),
        or("admin_hosts", Form::Texts, "[]", "Host names under which operators ask"),
        key("limits", Form::Table(&LIMITS), "How much of everything"),
        key("retention", Form::Table(&RETENTION), "How long what is finished is kept"),
        key("egress", Form::Table(&EGRESS), "What deliveries may reach"),
        key("telemetry", Form::Table(&TELEMETRY), "Where spans and metrics go"),
    ],
};

static PLUGINS: Table = Table {
    keys: &[
        need("folder", Form::Text, "The folder of plugins"),
        key("trusted_keys", Form::Texts, "Public keys of minisign, of which one must have signed"),
    ],
    others: Some(&PLUGIN),
};

static PLUGIN: Table = Table {
    others: None,
    keys: &[
        key("memory", Form::Text, "The memory of one instance, such as 64MiB"),
        key("deadlines", Form::Table(&DEADLINES), "How long its calls may take"),
        key("log_lines", Form::Whole(0), "Lines that one call may log"),
        key("effects", Form::Whole(0), "Effects that one run may ask for"),
        key("state_bytes", Form::Whole(1024), "Bytes that its handler may remember"),
        key("concurrency", Form::Whole(1), "Calls at a time"),
        key("reuse", Form::Whole(2), "Calls that one instance of a provider answers"),
        key("canary", Form::Table(&CANARY), "Which events NAME@next.wasm gets"),
        or(
            "retry_dead",
            Form::Truth,
            "false",
            "Whether a new version tries its dead letters again",
        ),
    ],
};

static DEADLINES: Table = Table {
    others: None,
    keys: &[
        key("claims", Form::Duration, "To read what a request claims"),
        key("parse", Form::Duration, "To parse a request"),
        key("handle", Form::Duration, "To run on an event"),
    ],
};

static CANARY: Table = Table {
    others: None,
    keys: &[
        key("share", Form::Text, "A share of the subjects, such as 5%"),
        key("label", Form::Text, "The name of a label of the events"),
        key("value", Form::Text, "What that label must be"),
    ],
};

static SOURCE: Table = Table {
    others: None,
    keys: &[
        need("plugin", Form::Text, "The name of the provider plugin"),
        key("secrets", Form::Secrets, "What its requests are verified by"),
        or("verify", Form::Choice(&["evidence", "none"]), "\"evidence\"", "Whether it is verified"),
        key("tolerance", Form::Duration, "How old a signature may be; 0s is any age"),
        or("keys_from", Form::Texts, "[]", "Hosts from which its public keys may be fetched"),
        or("duplicates", Form::Duration, "\"40d\"", "How long its event ids are known"),
        key("redact", Form::Texts, "Places of requests whose values are not stored"),
        or("config", Form::Settings, "{}", "What the plugin reads"),
        key("allow", Form::Texts, "Networks that may post"),
        key("client_ca", Form::Text, "File of the authority that client certificates must be of"),
        key("rate", Form::Whole(1), "Genuine requests in a second"),
        key("burst", Form::Whole(1), "Genuine requests at once"),
        key("tenant", Form::Text, "Whose its events are"),
        key("tenant_label", Form::Text, "The label that says whose an event is"),
        key("expect", Form::Text, "How many requests should come, such as 1 in 10m"),
    ],
};

static ENDPOINT: Table = Table {
    others: None,
    keys: &[
        need("url", Form::Url, "Where deliveries go"),
        need("events", Form::Texts, "Event types such as payment.failed, payment.* or *"),
        need("secrets", Form::Secrets, "What signs the deliveries"),
        key("description", Form::Text, "For people"),
        key("filter", Form::Rules, "What must hold besides"),
        key("headers", Form::HiddenTexts, "What goes with each delivery"),
        key("credential", Form::Credential, "As whom the gateway posts"),
        or("body", Form::Choice(&["standard", "cloudevents", "raw"]), "\"standard\"", "The format"),
        or("timeout", Form::Duration, "\"15s\"", "How long an attempt may take"),
        or("connect_timeout", Form::Duration, "\"5s\"", "How long connecting may take"),
        or("concurrency", Form::Whole(1), "16", "Attempts at a time"),
        key("retries", Form::Texts, "The delays before further attempts; empty for one attempt"),
        key("rate", Form::Text, "Attempts in a time, such as 10/s or 600/min"),
        key("burst", Form::Whole(1), "Attempts at once under the rate"),
        or("held", Form::Whole(0), "100000", "Deliveries that wait while they can't go out"),
        key("use_breaker", Form::Truth, "Whether it gets nothing for a while when attempts fail"),
        or("disable_after", Form::Text, "\"5d\"", "Failing for how long disables it, or never"),
        or("order", Form::Choice(&["none", "subject"]), "\"none\"", "What goes out in order"),
        key("skip_after", Form::Whole(0), "Attempts after which the next of a subject goes ahead"),
        key("metadata", Form::NamedTexts, "Names and values for people and programs"),
        key("ca", Form::Text, "File of the authority that its certificate must be of"),
        key("client_certificate", Form::Text, "File of the certificate that the gateway shows"),
        key("client_key", Form::Secret, "The key of that certificate"),
    ],
};

static HANDLER: Table = Table {
    others: None,
    keys: &[
        or("endpoints", Form::Texts, "[]", "Endpoints that it may send to; *, or tenants"),
        or("tenants", Form::Texts, "[]", "Tenants that its events may be of; * for any"),
        or("config", Form::Settings, "{}", "What the plugin reads"),
        or("state_keys", Form::Whole(1), "1000000", "Keys that it may remember"),
        or("state_bytes", Form::Whole(1024), "1073741824", "Bytes that it may remember"),
        key("state_term", Form::Duration, "How long it remembers a key that nobody sets"),
    ],
};

static TOKEN: Table = Table {
    others: None,
    keys: &[
        need("scopes", Form::Texts, "What it may do: read, replay, write, admin"),
        key("secrets", Form::Secrets, "The token; several, while one takes the place of another"),
        key("sha256", Form::Texts, "The same as SHA-256 digests in hexadecimal"),
        key("expires", Form::Text, "Until when it is valid"),
        key("tenant", Form::Text, "Whose it is: it reaches nothing else"),
    ],
};

static TLS: Table = Table {
    others: None,
    keys: &[
        key("public", Form::Table(&PAIR), "For payment gateways"),
        key("admin", Form::Table(&PAIR), "For operators"),
    ],
};

static PAIR: Table = Table {
    others: None,
    keys: &[
        need("certificate", Form::Text, "File of the certificate and its chain, in PEM"),
        need("key", Form::Text, "File of its key, in PEM"),
    ],
};

static LIMITS: Table = Table {
    others: None,
    keys: &[
        key("body_bytes", Form::Whole(1024), "Largest request body: 413 beyond it"),
        key("connections", Form::Whole(1), "Connections to the public port at a time"),
        key(
            "connections_per_address",
            Form::Whole(1),
            "Of these, of one address; half if left out",
        ),
        key("stall", Form::Duration, "How long a peer may keep the gateway waiting"),
        key("tls_timeout", Form::Duration, "To agree on TLS; as stall if left out"),
        key("head_timeout", Form::Duration, "To send the head of a request; as stall if left out"),
        key("body_timeout", Form::Duration, "To begin with its body; as stall if left out"),
        key("idle", Form::Duration, "How long an unused connection is kept"),
        key(
            "http2_requests",
            Form::Whole(0),
            "Requests at a time on an HTTP/2 connection; 0: none",
        ),
        key("held_bytes", Form::Whole(1024), "Bytes of all bodies until they are answered"),
        key("held_bytes_per_source", Form::Whole(1024), "Of these, of one source"),
        key("requests", Form::Whole(1), "Requests worked on at a time: 503 beyond it"),
        key("requests_per_source", Form::Whole(1), "Of these, of one source: 429 beyond it"),
        key("queue", Form::Whole(1), "Receipts waiting to be written: 503 beyond it"),
        key("backlog", Form::Whole(1), "Open works: 503 beyond it"),
        key("backlog_per_source", Form::Whole(1), "Of these, of one source: 429 beyond it"),
        key("disk_free_bytes", Form::Whole(0), "Free bytes of the disk: 503 below it"),
        key("parses", Form::Whole(0), "Parses at a time; 0 keeps receipts and parses nothing"),
        key("runs", Form::Whole(1), "Runs at a time"),
        key("runs_per_handler", Form::Whole(1), "Of these, of one handler"),
        key("deliveries", Form::Whole(1), "Attempts to deliver at a time"),
        key("breaker", Form::Truth, "Whether endpoints get nothing for a while when attempts fail"),
        key(
            "uncommitted",
            Form::Whole(0),
            "Outcomes on their way to the disk, of each kind of work",
        ),
        key("claims_threads", Form::Whole(1), "Threads that read claims"),
        key("parse_threads", Form::Whole(1), "Threads that parse"),
        key("run_threads", Form::Whole(1), "Threads that run handlers"),
        key("emitted_events", Form::Whole(0), "Events that all runs of one receipt may emit"),
        key("emitted_bytes", Form::Whole(0), "Bytes that these may have together"),
        key("plugin_memory_bytes", Form::Whole(1 << 20), "Memory of one instance of a plugin"),
        key("claims_deadline", Form::Duration, "How long reading claims may take"),
        key("early_parse", Form::Duration, "How long a parse may take before the answer"),
        key("parse_deadline", Form::Duration, "How long a parse may take"),
        key("handle_deadline", Form::Duration, "How long a run may take"),
        key("grace", Form::Duration, "How long a stop waits for what is under way"),
    ],
};

static RETENTION: Table = Table {
    others: None,
    keys: &[
        or("bodies", Form::Duration, "\"30d\"", "Requests, which a replay of a parse needs"),
        or("events", Form::Duration, "\"90d\"", "Events with their runs and deliveries"),
        or("attempts", Form::Duration, "\"30d\"", "What the tries of runs and deliveries were"),
        or("dead", Form::Duration, "\"90d\"", "Dead letters"),
        key(
            "size_bytes",
            Form::Whole(64 << 20),
            "Bytes beyond which the oldest goes ahead of time",
        ),
    ],
};

static EGRESS: Table = Table {
    others: None,
    keys: &[
        or("allow", Form::Texts, "[]", "Private networks that deliveries may reach"),
        or("ca", Form::Texts, "[]", "Files of authorities that count besides the system's"),
    ],
};

static TELEMETRY: Table = Table {
    others: None,
    keys: &[
        key(
            "endpoint",
            Form::Url,
            "The collector's URL for OTLP over HTTP; nothing is sent without",
        ),
        key("headers", Form::NamedSecrets, "What goes with each export"),
        or("ca", Form::Texts, "[]", "Files of authorities that count besides the system's"),
        or("service_name", Form::Text, "\"hookgate\"", "The service.name of all of it"),
        key("attributes", Form::NamedTexts, "What else all of it is about"),
        or("traces", Form::Text, "\"10%\"", "The share of traces that is exported, or off"),
        or("metrics", Form::Text, "\"60s\"", "How often metrics are exported, or off"),
        or("temporality", Form::Choice(&["cumulative", "delta"]), "\"cumulative\"", "Of metrics"),
        or("endpoints_max", Form::Whole(0), "200", "Endpoints with metrics of their own"),
    ],
};
