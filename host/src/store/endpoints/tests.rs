//! The rows of endpoints, wherever they lie.

use super::health::{EndpointNote, StatsHour, note, stand};
use super::*;
use crate::endpoint::{Sealed, Status, Why};
use crate::store::access::memory::Memory;

fn id(position: u64) -> Id {
    Id { kind: IdKind::Endpoint, position, tag: 7 }
}

fn new(position: u64, name: &str, tenant: Option<&str>) -> NewEndpoint {
    let settings = RawSettings {
        name: name.to_owned(),
        tenant: tenant.map(str::to_owned),
        url: "https://a".to_owned(),
        ..RawSettings::default()
    };
    let sealed = Sealed { key: [1; 8], salt: [2; 32], bytes: vec![3], fingerprint: [4; 8] };
    let (created_at, expires_at) = (Timestamp(5), None);
    let secrets = vec![SealedSecret { number: 1, kind: 0, sealed, created_at, expires_at }];
    NewEndpoint { id: id(position), settings, secrets }
}

fn made(rows: &mut Memory, new: &NewEndpoint) -> StoredEndpoint {
    add(rows, new, Timestamp(5)).unwrap().unwrap()
}

#[test]
fn a_name_is_given_once_for_each_tenant_and_again_when_it_is_free() {
    let mut rows = Memory::default();
    made(&mut rows, &new(1, "crm", None));
    made(&mut rows, &new(2, "crm", Some("acme")));
    let again = add(&mut rows, &new(3, "crm", None), Timestamp(6)).unwrap();
    assert!(matches!(again, Err(Error::EndpointExists(it)) if it == id(1)));

    let renamed = Box::new(RawSettings { name: "erp".to_owned(), ..new(1, "", None).settings });
    let settings = EndpointChange::Settings(renamed);
    let after = change(&mut rows, (id(1), 1), &settings, Timestamp(7)).unwrap().unwrap();
    assert_eq!(
        (after.revision, after.created_at, after.updated_at),
        (2, Timestamp(5), Timestamp(7))
    );
    made(&mut rows, &new(3, "crm", None));
    let taken = change(&mut rows, (id(3), 1), &settings, Timestamp(8)).unwrap();
    assert!(matches!(taken, Err(Error::EndpointExists(it)) if it == id(1)));

    delete(&mut rows, id(1), Timestamp(9)).unwrap().unwrap();
    made(&mut rows, &new(4, "erp", None));
    let gone = delete(&mut rows, id(1), Timestamp(9)).unwrap();
    assert!(matches!(gone, Err(Error::NoSuchEndpoint(it)) if it == id(1)));
    assert_eq!(count(&rows).unwrap(), 3);
}

#[test]
fn a_change_of_what_somebody_has_changed_meanwhile_changes_nothing() {
    let mut rows = Memory::default();
    made(&mut rows, &new(1, "crm", None));
    let standing = Standing { status: Status::Paused, why: Some(Why::Operator), since: NOW };
    let pause = EndpointChange::Standing(standing);
    change(&mut rows, (id(1), 1), &pause, NOW).unwrap().unwrap();
    let both = EndpointChange::Both(Box::new(new(1, "erp", None).settings), Vec::new());
    for late in [EndpointChange::Secrets(Vec::new()), both.clone()] {
        let late = change(&mut rows, (id(1), 1), &late, NOW).unwrap();
        assert!(matches!(late, Err(Error::EndpointChanged { revision: 2 })));
    }
    let left = found(&rows, id(1)).unwrap().unwrap();
    assert!(left.standing == standing && left.secrets.len() == 1);
    let after = change(&mut rows, (id(1), 2), &both, NOW).unwrap().unwrap();
    assert_eq!((after.settings.name.as_str(), after.secrets.len(), after.revision), ("erp", 0, 3));
}

const NOW: Timestamp = Timestamp(40 * 24 * 3_600_000);

fn hour(hour: u32) -> StatsHour {
    let latency = std::array::from_fn(|bucket| u32::from(bucket == 3));
    StatsHour { hour, attempts: 2, successes: 1, latency, bytes: 10 }
}

#[test]
fn notes_are_added_up_by_hours_and_old_hours_go() {
    let mut rows = Memory::default();
    let key: Name = "crm".parse().unwrap();
    let this = u32::try_from(NOW.0 / 3_600_000).unwrap();
    let noted = |hours: &[u32], failures| EndpointNote {
        key: key.clone(),
        health: Some(Health { failures, ..Health::default() }),
        hours: hours.iter().copied().map(hour).collect(),
    };
    let old = [this - 800, this - 700];
    note(&mut rows, &[noted(&old, 1)], Timestamp(NOW.0 - 700 * 3_600_000)).unwrap();
    let paused = Standing { status: Status::Paused, why: None, since: NOW };
    stand(&mut rows, &key, paused).unwrap();
    note(&mut rows, &[noted(&[this], 2)], NOW).unwrap();
    note(&mut rows, &[noted(&[this], 3)], NOW).unwrap();

    let rows: Vec<_> = rows.rows(Kept::Endpoints).unwrap().into_iter().collect();
    let stats: Vec<&Vec<u8>> =
        rows.iter().map(|(key, _)| key).filter(|key| key[0] == STATS).collect();
    assert_eq!(stats.len(), 2, "the hour 800 hours ago is gone");
    assert!(stats[1].ends_with(&this.to_be_bytes()));
    let fares = rows.iter().find(|(key, _)| key[0] == HEALTH).unwrap();
    let fares = Health::read(&fares.1).unwrap();
    assert_eq!((fares.failures, fares.standing), (3, Some(paused)));
}

#[test]
fn all_that_is_known_of_an_endpoint_goes_with_it() {
    let mut rows = Memory::default();
    let made = made(&mut rows, &new(1, "crm", None));
    let (health, hours) = (Some(Health::default()), vec![hour(9)]);
    note(&mut rows, &[EndpointNote { key: made.id.key(), health, hours }], NOW).unwrap();
    delete(&mut rows, id(1), NOW).unwrap().unwrap();
    let left: Vec<u8> = rows.rows(Kept::Endpoints).unwrap().keys().map(|key| key[0]).collect();
    assert_eq!(left, [TOMBSTONE, COUNT]);
    drained(&mut rows, id(1)).unwrap();
    bury(&mut rows, &[id(1)]);
    assert_eq!(rows.rows(Kept::Endpoints).unwrap().len(), 1);
}

/// The bytes as another version reads them: a change here is another format.
#[test]
fn rows_are_spelled_as_they_were_by_the_version_before() {
    let mut rows = Memory::default();
    made(&mut rows, &new(0x0102, "crm", Some("acme")));
    let (key, row) = rows.rows(Kept::Endpoints).unwrap().into_iter().next().unwrap();
    assert_eq!(key, [1, 0, 0, 0, 0, 0, 0, 1, 2]);
    let settings = br#"{"name":"crm","tenant":"acme","url":"https://a","events":[]}"#;
    let length = u8::try_from(settings.len()).unwrap();
    let head = [&[0, length][..], settings, &[0, 0, 5, 5, 5, 1]].concat();
    let secret = [&[1, 1, 0][..], &[1; 8], &[2; 32], &[1, 3], &[4; 8], &[5, 0]].concat();
    assert_eq!(row[..], [head, secret].concat());
    for length in 0..row.len() {
        assert!(read_endpoint(0x0102, 7, &row[..length]).is_err(), "{length} bytes");
    }
    let name = [&[2][..], b"acme", &[0], b"crm"].concat();
    assert_eq!(rows.row(Kept::Endpoints, &name).unwrap().unwrap()[..], [0, 0, 0, 0, 0, 0, 1, 2]);

    delete(&mut rows, id(0x0102), Timestamp(300)).unwrap().unwrap();
    let row = rows.row(Kept::Endpoints, &key_of_tombstone()).unwrap().unwrap();
    let spelled = [&[0, 3][..], b"crm", &[1, 4], b"acme", &[0xac, 2, 1]].concat();
    assert_eq!(row[..], spelled);
}

fn key_of_tombstone() -> Vec<u8> {
    key(TOMBSTONE, 0x0102)
}

#[test]
fn an_endpoint_whose_standing_nobody_knows_waits() {
    let mut rows = Memory::default();
    made(&mut rows, &new(1, "crm", None));
    let row = rows.row(Kept::Endpoints, &key(ENDPOINT, 1)).unwrap().unwrap();
    let mut row = row.to_vec();
    let at = row.iter().position(|byte| *byte == b'}').unwrap() + 1;
    (row[at], row[at + 1]) = (9, 9);
    let read = read_endpoint(1, 7, &row).unwrap();
    assert_eq!((read.standing.status, read.standing.why), (Status::Paused, None));
}
