//! One item of a batch of payment notifications, and what its signature covers.
//!
//! The signature covers eight fields. Anybody between Adyen and the gateway may have changed the
//! others (the reason, the date, the payment method, all of `additionalData`). They are passed on
//! and never decide what happened, unless the operator sets `capture` by payment method.
//!
//! Adyen joins the fields by colons and escapes nothing, so a colon in a field could look like a
//! boundary between two. Nobody can gain by that. The last four fields (the amount, the currency,
//! the code and the success) never contain a colon and are counted from the end, so every reading
//! of a signed text has the same amount and the same result. The merchant account never contains a
//! colon either. A merchant's reference may contain any number of them: then the three fields
//! before it have none and are counted from the front. A report has its name, with times in it, in
//! the field of the payment's reference. That name may contain colons, because the code of a report
//! has no canonical type and moves no money.

use std::borrow::Cow;
use std::fmt;

use hookgate_sdk::{
    Event, Evidence, InvalidMoney, Money, Piece, Refusal, decimals, event_type, id, known_money,
    labels, time,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::SIGNATURE;
use crate::canonical;
use crate::settings::Settings;

/// An item as it arrived. A repeated field is an error, because readers might disagree about which
/// of the two was signed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item<'a> {
    #[serde(borrow, default)]
    psp_reference: Text<'a>,
    #[serde(borrow, default)]
    original_reference: Text<'a>,
    #[serde(borrow, default)]
    merchant_account_code: Text<'a>,
    #[serde(borrow, default)]
    merchant_reference: Text<'a>,
    #[serde(borrow, default)]
    amount: Option<Amount<'a>>,
    #[serde(borrow, default)]
    event_code: Text<'a>,
    #[serde(borrow, default)]
    success: Text<'a>,
    #[serde(borrow, default)]
    event_date: Text<'a>,
    #[serde(borrow, default)]
    payment_method: Text<'a>,
    #[serde(borrow, default)]
    reason: Text<'a>,
    #[serde(borrow, default)]
    additional_data: Option<AdditionalData<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Amount<'a> {
    #[serde(borrow, default)]
    value: Text<'a>,
    #[serde(borrow, default)]
    currency: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalData<'a> {
    #[serde(borrow, default)]
    hmac_signature: Text<'a>,
    #[serde(borrow, default)]
    payment_method_variant: Text<'a>,
    #[serde(borrow, default)]
    shopper_country: Text<'a>,
    #[serde(borrow, default)]
    issuer_country: Text<'a>,
    #[serde(borrow, default)]
    card_issuing_country: Text<'a>,
    #[serde(borrow, default)]
    fraud_risk_level: Text<'a>,
    #[serde(borrow, default)]
    fraud_result_type: Text<'a>,
}

/// The text of a string, or of a number or a boolean as it is written; empty for `null`, for an
/// object or array, and for a missing field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Item<'_> {
    /// The proof of the item: an HMAC of its eight fields, joined by colons without any escape.
    pub(crate) fn evidence(&self, settings: &Settings) -> Result<Evidence, Refusal> {
        self.check()?;
        let account = &*self.merchant_account_code.0;
        if settings.merchant_account.as_deref().is_some_and(|own| own != account) {
            return Err(Refusal::new(format!("an item is for merchant account `{account}`")));
        }
        let digest = self
            .additional_data
            .as_ref()
            .and_then(|data| SIGNATURE.digest(&data.hmac_signature.0))
            .ok_or_else(|| Refusal::new("an item has no HMAC in base64"))?;
        let message = vec![Piece::from(self.signed_fields().join(":"))];
        Ok(SIGNATURE.evidence_of(message, vec![digest]))
    }

    /// Adyen gives no id, and a retry repeats all signed fields. The id has no unsigned field:
    /// whoever changed the date on the way would make another event of the same item.
    pub(crate) fn event_id(&self) -> String {
        id::of(self.signed_fields().join(":"))
    }

    /// The event, with the item as its data.
    pub(crate) fn event(&self, written: &str, live: &Text<'_>, settings: &Settings) -> Event {
        let succeeded = &*self.success.0 == "true";
        let parent = [&self.original_reference, &self.psp_reference];
        let subject = parent.into_iter().find(|reference| id::fits(&reference.0));
        let money = self.money();
        // An authorization of zero only verifies a card, and there is nothing to capture.
        let costs =
            money.as_ref().is_some_and(|money| money.amount.contains(|c| ('1'..='9').contains(&c)));
        let captured = costs && settings.captures(&self.payment_method.0);
        let code = &self.event_code.0;
        let canonical = canonical::of_item(code, succeeded, captured);
        Event {
            subject: subject.map(ToString::to_string),
            time: time::from_rfc3339(&self.event_date.0),
            money,
            labels: self.labels(succeeded, live),
            ..Event::new(self.event_id(), event_type(Some(&canonical), "adyen", code), written)
        }
    }

    /// Checks that the signed fields have the form of Adyen's, so that no other text passes for
    /// them.
    fn check(&self) -> Result<(), Refusal> {
        let [psp, original, account, _reference, value, currency, code, success] =
            self.signed_fields();
        let named_by_payment = [psp, original].iter().any(|field| field.contains(':'));
        if account.contains(':') || named_by_payment && canonical::is_of_money(code) {
            return Err(Refusal::new("an item has a colon in a field that must have none"));
        }
        let is_code = !code.is_empty()
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_amount = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
            && currency.bytes().all(|byte| byte.is_ascii_alphabetic());
        if psp.is_empty() || !is_code || !is_amount || !matches!(success, "true" | "false") {
            return Err(Refusal::new("an item lacks a reference, a code, an amount or a success"));
        }
        Ok(())
    }

    fn signed_fields(&self) -> [&str; 8] {
        let (value, currency) = match &self.amount {
            Some(amount) => (&*amount.value.0, &*amount.currency.0),
            None => ("", ""),
        };
        [
            &self.psp_reference.0,
            &self.original_reference.0,
            &self.merchant_account_code.0,
            &self.merchant_reference.0,
            value,
            currency,
            &self.event_code.0,
            &self.success.0,
        ]
    }

    fn money(&self) -> Option<Money> {
        let amount = self.amount.as_ref()?;
        if amount.value.0.is_empty() || amount.currency.0.is_empty() {
            return None;
        }
        known_money(money(&amount.value.0, &amount.currency.0))
    }

    fn labels(&self, succeeded: bool, live: &Text<'_>) -> Vec<(String, String)> {
        let none = AdditionalData::default();
        let data = self.additional_data.as_ref().unwrap_or(&none);
        let first = |named: &[&Text<'_>]| {
            named.iter().find(|text| !text.0.is_empty()).map(ToString::to_string)
        };
        let country = [&data.shopper_country, &data.issuer_country, &data.card_issuing_country];
        let risk = [&data.fraud_risk_level, &data.fraud_result_type];
        labels([
            ("country", first(&country)),
            ("method", Some(self.payment_method.to_string())),
            ("card_brand", Some(data.payment_method_variant.to_string())),
            ("decline_code", (!succeeded).then(|| self.reason.to_string())),
            ("risk", first(&risk).map(|risk| risk.to_lowercase())),
            ("account", Some(self.merchant_account_code.to_string())),
            ("livemode", Some(live.to_string()).filter(|live| matches!(&**live, "true" | "false"))),
            ("reference", Some(self.merchant_reference.to_string())),
        ])
    }
}

/// Adyen gives some currencies other decimals than ISO 4217.
pub(crate) fn money(units: &str, currency: &str) -> Result<Money, InvalidMoney> {
    let decimals = match currency {
        "CVE" | "IDR" => 0,
        "CLP" | "ISK" => 2,
        _ => decimals(currency),
    };
    Money::from_minor_with(decimals, units, currency)
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = <&'a RawValue>::deserialize(deserializer)?.get();
        Ok(Self(match written.as_bytes().first() {
            Some(b'"') if written.contains('\\') => {
                let text: String =
                    serde_json::from_str(written).map_err(serde::de::Error::custom)?;
                Cow::Owned(text)
            }
            Some(b'"') => Cow::Borrowed(&written[1..written.len() - 1]),
            Some(b'n' | b'{' | b'[') => Cow::Borrowed(""),
            _ => Cow::Borrowed(written),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<String> {
        serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.to_string())
    }

    #[test]
    fn a_number_keeps_its_text() {
        assert_eq!(text("1000").unwrap(), "1000");
        assert_eq!(text("\"1000\"").unwrap(), "1000");
        assert_eq!(text("1.50e3").unwrap(), "1.50e3");
        assert_eq!(text("null").unwrap(), "");
        assert_eq!(text("true").unwrap(), "true");
        assert_eq!(text(r#""a\"\u0062""#).unwrap(), "a\"b");
        assert_eq!(text("{}").unwrap(), "");
        assert_eq!(text("[1]").unwrap(), "");
    }

    #[test]
    fn adyen_counts_some_currencies_its_own_way() {
        for (currency, expected) in
            [("EUR", "5.00"), ("JPY", "500"), ("CLP", "5.00"), ("IDR", "500"), ("KWD", "0.500")]
        {
            assert_eq!(money("500", currency).unwrap().amount, expected);
        }
    }
}
