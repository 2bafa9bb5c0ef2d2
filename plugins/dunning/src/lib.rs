//! Follows up on failed payments: a notice for the customer after each, an alert after several.
//!
//! It counts the failures of a subject in the subject's state, until a payment of the subject
//! succeeds. It never sends the notice itself: the notice is an event of type
//! `customer.payment_failed_notice`, and an endpoint that subscribes to it delivers the notice.

use hookgate_sdk::outbox::{self, Emission, Severity};
use hookgate_sdk::types::{PAYMENT_FAILED, PAYMENT_SUCCEEDED};
use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo, Setting, state};
use serde::{Deserialize, Serialize};

/// The plugin.
#[derive(Debug)]
pub struct Dunning;

/// The handler's `config` table.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// The number of failures in a row that raises an alert.
    alert_after: u32,
}

/// The data of a notice. It has no data of the customer but what the failed payment's event had.
#[derive(Serialize)]
struct Notice<'e> {
    failures: u32,
    event: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline_code: Option<&'e str>,
}

/// The type of a notice.
const NOTICE: &str = "customer.payment_failed_notice";
/// The key in the state: the number of failures in a row.
const FAILURES: &str = "failures";

impl Handler for Dunning {
    type Settings = Settings;

    fn describe() -> HandlerInfo {
        let types = [PAYMENT_FAILED, PAYMENT_SUCCEEDED];
        let help = "the number of failures in a row that raises an alert";
        HandlerInfo::new("dunning", env!("CARGO_PKG_VERSION"), &types)
            .emitting(&[NOTICE])
            .with_settings([Setting::integer("alert_after", 1..=1_000, 5, help).with_default(3)])
    }

    fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
        match &*event.type_ {
            PAYMENT_FAILED => failed(event)?,
            PAYMENT_SUCCEEDED => state::delete(FAILURES),
            // The operator may route other types here than those in `describe`.
            _ => (),
        }
        Ok(())
    }
}

fn failed(event: &Event) -> Result<(), Failure> {
    let failures = state::load(FAILURES)?.unwrap_or(0_u32).saturating_add(1);
    state::save(FAILURES, &failures)?;
    let notice = Notice { failures, event: &event.id, decline_code: event.label("decline_code") };
    outbox::emit(&Emission {
        subject: event.subject.clone(),
        money: event.money.clone(),
        labels: event.labels.clone(),
        ..Emission::json(NOTICE, &notice)?
    })?;
    // One alert, and none for the failures after that.
    if failures == Dunning::settings().alert_after {
        let subject = event.subject.as_deref().unwrap_or(&event.id);
        let message = format!("payment {subject} failed {failures} times in a row");
        outbox::alert(Severity::Warning, &message)?;
    }
    Ok(())
}

hookgate_sdk::export!(handler: Dunning);
