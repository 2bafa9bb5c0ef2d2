//! Where a provider writes what every event has: its name, object, time, money and labels.
//!
//! Most providers differ in these places alone, so a table of them is all that such a provider has
//! to say. All pointers start at the body. What is missing is left out, and never guessed; what a
//! provider says in another way it adds to the event that it gets.

use std::borrow::Cow;

use crate::envelope::Envelope;
use crate::event::{Event, Failure, Timestamp, event_type, labels};
use crate::json::{self, Json, Members};
use crate::money::{Money, known_money};
use crate::request::Request;
use crate::time;

/// The places of one kind of body.
///
/// ```
/// use hookgate_sdk::{Outline, Request, When};
///
/// const EVENT: Outline = Outline::new("acme", &["/event"])
///     .typed(&[("charge.paid", "payment.succeeded")])
///     .identified_by("/id")
///     .about("/data")
///     .subject(&["/data/id"])
///     .at(&[("/created", When::Seconds)])
///     .minor(&[("/data/amount", "/data/currency")]);
///
/// let body = r#"{"id":"e1","event":"charge.paid","created":1700000000,
///     "data":{"id":"ch_1","amount":1099,"currency":"eur"}}"#;
/// let event = EVENT.event(&Request::post("/in/acme", body)).unwrap();
/// assert_eq!((event.id.as_str(), event.type_.as_str()), ("e1", "payment.succeeded"));
/// assert_eq!(event.money.map(|money| money.amount).as_deref(), Some("10.99"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    provider: &'a str,
    names: &'a [&'a str],
    types: &'a [(&'a str, &'a str)],
    id: Id<'a>,
    object: &'a str,
    subject: &'a [&'a str],
    times: &'a [(&'a str, When<'a>)],
    units: Units,
    money: &'a [(&'a str, &'a str)],
    account: &'a [&'a str],
    live: Option<Live<'a>>,
    reference: &'a [&'a str],
    custom: &'a [&'a str],
    words: &'a [(&'a str, &'a [&'a str])],
    declined: &'a [&'a str],
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When<'a> {
    /// `2026-01-01T00:00:00Z`, in RFC 3339.
    Rfc3339,
    /// In seconds since 1970.
    Seconds,
    /// In milliseconds since 1970.
    Milliseconds,
    /// Like RFC 3339, but without its offset, which is always this: `+07:00`.
    Local(&'a str),
}

/// What says whether it is about real money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live<'a> {
    /// A flag at this place, `true` for real money.
    Flag(&'a str),
    /// A flag at this place, `true` for a test.
    TestFlag(&'a str),
    /// A word at this place, such as `live` or `sandbox`.
    Word(&'a str),
}

/// Where the provider's id of the event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id<'a> {
    Nowhere,
    Member(&'a str),
    Header(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    Minor,
    /// Minor units with this number of decimals for any currency.
    MinorWith(usize),
    Major,
}

impl<'a> Outline<'a> {
    /// The events of this provider, whose own name of an event is at the first of these places; if
    /// there is a text at the others too, it is behind it, with a dot between them: `order.paid`.
    pub const fn new(provider: &'a str, names: &'a [&'a str]) -> Self {
        Self {
            provider,
            names,
            types: &[],
            id: Id::Nowhere,
            object: "",
            subject: &[],
            times: &[],
            units: Units::Minor,
            money: &[],
            account: &[],
            live: None,
            reference: &[],
            custom: &[],
            words: &[],
            declined: &[],
        }
    }

    /// With other places of the provider's own name of an event, for bodies of another kind.
    #[must_use]
    pub const fn named(self, names: &'a [&'a str]) -> Self {
        Self { names, ..self }
    }

    /// With the provider's own names, as they are written, and their canonical types. A name that
    /// is not among them stays the provider's own.
    #[must_use]
    pub const fn typed(self, types: &'a [(&'a str, &'a str)]) -> Self {
        Self { types, ..self }
    }

    /// With the provider's id of the event at this place. Without one the id is derived from the
    /// whole body.
    #[must_use]
    pub const fn identified_by(self, pointer: &'a str) -> Self {
        Self { id: Id::Member(pointer), ..self }
    }

    /// With the provider's id of the event in this header.
    #[must_use]
    pub const fn identified_by_header(self, name: &'a str) -> Self {
        Self { id: Id::Header(name), ..self }
    }

    /// With the place of the object that the event is about, which becomes the data, with the rest
    /// of the body as its envelope. Without one the data is the whole body.
    #[must_use]
    pub const fn about(self, object: &'a str) -> Self {
        Self { object, ..self }
    }

    /// With places of the subject, the most telling first.
    #[must_use]
    pub const fn subject(self, pointers: &'a [&'a str]) -> Self {
        Self { subject: pointers, ..self }
    }

    /// With places of the time, the most telling first, and how it is written there.
    #[must_use]
    pub const fn at(self, times: &'a [(&'a str, When<'a>)]) -> Self {
        Self { times, ..self }
    }

    /// With places of an amount in minor units, each with the place of its currency, or with the
    /// currency itself: `BRL`. The first amount that is there counts, even if it can't be read.
    #[must_use]
    pub const fn minor(self, money: &'a [(&'a str, &'a str)]) -> Self {
        Self { units: Units::Minor, money, ..self }
    }

    /// The same for a provider that gives every currency this number of decimals.
    #[must_use]
    pub const fn minor_with(self, decimals: usize, money: &'a [(&'a str, &'a str)]) -> Self {
        Self { units: Units::MinorWith(decimals), money, ..self }
    }

    /// The same for amounts in major units.
    #[must_use]
    pub const fn major(self, money: &'a [(&'a str, &'a str)]) -> Self {
        Self { units: Units::Major, money, ..self }
    }

    /// With places of the provider's account, for the label `account`.
    #[must_use]
    pub const fn account(self, pointers: &'a [&'a str]) -> Self {
        Self { account: pointers, ..self }
    }

    /// With what says whether it is about real money, for the label `livemode`.
    #[must_use]
    pub const fn live(self, live: Live<'a>) -> Self {
        Self { live: Some(live), ..self }
    }

    /// With places of the receiver's own reference, for the label `reference`.
    #[must_use]
    pub const fn reference(self, pointers: &'a [&'a str]) -> Self {
        Self { reference: pointers, ..self }
    }

    /// With places of custom data that may have that reference, if it is nowhere else.
    #[must_use]
    pub const fn custom(self, pointers: &'a [&'a str]) -> Self {
        Self { custom: pointers, ..self }
    }

    /// With further labels and the places of their values, which become lower case: `method`,
    /// `card_brand`.
    #[must_use]
    pub const fn words(self, words: &'a [(&'a str, &'a [&'a str])]) -> Self {
        Self { words, ..self }
    }

    /// With places of the reason of a failed payment, for the label `decline_code`.
    #[must_use]
    pub const fn declined(self, pointers: &'a [&'a str]) -> Self {
        Self { declined: pointers, ..self }
    }

    /// The id of the event in a request, for `claim`: the provider's, or one derived from the body.
    pub fn event_id(&self, request: &Request) -> String {
        request.event_id(match self.id {
            Id::Nowhere => None,
            Id::Member(pointer) => json::peek_scalar(&request.body, pointer).map(Cow::into_owned),
            Id::Header(name) => request.header(name).map(ToOwned::to_owned),
        })
    }

    /// The event in a request whose body is JSON.
    pub fn event(&self, request: &Request) -> Result<Event, Failure> {
        self.event_of(request, request.json()?)
    }

    /// The event in a request whose body says this in JSON, such as a form.
    pub fn event_of(&self, request: &Request, body: Json<'_>) -> Result<Event, Failure> {
        let members = body.members();
        let own = self.own_name(&members)?;
        let known = self.types.iter().find(|(name, _)| *name == own);
        let canonical = known.map(|(_, canonical)| *canonical);
        let time = self.time(&members);
        let id = self.event_id(request);
        let mut event =
            Event::new(id, event_type(canonical, self.provider, &own), self.data(body, &members));
        event.subject = members.first_name(self.subject);
        event.time = time.map(|(_, at)| at);
        event.money = self.amount(&members);
        event.labels = self.labels(&members, canonical.is_some_and(|it| it.ends_with(".failed")));
        Ok(event)
    }

    fn own_name(&self, members: &Members<'_>) -> Result<String, Failure> {
        let mut names = self.names.iter().copied();
        let mut own = members.required(names.next().unwrap_or_default())?;
        for name in names.filter_map(|pointer| members.name(pointer)) {
            own.push('.');
            own += &name;
        }
        Ok(own)
    }

    /// The first time that can be read, and where it is.
    fn time(&self, members: &Members<'_>) -> Option<(&'a str, Timestamp)> {
        let read = |(pointer, when): &(&'a str, When<'a>)| {
            let at = match when {
                When::Rfc3339 => members.rfc3339(pointer),
                When::Seconds => members.unix(pointer),
                When::Milliseconds => members.unix_ms(pointer),
                When::Local(offset) => {
                    time::from_rfc3339(&format!("{}{offset}", members.text(pointer)?))
                }
            };
            Some((*pointer, at?))
        };
        self.times.iter().find_map(read)
    }

    fn amount(&self, members: &Members<'_>) -> Option<Money> {
        let is_there = |pointer: &str| {
            let written = members.at(pointer).and_then(|value| value.scalar(""));
            written.is_some_and(|written| !written.is_empty())
        };
        let currency = |written: &str| {
            if written.starts_with('/') { members.name(written) } else { Some(written.to_owned()) }
        };
        let (meant, _) = self.money.iter().find(|(amount, _)| is_there(amount))?;
        let mut currencies = self.money.iter().filter(|(amount, _)| amount == meant);
        let currency = currencies.find_map(|(_, written)| currency(written))?;
        let amount = members.name(meant)?;
        known_money(match self.units {
            Units::Minor => Money::from_minor(&amount, &currency),
            Units::MinorWith(decimals) => Money::from_minor_with(decimals, &amount, &currency),
            Units::Major => Money::from_major(&amount, &currency),
        })
    }

    fn labels(&self, members: &Members<'_>, has_failed: bool) -> Vec<(String, String)> {
        let live = self.live.and_then(|live| match live {
            Live::Flag(pointer) => members.flag(pointer),
            Live::TestFlag(pointer) => members.flag(pointer).map(|is_test| !is_test),
            Live::Word(pointer) => members.is_live(pointer),
        });
        let custom = || self.custom.iter().find_map(|pointer| members.custom(pointer));
        let declined = has_failed.then(|| members.first_label(self.declined)).flatten();
        let mut all = labels([
            ("decline_code", declined),
            ("account", members.first_label(self.account)),
            ("livemode", live.map(|live| live.to_string())),
            ("reference", members.first_label(self.reference).or_else(custom)),
        ]);
        for (name, pointers) in self.words {
            let word = pointers.iter().find_map(|pointer| members.word(pointer));
            all.extend(labels([(*name, word)]));
        }
        all
    }

    /// The object with all that the event does not say as its envelope.
    fn data(&self, body: Json<'_>, members: &Members<'_>) -> String {
        if self.object.is_empty() {
            return body.raw().to_owned();
        }
        let mut envelope = Envelope::default();
        let mut around = members.clone();
        let mut repeated: Vec<&str> = self.said(members).collect();
        let mut path = self.object;
        while let Some(rest) = path.strip_prefix('/') {
            let (name, behind) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            repeated.push(name);
            envelope = envelope.and(&around, &repeated);
            around = around.object(&format!("/{name}"));
            repeated.clear();
            path = behind;
        }
        envelope.around(body.at(self.object), body)
    }

    /// The members of the body that the event repeats: its id, its name and its time.
    fn said(&self, members: &Members<'_>) -> impl Iterator<Item = &'a str> {
        let id = match self.id {
            Id::Member(pointer) => members.name(pointer).map(|_| pointer),
            Id::Nowhere | Id::Header(_) => None,
        };
        let time = self.time(members).map(|(pointer, _)| pointer);
        let all = self.names.iter().copied().chain(id).chain(time);
        // A member of another object stays where it is.
        all.filter_map(|pointer| pointer.strip_prefix('/').filter(|name| !name.contains('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Outline<'_> = Outline::new("acme", &["/event", "/data/object/state"])
        .typed(&[("charge.paid", "payment.succeeded"), ("charge.declined", "payment.failed")])
        .identified_by("/id")
        .about("/data/object")
        .subject(&["/data/object/order", "/data/object/id"])
        .at(&[("/made", When::Local("+01:00")), ("/created", When::Milliseconds)])
        .major(&[("/data/object/sum", "/data/object/currency"), ("/data/object/sum", "THB")])
        .account(&["/shop"])
        .live(Live::TestFlag("/test"))
        .reference(&["/data/object/reference"])
        .custom(&["/data/object/metadata"])
        .words(&[("method", &["/data/object/method"])])
        .declined(&["/data/object/why"]);

    fn event(body: &str) -> Event {
        EVENT.event(&Request::post("/in/acme", body)).unwrap()
    }

    #[test]
    fn an_event_has_what_stands_in_its_places() {
        let event = event(
            r#"{"id":7,"event":"charge","created":1700000000123,"shop":"s1","test":false,"v":2,
                "data":{"was":{"state":"new"},"object":{"id":"c1","state":"paid","sum":10.50,
                "currency":"jpy","metadata":{"order_id":"L-1"},"method":"CARD","why":"x"}}}"#,
        );
        assert_eq!((event.id.as_str(), event.type_.as_str()), ("7", "payment.succeeded"));
        assert_eq!((event.subject.as_deref(), event.time), (Some("c1"), Some(1_700_000_000_123)));
        let money = event.money.as_ref().map(|it| format!("{} {}", it.amount, it.currency));
        assert_eq!(money.as_deref(), Some("10.50 JPY"));
        let label = |name: &str| event.label(name);
        assert_eq!((label("account"), label("livemode")), (Some("s1"), Some("true")));
        assert_eq!((label("reference"), label("method")), (Some("L-1"), Some("card")));
        assert_eq!(label("decline_code"), None, "only what failed has one");
        let envelope = r#""envelope":{"shop":"s1","test":false,"v":2,"was":{"state":"new"}}}"#;
        assert!(event.data.ends_with(envelope), "{}", event.data);
    }

    #[test]
    fn what_is_missing_is_left_out() {
        let event = event(r#"{"event":"charge","made":"soon","data":{"object":{"sum":5}}}"#);
        assert_eq!((event.type_.as_str(), event.time), ("acme.charge", None));
        assert_eq!(event.money.map(|money| money.currency).as_deref(), Some("THB"));
        assert!(event.labels.is_empty() && event.subject.is_none());
        // A time that can't be read is said nowhere else.
        assert_eq!(event.data, r#"{"sum":5,"envelope":{"made":"soon"}}"#);
        for body in ["{}", "[]", r#"{"event":""}"#, "x"] {
            assert!(EVENT.event(&Request::post("/", body)).is_err(), "{body}");
        }
    }

    #[test]
    fn the_reason_of_a_failure_and_a_time_without_offset_are_read() {
        let event = event(
            r#"{"event":"charge","made":"2026-01-12 10:15:30.0",
                "data":{"object":{"state":"declined","why":"51"}}}"#,
        );
        assert_eq!(event.label("decline_code"), Some("51"));
        assert_eq!(event.time.map(time::to_rfc3339).as_deref(), Some("2026-01-12T09:15:30.000Z"));
    }

    #[test]
    fn an_amount_that_cant_be_read_gives_way_to_no_other() {
        const TWO: Outline<'_> =
            Outline::new("acme", &["/event"]).minor_with(2, &[("/a", "CLP"), ("/b", "CLP")]);
        let money = |body: &str| TWO.event(&Request::post("/", body)).unwrap().money;
        assert_eq!(money(r#"{"event":"x","a":1.5,"b":7}"#), None);
        assert_eq!(money(&format!(r#"{{"event":"x","a":{},"b":7}}"#, "9".repeat(300))), None);
        let both = money(r#"{"event":"x","a":null,"b":700}"#);
        assert_eq!(both.map(|money| money.amount).as_deref(), Some("7.00"));
    }

    #[test]
    fn claims_and_events_have_one_id() {
        let body = r#"{"event":"charge","id":""}"#;
        let request = Request::post("/", body);
        assert_eq!(EVENT.event(&request).unwrap().id, EVENT.event_id(&request));
        let mut named = Request::post("/", r#"{"event":"charge"}"#);
        named.set_header("x-id", "h1");
        let by_header = EVENT.identified_by_header("x-id");
        assert_eq!(by_header.event_id(&named), "h1");
        assert_eq!(by_header.event(&named).unwrap().id, "h1");
    }
}
