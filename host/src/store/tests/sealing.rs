//! A store whose log is encrypted: it works as any other, and without its key nothing of it is
//! told.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::master_key::MasterKey;
use crate::secrets::Secret;

/// Stands in the bodies of receipts.
const PLANTED: &str = "card 4539 5787 6362 1486";

fn key(byte: u8) -> MasterKey {
    MasterKey::parse(&Secret::new(&hex::encode([byte; 32])).unwrap()).unwrap()
}

fn sealing(keys: &[u8]) -> VolumeKeys {
    VolumeKeys::sealing(keys.iter().copied().map(key).collect())
}

fn config(folder: &Path, keys: VolumeKeys) -> Config {
    Config { keys, ..alone(&Config::at(folder)) }
}

fn open(folder: &Path, keys: VolumeKeys) -> Result<Store, OpenError> {
    Store::open(&config(folder, keys), Clock::manual(NOW))
}

async fn stored(store: &Store) -> Id {
    let Appended::Stored(id) = store.append(receipt(&[PLANTED])).await.unwrap() else {
        panic!("it is new")
    };
    id
}

async fn body(store: &Store, id: Id) -> String {
    let receipt = store.read_receipt(id).await.unwrap().unwrap();
    String::from_utf8(receipt.request.body.to_vec()).unwrap()
}

/// The volumes that hold this text as it is.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let volumes = files.filter(|path| path.extension().is_some_and(|ending| ending == "hgv"));
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    volumes.filter(holds).map(|path| path.display().to_string()).collect()
}

/// Write the frames of a sealed volume as they are, and the disk has the body.
#[tokio::test]
async fn an_encrypted_store_reads_what_it_wrote_and_its_volumes_show_nothing() {
    let (plain, sealed) = (in_memory(), in_memory());
    let store = open(plain.path(), VolumeKeys::default()).unwrap();
    stored(&store).await;
    store.close().await.unwrap();
    assert_eq!(holding(plain.path(), PLANTED).len(), 1, "what looks for it finds it");

    let store = open(sealed.path(), sealing(&[1])).unwrap();
    let id = stored(&store).await;
    store.close().await.unwrap();
    assert!(holding(sealed.path(), PLANTED).is_empty());
    let store = open(sealed.path(), sealing(&[1])).unwrap();
    assert!(body(&store, id).await.contains(PLANTED));
    assert!(matches!(store.append(receipt(&[PLANTED])).await, Ok(Appended::Duplicate(_))));
    store.close().await.unwrap();
}

#[tokio::test]
async fn without_its_key_an_encrypted_store_does_not_open_and_names_the_key() {
    let folder = in_memory();
    let store = open(folder.path(), sealing(&[1])).unwrap();
    stored(&store).await;
    store.close().await.unwrap();
    for keys in [VolumeKeys::default(), sealing(&[2])] {
        let error = crate::causes::chain(&open(folder.path(), keys).unwrap_err());
        assert!(error.contains(&hex::encode(key(1).id())), "{error}");
    }
    // Nothing was made or changed meanwhile.
    let store = open(folder.path(), sealing(&[1])).unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_check_looks_at_an_encrypted_store_and_tells_what_it_could_not_look_at() {
    let folder = in_memory();
    let store = open(folder.path(), sealing(&[1])).unwrap();
    stored(&store).await;
    store.close().await.unwrap();

    let seen = AtomicU64::new(0);
    let whole = check_counting(folder.path(), &sealing(&[1]), &seen).unwrap();
    let shut = check(folder.path()).unwrap();

    assert_eq!((whole.found, whole.locked), (0, 0), "{whole:?}");
    assert!(whole.records > 0, "{whole:?}");
    assert_eq!((shut.found, shut.records), (0, 0), "{shut:?}");
    assert_eq!((shut.locked, shut.frames), (whole.segments, whole.frames));
    assert_eq!(shut.locked_by.into_iter().collect::<Vec<_>>(), [hex::encode(key(1).id())]);
}

#[tokio::test]
async fn a_repair_reads_an_encrypted_store_with_its_key_only() {
    let folder = in_memory();
    let store = open(folder.path(), sealing(&[1])).unwrap();
    let id = stored(&store).await;
    store.close().await.unwrap();

    let undecided = (Undecided::Dead, None);
    assert!(repair_with(folder.path(), &VolumeKeys::default(), true, undecided).is_err());
    repair_with(folder.path(), &sealing(&[1]), true, undecided).unwrap();

    let store = open(folder.path(), sealing(&[1])).unwrap();
    assert!(body(&store, id).await.contains(PLANTED));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_running_store_goes_over_to_another_master_key_and_the_old_one_may_go() {
    let folder = in_memory();
    let store = open(folder.path(), sealing(&[1])).unwrap();
    let id = stored(&store).await;
    store.set_master_keys(vec![key(2), key(1)]);
    assert!(store.renew_seals().await.unwrap() > 0);
    assert_eq!(store.renew_seals().await.unwrap(), 0);
    store.close().await.unwrap();

    let store = open(folder.path(), sealing(&[2])).unwrap();
    assert!(body(&store, id).await.contains(PLANTED));
    store.close().await.unwrap();
    assert!(open(folder.path(), sealing(&[1])).is_err());
}

#[tokio::test]
async fn a_store_is_encrypted_from_a_start_on_and_reads_what_was_plain() {
    let folder = in_memory();
    let store = open(folder.path(), VolumeKeys::default()).unwrap();
    let Appended::Stored(before) = store.append(receipt(&["evt_plain"])).await.unwrap() else {
        panic!("it is new")
    };
    store.close().await.unwrap();
    let store = open(folder.path(), sealing(&[1])).unwrap();
    let after = stored(&store).await;
    assert!(body(&store, before).await.contains("evt_plain"));
    store.close().await.unwrap();

    assert!(holding(folder.path(), PLANTED).is_empty());
    let opening = VolumeKeys::opening(vec![key(1)]);
    let store = open(folder.path(), opening).unwrap();
    assert!(body(&store, after).await.contains(PLANTED));
    store.close().await.unwrap();
}
