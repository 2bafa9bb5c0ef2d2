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
use crate::listener::Connection;
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

/// With this a page of the dashboard asks by itself, to see what is new, and nobody may be there.
pub(super) const UNATTENDED: &str = "hookgate-unattended";
/// What a browser accepts that listens to a stream, to which it also comes back by itself.
const STREAM: &str = "text/event-stream";

/// Says whether the browser speaks TLS with a proxy in front. Whoever forges it harms nobody else.
pub(super) const FORWARDED_PROTO: &str = "x-forwarded-proto";

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

/// No session of those whose cookies a request has goes on, or more than one does.
#[derive(Debug)]
pub(super) struct Over;

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

    /// The session by which a request asks; `None` if it has no cookie of one.
    ///
    /// A browser keeps one cookie. Where two are good, a page of another port or name of this host
    /// has set one of them, and whose session was meant nobody can say.
    pub(super) fn asking(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
        now: Timestamp,
    ) -> Result<Option<Found>, Over> {
        let mut sent = cookies(headers, connection).peekable();
        if sent.peek().is_none() {
            return Ok(None);
        }
        let find = if is_unattended(headers) { Self::look } else { Self::find };
        let mut found = sent.filter_map(|cookie| find(self, cookie, now));
        match (found.next(), found.next()) {
            (Some(found), None) => Ok(Some(found)),
            _ => Err(Over),
        }
    }

    /// The session of whoever sends this cookie, which it is used by; `None` if it is over.
    fn find(&self, cookie: &str, now: Timestamp) -> Option<Found> {
        let mut kept = lock(&self.kept);
        let session = going(&mut kept, cookie, now)?;
        session.used = session.used.max(now);
        Some(session.found())
    }

    /// The same where nobody uses it: a page that is left open keeps no session.
    fn look(&self, cookie: &str, now: Timestamp) -> Option<Found> {
        let mut kept = lock(&self.kept);
        going(&mut kept, cookie, now).map(|session| session.found())
    }

    /// Ends every session whose cookie a request has.
    pub(super) fn end(&self, headers: &HeaderMap, connection: Option<&Connection>) {
        for cookie in cookies(headers, connection) {
            lock(&self.kept).remove(&hash(cookie));
        }
    }

    /// What goes with the forms of a port that asks for no token.
    pub(super) fn form(&self) -> &Arc<str> {
        &self.form
    }
}

/// The session of this cookie, if it goes on.
fn going<'k>(
    kept: &'k mut BTreeMap<[u8; 32], Session>,
    cookie: &str,
    now: Timestamp,
) -> Option<&'k mut Session> {
    let hash = hash(cookie);
    if kept.get(&hash)?.is_over(now) {
        kept.remove(&hash);
    }
    kept.get_mut(&hash)
}

/// Whether a browser asks by itself.
fn is_unattended(headers: &HeaderMap) -> bool {
    let listens = headers.get(header::ACCEPT).is_some_and(|accept| accept == STREAM);
    headers.contains_key(UNATTENDED) || listens
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

/// Whether the browser speaks TLS, with the gateway or with a proxy in front.
pub(super) fn is_secured(headers: &HeaderMap, connection: Option<&Connection>) -> bool {
    let is_forwarded = headers.get(FORWARDED_PROTO).is_some_and(|proto| proto == "https");
    is_forwarded || connection.is_some_and(Connection::is_secured)
}

/// The cookies of sessions that a request has. Over TLS the other name counts for nothing: anybody
/// between, or a page of a neighbouring name, may have set that.
fn cookies<'h>(
    headers: &'h HeaderMap,
    connection: Option<&Connection>,
) -> impl Iterator<Item = &'h str> + use<'h> {
    let wanted = if is_secured(headers, connection) { HOST_COOKIE } else { COOKIE };
    let sent = headers.get_all(header::COOKIE).iter();
    let pairs = sent.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    // Those of others may be anything, and not text.
    let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='));
    let own = pairs.filter(move |(name, _)| name.trim() == wanted);
    own.map(|(_, value)| value.trim())
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
    use axum::http::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn token(text: &str) -> TokenHash {
        TokenHash::of(text)
    }

    fn headers(cookie: &[u8]) -> HeaderMap {
        [(header::COOKIE, HeaderValue::from_bytes(cookie).unwrap())].into_iter().collect()
    }

    /// As over TLS.
    fn secured(cookie: &[u8]) -> HeaderMap {
        let mut headers = headers(cookie);
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        headers
    }

    fn sent(headers: &HeaderMap) -> Vec<&str> {
        cookies(headers, None).collect()
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

    /// Guards `is_unattended`: a page that is left open would keep its session for a week.
    #[test]
    fn a_page_that_asks_by_itself_uses_no_session() {
        let sessions = Sessions::default();
        let Begun { cookie, .. } = sessions.begin(token("ops"), NOW).unwrap();
        let by_hand = headers(format!("{COOKIE}={cookie}").as_bytes());
        let (mut again, mut listening) = (by_hand.clone(), by_hand.clone());
        again.insert(UNATTENDED, HeaderValue::from_static("?1"));
        listening.insert(header::ACCEPT, HeaderValue::from_static(STREAM));
        let is_known = |sent: &HeaderMap, at| {
            sessions.asking(sent, None, at).is_ok_and(|found| found.is_some())
        };
        let almost = IDLE_MAX - Duration::from_secs(1);
        assert!(is_known(&by_hand, NOW.after(almost)));
        for sent in [&again, &listening] {
            assert!(is_known(sent, NOW.after(almost + almost)), "it goes on");
        }
        assert!(!is_known(&by_hand, NOW.after(almost + IDLE_MAX)), "nobody has used it since");
    }

    #[test]
    fn whoever_signs_out_is_known_no_more_and_others_are() {
        let sessions = Sessions::default();
        let one = sessions.begin(token("ops"), NOW).unwrap();
        let other = sessions.begin(token("ops"), NOW).unwrap();
        assert_ne!(one.cookie, other.cookie);
        assert_ne!(one.found.form, other.found.form);
        sessions.end(&headers(format!("{COOKIE}={}", one.cookie).as_bytes()), None);
        assert!(sessions.find(&one.cookie, NOW).is_none());
        assert!(sessions.find(&other.cookie, NOW).is_some());
    }

    /// Guards that nobody is signed in as somebody else by a cookie that another page has set.
    #[test]
    fn of_two_cookies_that_are_good_neither_counts() {
        let sessions = Sessions::default();
        let [own, foreign] = ["ops", "acme"].map(|it| sessions.begin(token(it), NOW).unwrap());
        let asking = |cookies: &[&str]| {
            let cookies = cookies.iter().map(|cookie| format!("{COOKIE}={cookie}"));
            let headers = headers(cookies.collect::<Vec<_>>().join("; ").as_bytes());
            sessions.asking(&headers, None, NOW).map(|found| found.map(|found| found.form))
        };
        assert!(asking(&[]).is_ok_and(|found| found.is_none()));
        let [mine, theirs] = [&own, &foreign].map(|begun| begun.cookie.as_str());
        for sent in [&[mine][..], &["worn", mine], &[mine, ""]] {
            assert_eq!(asking(sent).unwrap().as_ref(), Some(&own.found.form), "{sent:?}");
        }
        for sent in [&["worn"][..], &[theirs, mine]] {
            assert!(asking(sent).is_err(), "{sent:?}");
        }
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
        assert_eq!(sent(&headers(b"a=b; hookgate-session=x_1; c")), ["x_1"]);
        assert_eq!(sent(&headers(b"other=\xff; hookgate-session=x")), ["x"], "it is no text");
        assert!(sent(&headers(b"session=x; xhookgate-session=y; hookgate-session")).is_empty());
        let both = b"hookgate-session=x; __Host-hookgate-session=y";
        assert_eq!((sent(&headers(both)), sent(&secured(both))), (vec!["x"], vec!["y"]));
        assert!(sent(&secured(b"hookgate-session=x")).is_empty(), "anybody may have set it");
        let set = set_cookie("x", true);
        assert_eq!(set, format!("{HOST_COOKIE}=x; Path=/; HttpOnly; SameSite=Strict; Secure"));
        assert_eq!(
            set_cookie("", false),
            "hookgate-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }
}
