//! Callbacks without a name: about an invoice, a virtual account, a retail outlet, a disbursement.
//!
//! Members that only one kind has decide the kind. A callback without such members and without a
//! status still becomes an event and is never refused.

use hookgate_sdk::{Event, Json, Members, event_type, id, labels};

use crate::{ACCOUNTS, REFERENCES};

/// The event of a callback.
pub(crate) fn event(body: Json<'_>, object: &Members<'_>) -> Event {
    let status = object.word("/status").unwrap_or_default();
    let (own, canonical) = names(object, &status);
    let times = ["/paid_at", "/transaction_timestamp", "/updated", "/created"];
    let methods = ["/payment_method", "/retail_outlet_name", "/bank_code"];
    Event {
        subject: object.name("/payment_id").or_else(|| object.name("/id")),
        time: times.into_iter().find_map(|pointer| object.rfc3339(pointer)),
        money: object.first_major(&[("/paid_amount", "/currency"), ("/amount", "/currency")]),
        labels: labels([
            ("country", object.name("/country")),
            ("method", methods.into_iter().find_map(|pointer| object.word(pointer))),
            ("decline_code", object.name("/failure_code")),
            ("account", object.first_label(ACCOUNTS)),
            ("reference", object.first_label(REFERENCES)),
        ]),
        ..Event::new(
            id::derived(&[body.raw().as_bytes()]),
            event_type(canonical, "xendit", &own),
            body.raw(),
        )
    }
}

/// A name for the callback, and the canonical type, if there is one.
fn names(object: &Members<'_>, status: &str) -> (String, Option<&'static str>) {
    let has = |pointer: &str| object.name(pointer).is_some();
    if has("/payment_id") && has("/callback_virtual_account_id") {
        return ("virtual_account.paid".to_owned(), Some("payment.succeeded"));
    }
    let (thing, canonical) = if has("/fixed_payment_code_payment_id") {
        ("retail_outlet", (status == "completed").then_some("payment.succeeded"))
    } else if has("/disbursement_description") || has("/account_holder_name") {
        let ends = [("completed", "payout.paid"), ("failed", "payout.failed")];
        ("disbursement", ends.into_iter().find(|(end, _)| *end == status).map(|(_, is)| is))
    } else if has("/merchant_code") && has("/account_number") {
        ("virtual_account", None)
    } else {
        ("invoice", matches!(status, "paid" | "settled").then_some("invoice.paid"))
    };
    match status {
        "" => ("callback".to_owned(), None),
        _ => (format!("{thing}.{status}"), canonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, own: &str, canonical: Option<&str>) {
        let object = Json::parse(body.as_bytes()).unwrap().members();
        let status = object.word("/status").unwrap_or_default();
        assert_eq!(names(&object, &status), (own.to_owned(), canonical), "{body}");
    }

    #[test]
    fn a_callback_is_known_by_what_it_has() {
        check(r#"{"status":"PAID"}"#, "invoice.paid", Some("invoice.paid"));
        check(r#"{"status":"EXPIRED"}"#, "invoice.expired", None);
        let account = r#"{"payment_id":"p","callback_virtual_account_id":"c"}"#;
        check(account, "virtual_account.paid", Some("payment.succeeded"));
        let created = r#"{"status":"ACTIVE","merchant_code":"88608","account_number":"9999"}"#;
        check(created, "virtual_account.active", None);
        let outlet = r#"{"status":"COMPLETED","fixed_payment_code_payment_id":"f"}"#;
        check(outlet, "retail_outlet.completed", Some("payment.succeeded"));
        let sent = r#"{"status":"COMPLETED","disbursement_description":"d"}"#;
        check(sent, "disbursement.completed", Some("payout.paid"));
        let failed = r#"{"status":"FAILED","account_holder_name":"M"}"#;
        check(failed, "disbursement.failed", Some("payout.failed"));
        check(r#"{"id":"1"}"#, "callback", None);
    }
}
