//! A gateway and its model, side by side: each step is done to both, and then they are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use hookgate::event::Timestamp;
use serde_json::{Value, json};

use super::command::{Act, Command, SUBJECTS};
use super::model::{Behaviour, ENDPOINTS, LATER_SECS, Model, RETRIES, Standing, TICK_SECS, Task};
use crate::harness::{
    Answer, GUEST_TOKEN, Harness, NOW, Received, Receiver, Setup, plugin_file, run_of, text, texts,
};

/// Editions of the guest; each is compiled once for all tests.
const EDITIONS: u8 = 3;

/// More than any work waits for.
const LONG_TICKS: i64 = 8;

/// What has arrived: how often, and under which ids.
#[derive(Debug, Default)]
struct Arrived {
    attempts: BTreeMap<(usize, String), usize>,
    ids: BTreeMap<String, (usize, String)>,
}

pub(super) struct World {
    gateway: Harness,
    model: Model,
    endpoints: Vec<Receiver>,
    arrived: Arc<Mutex<Arrived>>,
    /// The ids of requests, and the receipts that they were answered with.
    receipts: BTreeMap<String, String>,
    edition: u8,
    /// What was done, for who has to find out.
    history: Vec<String>,
}

impl World {
    pub(super) async fn new() -> Self {
        let arrived = Arc::<Mutex<Arrived>>::default();
        let mut endpoints = Vec::new();
        let mut setup = Setup::guest().table("[handlers.guest]\nendpoints = [\"crm\", \"books\"]");
        let events: [&[&str]; 2] = [&["guest.asked", "guest.emitted"], &["guest.emitted"]];
        for (number, name) in ENDPOINTS.into_iter().enumerate() {
            let seen = arrived.clone();
            let see = move |delivery: &Received| seen.lock().unwrap().see(number, delivery);
            let receiver = Receiver::showing(see).await;
            let rest = format!("body = \"cloudevents\"\n{RETRIES}");
            setup = setup.endpoint_with(name, &receiver, events[number], &rest);
            endpoints.push(receiver);
        }
        Self {
            gateway: setup.start().await,
            model: Model::new(),
            endpoints,
            arrived,
            receipts: BTreeMap::new(),
            edition: 0,
            history: Vec::new(),
        }
    }

    /// Does one random thing, and compares.
    pub(super) async fn step(mut self, random: &mut Rng) -> Self {
        match random.u32(..100) {
            0..40 => self.post(random).await,
            40..46 => self.post_again(random).await,
            46..50 => self.forge().await,
            50..68 => self.move_clock(random.i64(1..=5)),
            68..72 => self.move_clock(-random.i64(1..=5)),
            72..84 => self.change_mood(random),
            84..92 => self.replay(random).await,
            92..95 => self.reload().await,
            95..98 => self = self.restart().await,
            // Before it has come to rest.
            _ => {
                self.post(random).await;
                self = self.restart().await;
            }
        }
        self.compare().await;
        self
    }

    /// Lets all of it come to its end, and looks at every event.
    pub(super) async fn end(mut self) {
        for endpoint in 0..ENDPOINTS.len() {
            self.behave(endpoint, Behaviour::Accept);
        }
        while !self.model.is_finished() {
            self.move_clock(LONG_TICKS);
            self.compare().await;
        }
        self = self.restart().await;
        self.compare().await;

        let works = std::mem::take(&mut self.model.works);
        let mut expected = BTreeSet::new();
        for work in &works {
            let Task::Run { event, command: Some(command), .. } = &work.task else { continue };
            expected.insert(event.clone());
            let run = run_of(&self.gateway.event(event).await, "guest");
            let state = if work.standing == Standing::Done { "done" } else { "dead" };
            assert_eq!(run["state"], state, "{command:?}: {run:#}\n{}", self.told());
            if let (Act::Count, Some(count)) = (command.act, work.count) {
                let last = run["tries"].as_array().and_then(|tries| tries.last()).unwrap();
                let counted = texts(&last["log"], "message");
                assert_eq!(counted, [count.to_string()], "{event}\n{}", self.told());
            }
        }
        let stored = self.gateway.events("type=guest.asked").await;
        let stored: BTreeSet<String> = texts(&json!(stored), "event_id").into_iter().collect();
        assert_eq!(stored, expected, "{}", self.told());
    }

    /// Some new requests, each about another subject: they are worked on at the same time.
    async fn post(&mut self, random: &mut Rng) {
        let mut subjects: Vec<usize> = (0..SUBJECTS).collect();
        random.shuffle(&mut subjects);
        let mut commands = Vec::new();
        for subject in subjects.into_iter().take(random.usize(1..=SUBJECTS)) {
            let number = self.receipts.len() + commands.len();
            commands.push(Command::draw(number, subject, random));
        }
        for command in commands {
            self.history.push(format!("post {}", command.json()));
            let id = self.gateway.guest(&command.json()).await.accepted();
            self.receipts.insert(command.id.clone(), id);
            self.model.accept(command);
        }
    }

    /// The first request with an id counts, whatever another says.
    async fn post_again(&mut self, random: &mut Rng) {
        if self.receipts.is_empty() {
            return;
        }
        let number = random.usize(..self.receipts.len());
        let command = Command::draw(number, random.usize(..SUBJECTS), random);
        self.history.push(format!("again {}", command.json()));
        let answer = self.gateway.guest(&command.json()).await;
        let first = self.receipts[&command.id].as_str();
        let same = answer.is_duplicate() && answer.json()["id"] == first;
        assert!(same, "{answer:?}\n{}", self.told());
    }

    async fn forge(&mut self) {
        let body = json!({ "id": format!("evt_{}", self.receipts.len()), "do": "state" });
        let token = GUEST_TOKEN.replace('t', "T");
        let headers = [("x-token", token.as_str())];
        let answer: Answer = self.gateway.post("guest", &headers, body.to_string()).await;
        assert_eq!(answer.status, 401, "{}", self.told());
    }

    fn move_clock(&mut self, ticks: i64) {
        self.history.push(format!("move the clock by {ticks}"));
        self.model.now += ticks;
        let ms = self.model.now * TICK_SECS.cast_signed() * 1_000;
        self.gateway.clock().set(Timestamp(NOW.0.saturating_add_signed(ms)));
    }

    fn change_mood(&mut self, random: &mut Rng) {
        let behaviours =
            [Behaviour::Accept, Behaviour::Accept, Behaviour::Unavailable, Behaviour::Later];
        let endpoint = random.usize(..ENDPOINTS.len());
        self.behave(endpoint, behaviours[random.usize(..behaviours.len())]);
    }

    fn behave(&mut self, endpoint: usize, behaviour: Behaviour) {
        self.history.push(format!("{} behaves {behaviour:?}", ENDPOINTS[endpoint]));
        self.model.behaviours[endpoint] = behaviour;
        let receiver = &self.endpoints[endpoint];
        match behaviour {
            Behaviour::Accept => receiver.answer(204),
            Behaviour::Unavailable => receiver.answer(503),
            Behaviour::Later => {
                // With 429 or 503 nothing else would go there meanwhile either.
                receiver.answer_with(500, vec![("retry-after", LATER_SECS.to_string())]);
            }
        }
    }

    /// Opens a dead letter again.
    async fn replay(&mut self, random: &mut Rng) {
        let dead = self.gateway.dead().await;
        if dead.is_empty() {
            return;
        }
        let letter = &dead[random.usize(..dead.len())];
        let Some(number) = self.dead_work(letter).await else { return };
        self.history.push(format!("replay {:?}", self.model.works[number].task));
        self.model.reopen(number);
        self.gateway.replay(&text(&letter["id"])).await;
    }

    /// What the model calls this dead letter; none if its turn among others would be unknown.
    async fn dead_work(&self, letter: &Value) -> Option<usize> {
        let id = text(&letter["id"]);
        let is_it: Box<dyn Fn(&Task) -> bool> = match id.split('_').next() {
            Some("rcp") => Box::new(
                |task| matches!(task, Task::Parse(command) if self.receipts[&command.id] == id),
            ),
            Some("run") => {
                let answer =
                    self.gateway.ask(&format!("/v1/events/{}", text(&letter["event"]))).await;
                let of = text(&answer.json()["event"]["id"]);
                Box::new(move |task| {
                    matches!(task, Task::Run { event, subject, .. }
                        if *event == of && self.model.is_free(*subject))
                })
            }
            _ => {
                let (at, called) = self.arrived.lock().unwrap().ids[&id].clone();
                Box::new(move |task| {
                    matches!(task, Task::Delivery { what, endpoint }
                        if *what == called && *endpoint == at)
                })
            }
        };
        let dead = |work: &super::model::Work| work.standing == Standing::Dead && is_it(&work.task);
        self.model.works.iter().position(dead)
    }

    /// Another edition of the guest, which does the same.
    async fn reload(&mut self) {
        self.edition = (self.edition + 1) % EDITIONS;
        self.history.push(format!("reload edition {}", self.edition));
        let guest = std::fs::read(plugin_file("guest")).unwrap();
        self.gateway.drop_plugin("guest", &crate::reload::edition(&guest, self.edition));
        self.gateway.reload().await;
        self.model.reload();
    }

    async fn restart(mut self) -> Self {
        self.history.push("restart".to_owned());
        self.gateway = self.gateway.restart().await;
        self
    }

    /// Both come to rest, and then they are the same.
    async fn compare(&mut self) {
        self.gateway.settle().await;
        self.model.settle();
        assert_eq!(self.gateway.stats().works, self.model.stats(), "{}", self.told());
        let arrived = self.arrived.lock().unwrap();
        assert_eq!(arrived.attempts, self.model.attempts, "{}", self.told());
        assert_eq!(arrived.ids.len(), arrived.attempts.len(), "one id each\n{}", self.told());
    }

    fn told(&self) -> String {
        format!("at tick {} after\n{}", self.model.now, self.history.join("\n"))
    }
}

impl Arrived {
    fn see(&mut self, endpoint: usize, delivery: &Received) {
        let body = delivery.json();
        let what = match body["type"].as_str() {
            Some("guest.emitted") => format!("by {}", text(&body["data"]["by"])),
            Some(_) => text(&body["id"]),
            // What a run sends is no event.
            None => String::from_utf8_lossy(&delivery.body).into_owned(),
        };
        let what = (endpoint, what);
        *self.attempts.entry(what.clone()).or_default() += 1;
        self.ids.insert(delivery.header("webhook-id").to_owned(), what);
    }
}
