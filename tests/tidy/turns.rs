//! Turns of phrase that no public text has: they tell a reader neither who acts nor how much.
//!
//! Public are the papers, the contract, and the texts in the gateway's code. Never looks at the
//! comments of the code.

use super::log_lines::apart;
use super::{code, is_test, repository, sources};

/// The forms of `to be` before a passive.
const BE: [&str; 5] = ["is", "are", "was", "were", "be"];

/// Passives that leave out the agent, and verbs to use with one.
const PASSIVES: [(&str, &str); 4] = [
    ("told", "tells, notifies, answers"),
    ("taken", "accepts"),
    ("asked", "requests, challenges"),
    ("owed", "has to deliver, has work left"),
];

/// Other turns, and what to say.
const TURNS: [(&str, &str); 16] = [
    ("so many", "the number and its unit"),
    ("so much", "the amount and its unit"),
    ("so long", "the time and its unit"),
    ("comes of", "results from"),
    ("come of", "result from"),
    ("goes by", "uses, follows"),
    ("go by", "use, follow"),
    ("is ours", "validation challenge"),
    ("what is bad", "the bad file, setting or plugin"),
    ("dear", "costly"),
    ("nobody would", "malformed"),
    ("otherwise than", "not as"),
    ("have not the", "do not have the"),
    ("has not the", "does not have the"),
    ("is not given", "does not provide"),
    ("are not given", "does not provide"),
];

/// What may follow `is no`: it speaks of time and not of a thing that is something else.
const TIMES: [&str; 2] = ["longer", "more"];

/// The words and signs of prose, in lower case, however its lines are broken.
fn tokens(prose: &str) -> Vec<String> {
    let mut spaced = String::new();
    for line in prose.lines() {
        // In the contract prose stands in comments.
        for char in line.trim_start().trim_start_matches('/').chars() {
            match char {
                '`' | '*' => spaced.push(' '),
                '\'' | '_' | '-' => spaced.push(char),
                char if char.is_alphanumeric() => spaced.extend(char.to_lowercase()),
                char => spaced.extend([' ', char, ' ']),
            }
        }
        spaced.push(' ');
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// What a text says that it should not, and what to say.
fn turn(tokens: &[String]) -> Option<String> {
    let found = |at: usize, better: &str| {
        let around = tokens[at.saturating_sub(4)..tokens.len().min(at + 6)].join(" ");
        Some(format!("say `{better}` in `{around}`"))
    };
    for (at, token) in tokens.iter().enumerate() {
        let is = |number: usize, word: &str| tokens.get(at + number).is_some_and(|it| it == word);
        let begins = |turn: &str| turn.split(' ').zip(0..).all(|(word, number)| is(number, word));
        if let Some((_, better)) = TURNS.iter().find(|(turn, _)| begins(turn)) {
            return found(at, better);
        }
        if !BE.contains(&token.as_str()) {
            continue;
        }
        if let Some((_, better)) = PASSIVES.iter().find(|(verb, _)| is(1, verb)) {
            return found(at, better);
        }
        let is_there = at > 0 && tokens[at - 1] == "there";
        let is_nothing = is(1, "none") || is(1, "no") && !TIMES.iter().any(|time| is(2, time));
        // `must be none` is about an option of the contract.
        if is_nothing && !is_there && token != "be" {
            return found(at, "is not a");
        }
    }
    None
}

/// The texts of the gateway's code, but for those of `expect`: only a bug would show them.
fn texts(code: &str) -> Vec<String> {
    let (plain, texts) = apart(code);
    let public = texts.into_iter().filter(|(at, _)| !plain[..*at].trim_end().ends_with("expect("));
    public.map(|(_, text)| text.replace("\\\n", "\n")).collect()
}

/// The papers that users, operators and authors read.
fn papers() -> Vec<(String, String)> {
    let all = ["", "plugins/", "plugin-sdk/", "examples/", "deploy/"];
    let mut paths: Vec<String> = all.map(|folder| format!("{folder}README.md")).into();
    for folder in ["docs", "wit"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") || name.ends_with(".wit") {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    assert!(paths.len() >= 8, "there are papers: {paths:?}");
    let read = |path: String| {
        let text = std::fs::read_to_string(repository().join(&path)).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn public_texts_say_who_acts_and_how_much() {
    for (path, text) in papers() {
        let found = turn(&tokens(&text));
        assert!(found.is_none(), "{path}: {}", found.unwrap_or_default());
    }
    for (path, text) in sources(&["host/src"]).iter().filter(|(path, _)| !is_test(path)) {
        for text in texts(&code(text)) {
            let found = turn(&tokens(&text));
            assert!(found.is_none(), "{path}: {}", found.unwrap_or_default());
        }
    }
}

#[test]
fn a_turn_is_found_however_it_is_written() {
    let refused = [
        "The sender is\n/// told why.",
        "What Is Taken, and when",
        "| a | so many |",
        "a text that is no `id`",
        "An empty one is none.",
        "how it asks whether the endpoint is ours",
        "what comes of one\nreceipt",
    ];
    for text in refused {
        assert!(turn(&tokens(text)).is_some(), "{text}");
    }
    let plain = [
        "The gateway tells the sender. There is no such file, if there is none.",
        "It is no longer maintained, as it is. No one asked.",
        "This is (no, really) untold, mistaken and over-asked.",
    ];
    for text in plain {
        assert_eq!(turn(&tokens(text)), None, "{text}");
    }
    let code = "#[error(\"it is \\\n    told\")]\nlet x = y.expect(\"it is taken\"); // is owed";
    let found: Vec<bool> = texts(code).iter().map(|text| turn(&tokens(text)).is_some()).collect();
    assert_eq!(found, [true]);
}
