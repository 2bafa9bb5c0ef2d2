//! Who receives an event: the endpoints that subscribe to its type, by tenant.
//!
//! Pure. An event goes to those of the operator and to those of its own tenant, and what that costs
//! does not grow with the endpoints of others: it is looked up by tenant and type. Never knows a
//! URL, and never whether an endpoint is well.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::endpoint::{Endpoint, Facts, Rule};
use crate::event::Event;
use crate::ids::Name;
use crate::tenant::Tenant;

/// The endpoints of all tenants; a copy shares those of each.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Those of the operator have no tenant.
    tenants: HashMap<Option<Tenant>, Arc<Tenanted>>,
}

/// The endpoints of one tenant, or of the operator.
#[derive(Debug, Default)]
pub struct Tenanted {
    /// By the type that they name.
    exact: HashMap<String, Vec<Arc<Subscriber>>>,
    /// By the beginning of the types that they name, with its dot: `payment.`.
    prefixes: HashMap<String, Vec<Arc<Subscriber>>>,
    /// Those of all types.
    all: Vec<Arc<Subscriber>>,
    /// What deliveries know those of these names by.
    names: HashMap<Name, Name>,
    has_filters: bool,
}

/// An endpoint, as far as it matters here.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// What deliveries know it by.
    pub key: Name,
    /// Whose it is; `None` is the operator's.
    pub tenant: Option<Tenant>,
    /// What its owner calls it.
    pub name: Name,
    /// What must hold of an event besides its type.
    pub filter: Vec<Rule>,
}

impl Tenanted {
    /// Of these endpoints. Where two have one name, it is that of the first.
    pub fn of<'e>(endpoints: impl IntoIterator<Item = &'e Endpoint>) -> Self {
        let mut tenanted = Self::default();
        for endpoint in endpoints {
            tenanted.add(endpoint);
        }
        tenanted
    }

    fn add(&mut self, endpoint: &Endpoint) {
        let (key, settings) = (endpoint.key.clone(), &endpoint.settings);
        let (name, filter) = (settings.name.clone(), settings.filter.clone());
        let tenant = settings.tenant.clone();
        self.names.entry(name.clone()).or_insert_with(|| key.clone());
        self.has_filters |= !filter.is_empty();
        let subscriber = Arc::new(Subscriber { key, tenant, name, filter });
        for pattern in &settings.events {
            let text = pattern.to_string();
            let place = match text.strip_suffix('*') {
                None => self.exact.entry(text).or_default(),
                Some("") => &mut self.all,
                Some(prefix) => self.prefixes.entry(prefix.to_owned()).or_default(),
            };
            place.push(Arc::clone(&subscriber));
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Those that subscribe to the type of an event, some of them more than once. What the gateway
    /// raises itself goes to those alone that name its type or the beginning of it.
    fn wanting<'t>(&'t self, event: &'t Event) -> impl Iterator<Item = &'t Arc<Subscriber>> {
        let event_type = event.event_type.as_str();
        let ends = event_type.match_indices('.').map(move |(dot, _)| &event_type[..=dot]);
        let prefixes = ends.filter_map(move |prefix| self.prefixes.get(prefix)).flatten();
        let all = self.all.iter().filter(move |_| !event.is_own());
        self.exact.get(event_type).into_iter().flatten().chain(prefixes).chain(all)
    }
}

impl Table {
    /// Of the endpoints of each of these tenants.
    pub fn of(tenants: impl IntoIterator<Item = (Option<Tenant>, Tenanted)>) -> Self {
        let tenants = tenants.into_iter();
        Self { tenants: tenants.map(|(tenant, of)| (tenant, Arc::new(of))).collect() }
    }

    /// The same table, in which these are the endpoints of this tenant.
    #[must_use]
    pub fn with(&self, tenant: Option<Tenant>, endpoints: Tenanted) -> Self {
        let mut tenants = self.tenants.clone();
        if endpoints.is_empty() {
            tenants.remove(&tenant);
        } else {
            tenants.insert(tenant, Arc::new(endpoints));
        }
        Self { tenants }
    }

    /// The endpoints of the operator, and those of this tenant.
    fn whose<'t>(&'t self, tenant: Option<&Tenant>) -> impl Iterator<Item = &'t Tenanted> {
        let own = tenant.and_then(|tenant| self.tenants.get(&Some(tenant.clone())));
        self.tenants.get(&None).into_iter().chain(own).map(|tenanted| &**tenanted)
    }

    /// Where an event of this tenant goes, by the keys of endpoints: each once, in their order.
    pub fn routes(&self, event: &Event, tenant: Option<&Tenant>) -> Vec<Name> {
        self.routes_if(event, tenant, |_| true)
    }

    /// The same, of those endpoints that may receive it.
    pub fn routes_if(
        &self,
        event: &Event,
        tenant: Option<&Tenant>,
        may: impl Fn(&Subscriber) -> bool,
    ) -> Vec<Name> {
        let mut facts = Facts::of(event);
        let mut wants = |subscriber: &Subscriber| {
            may(subscriber) && subscriber.filter.iter().all(|rule| rule.holds(&mut facts))
        };
        let mut found = BTreeSet::new();
        for tenanted in self.whose(tenant) {
            for subscriber in tenanted.wanting(event) {
                if !found.contains(&subscriber.key) && wants(subscriber) {
                    found.insert(subscriber.key.clone());
                }
            }
        }
        found.into_iter().collect()
    }

    /// Whether where an event of this tenant goes follows from its type alone.
    pub fn is_by_type(&self, tenant: Option<&Tenant>) -> bool {
        self.whose(tenant).all(|tenanted| !tenanted.has_filters)
    }

    /// What deliveries know the endpoint of this name of a tenant by, or of the operator.
    pub fn named(&self, tenant: Option<&Tenant>, name: &Name) -> Option<&Name> {
        self.tenants.get(&tenant.cloned())?.names.get(name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::endpoint::{Origin, RawRule, RawSettings, Standing, check};
    use crate::event::Timestamp;
    use crate::ids::{Id, IdKind};
    use crate::json_text::JsonText;

    const TYPES: [&str; 6] =
        ["payment.failed", "payment.failed.again", "payment", "payments.failed", "refund", "a.b.c"];

    fn event(event_type: &str, data: &serde_json::Value) -> Event {
        Event {
            source: "stripe".parse().unwrap(),
            id: "evt_1".to_owned(),
            event_type: event_type.to_owned(),
            subject: None,
            time: Timestamp(5),
            money: None,
            labels: Vec::new(),
            data: JsonText::new(data.to_string()).unwrap(),
        }
    }

    fn endpoint(number: u64, tenant: Option<&str>, events: &[&str], paid: bool) -> Endpoint {
        let rule: RawRule =
            serde_json::from_value(json!({ "pointer": "/paid", "op": "equals", "value": true }))
                .unwrap();
        let raw = RawSettings {
            name: format!("e{number}"),
            tenant: tenant.map(str::to_owned),
            url: "https://crm.example".to_owned(),
            events: events.iter().map(|text| (*text).to_owned()).collect(),
            filter: paid.then(|| vec![rule]),
            ..RawSettings::default()
        };
        let id = Id { kind: IdKind::Endpoint, position: number, tag: 1 };
        Endpoint {
            id,
            key: id.key(),
            origin: Origin::Api,
            settings: Arc::new(check(raw, Origin::Api).unwrap()),
            standing: Standing::enabled(Timestamp(5)),
            created_at: Timestamp(5),
            updated_at: Timestamp(5),
            revision: 1,
        }
    }

    fn table(endpoints: &[Endpoint]) -> Table {
        let mut table = Table::default();
        let tenants: BTreeSet<_> = endpoints.iter().map(|it| it.settings.tenant.clone()).collect();
        for tenant in tenants {
            let of = endpoints.iter().filter(|it| it.settings.tenant == tenant);
            table = table.with(tenant.clone(), Tenanted::of(of));
        }
        table
    }

    /// What each endpoint says for itself.
    fn naive(endpoints: &[Endpoint], event: &Event, tenant: Option<&Tenant>) -> Vec<Name> {
        let receives = |endpoint: &&Endpoint| {
            let Endpoint { settings, .. } = endpoint;
            let is_whose = settings.tenant.is_none() || settings.tenant.as_ref() == tenant;
            let mut facts = Facts::of(event);
            is_whose
                && settings.events.iter().any(|pattern| pattern.matches(&event.event_type))
                && settings.filter.iter().all(|rule| rule.holds(&mut facts))
        };
        let mut keys: Vec<Name> =
            endpoints.iter().filter(receives).map(|endpoint| endpoint.key.clone()).collect();
        keys.sort();
        keys
    }

    #[test]
    fn an_event_goes_where_each_endpoint_says_that_it_receives_it() {
        let patterns = ["payment.failed", "payment.*", "payment.failed.*", "*", "a.b.*", "refund"];
        let tenants = [None, Some("acme"), Some("other")];
        let mut random = fastrand::Rng::with_seed(14);
        for _ in 0..200 {
            let endpoints: Vec<Endpoint> = (1..=12)
                .map(|number| {
                    let events = random.choose_multiple(patterns.iter().copied(), 2);
                    let tenant = tenants[random.usize(..tenants.len())];
                    endpoint(number, tenant, &events, random.u8(..4) == 0)
                })
                .collect();
            let table = table(&endpoints);
            let event_type = TYPES[random.usize(..TYPES.len())];
            let event = event(event_type, &json!({ "paid": random.bool() }));
            let tenant = tenants[random.usize(..tenants.len())];
            let tenant: Option<Tenant> = tenant.map(|text| text.parse().unwrap());
            let expected = naive(&endpoints, &event, tenant.as_ref());
            assert_eq!(table.routes(&event, tenant.as_ref()), expected, "{event_type} {tenant:?}");
        }
    }

    #[test]
    fn an_endpoint_that_wants_a_type_twice_receives_it_once() {
        let endpoints = [endpoint(1, None, &["payment.failed", "payment.*", "*"], false)];
        let routes = table(&endpoints).routes(&event("payment.failed", &json!({})), None);
        assert_eq!(routes, [endpoints[0].key.clone()]);
    }

    /// Guards that an endpoint that wants everything of before is not sent what is new, and that
    /// what became of its own deliveries is no cause of more.
    #[test]
    fn what_the_gateway_raises_goes_only_to_those_who_name_its_type() {
        let wanting: Vec<Endpoint> = (1..)
            .zip(["*", "hookgate.*", "hookgate.endpoint.*", "hookgate.endpoint.failing", "disk.*"])
            .map(|(number, pattern)| endpoint(number, None, &[pattern], false))
            .collect();
        let table = table(&wanting);
        let keys = |of: &[Endpoint]| of.iter().map(|it| it.key.clone()).collect::<Vec<Name>>();
        let other = event("hookgate.endpoint.failing", &json!({}));
        assert_eq!(table.routes(&other, None), keys(&wanting[..4]), "of any other source");
        let own = Event { source: crate::event::OWN_SOURCE.parse().unwrap(), ..other };
        assert_eq!(table.routes(&own, None), keys(&wanting[1..4]));
    }

    #[test]
    fn a_name_is_one_of_its_tenant_or_of_the_operator() {
        let (mine, theirs) = (endpoint(1, None, &[], false), endpoint(2, Some("acme"), &[], false));
        let settings = crate::endpoint::Settings {
            name: mine.settings.name.clone(),
            ..(*theirs.settings).clone()
        };
        let theirs = Endpoint { settings: Arc::new(settings), ..theirs };
        let (acme, name) = ("acme".parse::<Tenant>().unwrap(), mine.settings.name.clone());
        let table = table(&[mine.clone(), theirs.clone()]);
        assert_eq!(table.named(Some(&acme), &name), Some(&theirs.key));
        assert_eq!(table.named(None, &name), Some(&mine.key));
        let without = table.with(Some(acme.clone()), Tenanted::default());
        assert_eq!(without.named(Some(&acme), &name), None);
        assert_eq!(table.named(Some(&acme), &"unknown".parse().unwrap()), None);
    }

    #[test]
    fn without_a_filter_the_type_says_where_an_event_goes() {
        let (plain, filters) =
            (endpoint(1, None, &["*"], false), endpoint(2, Some("a"), &[], true));
        let (a, b): (Tenant, Tenant) = ("a".parse().unwrap(), "b".parse().unwrap());
        let table = table(&[plain, filters]);
        assert!(table.is_by_type(None) && table.is_by_type(Some(&b)));
        assert!(!table.is_by_type(Some(&a)));
    }
}
