//! The dead letters, replays and plugins.

use super::*;

#[tokio::test]
async fn pages_without_anything_say_how_something_comes_there() {
    let gateway = Setup::stripe().start().await;
    let person = gateway.person();
    person.open("/dead").await.says("No dead letters");
    person.open("/replays").await.says("No replays");
    person.open("/endpoints").await.says("No endpoints");
    person.open("/events").await.says("Post something to a source.");
    person.open("/plugins").await.says("stripe");
    person.open("/plugins/stripe").await.says("Runs");
}
