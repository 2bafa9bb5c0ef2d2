//! A name server that hangs, knows nobody or answers, in place of the system's.

use std::sync::Condvar;

use tokio::task::JoinSet;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A name server: names with `hang` in them are answered when it is let go.
#[derive(Default)]
struct Server {
    asked: Mutex<Vec<String>>,
    let_go: (Mutex<bool>, Condvar),
}

impl Server {
    fn answer(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        if name.contains("hang") {
            let let_go = self.let_go.0.lock().unwrap();
            drop(self.let_go.1.wait_while(let_go, |let_go| !*let_go).unwrap());
        }
        if name.contains("nobody") {
            return Err(io::Error::other("Name or service not known"));
        }
        Ok(vec![HERE])
    }

    fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }

    fn let_go(&self) {
        *self.let_go.0.lock().unwrap() = true;
        self.let_go.1.notify_all();
    }
}

fn resolver(bounds: Bounds) -> (Arc<Server>, Resolver) {
    let server = Arc::<Server>::default();
    let asked = Arc::clone(&server);
    (server, Resolver::new(Arc::new(move |name| asked.answer(name)), bounds))
}

/// The address of this name was found some time ago.
fn age(resolver: &Resolver, name: &str) {
    let mut state = resolver.shared.state();
    let known = state.names.get_mut(name).unwrap();
    known.known = Some((vec![HERE].into(), Instant::now() - Duration::from_secs(31)));
}

fn impatient() -> Bounds {
    Bounds { wait: Duration::from_millis(50), ..Bounds::default() }
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_all_who_ask() {
    let (server, resolver) = resolver(Bounds::default());
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let resolver = resolver.clone();
        asking.spawn(async move { resolver.resolve("hang.example").await });
    }
    tokio::task::yield_now().await;
    server.let_go();

    while let Some(found) = asking.join_next().await {
        assert_eq!(*found.unwrap().unwrap(), [HERE]);
    }
    assert_eq!(server.asked("hang.example"), 1);
    assert_eq!(*resolver.resolve("hang.example").await.unwrap(), [HERE]);
    assert_eq!(server.asked("hang.example"), 1, "it is remembered");
}

#[tokio::test]
async fn names_that_hang_leave_threads_to_the_others() {
    let (server, resolver) = resolver(Bounds { wait: Duration::from_secs(1), ..Bounds::default() });
    resolver.resolve("proven.example").await.unwrap();
    let names: Vec<_> = (0..100).map(|number| format!("hang{number}.example")).collect();
    let mut asking = JoinSet::new();
    for name in names.clone() {
        let resolver = resolver.clone();
        asking.spawn(async move { resolver.resolve(&name).await });
    }
    let mut timed_out = 0;
    while let Some(found) = asking.join_next().await {
        timed_out += usize::from(found.unwrap() == Err(NameError::TimedOut));
    }

    assert_eq!(timed_out, Bounds::default().unproven);
    assert_eq!(resolver.shared.state().busy, [0, timed_out, 0]);
    assert!(names.iter().all(|name| server.asked(name) <= 1), "no name has two threads");
    // What is known is out of date, so it is looked up again.
    age(&resolver, "proven.example");
    resolver.resolve("proven.example").await.unwrap();
    assert_eq!(server.asked("proven.example"), 2);
    server.let_go();
}

#[tokio::test]
async fn a_name_that_took_too_long_is_looked_up_after_a_growing_pause_only() {
    let bounds = Bounds { unknown_for: Duration::from_secs(10), ..impatient() };
    let (server, resolver) = resolver(bounds.clone());
    assert_eq!(resolver.resolve("hang.example").await, Err(NameError::TimedOut));
    assert_eq!(resolver.resolve("hang.example").await, Err(NameError::TimedOut));
    assert!(server.asked("hang.example") <= 1);

    let pauses = [1, 2, 3, 20].map(|late| bounds.pause(late).as_secs());
    assert_eq!(pauses, [10, 20, 40, 300]);
    server.let_go();
}

#[tokio::test]
async fn an_answer_that_came_late_counts() {
    let (server, resolver) = resolver(impatient());
    assert_eq!(resolver.resolve("hang.example").await, Err(NameError::TimedOut));
    let mut changed = {
        let state = resolver.shared.state();
        state.names["hang.example"].changed.subscribe()
    };
    server.let_go();
    changed.changed().await.unwrap();
    assert_eq!(*resolver.resolve("hang.example").await.unwrap(), [HERE]);
}

#[tokio::test]
async fn addresses_of_before_stand_in_while_no_name_server_answers() {
    let (server, resolver) = resolver(impatient());
    assert_eq!(resolver.resolve("hang.example").await, Err(NameError::TimedOut));
    age(&resolver, "hang.example");
    assert_eq!(*resolver.resolve("hang.example").await.unwrap(), [HERE]);

    server.let_go();
}

#[tokio::test]
async fn addresses_of_before_are_forgotten_when_the_name_server_says_so() {
    let (_, resolver) = resolver(Bounds::default());
    resolver.resolve("nobody.example").await.unwrap_err();
    age(&resolver, "nobody.example");
    let unknown = NameError::Unknown("Name or service not known".to_owned());
    assert_eq!(resolver.resolve("nobody.example").await, Err(unknown));
}
