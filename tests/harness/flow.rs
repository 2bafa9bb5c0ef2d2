//! Requests at a steady pace, while a test does something else.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::Answer;

/// 200 requests a second. This is load and no waiting: tests wait for answers.
const PACE: Duration = Duration::from_millis(5);

/// Requests that are being sent.
pub(crate) struct Flow {
    answered: watch::Receiver<usize>,
    stop: oneshot::Sender<()>,
    task: JoinSet<Vec<Answer>>,
}

impl Flow {
    /// Sends what `request` makes of 1, 2, 3 and so on, none waiting for another.
    pub(crate) fn start<F>(request: impl Fn(usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let (count, answered) = watch::channel(0);
        let (stop, mut stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut requests = JoinSet::new();
            let mut ticks = interval(PACE);
            for number in 1.. {
                tokio::select! {
                    biased;
                    _ = &mut stopped => break,
                    _ = ticks.tick() => (),
                }
                let (request, count) = (request(number), count.clone());
                requests.spawn(async move {
                    let answer = request.await;
                    count.send_modify(|count| *count += 1);
                    answer
                });
            }
            requests.join_all().await
        });
        Self { answered, stop, task }
    }

    /// Waits until so many more have been answered.
    pub(crate) async fn answers(&mut self, more: usize) {
        let enough = *self.answered.borrow() + more;
        self.answered.wait_for(|count| *count >= enough).await.expect("it flows");
    }

    /// Sends no more, and gives all answers, as they came.
    pub(crate) async fn end(mut self) -> Vec<Answer> {
        self.stop.send(()).expect("it flows");
        self.task.join_next().await.expect("there is one task").expect("it does not panic")
    }
}
