//! `hookgate listen`: posts the events of a gateway, also one far away, to a URL of this machine.
//!
//! For whoever writes or tests what receives webhooks, behind a network that the gateway can't
//! reach into. Each event goes out as a delivery does, and again until it is accepted; a file
//! remembers how far that is. Never asks the gateway to change anything.

mod post;
mod told;
mod window;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum, value_parser};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::post::{Post, Posted};
use self::told::Told;
use self::window::Window;
use super::at::At;
use super::cursor_file::{CursorFile, Mark};
use super::follower::{Choice, Follower, News};
use super::http::{self, Forward};
use super::output::{cell, note};
use super::secret_file::SecretFile;
use super::serve::stop_signal;
use crate::clock::Clock;
use crate::directory::vault;
use crate::egress;
use crate::endpoint::{Format, SecretKind};
use crate::secrets::{Secret, SecretRef};
use crate::signing::SigningKey;

/// How long a stop waits for attempts that are under way.
const GRACE: Duration = Duration::from_secs(2);

/// Receive events of a gateway at a URL of this machine, signed as deliveries are
#[derive(Debug, Args)]
pub(super) struct Listen {
    /// Where to post each event, such as http://127.0.0.1:3000/hooks
    #[arg(long, value_name = "URL", value_parser = http::port_url)]
    forward_to: Url,
    #[command(flatten)]
    choice: Choice,
    /// File that remembers how far this listener has come; one process at a time has it
    #[arg(long, value_name = "FILE", default_value = "hookgate-listen.cursor")]
    cursor: PathBuf,
    /// File with the secret that signs, whsec_... or whsk_...; the command makes a file that does
    /// not exist, with a new secret, and prints that. If left out, the name of the cursor's file
    /// and .secret
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The form of the body
    #[arg(long, value_enum, default_value_t = Body::Standard)]
    body: Body,
    /// Events that may be under way at a time; those of one subject go out one after the other
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = value_parser!(u16).range(1..=64)
    )]
    in_flight: u16,
    /// Give an event up after this number of attempts; if left out, it is tried until it is
    /// accepted
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u32).range(1..))]
    attempts: Option<u32>,
    /// Print a line of JSON for each event that is forwarded or given up, and for each gap
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// A form of the body that needs nothing but the event.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Body {
    /// {"type", "timestamp", "data"}, as Standard Webhooks advises
    Standard,
    /// A CloudEvents 1.0 event in JSON
    Cloudevents,
}

pub(super) async fn listen(args: &Listen) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    let filters = args.choice.pairs();
    let after = args.choice.after(Clock::System.now());
    let file = CursorFile::open(&args.cursor, &filters, after)?;
    let secret_file = args.secret_file.clone().unwrap_or_else(|| beside(&args.cursor));
    let key = SigningKey::parse(&secret(&secret_file)?);
    let key = key.with_context(|| format!("the secret in {} can't sign", secret_file.display()))?;
    let post = Post {
        to: Forward::to(args.forward_to.clone())?,
        keys: [key],
        format: match args.body {
            Body::Standard => Format::Standard,
            Body::Cloudevents => Format::CloudEvents,
        },
        attempts_max: args.attempts,
    };
    let from = (file.mark().clone(), &[("data", "true")][..]);
    let follower = Follower::open(&args.at, &filters, file.after(), from).await?;
    let mut listener = Listener {
        follower,
        file,
        window: Window::new(usize::from(args.in_flight)),
        post: Arc::new(post),
        posts: JoinSet::new(),
        forward_to: egress::shown(&args.forward_to),
        json: args.json,
        has_begun: false,
    };
    listener.run(stop).await
}

/// The file of the secret that belongs to a cursor.
fn beside(cursor: &Path) -> PathBuf {
    let mut path = cursor.as_os_str().to_owned();
    path.push(".secret");
    path.into()
}

/// The secret of a file, which is made if it is not there.
fn secret(path: &Path) -> anyhow::Result<Secret> {
    let shown = path.display();
    let is_there = path.try_exists().with_context(|| format!("failed to look for {shown}"))?;
    if is_there {
        let found = SecretRef::File(path.to_owned()).resolve(Path::new(""));
        return Ok(found.context("failed to read the secret that signs")?.secret);
    }
    let mut file = SecretFile::create(path)?;
    let secret = vault::fresh(SecretKind::Whsec).context("the system has no randomness to give")?;
    file.add(secret.expose())?;
    note(format_args!("events are signed with {}, which is in {shown} now", secret.expose()));
    Ok(secret)
}

/// Somebody who listens and posts what comes.
struct Listener<'a> {
    follower: Follower<'a>,
    file: CursorFile,
    window: Window<Told>,
    post: Arc<Post>,
    /// Each with the number of its event.
    posts: JoinSet<(u64, Posted)>,
    forward_to: String,
    json: bool,
    /// The stream has begun, and where is on disk.
    has_begun: bool,
}

impl Listener<'_> {
    async fn run(&mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut stop = pin!(stop);
        loop {
            while let Some((number, told)) = self.window.start() {
                let post = Arc::clone(&self.post);
                self.posts.spawn(async move { (number, post.until_accepted(told).await) });
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(posted) = self.posts.join_next() => self.ended(posted?)?,
                news = self.follower.next(), if self.window.has_room() => self.heard(news?)?,
            }
        }
        let until = Instant::now() + GRACE;
        // What is still under way then comes again at the next start.
        while let Ok(Some(posted)) = timeout_at(until, self.posts.join_next()).await {
            self.ended(posted?)?;
        }
        Ok(())
    }

    fn heard(&mut self, news: News) -> anyhow::Result<()> {
        match news {
            News::Event(heard) => {
                let told = Told::read(&heard.text, heard.is_replay)?;
                let subject = told.event.subject.clone();
                self.window.add(told, subject, heard.mark);
                Ok(())
            }
            News::Gap(gap) if self.json => say!("{}", gap.json()),
            News::Gap(gap) => {
                note(format_args!("{}", gap.words()));
                Ok(())
            }
            News::Far(mark) => {
                let reached = self.window.reach(mark);
                self.save(reached)?;
                self.begin()
            }
        }
    }

    /// Says once that the stream has begun: from then on nothing is missed.
    fn begin(&mut self) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let to = &self.forward_to;
        match self.json {
            true => say!("{}", json!({ "listening": { "forward_to": to } })),
            false => say!("listening; events go to {to}"),
        }
    }

    /// Notes that an event is finished, and all others that are by now.
    fn ended(&mut self, (number, posted): (u64, Posted)) -> anyhow::Result<()> {
        self.say(&posted)?;
        let mut reached = self.window.finish(number);
        while let Some(next) = self.posts.try_join_next() {
            let (number, posted) = next?;
            self.say(&posted)?;
            reached = self.window.finish(number).or(reached);
        }
        // One sync for all of them.
        self.save(reached)
    }

    fn save(&mut self, reached: Option<Mark>) -> anyhow::Result<()> {
        reached.map_or(Ok(()), |mark| self.file.save(mark))
    }

    /// Says how an event went out.
    fn say(&self, posted: &Posted) -> anyhow::Result<()> {
        let Posted { told, attempts, ended, took } = posted;
        let Told { id, recorded_at, is_replay, event } = told;
        let duration_ms = took.as_millis();
        if self.json {
            let line = json!({
                "id": id, "recorded_at": recorded_at, "type": event.event_type,
                "subject": event.subject, "replay": is_replay, "attempts": attempts,
                "status": ended.as_ref().ok(), "reason": ended.as_ref().err(),
                "duration_ms": u64::try_from(duration_ms).unwrap_or(u64::MAX),
            });
            return say!("{line}");
        }
        let subject = cell(event.subject.as_deref().unwrap_or("-"));
        let event_type = &event.event_type;
        let replay = if *is_replay { ", replayed" } else { "" };
        let ended = match ended {
            Ok(status) if *attempts == 1 => format!("{status} in {duration_ms} ms"),
            Ok(status) => format!("{status} in {duration_ms} ms, attempt {attempts}"),
            Err(why) => format!("given up after {attempts} attempts: {}", cell(why)),
        };
        say!("{id:<22}  {recorded_at:<24}  {event_type:<28}  {subject}  {ended}{replay}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that a second start signs as the first did.
    #[test]
    fn a_secret_is_made_once_and_then_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("a.cursor"));
        assert!(path.ends_with("a.cursor.secret"));
        let made = secret(&path).unwrap();
        assert!(made.expose().starts_with("whsec_"));
        assert!(SigningKey::parse(&made).is_ok());
        assert_eq!(secret(&path).unwrap().expose(), made.expose());
    }
}
