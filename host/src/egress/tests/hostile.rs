//! The egress guard against a table of hostile URLs: none of them leads to a connection.
//!
//! A row is a URL, what its host stands for if it is a name, and what is said of it. The comment
//! over a group names the line that refuses its rows: without that line each of them fails, and a
//! failure lists all that did, each in a line that begins with the row. `make mutants` takes the
//! lines out, and looks for the rows. Both ways out are tried, that of deliveries and that of
//! look-ups. Never looks up a real name.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener as Untouched};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

type Row = (&'static str, &'static [&'static str], &'static str);

/// Longer than it takes to see that something was connected to.
const BRIEF: Duration = Duration::from_millis(500);
/// An address of this machine that [`to_first`] does not allow.
const FORBIDDEN: &str = "127.0.0.2";
const ALLOWED: &str = "127.0.0.1";
/// One at which nobody listens.
const QUIET: &str = "127.0.0.3";

/// `Origin::of`: the arm `scheme => return Err(..)`.
const SCHEMES: &[Row] = &[
    ("ftp://files.example:1/", &["192.0.2.1"], "scheme"),
    ("gopher://127.0.0.1:1/_POST%20/", &[], "scheme"),
    ("ws://127.0.0.1:1/", &[], "scheme"),
    ("ldap://127.0.0.1:1/", &[], "scheme"),
    ("http+unix://127.0.0.1:1/", &[], "scheme"),
    ("httpx://127.0.0.1:1/", &[], "scheme"),
    ("file:///etc/passwd", &[], "scheme"),
    ("file://127.0.0.1/etc/passwd", &[], "scheme"),
    ("unix:/run/docker.sock", &[], "scheme"),
    ("data:text/plain,{}", &[], "scheme"),
];

/// `Egress::connect`: `way.guard.allowed` in the arm of a host that is an address.
const SPELLINGS: &[Row] = &[
    ("http://127.0.0.1/", &[], "loopback"),
    ("http://127.1/", &[], "loopback"),
    ("http://127.0.1/", &[], "loopback"),
    ("http://2130706433/", &[], "loopback"),
    ("http://017700000001/", &[], "loopback"),
    ("http://0177.0.0.1/", &[], "loopback"),
    ("http://0177.0x0.0.01/", &[], "loopback"),
    ("http://0x7f000001/", &[], "loopback"),
    ("http://0x7f.1/", &[], "loopback"),
    ("http://0X7F.0.0.1/", &[], "loopback"),
    ("http://127.0.0.1./", &[], "loopback"),
    ("http://127.0.0.1.:/", &[], "loopback"),
    ("http://%31%32%37.0.0.1/", &[], "loopback"),
    ("http://127。0。0。1/", &[], "loopback"),
    ("http://１２７.0.0.1/", &[], "loopback"),
    ("http://0/", &[], "unspecified"),
    ("http://[::1]/", &[], "loopback"),
    ("https://[0:0:0:0:0:0:0:1]/", &[], "loopback"),
    ("https://192.168.1.1/", &[], "private"),
    // What another reader of the URL takes for the host is none.
    ("http://hooks.example@127.0.0.1/", &[], "loopback"),
    ("http://hooks.example:80@127.0.0.1/", &[], "loopback"),
    ("http://user:pw@hooks.example@127.0.0.1/", &[], "loopback"),
    ("http://127.0.0.1\\@hooks.example/", &[], "loopback"),
    ("http://127.0.0.1#@hooks.example/", &[], "loopback"),
    ("http://127.0.0.1?@hooks.example/", &[], "loopback"),
    ("http:127.0.0.1/", &[], "loopback"),
    ("http:///127.0.0.1/", &[], "loopback"),
    ("http:\\\\127.0.0.1\\", &[], "loopback"),
    (" ht\ntp://127.0.\t0.1/", &[], "loopback"),
];

/// `Egress::connect`: `way.guard.allowed` in the arm of a name.
const NAMES: &[Row] = &[
    ("http://localhost/", &["127.0.0.1"], "loopback"),
    ("http://localhost./", &["127.0.0.1"], "loopback"),
    ("http://LocalHost6:1/", &["::1"], "loopback"),
    ("http://metadata.google.internal/", &["169.254.169.254"], "metadata"),
    ("http://router.example/", &["192.168.0.1"], "private"),
    ("http://router.example./", &["192.168.0.1"], "private"),
    ("https://127.0.0.1.names.example/", &["127.0.0.1"], "loopback"),
    ("http://mapped.example/", &["::ffff:10.0.0.1"], "private"),
    ("http://translated.example/", &["64:ff9b::10.0.0.1"], "private"),
    ("http://127.0.0.1@inside.example/", &["10.0.0.9"], "private"),
    ("http://none.example/", &["10.0.0.1", "fd00::1", "127.0.0.1"], "loopback"),
    ("http://bücher.example/", &["10.0.0.1"], "private"),
];

/// `address.rs`: the line of `V4` that has this network.
const V4: &[Row] = &[
    ("http://169.254.169.254/latest/meta-data/", &[], "metadata"),
    ("http://168.63.129.16/", &[], "metadata"),
    ("http://100.100.100.200/", &[], "metadata"),
    ("http://192.0.0.192/", &[], "metadata"),
    ("http://0.0.0.0/", &[], "unspecified"),
    ("http://0.1.2.3/", &[], "this-network"),
    ("http://10.0.0.1/", &[], "private"),
    ("http://100.64.0.1/", &[], "carrier"),
    ("http://127.9.9.9/", &[], "loopback"),
    ("http://169.254.0.1/", &[], "link-local"),
    ("http://172.16.0.1/", &[], "private"),
    ("http://192.0.0.8/", &[], "protocol"),
    ("http://192.0.2.1/", &[], "documentation"),
    ("http://192.88.99.1/", &[], "tunnel"),
    ("http://192.168.0.1/", &[], "private"),
    ("http://198.18.0.1/", &[], "benchmarking"),
    ("http://198.51.100.1/", &[], "documentation"),
    ("http://203.0.113.1/", &[], "documentation"),
    ("http://239.255.255.250:1900/", &[], "multicast-or-reserved"),
    ("http://255.255.255.255/", &[], "multicast-or-reserved"),
];

/// `address.rs`: the line of `V6` that has this network, and `UNICAST` for the last two.
const V6: &[Row] = &[
    ("http://[fd00:ec2::254]/", &[], "metadata"),
    ("http://[::]/", &[], "unspecified"),
    ("http://[::1]/", &[], "loopback"),
    ("http://[64:ff9b:1::7f00:1]/", &[], "translation"),
    ("http://[100::1]/", &[], "discard"),
    ("http://[2001:0:7f00:1::1]/", &[], "teredo"),
    ("http://[2001:2::1]/", &[], "benchmarking"),
    ("http://[2001:10::1]/", &[], "protocol"),
    ("http://[2001:db8::1]/", &[], "documentation"),
    ("http://[3fff::1]/", &[], "documentation"),
    ("http://[5f00::1]/", &[], "segment-routing"),
    ("http://[fc00::1]/", &[], "private"),
    ("http://[fe80::1]/", &[], "link-local"),
    ("http://[fec0::1]/", &[], "private"),
    ("http://[ff02::1]/", &[], "multicast"),
    ("http://[4000::1]/", &[], "unallocated"),
    ("http://[::ffff:0:127.0.0.1]/", &[], "unallocated"),
];

/// `special` in `address.rs`: `to_canonical`.
const MAPPED: &[Row] = &[
    ("http://[::ffff:127.0.0.1]/", &[], "loopback"),
    ("http://[::ffff:7f00:1]/", &[], "loopback"),
    ("http://[0:0:0:0:0:ffff:a9fe:a9fe]/", &[], "metadata"),
    ("http://[::ffff:0.0.0.0]/", &[], "unspecified"),
];

/// `translated` in `address.rs`, an arm for each, and the line `ipv4-compatible` of `V6`.
const EMBEDDED: &[Row] = &[
    ("http://[2002:7f00:1::]/", &[], "loopback"),
    ("http://[2002:a9fe:a9fe::1]/", &[], "metadata"),
    ("http://[64:ff9b::7f00:1]/", &[], "loopback"),
    ("http://[64:ff9b::192.168.0.1]/", &[], "private"),
    ("http://[::127.0.0.1]/", &[], "ipv4-compatible"),
    ("http://[::808:808]/", &[], "ipv4-compatible"),
];

/// `tunnelled` in `address.rs`.
const TUNNELLED: &[Row] = &[
    ("http://[2606:4700::5efe:7f00:1]/", &[], "loopback"),
    ("http://[2606:4700::200:5efe:10.0.0.1]/", &[], "private"),
];

/// Answers that name somewhere else to go. There is no line to take out, because nothing reads
/// `location`: have `Egress::answer`, or `Egress::fetch`, connect to where it leads.
const REDIRECTS: &[u16] = &[301, 302, 303, 307, 308];

/// Texts that are no URL, so that nothing of them reaches the guard.
const NO_URLS: &[&str] = &[
    "http://256.256.256.256/",
    "http://4294967296/",
    "http://0x100000000/",
    "http://1.2.3.4.5/",
    "http://[fe80::1%25eth0]/",
    "http://[::ffff:127.0.0.1/",
    "http://127.0.0.1%00.hooks.example/",
    "http://127.0.0.1 .hooks.example/",
    "http://127.0.0.1:65536/",
    "http://",
    "//127.0.0.1/",
];

/// An egress for which names stand for what is said, and that goes to these networks besides.
fn resolving(
    allow: &[&str],
    look_up: impl Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send + Sync + 'static,
) -> Egress {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    let config = Config { allow, ..Config::default() };
    let resolver = Resolver::new(Arc::new(look_up), Bounds::default());
    Egress::with_resolver(config, Clock::manual(NOW), resolver).unwrap()
}

fn to_first(look_up: impl Fn(&str) -> Vec<&'static str> + Send + Sync + 'static) -> Egress {
    let parsed = move |name: &str| -> std::io::Result<Vec<IpAddr>> {
        let addresses = look_up(name);
        Ok(addresses.into_iter().map(|address| address.parse().unwrap()).collect())
    };
    resolving(&["127.0.0.1/32"], parsed)
}

/// Whether somebody has connected there: it asks the system itself, and waits for nothing.
fn was_touched(listener: &Untouched) -> bool {
    let came = listener.accept().map(drop).map_err(|error| error.kind());
    came != Err(ErrorKind::WouldBlock)
}

/// Before anything else is said of what was asked for: whoever goes where it may not fails by this.
#[track_caller]
fn assert_untouched(listener: &Untouched, row: &str) {
    assert!(!was_touched(listener), "{row} was connected to");
}

/// One that never accepts, so that it shows whether somebody came.
fn untouched(address: &str) -> Untouched {
    let listener = Untouched::bind((address, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn class(ended: Result<(), EgressError>) -> String {
    match ended {
        Ok(()) => "answered".to_owned(),
        Err(EgressError::Refused(Refusal::Address { class, .. })) => class.to_owned(),
        Err(EgressError::Refused(Refusal::Scheme(_))) => "scheme".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn all_are_refused(rows: &'static [Row]) {
    let named = move |name: &str| -> std::io::Result<Vec<IpAddr>> {
        let is_it = |row: &&Row| row.0.parse::<Url>().is_ok_and(|url| url.host_str() == Some(name));
        let addresses = rows.iter().find(is_it).map(|row| row.1).unwrap_or_default();
        Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
    };
    let egress = resolving(&[], named);
    let mut wrong = Vec::new();
    for (text, _, said) in rows {
        let listener = untouched(ALLOWED);
        let mut url: Url = text.parse().unwrap();
        // Where a URL has no place for a port, nobody could be connected to anyway.
        url.set_port(Some(listener.local_addr().unwrap().port())).ok();
        let posted = post(&egress, &url, BRIEF).await.map(drop);
        let fetched = egress.fetch(&url, None, 1024, BRIEF).await.map(drop);
        let mut found = vec![("posted to", class(posted)), ("looked up", class(fetched))];
        // What is an address is refused as well where an endpoint is read, and where one is made.
        if Origin::of(&url).is_ok_and(|origin| origin.address().is_some()) {
            let refusals = [literal_refusal(&url, &[]), egress.literal_refusal(&url)];
            for (way, refusal) in ["read", "made"].into_iter().zip(refusals) {
                found.push((way, class(refusal.map(EgressError::Refused).map_or(Ok(()), Err))));
            }
        }
        let others = found.into_iter().filter(|(_, class)| class.as_str() != *said);
        wrong.extend(others.map(|(way, class)| format!("{text:?}, {way}: {class}, not {said}")));
        if was_touched(&listener) {
            wrong.push(format!("{text:?}, connected to"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn only_web_addresses_go_out() {
    all_are_refused(SCHEMES).await;
}

#[tokio::test]
async fn an_address_is_refused_however_it_is_spelled() {
    all_are_refused(SPELLINGS).await;
}

#[tokio::test]
async fn a_name_is_refused_for_what_it_stands_for() {
    all_are_refused(NAMES).await;
}

#[tokio::test]
async fn every_special_ipv4_network_is_refused() {
    all_are_refused(V4).await;
}

#[tokio::test]
async fn every_special_ipv6_network_is_refused() {
    all_are_refused(V6).await;
}

#[tokio::test]
async fn an_ipv4_address_is_refused_inside_an_ipv6_address() {
    all_are_refused(MAPPED).await;
    all_are_refused(EMBEDDED).await;
    all_are_refused(TUNNELLED).await;
}

#[test]
fn what_is_no_url_is_none() {
    for text in NO_URLS {
        assert!(text.parse::<Url>().is_err(), "{text}");
    }
}

/// A listener that may be reached and one on the same port that may not, and the URL of the port.
async fn two_listeners() -> (TcpListener, Untouched, Url) {
    loop {
        let (allowed, url) = listener().await;
        // Somebody may have the port at the other address.
        if let Ok(forbidden) = Untouched::bind((FORBIDDEN, url.port().unwrap())) {
            forbidden.set_nonblocking(true).unwrap();
            return (allowed, forbidden, url);
        }
    }
}

async fn answer_once(listener: &TcpListener, answer: &str) {
    let (mut stream, _) = accept(listener).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// What comes of a request to a server. It ends also if nobody comes to the server.
async fn beside<T>(client: impl Future<Output = T>, server: impl Future<Output = ()>) -> T {
    let mut client = pin!(client);
    tokio::select! {
        ended = &mut client => ended,
        () = server => client.await,
    }
}

/// Take out the filter in `Guard::allowed` (give back `addresses`): the first is connected to.
#[tokio::test]
async fn of_a_name_with_a_private_and_a_public_address_the_private_is_left_out() {
    let (allowed, forbidden, mut url) = two_listeners().await;
    url.set_host(Some("mixed.example")).unwrap();
    let egress = to_first(|_| vec![FORBIDDEN, ALLOWED]);
    let server = answer_once(&allowed, "HTTP/1.1 204 Fine\r\nconnection: close\r\n\r\n");
    let answer = beside(post(&egress, &url, PATIENCE), server).await;
    assert_untouched(&forbidden, "the private address before a public one");
    assert_eq!(answer.unwrap().status, 204);
}

/// Let all pass in `Guard::allowed` once one has: when the first can't be reached, the second is
/// tried.
#[tokio::test]
async fn of_a_name_whose_public_address_does_not_answer_the_private_is_not_tried() {
    let forbidden = untouched(FORBIDDEN);
    let port = forbidden.local_addr().unwrap().port();
    let url: Url = format!("http://mixed.example:{port}/").parse().unwrap();
    let both = |_: &str| -> std::io::Result<Vec<IpAddr>> {
        Ok([QUIET, FORBIDDEN].map(|address| address.parse::<IpAddr>().unwrap()).to_vec())
    };
    let egress = resolving(&["127.0.0.3/32"], both);
    let error = post(&egress, &url, PATIENCE).await.unwrap_err();
    assert_untouched(&forbidden, "the private address behind a public one");
    assert_eq!(error.label(), "connect", "{error}");
}

/// Have `Egress::connect` look the name up again behind the check; have `Guard::check` refuse none.
#[tokio::test]
async fn what_is_connected_to_is_the_address_that_was_checked() {
    let (allowed, forbidden, mut url) = two_listeners().await;
    url.set_host(Some("rebound.example")).unwrap();
    let looked_up = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked_up);
    // Public for who checks it, private for who looks again.
    let egress = to_first(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => vec![ALLOWED],
        _ => vec![FORBIDDEN],
    });
    let server = answer_once(&allowed, "HTTP/1.1 204 Fine\r\nconnection: close\r\n\r\n");
    let answer = beside(post(&egress, &url, PATIENCE), server).await;
    assert_untouched(&forbidden, "the second look-up");
    assert_eq!(answer.unwrap().status, 204);
    assert_eq!(looked_up.load(Ordering::SeqCst), 1, "once for a connection");

    // Who has forgotten the name looks again, and checks again.
    let egress = to_first(|_| vec![FORBIDDEN]);
    let refused = post(&egress, &url, BRIEF).await.map(drop);
    assert_untouched(&forbidden, "the changed name");
    assert_eq!(class(refused), "loopback");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nobody_goes_where_it_leads() {
    let mut followed = Vec::new();
    for status in REDIRECTS {
        let (allowed, forbidden, url) = two_listeners().await;
        let port = url.port().unwrap();
        let egress = to_first(|_| Vec::new());
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://{FORBIDDEN}:{port}/\r\n\
             refresh: 0;url=http://{FORBIDDEN}:{port}/\r\ncontent-length: 0\r\n\r\n"
        );
        let server = answer_once(&allowed, &answer);
        let posted = beside(post(&egress, &url, PATIENCE), server).await;
        assert_eq!(posted.unwrap().status, *status);
        let egress = to_first(|_| Vec::new());
        let server = answer_once(&allowed, &answer);
        let fetched = egress.fetch(&url, Some("{}".into()), 1024, PATIENCE);
        let fetched = beside(fetched, server).await;
        assert_eq!(fetched.unwrap().status, *status);
        if was_touched(&forbidden) {
            followed.push(format!("{status}, followed"));
        }
    }
    assert!(followed.is_empty(), "{}", followed.join("\n"));
}

/// Give the new `Way` of `Egress::reload` the old pool: the open connection is used again.
#[tokio::test]
async fn a_reload_counts_for_open_connections_too() {
    let (listener, mut url) = listener().await;
    url.set_host(Some("localhost")).unwrap();
    let egress = to_loopback();
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream
    };
    let (answer, _open) = tokio::join!(post(&egress, &url, PATIENCE), server);
    assert_eq!(answer.unwrap().status, 200);

    egress.reload(Config::default()).unwrap();

    let error = post(&egress, &url, PATIENCE).await.unwrap_err();
    let was_refused = matches!(error, EgressError::Refused(_));
    assert!(was_refused, "the open connection was used again: {error:?}");
}
