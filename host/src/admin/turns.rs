//! How many may ask at a time, so that `/healthz`, `/readyz` and `/metrics` always find a
//! connection.
//!
//! Everything else has half of the port's connections, and no tenant and no token has all of those.
//! What may wait for long has a quarter of them and a time. Streams of events have an eighth of all
//! connections: tenants half of that, and each a share. A stop waits for none of it. Never judges a
//! request.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::LengthLimitError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::access::Caller;
use super::problem::{Kind, Problem};
use crate::ids::Name;
use crate::lock::lock;
use crate::tenant::Tenant;

/// How long a request may wait for something to happen.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Largest body, in bytes.
const BODY_BYTES_MAX: usize = 2 << 20;

/// The share of the port's connections on which events may be streamed.
const STREAMS: usize = 8;

/// What those who wait are told when the gateway stops.
pub(super) const STOPPING: &str = "the gateway is stopping";

/// Who asks, as far as turns go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asker {
    /// One with a token of the operator's.
    Token(Name),
    /// All who have tokens of this tenant.
    Tenant(Tenant),
}

impl Asker {
    /// Who has no token is none: nobody else may ask then.
    pub(super) fn of(caller: &Caller) -> Option<Self> {
        let tenant = caller.tenant.clone().map(Self::Tenant);
        tenant.or_else(|| caller.token.clone().map(Self::Token))
    }

    /// How many of so many turns it may have at a time.
    fn share(&self, turns: usize) -> usize {
        match self {
            Self::Token(_) => (turns / 4 * 3).max(1),
            Self::Tenant(_) => (turns / 8).max(1),
        }
    }

    fn is_tenant(&self) -> bool {
        matches!(self, Self::Tenant(_))
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(name) => write!(f, "the token `{name}`"),
            Self::Tenant(tenant) => write!(f, "the tenant `{tenant}`"),
        }
    }
}

/// Those who have a turn of one kind.
#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Those with tokens of tenants.
    of_tenants: usize,
    /// By who asks; nobody is here without a turn.
    by: BTreeMap<Asker, usize>,
}

/// All turns of one kind.
#[derive(Debug)]
struct Pool {
    taken: Arc<Mutex<Taken>>,
    most: usize,
}

/// Why there is no turn.
enum Full {
    /// Who asks has its share, which is so many.
    Share(usize, Asker),
    /// Too many have one.
    All,
}

impl Pool {
    fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A turn. Nobody has more than a share, and tenants leave half to the operator.
    fn take(&self, asker: Option<Asker>) -> Result<Turn, Full> {
        let mut taken = lock(&self.taken);
        let most = self.most;
        let is_tenant = asker.as_ref().is_some_and(Asker::is_tenant);
        if let Some(asker) = &asker {
            let share = asker.share(most);
            if taken.by.get(asker).is_some_and(|has| *has >= share) {
                return Err(Full::Share(share, asker.clone()));
            }
        }
        if taken.all >= most || (is_tenant && taken.of_tenants >= (most / 2).max(1)) {
            return Err(Full::All);
        }
        taken.all += 1;
        taken.of_tenants += usize::from(is_tenant);
        if let Some(asker) = &asker {
            *taken.by.entry(asker.clone()).or_default() += 1;
        }
        Ok(Turn { taken: Arc::clone(&self.taken), asker })
    }
}

/// A turn, for as long as it lives.
#[derive(Debug)]
struct Turn {
    taken: Arc<Mutex<Taken>>,
    asker: Option<Asker>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        let Some(asker) = &self.asker else { return };
        taken.of_tenants -= usize::from(asker.is_tenant());
        let left = taken.by.get(asker).map_or(0, |has| has - 1);
        match left {
            0 => drop(taken.by.remove(asker)),
            left => drop(taken.by.insert(asker.clone(), left)),
        }
    }
}

/// The turn of a request, from before its body is read until it is answered.
#[derive(Debug)]
pub(super) struct Answering {
    _turn: Turn,
}

/// The turn of one who listens to events, for as long as it lives.
#[derive(Debug)]
pub(super) struct Listening {
    _turn: Turn,
}

/// The turns of the operators' port.
#[derive(Debug)]
pub(crate) struct Turns {
    asking: Pool,
    waiting: Semaphore,
    streams: Pool,
    wait_max: Duration,
    /// Cancelled when the gateway stops.
    stop: CancellationToken,
}

impl Turns {
    /// Those of a port that takes so many connections, until `stop` is cancelled.
    pub(crate) fn new(connections: usize, stop: CancellationToken) -> Self {
        let asking = (connections / 2).max(1);
        let waiting = (asking / 4).max(1);
        let streams = (connections / STREAMS).max(1);
        Self {
            asking: Pool::new(asking),
            waiting: Semaphore::new(waiting),
            streams: Pool::new(streams),
            wait_max: WAIT_MAX,
            stop,
        }
    }

    /// A turn of a request. Tenants leave half of the turns to the operator, and none has more than
    /// an eighth; a token of the operator's leaves a quarter to the others.
    pub(super) fn ask(&self, asker: Option<Asker>) -> Result<Answering, Problem> {
        let turn = self.asking.take(asker);
        let turn = turn.map_err(|full| match full {
            Full::Share(share, asker) => {
                let detail = format!(
                    "the gateway is answering {share} requests of {asker}, and no more at a time; \
                     ask again later"
                );
                Problem::new(Kind::TooManyRequests, detail)
            }
            Full::All => {
                let busy = "the gateway is answering too many requests; ask again later";
                Problem::new(Kind::Busy, busy)
            }
        })?;
        Ok(Answering { _turn: turn })
    }

    /// Waits for what may take long. After a minute the answer is that it is `not_yet`, with 503;
    /// where as many wait as may, and when the gateway stops, it says that.
    pub(super) async fn wait<T>(
        &self,
        what: impl Future<Output = T>,
        not_yet: &str,
    ) -> Result<T, Problem> {
        let many = "too many requests are waiting; ask again later";
        let turn = self.waiting.try_acquire();
        let _turn = turn.map_err(|_| Problem::new(Kind::Busy, many))?;
        tokio::select! {
            waited = what => Ok(waited),
            () = tokio::time::sleep(self.wait_max) => Err(Problem::new(Kind::NotYet, not_yet)),
            () = self.stop.cancelled() => Err(Problem::new(Kind::Stopping, STOPPING)),
        }
    }

    /// A turn of one who listens to events. Tenants leave half of the streams to the operator, and
    /// none has more than an eighth of all; a token of the operator's leaves a quarter to the
    /// others.
    pub(super) fn stream(&self, asker: Option<Asker>) -> Result<Listening, Problem> {
        let turn = self.streams.take(asker);
        let turn = turn.map_err(|full| match full {
            Full::Share(share, asker) => {
                let detail = format!(
                    "{share} streams of {asker} are open, and no more at a time; close one, or ask \
                     again later"
                );
                Problem::new(Kind::TooManyRequests, detail)
            }
            Full::All => {
                let many = "too many streams of events are open; ask again later";
                Problem::new(Kind::Busy, many)
            }
        })?;
        Ok(Listening { _turn: turn })
    }

    /// Resolves when the gateway stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.clone().cancelled_owned()
    }

    /// The whole body of a request.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, Problem> {
        self.read_file(body, BODY_BYTES_MAX, BODY_TIME_MAX).await
    }

    /// The same of at most so many bytes, which come within this time.
    pub(super) async fn read_file(
        &self,
        body: Body,
        bytes_max: usize,
        time_max: Duration,
    ) -> Result<Bytes, Problem> {
        let problem = |kind, reason: &str| Err(Problem::new(kind, reason));
        tokio::select! {
            read = axum::body::to_bytes(body, bytes_max) => read.or_else(|error| {
                if error.source().is_some_and(|source| source.is::<LengthLimitError>()) {
                    let reason = format!("the body has more than {bytes_max} bytes");
                    return problem(Kind::BodyTooLarge, &reason);
                }
                problem(Kind::MalformedBody, "the connection ended within the body")
            }),
            () = tokio::time::sleep(time_max) => {
                let seconds = time_max.as_secs();
                problem(Kind::BodyTimeout, &format!("the body did not arrive within {seconds} s"))
            }
            () = self.stop.cancelled() => problem(Kind::Stopping, STOPPING),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_wait_has_an_end_and_so_have_those_who_wait() {
        let mut turns = Turns::new(8, CancellationToken::new());
        turns.wait_max = Duration::from_millis(20);
        assert!(turns.wait(pending::<()>(), "not yet").await.is_err());

        turns.wait_max = Duration::from_secs(60);
        let waiting = turns.wait(pending::<()>(), "not yet");
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("it never happens"),
            () = ready(()) => (),
        }
        assert!(turns.wait(ready(()), "not yet").await.is_err(), "one of eight may wait");
    }

    fn tenant(number: usize) -> Asker {
        Asker::Tenant(format!("tenant-{number}").parse().unwrap())
    }

    fn token(name: &str) -> Asker {
        Asker::Token(name.parse().unwrap())
    }

    /// The turns that one asker is given, one after the other, and what the next request gets.
    fn given(turns: &Turns, asker: Option<&Asker>) -> (Vec<Answering>, Kind) {
        let mut given = Vec::new();
        loop {
            match turns.ask(asker.cloned()) {
                Ok(turn) => given.push(turn),
                Err(problem) => return (given, problem.kind()),
            }
        }
    }

    /// Guards that no tenant keeps another, and none all of them the operator, from being answered.
    #[test]
    fn a_tenant_has_an_eighth_of_the_turns_and_all_of_them_have_half() {
        let turns = Turns::new(64, CancellationToken::new());
        let (first, kind) = given(&turns, Some(&tenant(0)));
        assert_eq!((first.len(), kind), (4, Kind::TooManyRequests));
        let others: Vec<_> = (1..4).map(|number| given(&turns, Some(&tenant(number)))).collect();
        assert!(others.iter().all(|(turns, _)| turns.len() == 4), "{others:?}");
        assert_eq!(given(&turns, Some(&tenant(4))).1, Kind::Busy);
        let (operators, kind) = given(&turns, Some(&token("ops")));
        assert_eq!((operators.len(), kind), (16, Kind::Busy), "the other half");

        drop((first, operators));
        assert_eq!(given(&turns, Some(&tenant(4))).0.len(), 4);
    }

    #[test]
    fn a_token_of_the_operator_s_leaves_a_quarter_of_the_turns_to_others() {
        let turns = Turns::new(64, CancellationToken::new());
        let (wild, kind) = given(&turns, Some(&token("wild")));
        assert_eq!((wild.len(), kind), (24, Kind::TooManyRequests));
        let (calm, kind) = given(&turns, Some(&token("calm")));
        assert_eq!((calm.len(), kind), (8, Kind::Busy));
        drop((wild, calm));
        let (without, kind) = given(&turns, None);
        assert_eq!((without.len(), kind), (32, Kind::Busy), "nobody else may ask then");
        drop(without);
        let taken = lock(&turns.asking.taken);
        assert!(taken.by.is_empty(), "{taken:?}");
        assert_eq!((taken.all, taken.of_tenants), (0, 0));
    }

    #[test]
    fn as_many_listen_to_events_as_may_and_the_next_when_one_has_left() {
        let turns = Turns::new(16, CancellationToken::new());
        let listening = [turns.stream(None), turns.stream(None)].map(Result::unwrap);
        assert_eq!(turns.stream(None).unwrap_err().kind(), Kind::Busy);
        drop(listening);
        assert!(turns.stream(None).is_ok());
    }

    /// Guards that no tenant keeps another, and none all of them the operator, from listening. Take
    /// the share out of [`Pool::take`], and the first has all that tenants may have.
    #[test]
    fn a_tenant_has_an_eighth_of_the_streams_and_all_of_them_have_half() {
        let turns = Turns::new(128, CancellationToken::new());
        let stream = |number: usize| turns.stream(Some(tenant(number)));
        let own = [stream(0), stream(0)].map(Result::unwrap);
        assert_eq!(stream(0).unwrap_err().kind(), Kind::TooManyRequests);
        let others: Vec<_> = [1, 1, 2, 2, 3, 3].map(stream).into_iter().collect();
        assert!(others.iter().all(Result::is_ok), "{others:?}");
        assert_eq!(stream(4).unwrap_err().kind(), Kind::Busy);
        assert!(turns.stream(None).is_ok(), "the other half");
        drop(own);
        assert!(stream(4).is_ok());
    }

    /// Guards that no token keeps all others of the operator from listening.
    #[test]
    fn a_token_leaves_a_quarter_of_the_streams_to_the_others() {
        let turns = Turns::new(128, CancellationToken::new());
        let stream = |name: &str| turns.stream(Some(token(name)));
        let own: Vec<_> = (0..12).map(|_| stream("ops").unwrap()).collect();
        assert_eq!(stream("ops").unwrap_err().kind(), Kind::TooManyRequests);
        assert!(stream("dashboard").is_ok());
        drop(own);
    }
}
