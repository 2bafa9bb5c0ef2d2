//! What the commands say of a configuration, and that they need no more of it than they use.

use std::net::TcpListener;

use serde_json::Value;

use super::{CONFIG, Folder, PLUGINS, hookgate};
use crate::harness::{Authority, Setup};

/// Looks like a secret, and must never be seen.
const PLANTED: &str = "whsec_Hunter2Tr0ub4dor";

#[tokio::test]
async fn check_says_what_would_run() {
    let folder = Folder::new(CONFIG, PLUGINS);

    let checked = folder.check().await;

    checked.succeeded();
    let stripe = checked.line("stripe:");
    assert!(stripe.contains(" bytes, "), "{stripe}");
    assert_eq!(
        checked.line("POST /in/cards"),
        "POST /in/cards: provider stripe (loaded), secrets: 1"
    );
    let partner = "POST /in/partner: provider standard-webhooks (loaded), NOT VERIFIED";
    assert_eq!(checked.line("POST /in/partner"), partner);
    let crm = "crm: payment.*, customer.payment_failed_notice to http://127.0.0.1:9000/hooks";
    assert_eq!(checked.line("crm:"), crm);
    let dunning = "dunning: runs on payment.failed, payment.succeeded, may send to crm";
    assert!(checked.out.lines().any(|line| line.trim() == dunning), "{}", checked.out);
    assert_eq!(checked.out.lines().last(), Some("everything can run"));
    assert!(!checked.out.contains("whsec_"), "{}", checked.out);
    assert!(!folder.path("data").exists(), "a check makes nothing");
}

#[tokio::test]
async fn check_says_where_the_configuration_is_wrong() {
    let cases = [
        (
            "secrets = [{ value = \"whsec_n",
            "secret = [{ value = \"whsec_n",
            "8:1: unknown key `secret`",
        ),
        ("endpoints = [\"crm\"]", "endpoints = [\"c rm\"]", "20:14: `endpoints` must be a name"),
        ("[sources.cards]", "[sources.Cards]", "6:10: `Cards` is not a name"),
        ("verify = \"none\"", "", "10:1: [sources.partner] has no secrets"),
    ];

    for (right, wrong, expected) in cases {
        assert_eq!(CONFIG.matches(right).count(), 1, "{right}");
        let folder = Folder::new(&CONFIG.replace(right, wrong), &[]);
        let checked = folder.check().await;
        let place = format!("{}:{expected}", folder.path("hookgate.toml").display());
        checked.failed_with(&place);
    }
}

#[tokio::test]
async fn check_finds_a_source_with_nothing_to_verify_with() {
    let written = "secrets = [{ value = \"whsec_never_shown\" }]";
    let folder = Folder::new(&CONFIG.replace(written, "secrets = []"), PLUGINS);

    let checked = folder.check().await;

    checked.failed_with("hookgate: 1 problem; nothing was changed");
    let wrong = "stripe: WRONG: [sources.cards] has no secrets, and plugin stripe pins no root";
    assert!(checked.line("stripe:").starts_with(wrong), "{}", checked.out);
}

#[tokio::test]
async fn check_finds_a_plugin_that_can_not_run() {
    let folder = Folder::new(CONFIG, PLUGINS);
    folder.write("plugins/broken.wasm", b"\0asm but no plugin");
    folder.write("plugins/stripe.wasm", b"nothing of the kind");

    let checked = folder.check().await;

    checked.failed_with("hookgate: 3 problems; nothing was changed");
    assert!(checked.line("broken:").starts_with("broken: WRONG: "), "{}", checked.out);
    assert!(checked.line("stripe:").starts_with("stripe: WRONG: "), "{}", checked.out);
    assert!(checked.line("POST /in/cards").contains("provider stripe (NOT LOADED)"));
}

#[tokio::test]
async fn check_finds_settings_that_a_plugin_refuses() {
    let config = CONFIG.replace("alert_after = 3", "alert_after = \"soon\"");
    let folder = Folder::new(&config, PLUGINS);

    let checked = folder.check().await;

    checked.failed_with("hookgate: 1 problem; nothing was changed");
    let wrong = "dunning: WRONG: plugin dunning refuses the config of [handlers.dunning]: ";
    assert!(checked.line("dunning: WRONG").starts_with(wrong), "{}", checked.out);
}

#[tokio::test]
async fn check_finds_a_plugin_that_is_not_there() {
    let folder = Folder::new(CONFIG, &["stripe", "standard-webhooks"]);
    let checked = folder.check().await;

    checked.failed_with("hookgate: 1 problem; nothing was changed");
    let missing = "dunning: NOT LOADED, the plugins folder has no such file";
    assert_eq!(checked.line("dunning:"), missing);
    checked.line("events wait for it if it has run before, and else pass it by");
}

#[tokio::test]
async fn check_finds_a_plugin_of_the_other_kind() {
    let config = CONFIG.replace("plugin  = \"stripe\"", "plugin  = \"dunning\"");
    let folder = Folder::new(&format!("{config}\n[handlers.stripe]\n"), PLUGINS);

    let checked = folder.check().await;

    checked.failed_with("hookgate: 2 problems; nothing was changed");
    let source = checked.line("POST /in/cards");
    assert!(source.contains("provider dunning (NOT A PROVIDER)"), "{source}");
    assert_eq!(checked.line("stripe: NOT"), "stripe: NOT A HANDLER");
}

#[tokio::test]
async fn a_gateway_does_not_start_on_a_wrong_configuration() {
    let folder = Folder::new(&CONFIG.replace("plugins = ", "plugin = "), &[]);
    let config = folder.path("hookgate.toml");

    let wrong = hookgate(["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).await;
    let missing = hookgate(["serve", "--config", "no/such/hookgate.toml"]).await;

    wrong.failed_with(&format!("{}:4:1: unknown key `plugin`", config.display()));
    missing.failed_with("failed to read the configuration no/such/hookgate.toml: No such file");
    assert!(!folder.path("data").exists());
}

#[tokio::test]
async fn check_says_everything_that_is_wrong_at_once() {
    let config = CONFIG
        .replace("admin   = \"127.0.0.1:0\"", "admin   = \"localhost:8081\"")
        .replace(
            "secrets = [{ value = \"whsec_never_shown\" }]",
            &format!("secrets = \"{PLANTED}\""),
        )
        .replace(
            "\nurl     =",
            "\ntimeout = \"0s\"\nretries = [\"18446744073709551615s\"]\nurl     =",
        )
        .replace("plugins = \"plugins\"", "plugins = \"plugin\"");
    let folder = Folder::new(&config, &[]);

    let checked = folder.check().await;

    for place in [
        "2:11: `admin` must be an IP address and a port such as \"127.0.0.1:8080\"",
        "4:11: `plugins` must be a folder that the gateway can read: No such file",
        "8:11: `secrets` must be a list of { env = \"NAME\" }, { file = \"path\" } or { value = ",
        "15:11: `timeout` must be between 10ms and 1m",
        "16:12: `retries` must be between 100ms and 30d",
    ] {
        checked.failed_with(&format!("hookgate.toml:{place}"));
    }
    let warning = checked.line("warn   ");
    assert!(warning.contains("the gateway will hold deliveries to `url`"), "{warning}");
    assert!(
        checked.err.ends_with("hookgate: 5 problems; nothing was changed\n"),
        "{}",
        checked.err
    );
    assert_eq!(checked.err.lines().count(), 6, "{}", checked.err);
    assert!(
        !checked.err.contains("Hunter2") && !checked.out.contains("Hunter2"),
        "{}",
        checked.err
    );
}

#[tokio::test]
async fn check_finds_what_a_start_would_die_of() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let config = CONFIG
        .replacen("127.0.0.1:0", &address, 1)
        .replace("data    = \"data\"", "data    = \"hookgate.toml/data\"");
    let folder = Folder::new(&config, PLUGINS);

    let checked = folder.check().await;

    let listen = "hookgate.toml:1:11: `listen` is an address whose port is already in use, perhaps \
                  by a running gateway: stop that program or choose another port";
    checked.failed_with(listen);
    let data =
        "hookgate.toml:3:11: `data` must be a folder that the gateway can create and write: ";
    checked.failed_with(data);
}

/// Guards the check of a package that was just installed: systemd makes the folder at a start.
#[tokio::test]
async fn check_warns_of_a_folder_of_the_admin_socket_that_a_service_manager_may_make() {
    let socket = CONFIG.replacen("admin   = \"127.0.0.1:0\"", "admin   = \"unix:run/a.sock\"", 1);
    let folder = Folder::new(&socket, PLUGINS);

    let checked = folder.check().await;

    let said = checked.succeeded();
    let warning = "hookgate.toml:2:11: the folder of `admin` is not there";
    assert!(said.lines().any(|it| it.starts_with("warn") && it.contains(warning)), "{said}");
    assert!(!folder.path("run").exists(), "a check makes nothing");
}

#[tokio::test]
async fn a_start_says_which_address_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound");
    let admin = CONFIG.replace("admin   = \"127.0.0.1:0\"", &format!("admin   = \"{address}\""));
    let folder = Folder::new(&admin, &[]);
    let config = folder.path("hookgate.toml");

    let served = hookgate(["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).await;

    served.failed_with(&format!("failed to listen on {address}, which is `admin`: "));
}

#[tokio::test]
async fn check_beside_a_running_gateway_leaves_its_ports_alone() {
    let gateway = Setup::stripe().start().await;
    let config = gateway.folder().join("hookgate.toml");
    // The gateway has ports of its own: these are taken by somebody else.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    gateway.rewrite_config(|config| config.replacen("127.0.0.1:0", &address, 1));

    let checked = hookgate(["check".as_ref(), "--config".as_ref(), config.as_os_str()]).await;

    checked.succeeded();
    assert!(checked.line("warn   ").contains("a gateway is running on this data folder"));
}

#[tokio::test]
async fn a_start_on_an_admin_port_that_others_can_reach_without_tls_is_refused() {
    let config = CONFIG.replace("admin   = \"127.0.0.1:0\"", "admin   = \"0.0.0.0:0\"");
    let bare = Folder::new(&config, PLUGINS);
    let path = bare.path("hookgate.toml");

    let served = hookgate(["serve".as_ref(), "--config".as_ref(), path.as_os_str()]).await;

    served.failed_with("hookgate.toml:2:11: `admin` must be a loopback address such as");
    served.failed_with("because this port has no TLS: add [tls.admin], or write behind_proxy");
}

/// Guards I4.
#[tokio::test]
async fn check_shows_no_credential_of_a_url() {
    let url = format!("http://me:{PLANTED}@127.0.0.1:9000/hooks?token={PLANTED}");
    let folder = Folder::new(&CONFIG.replace("http://127.0.0.1:9000/hooks", &url), PLUGINS);

    let checked = folder.check().await;

    checked.succeeded();
    assert!(
        checked.line("crm:").ends_with("to http://(hidden)@127.0.0.1:9000/hooks?(hidden)"),
        "{}",
        checked.out
    );
}

#[tokio::test]
async fn check_finds_secrets_that_can_be_no_key_of_their_plugin() {
    let source = |name: &str, plugin: &str, secrets: &str| {
        format!("\n[sources.{name}]\nplugin = \"{plugin}\"\nsecrets = [{secrets}]\n")
    };
    let value = |text: &str| format!("{{ value = \"{text}\" }}");
    let hex = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    let certificate =
        format!("-----BEGIN CERTIFICATE-----\\n{PLANTED}\\n-----END CERTIFICATE-----");
    let config = CONFIG.replace("alert_after = 3", "")
        + &source("adyen", "adyen", &[value(hex), value(PLANTED)].join(", "))
        + &source("github", "github", &value(&certificate))
        + &source("partner-two", "standard-webhooks", &value("not base64!"));
    let folder = Folder::new(&config, &[PLUGINS, &["adyen", "github"][..]].concat());

    let checked = folder.check().await;

    checked.failed_with("hookgate: 3 problems; nothing was changed");
    let adyen = "adyen: WRONG: secret 2 of [sources.adyen] can't be a key for plugin adyen, which \
                 needs a secret key in hexadecimal";
    assert_eq!(checked.line("adyen: WRONG"), adyen);
    let github = checked.line("github: WRONG");
    let hint = "; the secret looks like a certificate: take the public key out";
    assert!(github.contains(hint), "{github}");
    let partner = checked.line("standard-webhooks: WRONG: secret 1 of [sources.partner-two]");
    assert!(partner.contains("which needs"), "{partner}");
    assert!(!checked.out.contains("Hunter2"), "{}", checked.out);
}

#[tokio::test]
async fn check_judges_the_secrets_of_a_source_beside_one_that_is_refused() {
    let source = |name: &str, rest: &str| {
        format!("\n[sources.{name}]\nplugin = \"github\"\nsecrets = [{{ value = \"{rest}\n")
    };
    let certificate = "-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----";
    let config = CONFIG.to_owned()
        + &source("refused", "a lantern in the hall\" }]\nconfig = { a = 1 }")
        + &source("unfit", &format!("{certificate}\" }}]"));
    let folder = Folder::new(&config, &[PLUGINS, &["github"][..]].concat());

    let checked = folder.check().await;

    checked.failed_with("hookgate: 2 problems; nothing was changed");
    checked.line("github: WRONG: plugin github refuses the config of [sources.refused]: ");
    checked.line("github: WRONG: secret 1 of [sources.unfit] can't be a key for plugin github");
}

#[tokio::test]
async fn check_says_how_to_write_a_host_that_has_a_region_in_it() {
    let sns = "\n[sources.sns]\nplugin = \"aws-sns\"\nkeys_from = [\"keys.example\"]\n\
               config = { allowed_topics = [\"arn:aws:sns:eu-west-1:210987654321:a\"] }\n";
    let folder = Folder::new(&format!("{CONFIG}{sns}"), &[PLUGINS, &["aws-sns"][..]].concat());

    let checked = folder.check().await;

    checked.failed_with("hookgate: 1 problem; nothing was changed");
    let wrong = checked.line("aws-sns: WRONG");
    let hosts = "the plugin's hosts are: sns.*.amazonaws.com, sns.*.amazonaws.com.cn; write your \
                 own in place of `*`";
    assert!(wrong.ends_with(hosts), "{wrong}");
}

#[tokio::test]
async fn events_are_asked_for_without_the_secrets_of_the_gateway() {
    let gateway = Setup::stripe().start().await;
    let admin = gateway.admin().trim_start_matches("http://").to_owned();
    let config = CONFIG
        .replace("admin   = \"127.0.0.1:0\"", &format!("admin   = \"{admin}\""))
        .replace("{ value = \"whsec_never_shown\" }", "{ env = \"HOOKGATE_TEST_UNSET\" }");
    let folder = Folder::new(&config, &[]);
    let config = folder.path("hookgate.toml");

    let listed =
        hookgate(["event".as_ref(), "list".as_ref(), "--config".as_ref(), config.as_os_str()])
            .await;

    listed.succeeded();
    assert!(listed.out.starts_with("HOOKGATE ID "), "{}", listed.out);
}

#[tokio::test]
async fn a_command_trusts_the_certificate_that_the_gateway_beside_it_has() {
    let tls = "[tls.admin]\ncertificate = \"port.pem\"\nkey = \"port.key\"";
    let stopped = Setup::stripe().table(tls).prepare();
    let authority = Authority::new("unknown to this machine");
    authority.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let config = gateway.folder().join("hookgate.toml");
    let admin = gateway.admin().trim_start_matches("http://").to_owned();
    let own = format!("admin   = \"{admin}\"");
    gateway.rewrite_config(|text| text.replace("admin   = \"127.0.0.1:0\"", &own));
    let list = ["event".as_ref(), "list".as_ref()];
    let beside = ["--config".as_ref(), config.as_os_str()];
    let url = format!("https://{admin}");
    let elsewhere = ["--admin".as_ref(), url.as_ref()];
    let root = gateway.folder().join("root.pem");
    std::fs::write(&root, authority.pem()).expect("it can be written");
    let by_authority = ["--gateway-ca".as_ref(), root.as_os_str()];

    let trusted = hookgate(list.into_iter().chain(beside)).await;
    let unknown = hookgate(list.into_iter().chain(elsewhere)).await;
    let issued = hookgate(list.into_iter().chain(elsewhere).chain(by_authority)).await;

    trusted.succeeded();
    issued.succeeded();
    unknown.failed_with("failed to reach https://127.0.0.1:");
}

#[tokio::test]
async fn a_log_filter_that_is_none_is_refused() {
    let ran = tokio::process::Command::new(crate::harness::program())
        .args(["provider", "list"])
        .env("RUST_LOG", "infoo")
        .output()
        .await
        .expect("the program can be started");

    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("RUST_LOG is not a valid log filter: write a level"), "{said}");
}

/// Guards the document: every problem with its place, and what would run.
#[tokio::test]
async fn a_program_reads_what_a_check_has_found() {
    let check = async |folder: &Folder| {
        let config = folder.path("hookgate.toml");
        let args = ["check".as_ref(), "--json".as_ref(), "--config".as_ref(), config.as_os_str()];
        let checked = hookgate(args).await;
        (checked.code, serde_json::from_str::<Value>(&checked.out).expect("it is JSON"))
    };
    let wrong = CONFIG.replace("plugin = \"standard-webhooks\"", "plugin = 7");

    let (code, document) = check(&Folder::new(CONFIG, PLUGINS)).await;
    let folder = Folder::new(&wrong, PLUGINS);
    folder.write("plugins/broken.wasm", b"\0asm but no plugin");
    let (code_of_wrong, wrong) = check(&folder).await;
    let (code_of_missing, missing) = check(&Folder::new(CONFIG, &["stripe", "dunning"])).await;

    assert_eq!((code, document["valid"].as_bool()), (Some(0), Some(true)), "{document}");
    assert_eq!(document["sources"][0]["plugin"], "stripe");
    assert_eq!(document["handlers"][0]["endpoints"], serde_json::json!(["crm"]));
    assert_eq!(code_of_wrong, Some(1));
    let problem = &wrong["problems"][0];
    assert_eq!(problem["line"], 11, "{wrong}");
    assert_eq!(problem["column"], 10, "{wrong}");
    // What is wrong with the file hides nothing that is wrong with a plugin.
    assert_eq!(wrong["problems"][1]["about"], "plugins.broken", "{wrong}");
    assert_eq!(code_of_missing, Some(1));
    assert_eq!(missing["problems"][0]["about"], "sources.partner", "{missing}");
}
