//! Owners of endpoints, who make, pause, rotate and delete them while the gateway is killed.
//!
//! Small enough for thousands. What was answered must hold in the next life of the gateway; what
//! was not answered may have happened or not, and is looked up. No owner does two things at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Process, Received, Receiver, subject, text};

/// Endpoints that are there at a time: each gets a fortieth of the events.
const LIVING_MAX: usize = 6;
/// An endpoint has at most eight secrets that sign.
const ROTATIONS_MAX: usize = 6;
/// Between two things that an owner does: there are more kills than that in a second of theirs.
const PAUSE: Duration = Duration::from_millis(5);
/// Deleted endpoints that each life looks at.
const LOOKED_AT: usize = 8;
/// What is under way when an endpoint is deleted is looked for again after a while.
const PATIENCE: Duration = Duration::from_secs(180);
const PING: &str = "hookgate.ping";

/// What is known of an endpoint.
#[derive(Debug, Clone, Default)]
struct Known {
    id: Option<String>,
    /// Its creation was answered, and with the first secret.
    is_answered: bool,
    /// Of every answer that had one; all sign.
    secrets: Vec<String>,
    /// How it stands, if that was answered.
    state: Option<String>,
    rotations: usize,
    deletion: Deletion,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Deletion {
    #[default]
    None,
    Asked,
    Answered,
    /// It was never made.
    Needless,
}

/// How much there was of everything that was answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Acts {
    pub(super) created: usize,
    pub(super) stood: usize,
    pub(super) rotated: usize,
    pub(super) deleted: usize,
}

#[derive(Default)]
struct Book {
    /// By name.
    known: BTreeMap<String, Known>,
    acts: Acts,
    complaints: Vec<String>,
}

/// All owners, in every life of the gateway.
pub(super) struct Owners {
    book: Arc<Mutex<Book>>,
    /// The pings that arrived, by the endpoint.
    pings: watch::Receiver<BTreeMap<String, Received>>,
    receiver: Receiver,
}

/// Owners in one life of the gateway.
pub(super) struct Owning(JoinSet<()>);

/// The gateway did not answer: somebody has killed it.
struct Killed;

/// How owners reach one life of the gateway.
#[derive(Clone)]
struct Port {
    client: reqwest::Client,
    admin: String,
}

impl Port {
    fn of(gateway: &Process) -> Self {
        Self { client: gateway.client().clone(), admin: gateway.admin().to_owned() }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value), Killed> {
        let url = format!("{}{path}", self.admin);
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|_| Killed)?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|_| Killed)?;
        Ok((status, serde_json::from_str(&body).unwrap_or_default()))
    }

    async fn get(&self, path: &str) -> Result<(u16, Value), Killed> {
        self.send("GET", path, &Value::Null).await
    }
}

fn path(id: &str, act: &str) -> String {
    format!("/v1/endpoints/{id}{act}")
}

impl Owning {
    /// Waits until they notice that the gateway was killed.
    pub(super) async fn ended(mut self) {
        while let Some(ended) = self.0.join_next().await {
            ended.expect("an owner does not panic");
        }
    }
}

impl Owners {
    pub(super) async fn new() -> Self {
        let book = Arc::<Mutex<Book>>::default();
        let (pinged, pings) = watch::channel(BTreeMap::new());
        let seen = book.clone();
        let receiver = Receiver::showing(move |delivery| {
            let name = delivery.header("x-endpoint").to_owned();
            if delivery.text("type") == PING {
                pinged.send_modify(|pings: &mut BTreeMap<_, _>| {
                    pings.insert(name.clone(), delivery.clone());
                });
            }
            let mut book = seen.lock().expect("no holder panics");
            let known = book.known.get(&name);
            // The first secret of one whose creation was not answered is younger than it.
            let first = known.filter(|known| known.is_answered).map(|known| &known.secrets[0]);
            let is_signed = first.is_none_or(|secret| delivery.is_signed_with(secret));
            if known.is_none() || !is_signed {
                book.complaints.push(format!("{name} got what is not signed for it"));
            }
        });
        Self { book, pings, receiver: receiver.await }
    }

    pub(super) fn acts(&self) -> Acts {
        self.book().acts
    }

    /// Begins to make, pause, rotate and delete.
    pub(super) fn start(self: &Arc<Self>, gateway: &Process, mut random: Rng) -> Owning {
        let (owners, port) = (self.clone(), Port::of(gateway));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if owners.look(&port, &mut random).await.is_err() {
                return;
            }
            while owners.act(&port, &mut random).await.is_ok() {
                tokio::time::sleep(PAUSE).await;
            }
        });
        Owning(tasks)
    }

    /// Whether the gateway still is as it was answered; what was not answered is known then.
    async fn look(&self, port: &Port, random: &mut Rng) -> Result<(), Killed> {
        let (living, deleted): (Vec<_>, Vec<_>) =
            self.all().into_iter().partition(|(_, known)| known.deletion != Deletion::Answered);
        for (name, known) in living {
            match (&known.id, known.deletion) {
                (_, Deletion::Needless) => (),
                (None, _) => self.find(port, &name).await?,
                (Some(id), _) => self.look_at(port, &name, id, &known).await?,
            }
        }
        for _ in 0..LOOKED_AT.min(deleted.len()) {
            let (name, known) = &deleted[random.usize(..deleted.len())];
            self.look_deleted(port, name, known).await?;
        }
        Ok(())
    }

    /// Whether an endpoint is there whose creation was not answered.
    async fn find(&self, port: &Port, name: &str) -> Result<(), Killed> {
        let (_, page) = port.get(&format!("/v1/endpoints?name={name}")).await?;
        let found = &page["items"][0];
        self.change(name, |known| match found["id"].as_str() {
            Some(id) => {
                known.id = Some(id.to_owned());
                known.state = Some(text(&found["state"]));
            }
            None => known.deletion = Deletion::Needless,
        });
        Ok(())
    }

    async fn look_at(
        &self,
        port: &Port,
        name: &str,
        id: &str,
        known: &Known,
    ) -> Result<(), Killed> {
        let (status, shown) = port.get(&path(id, "")).await?;
        let state = shown["state"].as_str().map(str::to_owned);
        let is_gone = status == 410;
        let may_be_gone = known.deletion == Deletion::Asked;
        self.check(status == 200 || is_gone && may_be_gone, || {
            format!("{name} was answered, and to ask for it now: {status} {shown}")
        });
        let stands = known.state.is_none() || known.state == state;
        self.check(is_gone || stands, || format!("{name} was {:?}: {shown}", known.state));
        self.change(name, |known| {
            known.deletion = if is_gone { Deletion::Answered } else { Deletion::None };
            known.state = state;
        });
        Ok(())
    }

    async fn look_deleted(&self, port: &Port, name: &str, known: &Known) -> Result<(), Killed> {
        if let Some(id) = &known.id {
            let (status, shown) = port.get(&path(id, "")).await?;
            self.check(status == 410, || format!("{name} was deleted: {status} {shown}"));
        }
        Ok(())
    }

    /// Does one thing.
    async fn act(&self, port: &Port, random: &mut Rng) -> Result<(), Killed> {
        let mut living = self.all();
        living.retain(|(_, known)| known.id.is_some() && known.deletion == Deletion::None);
        let draw = random.u32(..100);
        let Some((name, known)) = random.choice(&living).filter(|_| draw >= 25) else {
            return match living.len() < LIVING_MAX {
                true => self.create(port, random).await,
                false => Ok(()),
            };
        };
        let id = known.id.as_deref().unwrap_or_default();
        match draw {
            25..55 => self.stand(port, name, id, known).await,
            55..80 if known.rotations < ROTATIONS_MAX => self.rotate(port, name, id).await,
            80.. => self.delete(port, name, id).await,
            _ => Ok(()),
        }
    }

    async fn create(&self, port: &Port, random: &mut Rng) -> Result<(), Killed> {
        let number = self.book().known.len();
        let name = format!("owned-{number}");
        self.book().known.insert(name.clone(), Known::default());
        let subject = subject(random.u64(..));
        let body = json!({
            "name": name,
            "url": self.receiver.url(),
            "events": ["payment.failed"],
            "filter": [{ "pointer": "/id", "op": "equals", "value": subject }],
            "headers": { "x-endpoint": name },
            "retries": vec!["200ms"; 50],
        });
        let (status, made) = port.send("POST", "/v1/endpoints", &body).await?;
        if status != 201 {
            self.check(false, || format!("{name} was not made: {status} {made}"));
            self.change(&name, |known| known.deletion = Deletion::Needless);
            return Ok(());
        }
        self.change(&name, |known| {
            known.id = Some(text(&made["id"]));
            known.is_answered = true;
            known.secrets.push(text(&made["secrets"][0]["value"]));
            known.state = Some(text(&made["state"]));
        });
        self.book().acts.created += 1;
        Ok(())
    }

    /// Pauses what is not paused, and resumes what is.
    async fn stand(&self, port: &Port, name: &str, id: &str, known: &Known) -> Result<(), Killed> {
        let is_paused = known.state.as_deref() == Some("paused");
        let (act, state) = if is_paused { ("/resume", "enabled") } else { ("/pause", "paused") };
        self.change(name, |known| known.state = None);
        let (status, now) = port.send("POST", &path(id, act), &json!({})).await?;
        let is_so = status == 200 && now["state"] == state;
        self.check(is_so, || format!("{name} was to be {state}: {status} {now}"));
        self.change(name, |known| known.state = Some(state.to_owned()));
        self.book().acts.stood += 1;
        Ok(())
    }

    async fn rotate(&self, port: &Port, name: &str, id: &str) -> Result<(), Killed> {
        self.change(name, |known| known.rotations += 1);
        let body = json!({ "overlap": "30d" });
        let (status, rotated) = port.send("POST", &path(id, "/rotate"), &body).await?;
        let secrets = rotated["secrets"].as_array().into_iter().flatten();
        let secret = secrets.filter_map(|secret| secret["value"].as_str()).next_back();
        self.check(status == 200 && secret.is_some(), || format!("{name}: {status} {rotated}"));
        self.change(name, |known| known.secrets.extend(secret.map(str::to_owned)));
        self.book().acts.rotated += 1;
        Ok(())
    }

    async fn delete(&self, port: &Port, name: &str, id: &str) -> Result<(), Killed> {
        self.change(name, |known| known.deletion = Deletion::Asked);
        let (status, was) = port.send("DELETE", &path(id, ""), &Value::Null).await?;
        self.check(status == 200, || format!("{name} was not deleted: {status} {was}"));
        self.change(name, |known| known.deletion = Deletion::Answered);
        self.book().acts.deleted += 1;
        Ok(())
    }

    /// Waits until all is done, and fails if anything that was answered does not hold.
    pub(super) async fn verify(&self, gateway: &Process) {
        let port = Port::of(gateway);
        let verified = tokio::time::timeout(PATIENCE, self.verify_at(gateway, &port)).await;
        let answered = verified.expect("what is owed to a deleted endpoint ends");
        assert!(answered.is_ok(), "nobody has killed it");
        let complaints = std::mem::take(&mut self.book().complaints);
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    async fn verify_at(&self, gateway: &Process, port: &Port) -> Result<(), Killed> {
        self.look(port, &mut Rng::with_seed(0)).await?;
        let mut living = self.all();
        let deleted: Vec<_> =
            living.extract_if(.., |(_, known)| known.deletion == Deletion::Answered).collect();
        living.retain(|(_, known)| known.deletion == Deletion::None);
        for (_, known) in &living {
            let id = known.id.as_deref().unwrap_or_default();
            let (status, now) = port.send("POST", &path(id, "/resume"), &json!({})).await?;
            assert_eq!(status, 200, "{now}");
        }
        gateway.settle().await;
        // Nothing says when the last of what is owed to a deleted endpoint has ended.
        loop {
            let mut pending = 0;
            gateway.each("/v1/events?state=pending", |_| pending += 1).await;
            if pending == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        for (name, known) in &deleted {
            self.look_deleted(port, name, known).await?;
        }
        let mut there = BTreeSet::new();
        gateway
            .each("/v1/endpoints", |shown| {
                if shown["origin"] == "api" {
                    there.insert(text(&shown["name"]));
                }
            })
            .await;
        let expected: BTreeSet<String> = living.iter().map(|(name, _)| name.clone()).collect();
        self.check(there == expected, || format!("{expected:?} should be there: {there:?}"));
        let keys: BTreeSet<String> =
            deleted.iter().filter_map(|(_, it)| Some(it.id.as_ref()?.replace('_', "-"))).collect();
        gateway
            .each("/v1/dead", |letter| {
                let is_of_deleted = letter["reason"] == "endpoint_gone";
                let is_of_deleted = is_of_deleted && keys.contains(&text(&letter["name"]));
                self.check(is_of_deleted, || format!("nothing else has died: {letter}"));
            })
            .await;
        self.verify_secrets(port, &living).await
    }

    /// Has each endpoint get something that must be signed with every secret that was answered.
    async fn verify_secrets(&self, port: &Port, living: &[(String, Known)]) -> Result<(), Killed> {
        for (name, known) in living {
            let id = known.id.as_deref().unwrap_or_default();
            let (status, pinged) = port.send("POST", &path(id, "/ping"), &json!({})).await?;
            assert_eq!(status, 202, "{pinged}");
            let mut pings = self.pings.clone();
            let arrived = pings.wait_for(|pings| pings.contains_key(name)).await;
            let ping = arrived.expect("the receiver runs")[name].clone();
            let is_signed = known.secrets.iter().all(|secret| ping.is_signed_with(secret));
            self.check(is_signed, || format!("{name} is not signed with all of its secrets"));
        }
        Ok(())
    }

    fn all(&self) -> Vec<(String, Known)> {
        let book = self.book();
        book.known.iter().map(|(name, known)| (name.clone(), known.clone())).collect()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.book().known.get_mut(name) {
            change(known);
        }
    }

    fn check(&self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.book().complaints.push(complaint());
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}
