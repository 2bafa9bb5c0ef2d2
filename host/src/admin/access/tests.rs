//! Who is let through, token by token.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::*;
use crate::token::Scope::{Read, Write};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

struct Bench {
    access: Access,
    clock: Clock,
    folder: TempDir,
}

fn store(folder: &TempDir, clock: &Clock) -> Store {
    Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap()
}

async fn bench(file: &[FileToken]) -> Bench {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
    let store = store(&folder, &clock);
    let access = Access::open(store, clock.clone(), (file, false)).await.unwrap();
    Bench { access, clock, folder }
}

impl Bench {
    /// The same after a start, with other tokens in the file.
    async fn restarted(self, file: &[FileToken]) -> Self {
        let Self { access, clock, folder } = self;
        access.store.close().await.unwrap();
        let access = Access::open(store(&folder, &clock), clock.clone(), (file, false)).await;
        Self { access: access.unwrap(), clock, folder }
    }

    async fn make(&self, name: &str, scopes: &[Scope], expires_at: Option<Timestamp>) -> String {
        let new = Token { expires_at, scopes: scopes.iter().copied().collect(), ..token(name) };
        let Ok((made, _)) = self.access.create(new).await else { panic!("it is not made") };
        made.expose().to_owned()
    }

    /// Who sends this as `Authorization`, from this machine.
    fn ask(&self, authorization: &[&str]) -> Result<Option<Name>, Refused> {
        self.ask_from("127.0.0.1:9000", authorization)
    }

    /// What a key for a write that is done once belongs to.
    fn owner(&self, text: &str) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
        self.access.caller(&headers, None).unwrap().owner
    }

    fn ask_from(&self, peer: &str, authorization: &[&str]) -> Result<Option<Name>, Refused> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        let connection = Connection::new(peer.parse::<SocketAddr>().unwrap());
        self.access.caller(&headers, Some(&connection)).map(|caller| caller.token)
    }
}

#[tokio::test]
async fn a_token_with_a_tenant_is_refused_what_is_the_operators() {
    let acme = || Some("acme".parse().unwrap());
    let file = FileToken { tenant: acme(), ..of_file("theirs", &["a text of the configuration"]) };
    let Bench { access, folder: _folder, .. } = bench(&[file]).await;
    let (made, _) = access.create(Token { tenant: acme(), ..token("made") }).await.unwrap();
    let (ours, _) = access.create(token("ours")).await.unwrap();
    let admitted = |text: &str, tenants| {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
        access.caller(&headers, None).unwrap().admitted(tenants)
    };
    for (text, of) in [("a text of the configuration", "theirs"), (made.expose(), "made")] {
        let refused = Err(Refused::Tenant(name(of), acme().unwrap()));
        assert_eq!(admitted(text, Tenants::Operator), refused);
        assert_eq!(admitted(text, Tenants::Own), Ok(()));
        assert_eq!(admitted(text, Tenants::Open), Ok(()));
    }
    assert_eq!(admitted(ours.expose(), Tenants::Operator), Ok(()));
}

fn token(name: &str) -> Token {
    Token {
        name: name.parse().unwrap(),
        hash: TokenHash::of(""),
        scopes: Scopes::default(),
        created_at: NOW,
        expires_at: None,
        tenant: None,
        last_used_at: None,
    }
}

fn of_file(name: &str, texts: &[&str]) -> FileToken {
    FileToken {
        name: name.parse().unwrap(),
        hashes: texts.iter().map(|text| TokenHash::of(text)).collect(),
        scopes: [Read].into_iter().collect(),
        expires_at: None,
        tenant: None,
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[tokio::test]
async fn without_a_token_only_this_machine_is_answered() {
    let bench = bench(&[]).await;
    assert_eq!(bench.ask(&[]), Ok(None));
    assert_eq!(bench.ask_from("[::ffff:127.0.0.1]:1", &[]), Ok(None));
    assert_eq!(bench.ask_from("10.0.0.7:1", &[]), Err(Refused::Remote));
    let nobody = bench.access.caller(&HeaderMap::new(), None);
    assert_eq!(nobody.unwrap_err(), Refused::Remote);
}

#[tokio::test]
async fn once_there_is_a_token_everybody_needs_one() {
    let bench = bench(&[]).await;
    let ci = bench.make("ci", &[Read], None).await;
    let sent = format!("Bearer {ci}");
    assert_eq!(bench.ask(&[&sent]), Ok(Some(name("ci"))));
    assert_eq!(bench.ask_from("10.0.0.7:1", &[&format!("bearer  {ci}")]), Ok(Some(name("ci"))));
    assert_eq!(bench.ask(&[]), Err(Refused::Missing));
    let almost = format!("Bearer {}", &ci[..ci.len() - 1]);
    for wrong in [&*almost, "Bearer hgt_", "Bearer", "Basic Y2k6Y2k=", &*ci, ""] {
        assert_eq!(bench.ask(&[wrong]), Err(Refused::Unknown), "{wrong}");
    }
    assert_eq!(bench.ask(&[&sent, &sent]), Err(Refused::Unknown), "which of them is meant?");
}

#[tokio::test]
async fn a_token_may_do_what_its_scopes_say() {
    let bench = bench(&[]).await;
    let sent = format!("Bearer {}", bench.make("ci", &[Read], None).await);
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, sent.parse().unwrap());
    let caller = bench.access.caller(&headers, None).unwrap();
    assert_eq!(caller.allowed(Read), Ok(()));
    assert_eq!(caller.allowed(Write), Err(Refused::Scope(name("ci"), Write)));
}

#[tokio::test]
async fn an_expired_token_is_refused_from_its_time_on() {
    let bench = bench(&[]).await;
    let later = Timestamp(NOW.0 + 1000);
    let sent = format!("Bearer {}", bench.make("ci", &[Read], Some(later)).await);
    assert!(bench.ask(&[&sent]).is_ok() && bench.access.has_token());
    bench.clock.set(later);
    assert_eq!(bench.ask(&[&sent]), Err(Refused::Expired(name("ci"))));
    assert!(!bench.access.has_token());
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_the_last_one_opens_nothing() {
    let bench = bench(&[]).await;
    let sent = format!("Bearer {}", bench.make("ci", &[Read], None).await);
    assert!(bench.access.revoke(&name("ci")).await.is_ok());
    assert_eq!(bench.ask(&[&sent]), Err(Refused::Unknown));
    assert_eq!(bench.ask(&[]), Err(Refused::Missing));
    let again = bench.access.revoke(&name("ci")).await.err().unwrap();
    assert_eq!(again.kind(), Kind::NotFound);
    let bench = bench.restarted(&[]).await;
    assert_eq!(bench.ask(&[]), Err(Refused::Missing), "a start opens nothing either");
}

#[tokio::test]
async fn a_token_whose_name_the_configuration_takes_later_can_be_revoked() {
    let bench = bench(&[]).await;
    let sent = format!("Bearer {}", bench.make("ci", &[Write], None).await);
    bench.access.configure(&[of_file("ci", &["another text, which somebody wrote"])], false);
    assert!(bench.access.revoke(&name("ci")).await.is_ok());
    assert_eq!(bench.ask(&[&sent]), Err(Refused::Unknown));
    let kept = bench.access.revoke(&name("ci")).await.err().unwrap();
    assert_eq!(kept.kind(), Kind::ConfiguredToken);
}

#[tokio::test]
async fn a_token_of_the_configuration_is_good_while_it_is_there() {
    const ONE: &str = "a token that an operator has written into a file";
    const OTHER: &str = "the one that is to take the place of that one";
    let bench = bench(&[of_file("ops", &[ONE, OTHER])]).await;
    for text in [ONE, OTHER] {
        assert_eq!(bench.ask(&[&format!("Bearer {text}")]), Ok(Some(name("ops"))));
    }
    let taken = bench.access.create(token("ops")).await.err().unwrap();
    assert_eq!(taken.kind(), Kind::ConfiguredToken);
    let kept = bench.access.revoke(&name("ops")).await.err().unwrap();
    assert_eq!(kept.kind(), Kind::ConfiguredToken);

    bench.access.configure(&[], false);
    assert_eq!(bench.ask(&[&format!("Bearer {ONE}")]), Err(Refused::Unknown));
    let bench = bench.restarted(&[]).await;
    assert_eq!(bench.ask(&[]), Err(Refused::Missing), "it was there once");
}

/// Else whoever gets a name that is free again gets the answers of who had it before.
#[tokio::test]
async fn who_asks_is_told_from_a_later_token_of_the_same_name() {
    const ONE: &str = "a token that an operator has written into a file";
    const OTHER: &str = "the one that is to take the place of that one";
    let bench = bench(&[of_file("ops", &[ONE, OTHER])]).await;
    let first = bench.owner(&bench.make("ci", &[Read], None).await);
    assert!(bench.access.revoke(&name("ci")).await.is_ok());
    let second = bench.owner(&bench.make("ci", &[Read], None).await);
    assert_ne!(first, second);

    assert_eq!(bench.owner(ONE), bench.owner(OTHER), "one takes the place of the other");
    bench.access.configure(&[of_file("ci", &[ONE])], false);
    assert_ne!(bench.owner(ONE), second);
}

#[tokio::test]
async fn the_last_use_is_written_down_now_and_then_and_not_with_each_request() {
    let bench = bench(&[]).await;
    let sent = format!("Bearer {}", bench.make("ci", &[Read], None).await);
    let before = bench.access.store.stats().commits;
    bench.clock.advance(std::time::Duration::from_secs(5));
    for _ in 0..100 {
        assert!(bench.ask(&[&sent]).is_ok());
    }
    assert_eq!(bench.access.store.stats().commits, before);
    bench.access.note_uses().await.unwrap();
    bench.access.note_uses().await.unwrap();
    assert_eq!(bench.access.store.stats().commits, before + 1);
    let bench = bench.restarted(&[]).await;
    let expected = Timestamp(NOW.0 + 5000).to_string();
    assert_eq!(bench.access.list()[0]["last_used_at"], expected);
}
