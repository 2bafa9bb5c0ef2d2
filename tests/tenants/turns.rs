//! Requests of a tenant that take their time: what they leave to everybody else.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{kind, make, of_merchants, send};
use crate::harness::Harness;

/// Requests of a tenant that are answered at a time.
const OF_A_TENANT: usize = 16;

/// A request whose body is still to come.
struct Slow(TcpStream);

impl Slow {
    /// Sends the head, and waits until the gateway asks for the body: by then it has its turn.
    async fn begin(gateway: &Harness, by: &str, path: &str, header: &str) -> Self {
        let address = gateway.admin().strip_prefix("http://").expect("it is an address");
        let mut slow = Self(TcpStream::connect(address).await.expect("the gateway listens"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {by}\r\n{header}\
             content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\
             expect: 100-continue\r\n\r\n"
        );
        slow.0.write_all(head.as_bytes()).await.expect("the gateway reads");
        let wanted = "HTTP/1.1 100 Continue\r\n\r\n";
        let mut interim = vec![0; wanted.len()];
        slow.0.read_exact(&mut interim).await.expect("the gateway goes on");
        assert_eq!(String::from_utf8_lossy(&interim), wanted);
        slow
    }

    /// Sends the body, and gives the status of the answer.
    async fn end(mut self) -> String {
        self.0.write_all(b"{}").await.expect("the gateway reads");
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.expect("the answer is whole");
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

/// Guards that no tenant keeps the operator, or another tenant, from being answered (I11). Take the
/// turn behind `idempotency::begin`, where it was: half of these have none, and a seventeenth is
/// let in.
#[tokio::test]
async fn slow_bodies_of_a_tenant_leave_the_turns_to_everybody_else() {
    let gateway = of_merchants().await;
    let ops = make(&gateway, "", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let mut tenants = Vec::new();
    for tenant in ["acme", "globex"] {
        let scopes = ["read", "replay", "write"];
        let token = json!({ "name": tenant, "scopes": scopes, "tenant": tenant });
        tenants.push(make(&gateway, &ops, &token).await);
    }
    let [acme, globex] = [&tenants[0], &tenants[1]];
    let ask = async |by: &str| send(&gateway, by, "GET", "/v1/endpoints", None).await;

    let mut slow = Vec::new();
    for number in 0..OF_A_TENANT / 2 {
        let key = format!("idempotency-key: slow-{number}\r\n");
        slow.push(Slow::begin(&gateway, acme, "/v1/endpoints", "").await);
        slow.push(Slow::begin(&gateway, acme, "/v1/replays", &key).await);
    }
    let refused = ask(acme).await;
    let others = [ask(globex).await.status, ask(&ops).await.status];
    let mut ended = Vec::new();
    for slow in slow {
        ended.push(slow.end().await);
    }

    assert_eq!((refused.status, kind(&refused).as_str()), (429, "too-many-requests"));
    assert_eq!(others, [200, 200]);
    assert_eq!(ended, ["422"; OF_A_TENANT]);
    assert_eq!(ask(acme).await.status, 200);
}
