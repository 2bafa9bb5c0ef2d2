//! What came from outside, as hostile as it gets: it breaks no page, and none is made of it.

use super::*;
use crate::harness::{Crawl, GUEST_TOKEN, Page};

/// Ends whatever it may stand in, begins something that runs, and turns the writing around.
const HOSTILE: &str = "\"><script>alert(1)</script><svg/onload=alert(2)>' onmouseover='alert(3) \
                       </title></textarea></pre>\u{202e}\u{2066}";
/// The same in a label, whose name can have none of it, and in a header.
const LABEL: &str = "<b onclick=alert(4)>\u{202e}";
const HEADER: &str = "\"><script>alert(5)</script>' onmouseover='alert(6)";

/// What stands in a page only if something was printed as it came.
const MARKS: [&str; 7] = [
    "<script>",
    "<svg/onload",
    "' onmouseover",
    "</title></textarea>",
    "<b onclick",
    "\u{202e}",
    "\u{2066}",
];

/// Checks that a page is whole, bounded, and all markup in it the gateway's own.
#[track_caller]
fn check(path: &str, page: &Page) {
    assert!(page.html.len() < 1 << 20, "{path} has {} bytes", page.html.len());
    for mark in MARKS {
        assert!(!page.html.contains(mark), "{path} has {mark:?}");
    }
    let scripts = page.html.matches("<script").count();
    assert_eq!(scripts, page.html.matches("<script src=\"/assets/").count(), "{path}");
    assert!(page.html.ends_with("</html>") || page.html.ends_with("</html>\n"), "{path}");
}

/// A path with a parameter, as a browser sends it.
fn asked(path: &str, name: &str) -> String {
    let url = format!("http://localhost{path}");
    let url = reqwest::Url::parse_with_params(&url, [(name, HOSTILE)]).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// With an endpoint that answers like that, and one of the API whose owner describes it so.
async fn gateway(receiver: &Receiver) -> Harness {
    receiver.answer_saying(500, HOSTILE.repeat(20));
    let prepared = Setup::guest()
        .line("master_key = { file = \"master\" }")
        .endpoint_with("crm", receiver, &["*"], "retries = []")
        .table("[limits]\nbody_bytes = 4194304")
        .prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    let gateway = prepared.start().await;
    let described = json!({
        "name": "shop", "url": receiver.url(), "events": ["none.*"],
        "description": HEADER, "metadata": { "note": HEADER },
    });
    let made = gateway.tell("/v1/endpoints", &described).await;
    assert_eq!(made.status, 201, "{}", made.body);
    gateway
}

/// Posts a command that has all of it, and a mebibyte in one line.
async fn post(gateway: &Harness, id: &str, mut command: Value) {
    command["id"] = json!(id);
    command["subject"] = json!(HOSTILE);
    command["labels"] = json!({ "note": LABEL, "about": HOSTILE });
    command[HOSTILE] = json!([HOSTILE, "x".repeat(1 << 20)]);
    let headers = [("x-token", GUEST_TOKEN), ("user-agent", HEADER), ("x-shop", HEADER)];
    gateway.post("guest", &headers, command.to_string()).await.accepted();
}

/// Guards the escaping of every template and of `markup`, and the cuts of what is long.
#[tokio::test]
async fn what_came_from_outside_is_text_on_every_page() {
    let receiver = Receiver::start().await;
    let gateway = gateway(&receiver).await;
    post(&gateway, "log", json!({ "do": "log", "text": HOSTILE })).await;
    post(&gateway, "fail", json!({ "do": "fail", "reason": HOSTILE })).await;
    post(&gateway, "alert", json!({ "do": "alert", "text": HOSTILE })).await;
    gateway.post("guest", &[("user-agent", HEADER)], HOSTILE).await;
    gateway.settle().await;

    let events = gateway.events("type=guest.asked").await;
    assert_eq!(events.len(), 3);
    let stories: Vec<String> =
        events.iter().map(|it| format!("/events/{}", text(&it["id"]))).collect();
    let searches = ["/events", "/endpoints"].map(|path| asked(path, "tenant"));
    let from: Vec<&str> = ["/"].into_iter().chain(stories.iter().map(|path| &**path)).collect();
    let person = gateway.person();
    let Crawl { pages, files } = person.crawl(&from).await;
    for (path, page) in pages.values() {
        check(path, page);
    }
    for story in &stories {
        let (_, page) = pages.values().find(|(path, _)| path == story).unwrap();
        let text = page.text();
        assert!(text.contains("<script>alert(1)") && text.contains("[U+202E]"), "{story}");
    }
    for (path, file) in files.iter().filter(|(path, _)| !path.starts_with("/assets/")) {
        let header = |name: &str| file.headers[name].to_str().unwrap().to_owned();
        assert!(header("content-disposition").starts_with("attachment"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(header("content-security-policy").contains("sandbox"), "{path}");
    }
    // What a page says again of what it was asked, or refuses to.
    for path in searches.into_iter().chain([asked("/sign-in", "next"), asked("/events", "type")]) {
        check(&path, &person.open(&path).await);
    }
}
