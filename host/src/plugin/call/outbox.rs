//! What one run asks for, held back until it returns.
//!
//! Every wish is checked against the grant and the limits at once, so that the plugin hears why it
//! was refused. Nothing happens here: the store makes the effects happen, or not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::grant::Grant;
use super::reads::Reads;
use crate::effect::{Alert, Asked, Effect, Emission, Parcel, Severity};
use crate::ids::Name;
use crate::plugin::contract::bindings::hookgate::plugin::outbox::{self, Refusal};
use crate::plugin::contract::bindings::hookgate::plugin::state;
use crate::plugin::contract::convert::YIELD_BYTES_MAX;
use crate::plugin::contract::violation::{self, TEXT_BYTES_MAX, Violation, violation};
use crate::route::Pattern;
use crate::tenant::Tenant;

/// Most effects of one run, unless the operator sets another limit; every key of the state that it
/// sets or deletes counts as one.
pub const EFFECTS_MAX: usize = 64;
/// Longest key of the state, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// Largest value in the state.
const VALUE_BYTES_MAX: usize = 256 << 10;

/// Finds an endpoint by its name, among those of this tenant alone, or those of the operator, and
/// gives what deliveries know it by.
pub type EndpointFinder = Arc<dyn Fn(Option<&Tenant>, &Name) -> Option<Name> + Send + Sync>;

/// Reads a key of the state of the run's subject. An error is the store's, and makes the run a
/// failure of the host and not of the plugin.
pub type StateReader = Arc<dyn Fn(&str) -> Result<Option<Bytes>, String> + Send + Sync>;

/// What a run reaches of the gateway while it goes on.
#[derive(Clone)]
pub struct Doors {
    /// What its subject's state is.
    pub state: StateReader,
    /// Which endpoints there are.
    pub endpoints: EndpointFinder,
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doors(..)")
    }
}

/// The store could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the state of the subject: {0}")]
pub(super) struct StateUnread(pub(super) String);

/// The effects that one run has asked for so far.
pub(super) struct Outbox {
    grant: Arc<Grant>,
    /// The types that the plugin declares that it emits.
    emits: Vec<Pattern>,
    /// Whose the event of the run is.
    tenant: Option<Tenant>,
    doors: Doors,
    /// What the state was.
    reads: Reads,
    effects: Vec<Effect>,
    /// The last word on each key.
    state: BTreeMap<String, Option<Bytes>>,
    bytes: usize,
    /// Most of them, keys of the state included.
    effects_max: usize,
    /// Whether something was refused that the operator has not granted.
    denied: bool,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("effects", &self.effects.len()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// A run that has not asked for anything, and may ask for so many effects.
    pub(super) fn new(
        grant: Arc<Grant>,
        emits: Vec<Pattern>,
        tenant: Option<Tenant>,
        doors: Doors,
        effects_max: usize,
    ) -> Self {
        Self {
            grant,
            emits,
            tenant,
            doors,
            reads: Reads::default(),
            effects: Vec::new(),
            state: BTreeMap::new(),
            bytes: 0,
            effects_max,
            denied: false,
        }
    }

    /// Whether the run asked for something that the operator has not granted.
    pub(super) fn has_denied(&self) -> bool {
        self.denied
    }

    /// How many effects it asked for, keys of the state included.
    pub(super) fn count(&self) -> usize {
        self.effects.len() + self.state.len()
    }

    /// All that it asked for: its effects in their order, then the state by key.
    pub(super) fn into_asked(self) -> Asked {
        let Self { mut effects, state, reads, .. } = self;
        let state = state.into_iter();
        effects.extend(state.map(|(key, value)| Effect::SetState { key, value }));
        Asked { effects, state_read: reads.hash() }
    }

    pub(super) fn emit(&mut self, event: outbox::Emission) -> Result<(), Refusal> {
        let tenant = self.tenant_of(event.tenant.as_deref())?;
        let emission =
            emission(event, tenant).map_err(|violation| Refusal::Invalid(violation.to_string()))?;
        if !self.emits.iter().any(|pattern| pattern.matches(&emission.event_type)) {
            let event_type = &emission.event_type;
            let reason =
                format!("`emission.type` is `{event_type}`, which `emits` does not declare");
            return Err(Refusal::Invalid(reason));
        }
        let bytes = emission.bytes();
        self.ask(Effect::Emit(emission), bytes)
    }

    /// Whose an emission is that names this tenant, or none: then whose the event of the run is.
    fn tenant_of(&mut self, named: Option<&str>) -> Result<Option<Tenant>, Refusal> {
        let Some(named) = named else { return Ok(self.tenant.clone()) };
        let shown = || violation::shortened(named, 64);
        let Ok(tenant) = named.parse::<Tenant>() else {
            let reason = format!("`emission.tenant` is `{}`, which is not a tenant", shown());
            return Err(Refusal::Invalid(reason));
        };
        if self.tenant.as_ref() == Some(&tenant) || self.grant.may_name(&tenant) {
            return Ok(Some(tenant));
        }
        let reason = format!("the operator has not granted the tenant `{}`", shown());
        Err(self.deny(reason))
    }

    /// What deliveries know the endpoint of this name by: that of the event's tenant, else that of
    /// the operator, as far as they are granted.
    fn endpoint(&self, named: &str) -> Option<Name> {
        let name: Name = named.parse().ok()?;
        let find = &self.doors.endpoints;
        let tenant = self.tenant.as_ref().filter(|_| self.grant.own_tenants);
        let own = tenant.and_then(|tenant| find(Some(tenant), &name));
        own.or_else(|| self.grant.reaches(&name).then(|| find(None, &name)).flatten())
    }

    pub(super) fn send(
        &mut self,
        endpoint: &str,
        content_type: String,
        body: Vec<u8>,
    ) -> Result<(), Refusal> {
        let Some(endpoint) = self.endpoint(endpoint) else {
            let shown = violation::shortened(endpoint, 63);
            return Err(self.deny(format!("the operator has not granted the endpoint `{shown}`")));
        };
        let content_type = violation::content_type("content-type", content_type)
            .map_err(|violation| Refusal::Invalid(violation.to_string()))?;
        let bytes = body.len();
        self.ask(Effect::Send(Parcel { endpoint, content_type, body: body.into() }), bytes)
    }

    pub(super) fn alert(
        &mut self,
        severity: outbox::Severity,
        message: &str,
    ) -> Result<(), Refusal> {
        let severity = match severity {
            outbox::Severity::Info => Severity::Info,
            outbox::Severity::Warning => Severity::Warning,
            outbox::Severity::Critical => Severity::Critical,
        };
        let message = violation::shortened(message, TEXT_BYTES_MAX);
        let bytes = message.len();
        self.ask(Effect::Alert(Alert { severity, message }), bytes)
    }

    /// What this run has written to the key, else what is stored.
    pub(super) fn state(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateUnread> {
        if let Some(written) = self.state.get(key) {
            return Ok(written.as_ref().map(|value| value.to_vec()));
        }
        if !is_key(key) {
            return Ok(None);
        }
        let stored = (self.doors.state)(key).map_err(StateUnread)?;
        self.reads.add(key, stored.as_deref());
        Ok(stored.map(|value| value.to_vec()))
    }

    pub(super) fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), state::Refusal> {
        if !is_key(&key) {
            let reason = format!("a key has 1 to {KEY_BYTES_MAX} bytes, not {}", key.len());
            return Err(state::Refusal::Invalid(reason));
        }
        if value.len() > VALUE_BYTES_MAX {
            let reason = format!("a value has at most {VALUE_BYTES_MAX} bytes");
            return Err(state::Refusal::TooMuch(reason));
        }
        self.write(key, Some(value.into())).map_err(state::Refusal::TooMuch)
    }

    pub(super) fn delete(&mut self, key: String) -> Result<(), Violation> {
        if is_key(&key) {
            self.write(key, None).map_err(|reason| violation("state.delete", reason))?;
        }
        Ok(())
    }

    fn deny(&mut self, reason: String) -> Refusal {
        self.denied = true;
        Refusal::NotGranted(reason)
    }

    fn ask(&mut self, effect: Effect, bytes: usize) -> Result<(), Refusal> {
        self.weigh(1, bytes, 0).map_err(Refusal::TooMuch)?;
        self.effects.push(effect);
        Ok(())
    }

    fn write(&mut self, key: String, value: Option<Bytes>) -> Result<(), String> {
        let bytes =
            |key: &str, value: &Option<Bytes>| key.len() + value.as_ref().map_or(0, Bytes::len);
        let before = self.state.get(&key);
        let more = usize::from(before.is_none());
        let freed = before.map_or(0, |before| bytes(&key, before));
        self.weigh(more, bytes(&key, &value), freed)?;
        self.state.insert(key, value);
        Ok(())
    }

    /// Counts what is asked for, or says which limit it would pass.
    fn weigh(&mut self, more: usize, bytes: usize, freed: usize) -> Result<(), String> {
        let most = self.effects_max;
        if self.count() + more > most {
            return Err(format!("a run has at most {most} effects"));
        }
        let bytes = self.bytes - freed + bytes;
        if bytes > YIELD_BYTES_MAX {
            return Err(format!("the effects of a run have at most {YIELD_BYTES_MAX} bytes"));
        }
        self.bytes = bytes;
        Ok(())
    }
}

fn is_key(key: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
}

fn emission(event: outbox::Emission, tenant: Option<Tenant>) -> Result<Emission, Violation> {
    let money = event.money;
    Ok(Emission {
        event_type: violation::event_type("emission.type", event.type_)?,
        subject: violation::subject("emission.subject", event.subject)?,
        money: money
            .map(|money| violation::money("emission.money", money.amount, money.currency))
            .transpose()?,
        labels: violation::labels("emission.labels", event.labels)?,
        data: violation::json("emission.data", event.data)?,
        tenant,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plugin::call::grant::Tenanting;

    fn outbox() -> Outbox {
        let endpoints = BTreeSet::from(["crm".parse().unwrap()]);
        granted(Grant { endpoints, ..Grant::default() }, None)
    }

    /// Of a run on an event of this tenant. There are the operator's `crm` and `bank`, and a `crm`
    /// of `acme`.
    fn granted(grant: Grant, tenant: Option<&str>) -> Outbox {
        let endpoints = |tenant: Option<&Tenant>, name: &Name| {
            let key = match (tenant.map(Tenant::as_str), name.as_str()) {
                (None, "crm" | "bank") => name.as_str(),
                (Some("acme"), "crm") => "ep-000000000000000001",
                _ => return None,
            };
            key.parse::<Name>().ok()
        };
        let stored: StateReader = Arc::new(|key| match key {
            "seen" => Ok(Some(Bytes::from_static(b"stored"))),
            "broken" => Err("disk".to_owned()),
            _ => Ok(None),
        });
        let doors = Doors { state: stored, endpoints: Arc::new(endpoints) };
        let tenant = tenant.map(|tenant| tenant.parse().unwrap());
        Outbox::new(Arc::new(grant), vec!["a.b".parse().unwrap()], tenant, doors, EFFECTS_MAX)
    }

    /// Where a run may send to by this name, if it may.
    fn reached(grant: &Grant, tenant: Option<&str>, name: &str) -> Option<String> {
        let mut outbox = granted(grant.clone(), tenant);
        send(&mut outbox, name, 1).ok()?;
        let effects = outbox.into_asked().effects;
        let [Effect::Send(parcel)] = &effects[..] else { panic!("{effects:?}") };
        Some(parcel.endpoint.to_string())
    }

    const CRM_OF_ACME: &str = "ep-000000000000000001";

    #[test]
    fn a_name_is_the_tenants_endpoint_only_with_the_grant_for_tenants() {
        let endpoints = BTreeSet::from(["crm".parse().unwrap()]);
        let by_name = Grant { endpoints, ..Grant::default() };
        let all = Grant { all: true, ..Grant::default() };
        let own = Grant { own_tenants: true, ..Grant::default() };
        let both = Grant { all: true, ..own.clone() };
        let (acme, globex) = (Some("acme"), Some("globex"));
        for (grant, tenant, name, expected) in [
            (&by_name, acme, "crm", Some("crm")),
            (&by_name, acme, "bank", None),
            (&all, acme, "crm", Some("crm")),
            (&all, None, "bank", Some("bank")),
            (&all, None, "nothing", None),
            (&own, acme, "crm", Some(CRM_OF_ACME)),
            (&own, acme, "bank", None),
            (&own, globex, "crm", None),
            (&own, None, "crm", None),
            (&both, acme, "crm", Some(CRM_OF_ACME)),
            (&both, globex, "crm", Some("crm")),
            (&both, acme, "bank", Some("bank")),
            // What deliveries know an endpoint by is nobody's name for it.
            (&both, globex, CRM_OF_ACME, None),
        ] {
            assert_eq!(reached(grant, tenant, name).as_deref(), expected, "{tenant:?} {name}");
        }
    }

    #[test]
    fn an_emission_is_of_the_events_tenant_and_of_another_only_with_a_grant() {
        let some = |tenant: &str| Tenanting::These(BTreeSet::from([tenant.parse().unwrap()]));
        let emitted = |tenants: Tenanting, own: Option<&str>, named: Option<&str>| {
            let mut outbox = granted(Grant { tenants, ..Grant::default() }, own);
            let tenant = named.map(str::to_owned);
            outbox.emit(outbox::Emission { tenant, ..emission_of("a.b", "{}") })?;
            let effects = outbox.into_asked().effects;
            let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
            Ok::<_, Refusal>(emission.tenant.as_ref().map(Tenant::to_string))
        };
        let (acme, globex) = (Some("acme"), Some("globex"));
        let of = |tenant: &str| Some(tenant.to_owned());
        assert_eq!(emitted(Tenanting::Nobody, None, None).unwrap(), None);
        assert_eq!(emitted(Tenanting::Nobody, acme, None).unwrap(), of("acme"));
        assert_eq!(emitted(Tenanting::Nobody, acme, acme).unwrap(), of("acme"));
        assert_eq!(emitted(some("globex"), acme, globex).unwrap(), of("globex"));
        assert_eq!(emitted(Tenanting::All, None, globex).unwrap(), of("globex"));
        for (tenants, own) in
            [(Tenanting::Nobody, acme), (Tenanting::Nobody, None), (some("initech"), acme)]
        {
            let refused = emitted(tenants, own, globex);
            assert!(matches!(refused, Err(Refusal::NotGranted(_))), "{refused:?}");
        }
        let wrong = emitted(Tenanting::All, acme, Some("a b"));
        assert!(matches!(wrong, Err(Refusal::Invalid(_))), "{wrong:?}");
    }

    fn emission_of(type_: &str, data: &str) -> outbox::Emission {
        outbox::Emission {
            type_: type_.to_owned(),
            subject: None,
            money: None,
            labels: Vec::new(),
            data: data.to_owned(),
            tenant: None,
        }
    }

    fn send(outbox: &mut Outbox, endpoint: &str, bytes: usize) -> Result<(), Refusal> {
        outbox.send(endpoint, "text/plain".to_owned(), vec![0; bytes])
    }

    #[test]
    fn only_granted_endpoints_are_sent_to() {
        let mut outbox = outbox();
        assert!(send(&mut outbox, "crm", 1).is_ok());
        assert!(matches!(send(&mut outbox, "bank", 1), Err(Refusal::NotGranted(_))));
        assert_eq!(outbox.into_asked().effects.len(), 1);
    }

    #[test]
    fn a_run_sees_what_it_wrote() {
        let mut outbox = outbox();
        assert_eq!(outbox.state("seen").unwrap(), Some(b"stored".to_vec()));
        outbox.set("seen".to_owned(), b"new".to_vec()).unwrap();
        assert_eq!(outbox.state("seen").unwrap(), Some(b"new".to_vec()));
        outbox.delete("seen".to_owned()).unwrap();
        assert_eq!(outbox.state("seen").unwrap(), None);
        assert!(outbox.state("broken").is_err());
        let deleted = Effect::SetState { key: "seen".to_owned(), value: None };
        assert_eq!(outbox.into_asked().effects, [deleted]);
    }

    #[test]
    fn what_a_run_was_given_of_its_state_is_hashed_and_what_it_wrote_is_not() {
        let hash = |ask: &dyn Fn(&mut Outbox)| {
            let mut outbox = outbox();
            ask(&mut outbox);
            outbox.into_asked().state_read
        };
        let read = |outbox: &mut Outbox, key: &str| drop(outbox.state(key).unwrap());
        let seen = hash(&|outbox| read(outbox, "seen"));

        assert!(seen.is_some());
        assert_ne!(hash(&|outbox| read(outbox, "unseen")), seen);
        let overwrites = hash(&|outbox| {
            read(outbox, "seen");
            outbox.set("seen".to_owned(), b"new".to_vec()).unwrap();
            read(outbox, "seen");
        });
        assert_eq!(overwrites, seen);
        let writes = hash(&|outbox| {
            outbox.set("seen".to_owned(), b"new".to_vec()).unwrap();
            read(outbox, "seen");
            // It is no key, so there is nothing to look for.
            read(outbox, "");
        });
        assert_eq!(writes, None);
    }

    #[test]
    fn effects_are_counted_and_weighed() {
        let mut outbox = outbox();
        for round in 0..1000 {
            outbox.set("same".to_owned(), vec![round as u8; VALUE_BYTES_MAX]).unwrap();
        }
        let heavy = send(&mut outbox, "crm", YIELD_BYTES_MAX);
        assert!(matches!(heavy, Err(Refusal::TooMuch(_))));
        for _ in 1..EFFECTS_MAX {
            send(&mut outbox, "crm", 1).unwrap();
        }
        assert!(matches!(send(&mut outbox, "crm", 1), Err(Refusal::TooMuch(_))));
        assert!(matches!(
            outbox.set("other".to_owned(), Vec::new()),
            Err(state::Refusal::TooMuch(_))
        ));
        assert!(outbox.set("same".to_owned(), Vec::new()).is_ok());
        assert!(outbox.delete("other".to_owned()).is_err());
        assert_eq!(outbox.into_asked().effects.len(), EFFECTS_MAX);
    }

    #[test]
    fn what_the_contract_does_not_allow_is_refused() {
        let mut outbox = outbox();
        let emission = emission_of;
        assert!(matches!(outbox.emit(emission("a b", "{}")), Err(Refusal::Invalid(_))));
        assert!(matches!(outbox.emit(emission("a.c", "{}")), Err(Refusal::Invalid(_))));
        let tenant = Some("acme".to_owned());
        let foreign = outbox::Emission { tenant, ..emission("a.b", "{}") };
        assert!(matches!(outbox.emit(foreign), Err(Refusal::NotGranted(_))));
        assert!(matches!(outbox.emit(emission("a.b", "{")), Err(Refusal::Invalid(_))));
        assert!(outbox.emit(emission("a.b", "{}")).is_ok());
        assert!(outbox.set(String::new(), Vec::new()).is_err());
        assert!(outbox.set("k".to_owned(), vec![0; VALUE_BYTES_MAX + 1]).is_err());
    }
}
