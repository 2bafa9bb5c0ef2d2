//! Keeps the balance of each account, exactly and once for each event.
//!
//! The state of a run belongs to the subject of its event: here a payment, and not the account. So
//! the handler emits an entry about the account to itself, whose exact type `describe` names.
//! Entries of one account arrive in order, one at a time.

use hookgate_sdk::outbox::{self, Emission};
use hookgate_sdk::{
    Context, Event, Failure, Handler, HandlerInfo, Money, decimals, log, state, types,
};
use serde::{Deserialize, Serialize};

/// The plugin.
#[derive(Debug)]
pub struct Ledger;

/// The data of an entry: the event that it books.
#[derive(Deserialize, Serialize)]
struct Entry<'e> {
    event: &'e str,
}

const ENTRY: &str = "ledger.entry";
const BALANCE: &str = "ledger.balance";
/// What moves money, and what comes back.
const TYPES: [&str; 4] =
    [types::PAYMENT_SUCCEEDED, types::REFUND_SUCCEEDED, types::DISPUTE_LOST, ENTRY];

impl Handler for Ledger {
    type Settings = ();

    fn describe() -> HandlerInfo {
        let version = env!("CARGO_PKG_VERSION");
        HandlerInfo::new("ledger", version, &TYPES).emitting(&[ENTRY, BALANCE])
    }

    fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
        let Some(money) = &event.money else {
            log::warn!("an event of type {} has no amount: it is not booked", event.type_);
            return Ok(());
        };
        if event.type_ == ENTRY {
            return book(event, money);
        }
        let sign = if event.type_ == types::PAYMENT_SUCCEEDED { 1 } else { -1 };
        let account = event.label("account").unwrap_or("default").to_owned();
        let entry = Emission::json(ENTRY, &Entry { event: &context.event_id })?;
        emit(entry, Some(account), sign * units(money)?, &money.currency)
    }
}

/// Adds an entry to the balance of its account.
fn book(event: &Event, money: &Money) -> Result<(), Failure> {
    let entry: Entry<'_> = event.json()?;
    let (booked, balance) = (format!("event/{}", entry.event), format!("in/{}", money.currency));
    // An operator may replay what has run already. Such keys go with the handler's `state_term`.
    if state::get(&booked).is_some() {
        return Ok(());
    }
    let before: i64 = state::load(&balance)?.unwrap_or_default();
    let after = before.checked_add(units(money)?);
    let after = after.ok_or_else(|| Failure::permanent("the balance is too large"))?;
    state::save(&balance, &after)?;
    state::set(&booked, b"1")?;
    emit(Emission::json(BALANCE, &entry)?, event.subject.clone(), after, &money.currency)
}

fn emit(event: Emission, of: Option<String>, units: i64, currency: &str) -> Result<(), Failure> {
    let money = Some(Money::from_minor(&units.to_string(), currency)?);
    Ok(outbox::emit(&Emission { subject: of, money, ..event })?)
}

/// An amount in minor units of its currency: 4250 for `42.50 EUR`. Never rounds.
fn units(Money { amount, currency }: &Money) -> Result<i64, Failure> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount.as_str(), ""));
    let (fraction, places) = (fraction.trim_end_matches('0'), decimals(currency));
    let units = format!("{whole}{fraction:0<places$}").parse::<i64>().ok();
    // Of the least number there is no opposite.
    let exact = units.filter(|units| fraction.len() <= places && *units > i64::MIN);
    exact.ok_or_else(|| Failure::permanent(format!("{amount} {currency} can't be booked exactly")))
}

hookgate_sdk::export!(handler: Ledger);
