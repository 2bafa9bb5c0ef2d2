//! What Twilio does with an answer: it follows the instructions (TwiML) in that to a call or a
//! message that came in, and of all else looks at the status alone.

use hookgate_sdk::{Reply, form};

/// Nothing to do: neither a word to who calls nor a message back.
const NOTHING: &str = "<Response/>";
/// A call that goes on.
const RUNNING: [&str; 3] = ["queued", "ringing", "in-progress"];
/// A message that came in.
const RECEIVED: [&str; 2] = ["receiving", "received"];
/// What only a report of a call has, which asks for nothing.
const REPORTS: [&str; 5] = [
    "CallbackSource",
    "StatusCallbackEvent",
    "RecordingStatus",
    "TranscriptionStatus",
    "StreamEvent",
];

/// The answer to a form that expects instructions; `None` for one that expects none.
pub(crate) fn to(fields: &[(String, String)]) -> Option<Reply> {
    let value = |name: &str| form::value(fields, name);
    let one_of = |name: &str, known: &[&str]| value(name).is_some_and(|it| known.contains(&it));
    let is_call = one_of("CallStatus", &RUNNING) && !REPORTS.iter().any(|it| value(it).is_some());
    let is_message = one_of("SmsStatus", &RECEIVED)
        && (value("MessageStatus").is_none() || one_of("MessageStatus", &RECEIVED));
    (is_call || is_message).then(|| Reply::new("text/xml", NOTHING))
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
