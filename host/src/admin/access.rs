//! Who may ask at the admin port, as it is now: the tokens of the store and of the configuration.
//!
//! They are in memory, so that no request waits for the disk; what changes goes to the store first.
//! Without any token the port answers this machine only. Never keeps a token, only its hash.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use super::failures::Failures;
use super::operation::Tenants;
use super::problem::{Kind, Problem};
use super::sessions::{Begun, Found, Over, Sessions};
use crate::clock::Clock;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::listener::Connection;
use crate::lock::lock;
use crate::secrets::Secret;
use crate::store::{self, Store, Token, Tokens};
use crate::tenant::Tenant;
use crate::token::{self, Scope, Scopes, TokenHash, matching};

/// Minutes of use are written down at most so often, in milliseconds.
const USE_MIN: u64 = 60_000;

/// The text that goes with the forms of a session.
const FORM: &str = "hookgate-form";

/// A token that the configuration gives.
#[derive(Debug, Clone)]
pub(crate) struct FileToken {
    pub(crate) name: Name,
    /// Of the texts that are this token: two while one takes the place of the other.
    pub(crate) hashes: Vec<TokenHash>,
    pub(crate) scopes: Scopes,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) tenant: Option<Tenant>,
}

/// Who may ask.
#[derive(Debug)]
pub(crate) struct Access {
    store: Store,
    clock: Clock,
    known: ArcSwap<Known>,
    /// One change at a time, so that an older state never takes the place of a newer one.
    changing: Mutex<()>,
    /// Held while memory changes.
    learning: std::sync::Mutex<()>,
    pub(super) failures: Failures,
    pub(super) sessions: Sessions,
}

/// The tokens as they are now.
#[derive(Debug, Default)]
struct Known {
    held: Vec<Arc<Held>>,
    /// Each with the place of its token.
    hashes: Vec<(TokenHash, usize)>,
    stored: Tokens,
    file: Vec<FileToken>,
    is_needed: bool,
    open_metrics: bool,
}

/// A token, and when it was last used.
#[derive(Debug)]
struct Held {
    token: Token,
    is_of_file: bool,
    /// In milliseconds; zero is never.
    used_at: AtomicU64,
}

/// Who asks, as far as that is known.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token; `None` where the port asks for none.
    pub(crate) token: Option<Name>,
    /// Tells the token also from a later one of its name; empty where there is none.
    pub(super) owner: Vec<u8>,
    /// Whose it is: it reaches nothing but what is this tenant's. `None` reaches everything.
    pub(super) tenant: Option<Tenant>,
    scopes: Scopes,
    /// By which it asks, if it does not send the token itself.
    pub(super) session: Option<Found>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has no token.
    Missing,
    /// Nobody has such a token, or not any more.
    Unknown,
    Expired(Name),
    /// The token has not the scope.
    Scope(Name, Scope),
    /// The token has a tenant, and this is the operator's.
    Tenant(Name, Tenant),
    /// It comes from elsewhere, and there is no token that it could have.
    Remote,
    /// The session of its cookie is over.
    SessionOver,
    /// It would change something by a session, and lacks the text that goes with its forms.
    Form,
}

impl Caller {
    /// Whether it may do what asks for this scope.
    pub(super) fn allowed(&self, scope: Scope) -> Result<(), Refused> {
        match &self.token {
            Some(token) if !self.scopes.allow(scope) => Err(Refused::Scope(token.clone(), scope)),
            _ => Ok(()),
        }
    }

    /// Whether it may ask for what is so to tokens with a tenant.
    pub(super) fn admitted(&self, tenants: Tenants) -> Result<(), Refused> {
        match (&self.token, &self.tenant) {
            (Some(token), Some(tenant)) if tenants == Tenants::Operator => {
                Err(Refused::Tenant(token.clone(), tenant.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it may change something with these headers: by a session only with the text that
    /// goes with its forms, which no page of another site has.
    pub(super) fn confirmed(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let Some(Found { form, .. }) = &self.session else { return Ok(()) };
        let sent = headers.get(FORM).map_or(&[][..], |value| value.as_bytes());
        match form.as_bytes().ct_eq(sent).into() {
            true => Ok(()),
            false => Err(Refused::Form),
        }
    }

    /// What it may do.
    pub(super) fn scopes(&self) -> Scopes {
        self.scopes
    }
}

impl Refused {
    /// What the sender is answered.
    pub(super) fn problem(&self) -> Problem {
        let (kind, reason) = match self {
            Self::Missing => (
                Kind::NoToken,
                "this request needs a token: send `authorization: Bearer hgt_...`".to_owned(),
            ),
            Self::Unknown => (
                Kind::UnknownToken,
                "the gateway knows no such token; somebody may have revoked it".to_owned(),
            ),
            Self::Expired(name) => (Kind::ExpiredToken, format!("the token `{name}` has expired")),
            Self::Scope(name, scope) => (
                Kind::MissingScope,
                format!("the token `{name}` does not have the scope `{scope}`"),
            ),
            Self::Tenant(name, tenant) => (
                Kind::OperatorOnly,
                format!(
                    "the token `{name}` is for what belongs to the tenant `{tenant}`, and this \
                     path is for the operator"
                ),
            ),
            Self::Remote => (
                Kind::Remote,
                "without a token the admin port answers this machine only".to_owned(),
            ),
            Self::SessionOver => (Kind::NoToken, "the session is over: sign in again".to_owned()),
            Self::Form => (
                Kind::ForeignPage,
                "a session changes nothing without the text that goes with its forms: send it as \
                 `hookgate-form`, or send a token"
                    .to_owned(),
            ),
        };
        Problem::new(kind, reason)
    }

    /// Whether somebody may be trying tokens.
    pub(super) fn is_wrong_token(&self) -> bool {
        matches!(self, Self::Unknown | Self::Expired(_))
    }

    /// Its label in the metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Missing => "no_token",
            Self::Unknown => "unknown_token",
            Self::Expired(_) => "expired_token",
            Self::Scope(..) => "scope",
            Self::Tenant(..) => "tenant",
            Self::Remote => "remote",
            Self::SessionOver => "session_over",
            Self::Form => "form",
        }
    }
}

impl Access {
    /// That of a store, with the tokens of a configuration.
    pub(crate) async fn open(
        store: Store,
        clock: Clock,
        (file, open_metrics): (&[FileToken], bool),
    ) -> Result<Self, store::Error> {
        let stored = match file.is_empty() {
            true => store.tokens().await?,
            false => store.need_tokens().await?,
        };
        let access = Self {
            known: ArcSwap::default(),
            changing: Mutex::default(),
            learning: std::sync::Mutex::default(),
            failures: Failures::default(),
            sessions: Sessions::default(),
            store,
            clock,
        };
        access.learn(Some(stored), Some((file.to_vec(), open_metrics)));
        Ok(access)
    }

    /// The configuration is another now. Tokens that are not in it any more are refused at once.
    pub(crate) fn configure(&self, file: &[FileToken], open_metrics: bool) {
        self.learn(None, Some((file.to_vec(), open_metrics)));
    }

    /// The store notes that there are tokens, so that the port asks for one from now on, also when
    /// those of the configuration are gone.
    pub(crate) async fn note_needed(&self) -> Result<(), store::Error> {
        let is_noted = |known: &Known| !known.is_needed || known.stored.is_needed;
        if is_noted(&self.known.load()) {
            return Ok(());
        }
        let _turn = self.changing.lock().await;
        let needed = self.store.need_tokens().await;
        self.follow(needed).await
    }

    /// Whether the port asks for a token.
    pub(crate) fn is_needed(&self) -> bool {
        self.known.load().is_needed
    }

    /// Whether somebody has a token that is good now.
    pub(crate) fn has_token(&self) -> bool {
        let now = self.clock.now();
        self.known.load().held.iter().any(|held| !is_over(&held.token, now))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn has_open_metrics(&self) -> bool {
        self.known.load().open_metrics
    }

    /// Who sent a request with these headers.
    pub(super) fn caller(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Caller, Refused> {
        let known = self.known.load();
        if !known.is_needed {
            // What listens is on loopback then; this holds whatever listens.
            let is_local = |it: &Connection| it.peer().ip().to_canonical().is_loopback();
            return match connection.is_some_and(is_local) {
                true => {
                    let (owner, scopes) = (Vec::new(), Scopes::ADMIN);
                    Ok(Caller { token: None, owner, tenant: None, scopes, session: None })
                }
                false => Err(Refused::Remote),
            };
        }
        let session = self.session(headers, connection)?;
        let sent = session.as_ref().map_or_else(|| bearer(headers), |found| Ok(found.token))?;
        let hashes = known.hashes.iter().map(|(hash, _)| hash);
        let found = matching(&sent, hashes);
        let now = self.clock.now();
        let held = found.map(|found| &known.held[known.hashes[found].1]);
        let held = match (held, &session) {
            (Some(held), _) if !is_over(&held.token, now) => held,
            (_, Some(_)) => return Err(Refused::SessionOver),
            (Some(held), None) => return Err(Refused::Expired(held.token.name.clone())),
            (None, None) => return Err(Refused::Unknown),
        };
        let token = &held.token;
        held.used_at.fetch_max(now.0, Ordering::Relaxed);
        let (name, owner) = (token.name.clone(), held.owner());
        let (tenant, scopes) = (token.tenant.clone(), token.scopes);
        Ok(Caller { token: Some(name), owner, tenant, scopes, session })
    }

    /// The session by which a request asks, if it sends no token itself.
    fn session(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Option<Found>, Refused> {
        if headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        let asking = self.sessions.asking(headers, connection, self.clock.now());
        asking.map_err(|Over| Refused::SessionOver)
    }

    /// Begins a session of whoever sends a token in these headers.
    pub(super) fn begin_session(&self, headers: &HeaderMap) -> Result<Begun, Problem> {
        let token = bearer(headers).map_err(|refused| refused.problem())?;
        let no_random = || {
            let reason = "the system has no random bytes for a session";
            Problem::new(Kind::Internal, reason)
        };
        self.sessions.begin(token, self.clock.now()).ok_or_else(no_random)
    }

    /// Makes a token, and gives its text, which nobody can get again, and what is kept of it.
    pub(super) async fn create(&self, new: Token) -> Result<(Secret, Value), Problem> {
        let no_random = || {
            let reason = "the system has no random bytes for a token";
            Problem::new(Kind::Internal, reason)
        };
        let text = token::fresh().ok_or_else(no_random)?;
        let token = Token { hash: TokenHash::of(text.expose()), ..new };
        let name = token.name.clone();
        let _turn = self.changing.lock().await;
        if self.known.load().file.iter().any(|of_file| of_file.name == name) {
            return Err(in_file(&name));
        }
        let added = self.store.add_token(token).await;
        self.follow(added).await?;
        Ok((text, self.shown(&name)))
    }

    /// Removes a token: from when this returns, and for the most part sooner, it is refused.
    pub(super) async fn revoke(&self, name: &Name) -> Result<Value, Problem> {
        let _turn = self.changing.lock().await;
        let known = self.known.load_full();
        // The file may have taken the name of one that was made: that one can be revoked.
        let is_stored = known.stored.tokens.iter().any(|token| token.name == *name);
        if !is_stored && known.file.iter().any(|of_file| of_file.name == *name) {
            return Err(in_file(name));
        }
        let shown = self.shown(name);
        let revoked = self.store.revoke_token(name.clone()).await;
        self.follow(revoked).await?;
        Ok(shown)
    }

    /// Writes down when tokens were last used, if that is not written yet: called now and then, so
    /// that no request is a write.
    pub(crate) async fn note_uses(&self) -> Result<(), store::Error> {
        let _turn = self.changing.lock().await;
        let unwritten = |held: &Arc<Held>| {
            let used_at = held.used_at.load(Ordering::Relaxed);
            let written = held.token.last_used_at.map_or(0, |at| at.0);
            let is_new = !held.is_of_file && used_at >= written.saturating_add(USE_MIN);
            is_new.then(|| (held.token.name.clone(), Timestamp(used_at)))
        };
        let uses: Vec<_> = self.known.load().held.iter().filter_map(unwritten).collect();
        if uses.is_empty() {
            return Ok(());
        }
        let noted = self.store.note_token_uses(uses).await;
        self.follow(noted).await
    }

    /// All tokens, by their names, as operators see them.
    pub(super) fn list(&self) -> Vec<Value> {
        let known = self.known.load();
        let mut held: Vec<_> = known.held.iter().collect();
        held.sort_by(|one, other| one.token.name.cmp(&other.token.name));
        held.into_iter().map(|held| held.shown()).collect()
    }

    fn shown(&self, name: &Name) -> Value {
        let known = self.known.load();
        let held = known.held.iter().find(|held| held.token.name == *name);
        held.map_or(Value::Null, |held| held.shown())
    }

    /// Takes over what the store has after a change, also after one of which that is not known.
    async fn follow(&self, changed: Result<Tokens, store::Error>) -> Result<(), store::Error> {
        let stored = match &changed {
            Ok(stored) => Ok(stored.clone()),
            Err(_) => self.store.tokens().await,
        };
        if let Ok(stored) = stored {
            self.learn(Some(stored), None);
        }
        changed.map(drop)
    }

    /// Takes over what the store has, or what the configuration says, beside what is known of the
    /// other.
    fn learn(&self, stored: Option<Tokens>, file: Option<(Vec<FileToken>, bool)>) {
        let _turn = lock(&self.learning);
        let before = self.known.load_full();
        let stored = stored.unwrap_or_else(|| before.stored.clone());
        let (file, open_metrics) =
            file.unwrap_or_else(|| (before.file.clone(), before.open_metrics));
        let mut known = Known { open_metrics, ..Known::default() };
        for token in &stored.tokens {
            known.hold(&before, token.clone(), &[token.hash], false);
        }
        for FileToken { name, hashes, scopes, expires_at, tenant } in file.iter().cloned() {
            let Some(hash) = hashes.first().copied() else { continue };
            let (created_at, last_used_at) = (Timestamp(0), None);
            let token = Token { name, hash, scopes, created_at, expires_at, tenant, last_used_at };
            known.hold(&before, token, &hashes, true);
        }
        // Once it asks it asks for good; only a start may find that somebody has reset it.
        known.is_needed = before.is_needed || stored.is_needed || !file.is_empty();
        (known.stored, known.file) = (stored, file);
        self.known.store(Arc::new(known));
    }
}

impl Known {
    fn hold(&mut self, before: &Self, token: Token, hashes: &[TokenHash], is_of_file: bool) {
        let is_same = |held: &&Arc<Held>| {
            let (was, is) = (&held.token, &token);
            was.name == is.name && was.created_at == is.created_at && held.is_of_file == is_of_file
        };
        let used = before.held.iter().find(is_same);
        let used = used.map_or(0, |held| held.used_at.load(Ordering::Relaxed));
        let used = used.max(token.last_used_at.map_or(0, |at| at.0));
        let place = self.held.len();
        self.hashes.extend(hashes.iter().map(|hash| (*hash, place)));
        self.held.push(Arc::new(Held { token, is_of_file, used_at: AtomicU64::new(used) }));
    }
}

impl Held {
    /// Tells it from others. One of the store is another with another text; one of the
    /// configuration stays the same, because its text is replaced under its name.
    fn owner(&self) -> Vec<u8> {
        match self.is_of_file {
            true => [&b"configuration "[..], self.token.name.as_str().as_bytes()].concat(),
            false => [&b"store "[..], &self.token.hash.bytes()].concat(),
        }
    }

    fn shown(&self) -> Value {
        let Token { name, scopes, created_at, expires_at, tenant, .. } = &self.token;
        let used_at = self.used_at.load(Ordering::Relaxed);
        let last_used_at = (used_at > 0).then_some(Timestamp(used_at));
        json!({
            "name": name,
            "scopes": scopes,
            "created_at": (!self.is_of_file).then_some(created_at),
            "expires_at": expires_at,
            "tenant": tenant,
            "last_used_at": last_used_at,
            "from": if self.is_of_file { "configuration" } else { "store" },
        })
    }
}

fn is_over(token: &Token, now: Timestamp) -> bool {
    token.expires_at.is_some_and(|at| at <= now)
}

fn in_file(name: &Name) -> Problem {
    let reason = format!(
        "the token `{name}` is in the configuration: change or remove `[tokens.{name}]` there"
    );
    Problem::new(Kind::ConfiguredToken, reason)
}

/// The hash of the token that a request has: exactly one, as RFC 6750 writes it.
fn bearer(headers: &HeaderMap) -> Result<TokenHash, Refused> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Err(Refused::Missing) };
    let value = value.to_str().map_err(|_| Refused::Unknown)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refused::Unknown)?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    match sent.next() {
        None if is_bearer => Ok(TokenHash::of(token.trim())),
        _ => Err(Refused::Unknown),
    }
}

#[cfg(test)]
mod tests;
