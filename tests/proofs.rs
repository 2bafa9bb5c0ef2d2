//! Every kind of proof in the contract: a genuine request with it, and every forgery of that
//! request, through the whole way in.
//!
//! A file in `proofs` has schemes: what the plugin of a source declares, and what its requests
//! claim. A forgery is recorded as what differs from the genuine request, with why it must fall and
//! the reason that the gateway must count; what it claims is changed at JSON pointers. The plugin
//! is `tests/prover`, which claims whatever it is told to. The keys were made for these files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookgate::cli::vectors::Vector;
use hookgate::keys::Keys;
use hookgate::provider::{
    Claims, Digest, KeySource, Piece, Proof, ProofKind, ProviderInfo, SecretForm, Value as Computed,
};
use serde_json::{Value, json};

use crate::harness::{Harness, NOT_VERIFIED, Provider, Setup, plugin_file, text};

/// In which every proof is forged.
const FORMS: [&str; 5] =
    ["other kind", "other key", "missing part", "empty message", "altered algorithm"];
/// In which a plain hash is forged too.
const EXTENSION: &str = "length extension";
/// In which other proofs may be.
const MORE_FORMS: [&str; 2] = ["altered message", "old message"];

/// Two kinds of a JWS, which the contract tells by an option.
const ATTACHED: &str = "jws attached";
const DETACHED: &str = "jws detached";

/// What stands in the prover's file before the proofs that it declares, and their place.
const MARK: &[u8] = b"the prover declares: ";
const DECLARED_BYTES: usize = 160 - MARK.len();

/// The prover, made to declare certain proofs.
struct Prover {
    wasm: Vec<u8>,
    provider: Provider,
}

/// How requests are proven, and what is recorded of it.
struct Scheme {
    /// Of its source too, and the id of its event.
    name: String,
    prover: Arc<Prover>,
    genuine: Vector,
    /// The label of the event.
    proof: Value,
    forgeries: Vec<Forgery>,
}

struct Forgery {
    form: String,
    why: String,
    /// As the gateway counts it.
    reason: String,
    request: Vector,
}

/// Guards I2.
#[tokio::test]
async fn every_kind_of_proof_in_the_contract_lets_in_what_is_genuine_and_no_forgery() {
    let files = files();
    let mut kinds = Kinds::default();
    for scheme in files.iter().flatten() {
        kinds.add_claims(&scheme.check_forms().await, scheme.prover.provider.info());
    }
    assert_eq!(kinds.0, contract(), "what is recorded, and what there is");

    let mut wrong = Vec::new();
    for schemes in &files {
        let gateway = set_up(schemes).await;
        wrong.extend(check_forgeries(&gateway, schemes).await);
        for scheme in schemes {
            wrong.extend(scheme.check_genuine(&gateway).await);
        }
    }
    let forgeries: usize = files.iter().flatten().map(|scheme| scheme.forgeries.len()).sum();
    assert!(wrong.is_empty(), "{} of {forgeries}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{forgeries} forgeries of {} requests, over HTTP", files.iter().flatten().count());
}

/// Guards I2. Whoever overheard a request that its proof does not cover would choose the text.
#[tokio::test]
async fn a_digest_is_answered_only_to_a_request_that_is_proven_as_a_whole() {
    let key = json!({ "encoding": "Text", "prefix": null });
    let digest = |message: Value| json!({ "hash": "Sha256", "key": key, "message": [message] });
    let claims = |worth: &str| {
        let mac = json!({ "digest": digest(json!("Body")), "digests": ["base64:{x-proof}"] });
        let part = json!({ "index": 0, "written": "Hex", "start": 0, "end": null });
        let (content_type, body) = ("text/plain", json!([{ "Value": part }]));
        let claims = json!({
            "values": [{ "Digest": digest(json!({ "Text": "chosen" })) }],
            "evidence": [{ "proofs": [{ "Mac": mac }], "worth": worth }],
            "event_ids": [],
            "reply": { "status": 200, "content_type": content_type, "headers": [], "body": body },
        });
        let config = Value::from(claims.to_string());
        format!("secrets = [{{ value = \"key\" }}]\nconfig = {{ claims = {config} }}")
    };
    let prover = Prover::declaring("Mac Bound, Mac Unbound");
    let plugin = prover.provider.name();
    let setup = Setup::new().plugin_of(plugin, prover.wasm.clone());
    let setup = setup.source("whole", plugin, &claims("Bound"));
    let gateway = setup.source("part", plugin, &claims("Unbound")).start().await;
    // The HMAC of the body.
    let proof = [("x-proof", "p3dyTZQ+tI3Gm8qKSm1XoE2z+ex+HeTlgehgJlvfMDI=")];

    let whole = gateway.post("whole", &proof, "{}").await;
    let part = gateway.post("part", &proof, "{}").await;

    let chosen = "9b37d96c4c468d1d6d4f99953b1b66a6da14cb34ac95d16388d968a6c0e79c8d";
    assert_eq!((whole.status, &*whole.body), (200, chosen));
    part.accepted();
}

/// What is recorded, by file.
fn files() -> Vec<Vec<Scheme>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs");
    let entries = folder.read_dir().expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut provers = BTreeMap::new();
    let mut files = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).expect("it can be read");
        let recorded: Vec<Value> = serde_json::from_str(&text).expect("a list of schemes");
        files.push(recorded.iter().map(|scheme| Scheme::read(scheme, &mut provers)).collect());
    }
    files
}

/// A gateway with a source for each scheme.
async fn set_up(schemes: &[Scheme]) -> Harness {
    let keys = schemes.iter().flat_map(|scheme| scheme.genuine.public_keys()).collect();
    let mut setup = Setup::new().keys(Keys::recorded(keys));
    let mut plugins = BTreeSet::new();
    for Scheme { name, prover, genuine, .. } in schemes {
        let plugin = prover.provider.name();
        if plugins.insert(plugin) {
            setup = setup.plugin_of(plugin, prover.wasm.clone());
        }
        let kind = prover.provider.kind(genuine);
        setup = setup.source(name, plugin, &prover.provider.table(&kind));
    }
    setup.start().await
}

/// Posts all forgeries, and says what should not have become of them.
async fn check_forgeries(gateway: &Harness, schemes: &[Scheme]) -> Vec<String> {
    let mut wrong = Vec::new();
    for scheme in schemes {
        for forgery in &scheme.forgeries {
            wrong.extend(scheme.check_forgery(gateway, forgery).await);
        }
    }
    gateway.settle().await;
    if gateway.stats().commits > 0 {
        wrong.push(format!("{} and others: something is stored", schemes[0].name));
    }
    let metrics = gateway.ask("/metrics").await.body;
    wrong.extend(schemes.iter().filter_map(|scheme| scheme.check_reasons(&metrics)));
    wrong
}

impl Prover {
    /// `Mac Bound, Mac Weak`.
    fn declaring(proofs: &str) -> Self {
        let mut wasm = std::fs::read(plugin_file("prover")).expect("it is built");
        let places = wasm.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK);
        let places: Vec<usize> = places.map(|(place, _)| place + MARK.len()).collect();
        let [place] = *places.as_slice() else { panic!("one mark is in its file: {places:?}") };
        let written = format!("{proofs:<DECLARED_BYTES$}");
        wasm[place..place + DECLARED_BYTES].copy_from_slice(written.as_bytes());
        let name = proofs.to_lowercase().replace(", ", "-").replace(' ', "-");
        Self { provider: Provider::of(&name, &wasm), wasm }
    }
}

impl Scheme {
    fn read(recorded: &Value, provers: &mut BTreeMap<String, Arc<Prover>>) -> Self {
        let proofs = text(&recorded["declares"]);
        let prover = provers.entry(proofs.clone());
        let prover = prover.or_insert_with(|| Arc::new(Prover::declaring(&proofs)));
        let claims = &recorded["claims"];
        let mut genuine = recorded["genuine"].clone();
        genuine["name"] = recorded["name"].clone();
        genuine["valid"] = true.into();
        genuine["settings"] = json!({ "claims": claims.to_string() });
        let forgeries = recorded["forged"].as_array().expect("a list of forgeries");
        let forgeries = forgeries.iter().map(|changes| Forgery::read(&genuine, claims, changes));
        Self {
            name: text(&recorded["name"]),
            prover: Arc::clone(prover),
            proof: recorded["proof"].clone(),
            forgeries: forgeries.collect(),
            genuine: serde_json::from_value(genuine).expect("a recorded request"),
        }
    }

    /// Whether it is forged in every form, and what the genuine request claims.
    async fn check_forms(&self) -> Claims {
        let request = self.genuine.request().expect("a request");
        let claims = self.prover.provider.claims(&self.genuine, request).await;
        let claims = claims.unwrap_or_else(|| panic!("{} claims nothing", self.name));
        let mut forms = FORMS.to_vec();
        if claims.proofs().any(|proof| proof.kind() == ProofKind::Hash) {
            forms.push(EXTENSION);
        }
        let found: BTreeSet<&str> = self.forgeries.iter().map(|it| &*it.form).collect();
        for form in &forms {
            assert!(found.contains(form), "{} is not forged in the form `{form}`", self.name);
        }
        let is_known = |form: &&str| forms.contains(form) || MORE_FORMS.contains(form);
        assert!(found.iter().all(is_known), "{}: {found:?}", self.name);
        claims
    }

    /// Posts a forgery, and says what should not have become of it.
    async fn check_forgery(&self, gateway: &Harness, forgery: &Forgery) -> Option<String> {
        let request = forgery.request.request().expect("a request");
        let answer = gateway.send(&self.name, &request).await;
        let refused = (self.prover.provider.info().refusal_status, NOT_VERIFIED);
        let is_refused = (answer.status, &*answer.body) == refused;
        let Forgery { form, why, .. } = forgery;
        let answered = format!("{} {}", answer.status, answer.body);
        (!is_refused).then(|| format!("{}: {form}: {why}: answered {answered}", self.name))
    }

    /// Whether its forgeries fell for the recorded reasons.
    fn check_reasons(&self, metrics: &str) -> Option<String> {
        let mut expected = BTreeMap::<&str, u64>::new();
        for forgery in &self.forgeries {
            *expected.entry(&forgery.reason).or_default() += 1;
        }
        let begin = format!("hookgate_refusals_total{{source=\"{}\",reason=\"", self.name);
        let own = metrics.lines().filter_map(|line| line.strip_prefix(&begin));
        let counts = own.filter_map(|rest| rest.split_once("\"} "));
        let counts = counts.map(|(reason, it)| (reason, it.parse::<u64>().expect("a number")));
        let found: BTreeMap<&str, u64> = counts.filter(|(_, count)| *count > 0).collect();
        let name = &self.name;
        (found != expected).then(|| format!("{name}: refused for {found:?}, not {expected:?}"))
    }

    /// Posts the genuine request, and says what should not have become of it.
    async fn check_genuine(&self, gateway: &Harness) -> Option<String> {
        let request = self.genuine.request().expect("a request");
        let answer = gateway.send(&self.name, &request).await;
        if answer.status != 200 {
            let body = answer.body;
            return Some(format!("{}: genuine, and answered {} {body}", self.name, answer.status));
        }
        gateway.settle().await;
        let event = gateway.event(&self.name).await;
        let label = &event["event"]["labels"]["proof"];
        let (name, proof) = (&self.name, &self.proof);
        (label != proof).then(|| format!("{name}: labelled {label}, not {proof}"))
    }
}

impl Forgery {
    /// A genuine request with these changes.
    fn read(genuine: &Value, claims: &Value, changes: &Value) -> Self {
        let mut request = genuine.clone();
        for member in ["body", "body_base64"] {
            if let Some(value) = changes.get(member) {
                request[member] = value.clone();
            }
        }
        let headers = request["headers"].as_object_mut().expect("headers");
        headers.extend(changes["headers"].as_object().cloned().unwrap_or_default());
        headers.retain(|_, value| !value.is_null());
        if let Some(altered) = changes["claims"].as_object() {
            let mut claims = claims.clone();
            for (place, value) in altered {
                let found = claims.pointer_mut(place);
                *found.unwrap_or_else(|| panic!("nothing is at {place}")) = value.clone();
            }
            headers.insert("x-claims".to_owned(), claims.to_string().into());
        }
        Self {
            form: text(&changes["form"]),
            why: text(&changes["why"]),
            reason: text(&changes["reason"]),
            request: serde_json::from_value(request).expect("a recorded request"),
        }
    }
}

/// What is claimed, each by a type of the contract and the name of a case.
#[derive(Default)]
struct Kinds(BTreeSet<String>);

impl Kinds {
    /// A case is written as in the host, without what is in it.
    fn add(&mut self, of: &str, case: impl Debug) {
        let written = format!("{case:?}");
        let name: String = written.chars().take_while(char::is_ascii_alphanumeric).collect();
        self.0.insert(format!("{of} {}", name.to_lowercase()));
    }

    fn add_claims(&mut self, claims: &Claims, info: &ProviderInfo) {
        for value in &claims.values {
            self.add("value", value);
            match value {
                Computed::Digest(digest) => self.add_digest(digest),
                Computed::Decrypted(encrypted) => {
                    self.add("cipher", encrypted.cipher);
                    self.add_form(&encrypted.key);
                }
            }
        }
        for proof in claims.proofs() {
            self.add_proof(proof, info);
        }
    }

    fn add_proof(&mut self, proof: &Proof, info: &ProviderInfo) {
        self.add("proof-kind", proof.kind());
        match proof {
            Proof::Mac { digest, .. } => {
                self.add(proof.kind().name(), digest.hash);
                self.add_digest(digest);
            }
            Proof::Signature { algorithm, key, message, .. } => {
                self.add("public-key", algorithm);
                self.add_key(key, info);
                self.add_pieces(message);
            }
            Proof::Jws(jws) => {
                self.0.insert(format!("jws-algorithm {}", jws.algorithm.names()[0].to_lowercase()));
                self.add_key(&jws.key, info);
                let payload = jws.payload.as_deref();
                let form = if payload.is_some() { DETACHED } else { ATTACHED };
                self.0.insert(form.to_owned());
                self.add_pieces(payload.unwrap_or_default());
                jws.rules.iter().for_each(|rule| self.add("jws-rule", rule));
            }
            Proof::Token(_) => (),
            Proof::Decrypted(decryption) => {
                self.add_pieces(decryption.plain.as_deref().unwrap_or_default());
            }
        }
    }

    fn add_key(&mut self, key: &KeySource, info: &ProviderInfo) {
        self.add("key-source", key);
        match key {
            KeySource::Configured(form) => self.add_form(form),
            KeySource::Fetched(lookup) => {
                self.add("key-format", &info.place(lookup).expect("it is declared").format);
            }
            KeySource::Chain(chain) => self.add("root", &chain.root),
        }
    }

    fn add_digest(&mut self, digest: &Digest) {
        digest.key.iter().for_each(|form| self.add_form(form));
        self.add_pieces(&digest.message);
    }

    fn add_pieces(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            match piece {
                Piece::Secret(form) => self.add_form(form),
                Piece::Value(part) => self.add("digest-text", part.written),
                Piece::Bytes(_) | Piece::Body => (),
            }
        }
    }

    fn add_form(&mut self, form: &SecretForm) {
        self.add("key-encoding", form.encoding);
    }
}

/// All that the contract has to claim.
fn contract() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("wit/provider.wit");
    let wit = std::fs::read_to_string(path).expect("the contract");
    let types = [
        ("proof-kind", "proof-kind"),
        ("mac", "hash"),
        ("hash", "hash"),
        ("value", "value"),
        ("cipher", "cipher"),
        ("public-key", "public-key"),
        ("jws-algorithm", "jws-algorithm"),
        ("jws-rule", "jws-rule"),
        ("key-source", "key-source"),
        ("key-format", "key-format"),
        ("key-encoding", "key-encoding"),
        ("root", "root"),
        ("digest-text", "digest-text"),
    ];
    let mut kinds: BTreeSet<String> = [ATTACHED, DETACHED].map(str::to_owned).into();
    for (of, name) in types {
        kinds.extend(cases(&wit, name).iter().map(|case| format!("{of} {case}")));
    }
    kinds
}

/// The cases of an enum or a variant, as the host's names are written here.
fn cases(wit: &str, of: &str) -> Vec<String> {
    let code = wit.lines().filter(|line| !line.trim_start().starts_with("///"));
    let code = code.collect::<Vec<_>>().join("\n");
    let opens = ["enum", "variant"].map(|what| format!("{what} {of} {{"));
    let inside = opens.iter().find_map(|open| code.split_once(open.as_str()));
    let (_, inside) = inside.unwrap_or_else(|| panic!("the contract has no `{of}`"));
    let inside = inside.split('}').next().unwrap_or_default();
    let names = inside.split(',').map(|case| case.split('(').next().unwrap_or_default().trim());
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "")).collect()
}
