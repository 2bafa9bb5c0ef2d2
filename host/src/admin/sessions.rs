//! The sessions of people who have signed in with a token: each a cookie of their browser.
//!
//! In memory: a restart signs everybody out, and nobody has a cookie that outlives what it stands
//! for. A session knows the hash of the token that it began with, and whoever asks by it is judged
//! by that token each time: so one that is revoked or expires ends its sessions at once. Bounded:
//! the one that was not used for longest gives way. Never keeps a cookie, only its hash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, header};

use crate::event::Timestamp;
use crate::lock::lock;
use crate::token::{TokenHash, matching, unguessable};

/// A session that was not used for so long is over.
const IDLE_MAX: Duration = Duration::from_secs(8 * 60 * 60);
/// However much it was used, it is over after this.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Most sessions of one token.
const OF_TOKEN_MAX: usize = 32;
/// Most sessions of all tokens.
const SESSIONS_MAX: usize = 1024;

/// The cookie, where somebody between the browser and the gateway could read along.
const COOKIE: &str = "hookgate-session";
/// The cookie over TLS: a browser takes one of this name only from here.
const HOST_COOKIE: &str = "__Host-hookgate-session";

/// The sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    /// By the hash of the cookie.
    kept: Mutex<BTreeMap<[u8; 32], Session>>,
    /// Goes with the forms of a port that asks for no token, and so has no sessions.
    form: Arc<str>,
}

#[derive(Debug)]
struct Session {
    token: TokenHash,
    form: Arc<str>,
    began: Timestamp,
    used: Timestamp,
}

/// A session as whoever asks by it is judged.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Of the token that it began with.
    pub(super) token: TokenHash,
    /// Goes with each form: no page of another site has it.
    pub(super) form: Arc<str>,
    /// When it is over, if it is not used.
    pub(super) ends_at: Timestamp,
}

/// A session that has just begun.
pub(super) struct Begun {
    /// What the browser sends from now on. Nobody can get it again.
    pub(super) cookie: String,
    pub(super) found: Found,
}

impl Default for Sessions {
    fn default() -> Self {
        // Where the system has no randomness to give no form is accepted.
        let form = unguessable().unwrap_or_default();
        Self { kept: Mutex::default(), form: form.into() }
    }
}

impl Session {
    fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.used) >= IDLE_MAX || now.since(self.began) >= AGE_MAX
    }

    fn found(&self) -> Found {
        let ends_at = self.used.after(IDLE_MAX).min(self.began.after(AGE_MAX));
        Found { token: self.token, form: Arc::clone(&self.form), ends_at }
    }
}

impl Sessions {
    /// Begins a session of somebody who has this token; `None` if the system has no randomness to
    /// give.
    pub(super) fn begin(&self, token: TokenHash, now: Timestamp) -> Option<Begun> {
        let (cookie, form) = (unguessable()?, unguessable()?.into());
        let session = Session { token, form, began: now, used: now };
        let found = session.found();
        let mut kept = lock(&self.kept);
        kept.retain(|_, session| !session.is_over(now));
        let is_its = |other: &Session| matching(&token, [&other.token]).is_some();
        if kept.values().filter(|other| is_its(other)).count() >= OF_TOKEN_MAX {
            remove_oldest(&mut kept, is_its);
        }
        if kept.len() >= SESSIONS_MAX {
            remove_oldest(&mut kept, |_| true);
        }
        kept.insert(hash(&cookie), session);
        Some(Begun { cookie, found })
    }

    /// The session of whoever sends this cookie, which it is used by; `None` if it is over.
    pub(super) fn find(&self, cookie: &str, now: Timestamp) -> Option<Found> {
        let mut kept = lock(&self.kept);
        let hash = hash(cookie);
        let session = kept.get_mut(&hash)?;
        if session.is_over(now) {
            kept.remove(&hash);
            return None;
        }
        session.used = session.used.max(now);
        Some(session.found())
    }

    /// Ends the session of whoever sends this cookie.
    pub(super) fn end(&self, cookie: &str) {
        lock(&self.kept).remove(&hash(cookie));
    }

    /// What goes with the forms of a port that asks for no token.
    pub(super) fn form(&self) -> &Arc<str> {
        &self.form
    }
}

fn remove_oldest(kept: &mut BTreeMap<[u8; 32], Session>, among: impl Fn(&Session) -> bool) {
    let found = kept.iter().filter(|(_, session)| among(session));
    let oldest = found.min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash);
    if let Some(oldest) = oldest {
        kept.remove(&oldest);
    }
}

fn hash(cookie: &str) -> [u8; 32] {
    TokenHash::of(cookie).bytes()
}

/// The cookie of a session that a request has.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = sent.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let named: Vec<_> = pairs.map(|(name, value)| (name.trim(), value.trim())).collect();
    // That over TLS first: the other one anybody between may have set.
    let of = |wanted: &str| named.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    of(HOST_COOKIE).or_else(|| of(COOKIE))
}

/// What has a browser keep a cookie; with an empty one it forgets what it has.
pub(super) fn set_cookie(cookie: &str, is_secured: bool) -> String {
    let (name, secure) = match is_secured {
        true => (HOST_COOKIE, "; Secure"),
        false => (COOKIE, ""),
    };
    let age = if cookie.is_empty() { "; Max-Age=0" } else { "" };
    format!("{name}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn token(text: &str) -> TokenHash {
        TokenHash::of(text)
    }

    fn headers(cookie: &'static str) -> HeaderMap {
        [(header::COOKIE, cookie.parse().unwrap())].into_iter().collect()
    }

    /// Guards both bounds of [`Session::is_over`].
    #[test]
    fn a_session_ends_when_nobody_uses_it_and_in_any_case_after_a_week() {
        let sessions = Sessions::default();
        let Begun { cookie, .. } = sessions.begin(token("ops"), NOW).unwrap();
        let mut now = NOW;
        let almost = IDLE_MAX - Duration::from_secs(1);
        while now.since(NOW) + almost < AGE_MAX {
            now = now.after(almost);
            assert!(sessions.find(&cookie, now).is_some());
        }
        assert!(sessions.find(&cookie, NOW.after(AGE_MAX)).is_none(), "it is too old");

        let Begun { cookie, .. } = sessions.begin(token("ops"), NOW).unwrap();
        assert!(sessions.find(&cookie, NOW.after(IDLE_MAX)).is_none(), "nobody used it");
        assert!(sessions.find(&cookie, NOW).is_none(), "it is over for good");
    }

    #[test]
    fn whoever_signs_out_is_known_no_more_and_others_are() {
        let sessions = Sessions::default();
        let one = sessions.begin(token("ops"), NOW).unwrap();
        let other = sessions.begin(token("ops"), NOW).unwrap();
        assert_ne!(one.cookie, other.cookie);
        assert_ne!(one.found.form, other.found.form);
        sessions.end(&one.cookie);
        assert!(sessions.find(&one.cookie, NOW).is_none());
        assert!(sessions.find(&other.cookie, NOW).is_some());
    }

    /// Guards both caps: without them, whoever signs in again and again takes all memory.
    #[test]
    fn a_token_has_a_number_of_sessions_and_the_unused_one_gives_way() {
        let sessions = Sessions::default();
        let mut now = NOW;
        let mut later = || {
            now = now.after(Duration::from_secs(1));
            now
        };
        let other = sessions.begin(token("other"), later()).unwrap();
        let first = sessions.begin(token("ops"), later()).unwrap();
        let second = sessions.begin(token("ops"), later()).unwrap();
        for _ in 2..OF_TOKEN_MAX {
            sessions.begin(token("ops"), later()).unwrap();
        }
        assert!(sessions.find(&first.cookie, later()).is_some(), "it is used");
        sessions.begin(token("ops"), later()).unwrap();
        let at = later();
        let found = [&first, &second, &other].map(|it| sessions.find(&it.cookie, at).is_some());
        assert_eq!(found, [true, false, true]);
        for number in 0..SESSIONS_MAX {
            sessions.begin(token(&number.to_string()), later()).unwrap();
        }
        assert_eq!(lock(&sessions.kept).len(), SESSIONS_MAX);
    }

    #[test]
    fn a_cookie_is_read_as_it_was_set() {
        assert_eq!(cookie(&headers("a=b; hookgate-session=x_1; c")), Some("x_1"));
        let both = headers("hookgate-session=x; __Host-hookgate-session=y");
        assert_eq!(cookie(&both), Some("y"));
        assert_eq!(cookie(&headers("session=x")), None);
        let set = set_cookie("x", true);
        assert_eq!(set, format!("{HOST_COOKIE}=x; Path=/; HttpOnly; SameSite=Strict; Secure"));
        assert_eq!(
            set_cookie("", false),
            "hookgate-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }
}
