//! Replies that Twilio reads: it follows the instructions (TwiML) in the reply to an incoming call
//! or message, and reads only the status of all other replies.
//!
//! This plugin never gives Twilio anything to do.

use hookgate_sdk::{Answer, form};

/// No instructions: nothing is said to the caller, and no message is sent back.
const NOTHING: &str = "<Response/>";
/// The states of a call that has not ended.
const RUNNING: [&str; 3] = ["queued", "ringing", "in-progress"];
/// The states of an incoming message.
const RECEIVED: [&str; 2] = ["receiving", "received"];
/// Fields that only a report about a call has, which expects no instructions.
const REPORTS: [&str; 5] = [
    "CallbackSource",
    "StatusCallbackEvent",
    "RecordingStatus",
    "TranscriptionStatus",
    "StreamEvent",
];

/// The reply to a form that expects instructions; `None` if it expects none.
pub(crate) fn to(fields: &[(String, String)]) -> Option<Answer> {
    let value = |name: &str| form::value(fields, name);
    let one_of = |name: &str, known: &[&str]| value(name).is_some_and(|it| known.contains(&it));
    let is_call = one_of("CallStatus", &RUNNING) && !REPORTS.iter().any(|it| value(it).is_some());
    let is_message = one_of("SmsStatus", &RECEIVED)
        && (value("MessageStatus").is_none() || one_of("MessageStatus", &RECEIVED));
    (is_call || is_message).then(|| Answer::new("text/xml", NOTHING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_is_answered_with_instructions_and_a_report_is_not() {
        for (body, expects) in [
            ("CallSid=CA1&CallStatus=ringing&Direction=inbound", true),
            ("CallSid=CA1&CallStatus=in-progress&Digits=1", true),
            ("CallSid=CA1&CallStatus=in-progress&DialCallStatus=completed", true),
            ("CallSid=CA1&CallStatus=ringing&CallbackSource=call-progress-events", false),
            ("CallSid=CA1&CallStatus=completed&CallDuration=7", false),
            ("CallSid=CA1&CallStatus=in-progress&RecordingStatus=completed", false),
            ("MessageSid=SM1&SmsSid=SM1&SmsStatus=received&Body=hello", true),
            ("MessageSid=SM1&SmsSid=SM1&SmsStatus=received&MessageStatus=received", true),
            ("MessageSid=SM1&SmsSid=SM1&SmsStatus=delivered&MessageStatus=delivered", false),
            ("RecordingSid=RE1&RecordingStatus=completed&CallSid=CA1", false),
            ("", false),
        ] {
            let reply = to(&form::parse(body.as_bytes()));
            assert_eq!(
                reply.map(|it| it.content_type),
                expects.then(|| "text/xml".into()),
                "{body}"
            );
        }
    }
}
