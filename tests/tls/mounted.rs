//! A ConfigMap and a Secret of Kubernetes: a swap of one link changes all files of a mount at once,
//! and the folder that they were in before is gone.
//!
//! Nothing here tells the gateway to look.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tokio::time::timeout;

use super::{PATIENCE, PUBLIC, Peer, certificate};
use crate::harness::{
    Authority, Harness, Identity, STRIPE_SECRET, Setup, Wire, payment, stripe_signature,
};

const NEXT_SECRET: &str = "whsec_test_stripe_next";

/// A folder that the kubelet fills: each file is a link through `..data` to where its version lies.
struct Mount {
    folder: PathBuf,
    version: u32,
}

impl Mount {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), version: 0 }
    }

    /// Swaps these files in, as the kubelet does it.
    fn swap(&mut self, files: &[(&str, &str)]) {
        let before = self.folder.join(format!("..{}", self.version));
        self.version += 1;
        let now = format!("..{}", self.version);
        let folder = self.folder.join(&now);
        fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let partial = self.folder.join("..data_tmp");
        symlink(now, &partial).unwrap();
        fs::rename(partial, self.folder.join("..data")).unwrap();
        if self.version > 1 {
            fs::remove_dir_all(before).unwrap();
            return;
        }
        for (name, _) in files {
            symlink(Path::new("..data").join(name), self.folder.join(name)).unwrap();
        }
    }

    /// The same for the secrets of a gateway.
    fn swap_secrets(&mut self, secret: &str, port: &Identity) {
        let (certificate, key) = (port.pem(), port.key_pem());
        self.swap(&[("stripe", secret), ("port.pem", &certificate), ("port.key", &key)]);
    }
}

/// What a request that this secret signs is answered.
async fn posted(gateway: &Harness, peer: &Peer, path: &str, (secret, id): (&str, &str)) -> u16 {
    let body = payment(id, "pi_1", "payment_failed");
    let signature = stripe_signature(secret, gateway.clock().now().seconds(), &body);
    let stream = peer.connect(gateway.public()).await.expect("the gateway agrees on TLS");
    let headers = [("stripe-signature", signature.as_str())];
    let heard = Wire::over(stream).post(path, &headers, &body).await;
    heard.expect("the gateway answers").status
}

/// Guards I9.
#[tokio::test]
async fn files_that_kubernetes_swaps_are_noticed_and_change_together() {
    let authority = Authority::new("root");
    let peer = Peer::trusting(&[&authority]).anew();
    let source = "plugin = \"stripe\"\nsecrets = [{ file = \"secrets/stripe\" }]";
    let public = PUBLIC.replace("port.", "secrets/port.");
    let setup = Setup::new().plugin("stripe").table(&format!("[sources.stripe]\n{source}"));
    let stopped = setup.table(&public).prepare();
    let (file, secrets) =
        (stopped.folder().join("hookgate.toml"), stopped.folder().join("secrets"));
    let config = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&secrets).unwrap();
    let (mut map, mut secrets) = (Mount::new(stopped.folder()), Mount::new(&secrets));
    map.swap(&[("hookgate.toml", &config)]);
    secrets.swap_secrets(STRIPE_SECRET, &authority.issue("port"));
    let gateway = stopped.start().await;
    assert_eq!(posted(&gateway, &peer, "/in/stripe", (STRIPE_SECRET, "evt_1")).await, 200);

    let next = authority.issue("port");
    secrets.swap_secrets(NEXT_SECRET, &next);
    let seen = async {
        while certificate(&peer.connect(gateway.public()).await.unwrap()) != next.certificate {}
    };
    timeout(PATIENCE, seen).await.expect("the new certificate is shown");
    let with_next = posted(&gateway, &peer, "/in/stripe", (NEXT_SECRET, "evt_2")).await;
    let with_last = posted(&gateway, &peer, "/in/stripe", (STRIPE_SECRET, "evt_3")).await;
    assert_eq!((with_next, with_last), (200, 401), "all of a mount changes at once");

    map.swap(&[("hookgate.toml", &format!("{config}\n[sources.other]\n{source}\n"))]);
    let other = ("/in/other", (NEXT_SECRET, "evt_4"));
    let seen = async { while posted(&gateway, &peer, other.0, other.1).await == 404 {} };
    timeout(PATIENCE, seen).await.expect("the new source is there");
    assert_eq!(posted(&gateway, &peer, other.0, other.1).await, 200);
    gateway.settle().await;
    assert_eq!(gateway.events("").await.len(), 3);
}
