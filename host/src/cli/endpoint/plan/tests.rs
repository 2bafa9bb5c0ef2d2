//! What an import would do, for manifests and gateways of every kind.

use fastrand::Rng;

use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// What the gateway shows of an endpoint with these settings.
fn shown(settings: Value, origin: &str) -> Value {
    let mut shown = settings;
    for key in RawSettings::KEYS {
        shown[key] = shown[key].take();
    }
    shown["id"] = format!("ep_{}", shown["name"].as_str().unwrap()).into();
    shown["origin"] = origin.into();
    shown["revision"] = 7.into();
    shown["breaker"] = json!({ "state": "closed" });
    shown
}

fn present(settings: Value) -> Present {
    Present::of(&shown(settings, "api")).unwrap()
}

fn crm(more: Value) -> Value {
    let mut settings = json!({ "name": "crm", "url": "https://crm.example", "events": ["*"] });
    let Value::Object(more) = more else { panic!("an object") };
    settings.as_object_mut().unwrap().extend(more);
    settings
}

fn manifest(head: &str, endpoints: &[Value]) -> Manifest {
    let mut text = format!("{head}\n");
    for settings in endpoints {
        text += &Manifest::table(&serde_json::from_value(settings.clone()).unwrap()).unwrap();
    }
    Manifest::parse(&text).unwrap()
}

/// Settings that an endpoint may have.
fn draw(random: &mut Rng) -> Value {
    let mut settings = json!({
        "name": format!("e{}", random.u32(..)),
        "url": random.choice(["https://a.example", "http://b.example:8080/x?y=z#q"]),
        "events": random.choice([json!([]), json!(["*"]), json!(["a.*", "b.c"])]),
    });
    let texts = json!({ "x-a": "1 \"2\"", "x-b": "" });
    let rules = json!([
        { "pointer": "/a~1b/0", "op": "greater", "value": "10.50" },
        { "pointer": "", "op": "equals", "value": null },
        { "pointer": "/n", "op": "not_equals", "value": -12.5 },
        { "label": "l", "op": "exists", "value": false },
        { "label": "l", "op": "in", "value": ["a", "\u{7f}\u{9b}'''\"\"\""] },
    ]);
    let more = [
        ("tenant", json!("acct_1Nv:0@F.G")),
        ("description", json!("a\tb\r\n\\ é 🎉 \u{1b}[2J'")),
        ("filter", rules),
        ("headers", texts),
        ("body", json!("raw")),
        ("concurrency", json!(random.u64(1..=256))),
        ("timeout", json!("1500ms")),
        ("connect_timeout", json!("4s")),
        ("held", json!(random.u64(1..=10_000_000))),
        ("use_breaker", json!(false)),
        ("disable_after", json!(random.choice(["never", "36h"]))),
        ("retries", json!(["5s", "90m"])),
        ("metadata", json!({ "a b": "c", "=": "]" })),
        ("ca", json!(CERTIFICATE)),
        ("client_certificate", json!(CERTIFICATE)),
    ];
    for (key, value) in more {
        if random.bool() {
            settings[key] = value;
        }
    }
    if random.bool() {
        settings["rate"] = "600/min".into();
        settings["burst"] = random.u64(1..=10_000).into();
    }
    if random.bool() {
        settings["order"] = "subject".into();
        settings["skip_after"] = random.u64(1..=100).into();
    }
    settings
}

#[test]
fn what_was_exported_is_already_there_when_it_is_imported() {
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    for _ in 0..500 {
        let settings = draw(&mut random);
        let endpoint = present(settings.clone());
        let text = Manifest::table(&endpoint.said().unwrap()).unwrap();
        let manifest = Manifest::parse(&text).unwrap_or_else(|it| panic!("{seed}: {it}\n{text}"));
        let plan = Plan::of(manifest, std::slice::from_ref(&endpoint), false).unwrap();
        assert_eq!(plan, Plan { steps: Vec::new(), unchanged: 1 }, "{seed}: {text}");
    }
}

/// Guards that a patch makes of any endpoint any other: merges as the gateway does, and looks.
#[test]
fn a_patch_makes_one_endpoint_of_another() {
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    for _ in 0..500 {
        let [mut before, mut after] = [draw(&mut random), draw(&mut random)];
        for settings in [&mut before, &mut after] {
            settings["name"] = "crm".into();
            settings["tenant"] = Value::Null;
        }
        let before = members(&present(before).settings).unwrap();
        let after = members(&present(after).settings).unwrap();
        let mut merged = before.clone();
        let patch = patch(&before, &after);
        for (first, second) in PAIRS {
            if patch.contains_key(first) {
                merged.remove(second);
            }
        }
        for (key, value) in patch {
            if value.is_null() {
                merged.remove(&key);
                continue;
            }
            if let (Some(Value::Object(into)), Value::Object(more)) = (merged.get_mut(&key), &value)
            {
                into.extend(more.clone());
                into.retain(|_, value| !value.is_null());
                continue;
            }
            merged.insert(key, value);
        }
        let merged = whole(serde_json::from_value(merged.into()).unwrap()).unwrap();
        assert_eq!(members(&merged).unwrap(), after, "{seed}");
    }
}

#[test]
fn a_plan_says_what_is_made_changed_and_removed() {
    let managed = json!({ "metadata": { "managed": "shop" } });
    let mut old = crm(managed.clone());
    old["name"] = "old".into();
    let mut other = crm(json!({}));
    other["name"] = "other".into();
    let now = [present(crm(managed)), present(old), present(other)];
    let wanted =
        [crm(json!({ "rate": "10/s", "description": "new" })), crm(json!({ "tenant": "acme" }))];
    let file = || manifest("managed = \"shop\"", &wanted);
    let said = |plan: Plan| plan.steps.iter().map(Step::to_string).collect::<Vec<_>>();

    let plan = Plan::of(file(), &now, false).unwrap();
    let Step::Change { revision, patch, .. } = &plan.steps[0] else { panic!("{plan:?}") };
    assert_eq!((*revision, &patch["rate"], &patch["burst"]), (7, &json!("10/s"), &json!(10)));
    let steps = ["change  crm: burst, description, rate", "create  acme/crm"];
    assert_eq!(said(plan), steps);

    let pruned = Plan::of(file(), &now, true).unwrap();
    assert_eq!(said(pruned), [&steps[..], &["remove  old"]].concat(), "`other` is not marked");
    assert!(Plan::of(manifest("", &wanted), &now, true).is_err(), "nothing is marked");
}

#[test]
fn an_endpoint_of_the_configuration_and_one_that_is_there_twice_are_refused() {
    let file = || manifest("", &[crm(json!({}))]);
    let now = [Present::of(&shown(crm(json!({})), "file")).unwrap()];
    let error = Plan::of(file(), &now, false).unwrap_err().to_string();
    assert_eq!(error, "the endpoint `crm` is in the configuration: change it there");
    let twice = manifest("", &[crm(json!({})), crm(json!({}))]);
    let error = Plan::of(twice, &[], false).unwrap_err().to_string();
    assert_eq!(error, "the file has the endpoint `crm` twice");
    let wrong = manifest("", &[crm(json!({ "url": "ftp://a" }))]);
    let error = format!("{:#}", Plan::of(wrong, &[], false).unwrap_err());
    assert!(error.starts_with("the endpoint `crm`: `url`: must be a URL"), "{error}");
}
