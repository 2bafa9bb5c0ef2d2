//! The configuration file as it is written, and how it becomes a [`Config`].
//!
//! Each table is read whole, whatever is wrong with it or with others. Only one without any flaw
//! gives a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeTable;

use super::document::{Entry, Flaws, Table};
use super::endpoint::endpoint_of;
use super::master::Master;
use super::plugins::{self, STATE_BYTES};
use super::secret::Secrets;
use super::telemetry::{self, Telemetry};
use super::tls::Pairs;
use super::tokens::{METRICS, token_of};
use super::values::{all, days, hours, public_url_of, secs};
use super::world::{Extent, Named};
use super::{Config, Limits, PortAt, Sending, gate, redact, retention};
use crate::address::Address;
use crate::directory::FileEndpoint;
use crate::dispatch::Grants;
use crate::egress::Authorities;
use crate::event::OWN_SOURCE;
use crate::ids::Name;
use crate::ingest::{Shares, Source, Verify};
use crate::listener::Issuers;
use crate::master_key::MasterKey;
use crate::plugin::{AllRules, Grant, Tenanting};
use crate::store::{Quota, Terms};
use crate::tenant::{Tenant, TenantOf};

/// How long a source's event ids are known.
const DUPLICATES: RangeInclusive<Duration> = Terms::LEAST..=days(3_650);
const WHY_THIRTY_FIVE_DAYS: &str = ": providers send a request again for up to 30 days";
/// How old a signature may be; zero is any age.
const TOLERANCE: RangeInclusive<Duration> = secs(0)..=days(30);
/// How much a handler may remember, and for how long.
const STATE_KEYS: RangeInclusive<u64> = 1..=1_000_000_000;
const STATE_TERM: RangeInclusive<Duration> = hours(1)..=days(3_650);

/// In the grants of a handler: all endpoints of the operator, and any tenant.
const ALL: &str = "*";
/// In the grants of a handler: all endpoints of the tenant that an event belongs to.
const OWN_TENANTS: &str = "tenants";
const GRANTED: &str = "the name of an endpoint, \"*\" or \"tenants\"";
const TENANTS: &str = "a list of tenants, or [\"*\"] for any";

const HOST_NAMES: &str = "a list of host names";

const VERIFY: [(&str, Verify); 2] = [("evidence", Verify::Evidence), ("none", Verify::None)];

/// Reads a whole file. Without a flaw there is a configuration.
pub(super) fn read<'a>(
    document: &'a DeTable<'a>,
    (text, folder): (&str, &Path),
    extent: Extent,
    flaws: &'a Flaws,
) -> Option<Config> {
    Table::whole(document, flaws).read(|table| {
        let (mut named, plugins) = named(table, folder);
        let behind_proxy = table.take("behind_proxy").and_then(|entry| entry.truth());
        let (trusted_proxies, proxy_protocol) = proxies(table);
        let public_url = table.take("public_url").and_then(public_url_of);
        let admin_hosts = all(table.take("admin_hosts"), HOST_NAMES, Entry::host);
        let [sources, endpoints, handlers] =
            ["sources", "endpoints", "handlers"].map(|key| table.take(key));
        let metrics = table.take("metrics").and_then(|entry| entry.choice(&METRICS));
        let limits = table.section("limits", Limits::read).unwrap_or_default();
        let plugins = plugins::read(plugins, folder, limits.body_bytes, extent);
        named.plugins = plugins.folder;
        let retention = table.section("retention", retention::read).unwrap_or_default();

        let mut secrets = Secrets::new(text, folder);
        let ((egress_allow, egress_ca), telemetry) = outside(table, &mut secrets);
        let master = Master::read(table, &mut secrets);
        let tokens = each(table.take("tokens"), |name, table| token_of(name, table, &mut secrets));
        let pairs = Pairs::read(table.take("tls"), &mut secrets);
        named.check_addresses(pairs.names_admin || behind_proxy == Some(true));
        let shares = limits.shares();
        let source = |name: &Name, table: Table<'a>| {
            source_of((name, table), &mut secrets, (shares, master.known()), pairs.names_public)
        };
        let sources = each_but_own(sources, source);
        let (public_tls, admin_tls) = pairs.tls(&issuers_of(&sources), limits.http2());
        let written = (endpoints, handlers);
        let (endpoints, handlers) = senders(written, &egress_allow, &mut secrets, &plugins.rules);
        named.check(extent);
        Some(Config {
            listen: named.listen?.1,
            public_url,
            admin: named.admin?.1,
            trusted_proxies,
            proxy_protocol,
            public_tls,
            admin_tls,
            data: named.data?.1,
            plugins: named.plugins?.1,
            plugin_rules: Arc::new(plugins.rules),
            trusted_keys: plugins.trusted.into(),
            sources: whole(sources)?,
            endpoints: whole(endpoints)?,
            handlers: whole(handlers)?,
            egress_allow,
            egress_ca,
            telemetry: telemetry.exported,
            endpoints_max: telemetry.endpoints_max,
            limits,
            retention,
            encrypt_bodies: master.encrypts,
            master_keys: master.keys,
            secret_files: std::mem::take(&mut secrets.files),
            admin_hosts,
            tokens: tokens.into_values().collect::<Option<_>>()?,
            open_metrics: metrics.unwrap_or_default(),
            secrets: std::mem::take(&mut secrets.all),
            fingerprint: secrets.fingerprint(),
            warnings: Vec::new(),
        })
    })
}

/// The endpoints, and the handlers, which may send to these.
fn senders<'a>(
    (endpoints, handlers): (Option<Entry<'a>>, Option<Entry<'a>>),
    egress_allow: &[IpNet],
    secrets: &mut Secrets<'_>,
    rules: &AllRules,
) -> (BTreeMap<Name, Option<FileEndpoint>>, BTreeMap<Name, Option<Grants>>) {
    let mut unsubscribed = Vec::new();
    let endpoints = each(endpoints, |name, table| {
        endpoint_of((name, table), egress_allow, secrets, &mut unsubscribed)
    });
    let handlers = handlers_of(handlers, &endpoints.keys().cloned().collect(), rules);
    check_unsubscribed(unsubscribed, &handlers);
    (endpoints, handlers)
}

/// How to reach the operators' port, whatever else may be wrong with the file.
pub(super) fn admin<'a>(
    document: &'a DeTable<'a>,
    folder: &Path,
    flaws: &'a Flaws,
) -> Option<PortAt> {
    let mut table = Table::whole(document, flaws);
    let place = table.need("admin").and_then(|entry| entry.place(folder))?;
    Some(port_at(&mut table, place, "admin", folder))
}

/// How to reach the port that is at this place, and whose certificate is in `[tls.PORT]`.
fn port_at(table: &mut Table<'_>, place: Address, port: &'static str, folder: &Path) -> PortAt {
    let tls = table.take("tls").and_then(|entry| entry.table("[tls]".to_owned()));
    let pair = tls.and_then(|mut tls| tls.take(port)?.table(format!("[tls.{port}]")));
    let scheme = if pair.is_some() { "https" } else { "http" };
    let named = pair.and_then(|mut pair| pair.take("certificate")?.path());
    let certificate = named.map(|path| folder.join(path));
    let (host, socket) = match place {
        Address::Ip(address) => (address.to_string(), None),
        // What a request names as its host over such a socket.
        Address::Unix(path) => ("localhost".to_owned(), Some(path)),
    };
    PortAt { url: format!("{scheme}://{host}"), certificate, socket }
}

/// The plugins folder, whatever else may be wrong with the file.
pub(super) fn plugins<'a>(
    document: &'a DeTable<'a>,
    folder: &Path,
    flaws: &'a Flaws,
) -> Option<PathBuf> {
    Some(plugins::folder(Table::whole(document, flaws).need("plugins")?, folder)?.1)
}

/// The data folder, whatever else may be wrong with the file.
pub(super) fn data<'a>(
    document: &'a DeTable<'a>,
    folder: &Path,
    flaws: &'a Flaws,
) -> Option<PathBuf> {
    Some(folder.join(Table::whole(document, flaws).need("data")?.path()?))
}

/// What posting to one source needs, whatever else may be wrong with the file.
pub(super) fn sending<'a>(
    document: &'a DeTable<'a>,
    (text, folder): (&str, &Path),
    wanted: &Name,
    flaws: &'a Flaws,
) -> Option<Sending> {
    let mut table = Table::whole(document, flaws);
    let listen = table.need("listen").and_then(|entry| entry.address());
    let port = listen.map(|at| port_at(&mut table, Address::Ip(at), "public", folder));
    let plugins = table.need("plugins").and_then(|entry| plugins::folder(entry, folder));
    let sources = table.take("sources").map(|entry| entry.named()).unwrap_or_default();
    let mut secrets = Secrets::new(text, folder);
    let source = sources.into_iter().find(|(name, _)| name == wanted);
    // Nothing is received here.
    let shares = Shares { requests: 1, held_bytes: 1 };
    let source = match source {
        Some((name, table)) => Some(source_of((&name, table), &mut secrets, (shares, None), true)?),
        None => None,
    };
    Some(Sending { port: port?, plugins: plugins?.1, source })
}

/// What the file names of the world; of the plugins only where they are said, which is read with
/// the limits.
fn named<'a>(table: &mut Table<'a>, folder: &Path) -> (Named<'a>, Option<Entry<'a>>) {
    let [listen, admin, data, plugins] =
        ["listen", "admin", "data", "plugins"].map(|key| table.need(key));
    let address =
        |entry: Option<Entry<'a>>| entry.and_then(|entry| Some((entry, entry.address()?)));
    let path = |entry: Option<Entry<'a>>| {
        entry.and_then(|entry| Some((entry, folder.join(entry.path()?))))
    };
    let named = Named {
        listen: address(listen),
        admin: admin.and_then(|entry| Some((entry, entry.place(folder)?))),
        data: path(data),
        plugins: None,
    };
    (named, plugins)
}

/// The proxies that are believed, and whether their connections say whom they are for.
fn proxies(table: &mut Table<'_>) -> (Vec<IpNet>, bool) {
    let networks = table.take("trusted_proxies");
    let protocol = table.take("proxy_protocol");
    let networks = all(networks, "a list of networks", |entry| {
        let network = entry.network()?;
        if network.prefix_len() == 0 {
            entry.wrong("must not have all addresses: then anybody could say who they are");
        }
        Some(network)
    });
    let is_spoken = protocol.and_then(|entry| entry.truth()).unwrap_or_default();
    if let Some(entry) = protocol.filter(|_| is_spoken && networks.is_empty()) {
        entry.wrong("needs `trusted_proxies`, the networks of those who speak it");
    }
    (networks, is_spoken)
}

/// Neither a source nor a handler may be called as the gateway calls itself in events.
fn check_own(name: &Name, table: &Table<'_>) {
    if name.as_str() == OWN_SOURCE {
        let title = table.title();
        table.wrong(format!(
            "{title} needs another name: the gateway uses this one in the events that it raises \
             itself"
        ));
    }
}

/// What becomes of each of the tables that have names; nothing of those with a flaw.
fn each<'a, T>(
    entry: Option<Entry<'a>>,
    mut read: impl FnMut(&Name, Table<'a>) -> Option<T>,
) -> BTreeMap<Name, Option<T>> {
    let tables = entry.map(|entry| entry.named()).unwrap_or_default();
    let read = |(name, table): (Name, Table<'a>)| {
        let read = read(&name, table);
        (name, read)
    };
    tables.into_iter().map(read).collect()
}

/// The same of tables that may not be called as the gateway calls itself.
fn each_but_own<'a, T>(
    entry: Option<Entry<'a>>,
    mut read: impl FnMut(&Name, Table<'a>) -> Option<T>,
) -> BTreeMap<Name, Option<T>> {
    each(entry, |name, table| {
        check_own(name, &table);
        read(name, table)
    })
}

fn whole<T>(tables: BTreeMap<Name, Option<T>>) -> Option<BTreeMap<Name, T>> {
    tables.into_iter().map(|(name, table)| Some((name, table?))).collect()
}

fn source_of(
    (name, table): (&Name, Table<'_>),
    secrets: &mut Secrets<'_>,
    (shares, master): (Shares, Option<&[MasterKey]>),
    has_tls: bool,
) -> Option<Source> {
    table.read(|table| {
        let plugin = table.need("plugin").and_then(|entry| entry.name());
        let written = table.take("secrets");
        // Whether the plugin can do without any is told where the plugin is loaded.
        let needs_none = written.is_some_and(|entry| entry.is_empty_list());
        let list = secrets.list(written);
        let tolerance = table.take("tolerance").map(|entry| entry.duration(&TOLERANCE));
        let verify = table.take("verify").map(|entry| entry.choice(&VERIFY));
        let keys_from = table.take("keys_from");
        let is_keyed = keys_from.is_some_and(|entry| !entry.is_empty_list());
        let keys_from = all(keys_from, HOST_NAMES, Entry::host);
        let duplicates = table.take("duplicates");
        let duplicates =
            duplicates.and_then(|entry| entry.duration_for(&DUPLICATES, WHY_THIRTY_FIVE_DAYS));
        let settings = settings(table.take("config"));
        let gate = gate::read(table, secrets, has_tls);
        let tenant = tenant_of(table);
        let redact = redact::read(table, name, &tenant, master);
        let expected = table.take("expect").and_then(|entry| entry.expected());
        let verify = verify.unwrap_or(Some(Verify::default()))?;
        if list.written == 0 && !needs_none && !is_keyed && verify == Verify::Evidence {
            table.wrong(format!(
                "{} has no secrets, so the gateway can't verify its requests; add `secrets`, \
                 an empty list if its plugin pins root certificates, or write verify = \"none\" \
                 to accept requests from everybody",
                table.title()
            ));
        }
        let dates = list.dates.into();
        let secrets = list.secrets.into_iter().map(|(_, secret)| secret).collect();
        let source = Source::new(plugin?, secrets, tolerance.flatten(), verify, settings?, shares);
        let duplicates = duplicates.unwrap_or(Terms::DEFAULT);
        let source = source.with_keys_from(keys_from).with_duplicates(duplicates);
        let source = source.with_secret_dates(dates);
        let source = source.with_gate(gate).with_tenant(tenant).with_expected(expected);
        Some(source.with_redact(redact))
    })
}

/// Whose the events of a source are.
fn tenant_of(table: &mut Table<'_>) -> TenantOf {
    let [fixed, label] = ["tenant", "tenant_label"].map(|key| table.take(key));
    if let (Some(_), Some(label)) = (fixed, label) {
        label.wrong("must not stand beside `tenant`: the events of a source have one or the other");
    }
    let label = label.and_then(|entry| entry.label());
    match fixed.and_then(|entry| entry.tenant()) {
        Some(tenant) => TenantOf::Fixed(tenant),
        None => label.map_or(TenantOf::Operator, TenantOf::Label),
    }
}

/// An endpoint without event types is only of use to handlers that may send to it.
fn check_unsubscribed(
    unsubscribed: Vec<(String, Entry<'_>)>,
    handlers: &BTreeMap<Name, Option<Grants>>,
) {
    let is_granted = |title: &str| {
        handlers.values().any(|grants| match grants {
            Some(grants) => {
                let grant = &grants.grant;
                let names = |name: &Name| title == format!("[endpoints.{name}]");
                grant.all || grant.endpoints.iter().any(names)
            }
            // What it grants is not known.
            None => true,
        })
    };
    for (_, entry) in unsubscribed.into_iter().filter(|(title, _)| !is_granted(title)) {
        entry.wrong(
            "must name an event type, or \"*\" for all: no handler may send to this endpoint \
             either, so the gateway would deliver nothing to it",
        );
    }
}

/// What all handlers may do, to these endpoints and by these rules of plugins.
fn handlers_of(
    entry: Option<Entry<'_>>,
    endpoints: &BTreeSet<Name>,
    rules: &AllRules,
) -> BTreeMap<Name, Option<Grants>> {
    each_but_own(entry, |name, table| {
        let bytes = rules.get(name).and_then(|rules| rules.state_bytes);
        grants_of(table, endpoints, bytes)
    })
}

/// What a handler may do. `state_bytes` is what `[plugins.NAME]` says of it.
fn grants_of(
    table: Table<'_>,
    endpoints: &BTreeSet<Name>,
    state_bytes: Option<u64>,
) -> Option<Grants> {
    table.read(|table| {
        let grant = Arc::new(grant_of(table, endpoints));
        let quota = quota_of(table, state_bytes);
        Some(Grants { grant, settings: settings(table.take("config"))?, quota })
    })
}

/// Where a handler may send to, and to whom what it emits may belong.
fn grant_of(table: &mut Table<'_>, endpoints: &BTreeSet<Name>) -> Grant {
    let mut grant = Grant::default();
    let written = table.take("endpoints");
    for entry in written.and_then(|entry| entry.list("a list of endpoints")).unwrap_or_default() {
        match entry.text(GRANTED) {
            Some(ALL) => grant.all = true,
            Some(OWN_TENANTS) => grant.own_tenants = true,
            Some(_) => {
                let Some(name) = entry.name() else { continue };
                if !endpoints.contains(&name) {
                    let known: Vec<_> = endpoints.iter().map(Name::as_str).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    entry.warn(format!(
                        "`endpoints` names an endpoint that the file does not have: the handler \
                         reaches it once somebody makes it over the API; the endpoints of the \
                         file are: {known}"
                    ));
                }
                grant.endpoints.insert(name);
            }
            None => (),
        }
    }
    let tenants = all(table.take("tenants"), TENANTS, |entry| match entry.text(TENANTS)? {
        ALL => Some(None),
        _ => entry.tenant().map(Some),
    });
    // One that can be anybody is more than any list.
    grant.tenants = match tenants.into_iter().collect::<Option<BTreeSet<Tenant>>>() {
        None => Tenanting::All,
        Some(tenants) if tenants.is_empty() => Tenanting::Nobody,
        Some(tenants) => Tenanting::These(tenants),
    };
    grant
}

fn quota_of(table: &mut Table<'_>, of_plugin: Option<u64>) -> Quota {
    let default = Quota::default();
    let keys = table.take("state_keys").and_then(|entry| entry.count(&STATE_KEYS));
    let written = table.take("state_bytes");
    if let Some(entry) = written.filter(|_| of_plugin.is_some()) {
        entry.wrong("must not stand beside `state_bytes` of [plugins]: one of them counts");
    }
    let bytes = written.and_then(|entry| entry.count(&STATE_BYTES)).or(of_plugin);
    let term = table.take("state_term").and_then(|entry| entry.duration(&STATE_TERM));
    Quota { keys: keys.unwrap_or(default.keys), bytes: bytes.unwrap_or(default.bytes), term }
}

/// Who issues the certificates of the senders of all sources together.
fn issuers_of(sources: &BTreeMap<Name, Option<Source>>) -> Vec<Issuers> {
    sources.values().flatten().filter_map(|source| source.gate.issuers().cloned()).collect()
}

/// What deliveries may reach, and where telemetry goes.
fn outside(
    table: &mut Table<'_>,
    secrets: &mut Secrets<'_>,
) -> ((Vec<IpNet>, Authorities), Telemetry) {
    let reached = table.section("egress", |table| egress(table, secrets)).unwrap_or_default();
    let telemetry = table.section("telemetry", |table| telemetry::read(table, secrets));
    (reached, telemetry.unwrap_or_default())
}

/// The networks that may be reached besides the public ones, and the authorities that count besides
/// the system's.
fn egress(table: &mut Table<'_>, secrets: &mut Secrets<'_>) -> (Vec<IpNet>, Authorities) {
    let allow = all(table.take("allow"), "a list of networks", |entry| {
        let network = entry.network()?;
        if network.prefix_len() == 0 {
            entry.warn(
                "`allow` allows every address: deliveries can then reach this machine, the \
                 private network, and the cloud's metadata",
            );
        }
        Some(network)
    });
    let files = table.take("ca").and_then(|entry| entry.list("a list of files in PEM"));
    let mut ca = Authorities::default();
    for entry in files.unwrap_or_default() {
        let Some(pem) = secrets.file(entry) else { continue };
        if let Err(wrong) = ca.add(&pem) {
            entry.wrong(&format!("names a file that has {wrong}"));
        }
    }
    (allow, ca)
}

/// A `config` table as the JSON text that the plugin gets.
fn settings(entry: Option<Entry<'_>>) -> Option<Arc<str>> {
    match entry {
        None => Some("{}".into()),
        Some(entry) => Some(entry.json()?.to_string().into()),
    }
}
