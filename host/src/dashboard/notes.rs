//! What is said on the page that follows a form: what was done, and a secret that is shown once.
//!
//! In memory, for two minutes, and for whoever sent the form alone: the address of that page says
//! only where it is. Never shown a second time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::visible::{Cut, cut};
use crate::lock::lock;
use crate::token::unguessable;

/// How long it waits for its page.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Most that wait for one session; the oldest gives way, and so nobody can send off those of others
/// by doing much.
const OF_SESSION_MAX: usize = 8;
/// Most that wait in all, of all sessions that there may be.
const NOTES_MAX: usize = 1024;
/// Most bytes that are said: a problem may quote what somebody sent.
const SAID_BYTES_MAX: usize = 2 << 10;

/// What is said.
#[derive(Clone)]
pub(super) struct Note {
    /// What was done, in a sentence.
    pub(super) said: String,
    /// Whether that is bad news.
    pub(super) is_bad: bool,
    /// A secret that was made, if one was.
    pub(super) secret: Option<MadeSecret>,
}

/// A secret that is shown once.
#[derive(Clone)]
pub(super) struct MadeSecret {
    /// What it is called.
    pub(super) name: String,
    pub(super) value: String,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note(..)")
    }
}

/// What waits for its page.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<BTreeMap<String, Waiting>>);

#[derive(Debug)]
struct Waiting {
    note: Note,
    /// What goes with the forms of whoever it is for.
    form: String,
    since: Instant,
}

impl Notes {
    /// Keeps a note for whoever has this form, and gives its place; `None` if the system has no
    /// randomness to give.
    pub(super) fn keep(&self, form: &str, mut note: Note, now: Instant) -> Option<String> {
        let place = unguessable()?;
        let Cut { shown, left } = cut(&note.said, SAID_BYTES_MAX);
        if left > 0 {
            note.said = format!("{shown}…");
        }
        let mut notes = lock(&self.0);
        notes.retain(|_, waiting| now.duration_since(waiting.since) < WAIT_MAX);
        let is_its = |waiting: &Waiting| waiting.form == form;
        if notes.values().filter(|waiting| is_its(waiting)).count() >= OF_SESSION_MAX {
            remove_oldest(&mut notes, is_its);
        }
        if notes.len() >= NOTES_MAX {
            remove_oldest(&mut notes, |_| true);
        }
        notes.insert(place.clone(), Waiting { note, form: form.to_owned(), since: now });
        Some(place)
    }

    /// Takes the note at this place out, if it is for whoever has this form.
    pub(super) fn take(&self, form: &str, place: &str, now: Instant) -> Option<Note> {
        let mut notes = lock(&self.0);
        let waiting = notes.get(place).filter(|waiting| waiting.form == form)?;
        let is_late = now.duration_since(waiting.since) >= WAIT_MAX;
        notes.remove(place).filter(|_| !is_late).map(|waiting| waiting.note)
    }
}

fn remove_oldest(notes: &mut BTreeMap<String, Waiting>, among: impl Fn(&Waiting) -> bool) {
    let found = notes.iter().filter(|(_, waiting)| among(waiting));
    let oldest = found.min_by_key(|(_, waiting)| waiting.since).map(|(place, _)| place.clone());
    if let Some(oldest) = oldest {
        notes.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(said: &str) -> Note {
        Note { said: said.to_owned(), is_bad: false, secret: None }
    }

    #[test]
    fn a_note_is_shown_once_and_to_nobody_else() {
        let (notes, now) = (Notes::default(), Instant::now());
        let place = notes.keep("mine", note("done"), now).unwrap();
        assert!(notes.take("another", &place, now).is_none());
        assert_eq!(notes.take("mine", &place, now).unwrap().said, "done");
        assert!(notes.take("mine", &place, now).is_none());
    }

    #[test]
    fn a_note_that_nobody_looks_at_goes() {
        let (notes, now) = (Notes::default(), Instant::now());
        let place = notes.keep("mine", note("done"), now).unwrap();
        assert!(notes.take("mine", &place, now + WAIT_MAX).is_none());
        for number in 0..NOTES_MAX + 9 {
            notes.keep(&number.to_string(), note("done"), now).unwrap();
        }
        assert_eq!(lock(&notes.0).len(), NOTES_MAX);
        notes.keep("mine", note("later"), now + WAIT_MAX).unwrap();
        assert_eq!(lock(&notes.0).len(), 1);
    }

    /// Guards the cap of a session: a note may have a secret that nobody can get again.
    #[test]
    fn whoever_does_much_sends_off_no_note_of_others() {
        let (notes, now) = (Notes::default(), Instant::now());
        let place = notes.keep("mine", note("done"), now).unwrap();
        for _ in 0..2 * NOTES_MAX {
            notes.keep("another", note(&"é".repeat(SAID_BYTES_MAX)), now).unwrap();
        }
        let kept: Vec<_> = lock(&notes.0).values().map(|it| it.note.said.len()).collect();
        assert_eq!(kept.len(), 1 + OF_SESSION_MAX);
        assert!(kept.iter().all(|bytes| *bytes < SAID_BYTES_MAX + 9), "{kept:?}");
        assert_eq!(notes.take("mine", &place, now).unwrap().said, "done");
    }
}
