//! What the log says of a try that nobody waits for.

use tempfile::NamedTempFile;

use super::*;

/// An outcome is drafted again behind an outage. Log the refusal in [`answer`], and there are two
/// lines.
#[test]
fn a_refusal_that_nobody_waits_for_is_logged_once_however_often_it_is_drafted() {
    let log = NamedTempFile::new().unwrap();
    let writer = Arc::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    // While there are two, a line that another thread meets first is held against both of them, and
    // not against what that thread listens with.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(subscriber);
    // Another test may have met a line first, when nobody listened.
    tracing::callsite::rebuild_interest_cache();
    let lines = || std::fs::read_to_string(&log).unwrap().lines().count();
    let (mut nobody, mut refused) = (None::<Reply<Result<(), Refused>>>, None);

    for _ in 0..2 {
        answer(&mut nobody, &mut refused, Err(Refused::OtherLife));
    }
    assert_eq!(lines(), 0, "nobody knows whether it holds");
    let id = Id { kind: IdKind::Delivery, position: 7, tag: 0 };
    for _ in 0..2 {
        say(id, &mut refused);
    }
    assert_eq!(lines(), 1);
    answer(&mut nobody, &mut refused, Err(Refused::OtherLife));
    answer(&mut nobody, &mut refused, Ok(()));
    say(id, &mut refused);
    assert_eq!(lines(), 1, "it was admitted in the end");
}
