//! The directory over a real store.

use super::*;
use crate::endpoint::{Origin, RawSettings, Standing, Why, check};
use crate::event::Event;
use crate::json_text::JsonText;
use crate::store::{EndpointChange, NewEvent, Routes};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

async fn open(folder: &tempfile::TempDir) -> (Store, Directory) {
    let clock = Clock::manual(NOW);
    let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
    let directory = Directory::open(store.clone(), Arc::default(), clock).await.unwrap();
    (store, directory)
}

fn raw(name: &str, tenant: Option<&str>) -> RawSettings {
    RawSettings {
        name: name.to_owned(),
        tenant: tenant.map(str::to_owned),
        url: "https://crm.example".to_owned(),
        events: vec!["payment.*".to_owned()],
        ..RawSettings::default()
    }
}

fn of_file(name: &str) -> FileEndpoint {
    FileEndpoint {
        settings: check(raw(name, None), Origin::File).unwrap(),
        keys: Vec::new(),
        credential: None,
        client_key: None,
    }
}

fn event(id: &str) -> Event {
    Event {
        source: "stripe".parse().unwrap(),
        id: id.to_owned(),
        event_type: "payment.failed".to_owned(),
        subject: Some("pi_1".to_owned()),
        time: NOW,
        money: None,
        labels: Vec::new(),
        data: JsonText::new("{}".to_owned()).unwrap(),
    }
}

fn routed(directory: &Directory, tenant: Option<&str>) -> Vec<Name> {
    let tenant: Option<Tenant> = tenant.map(|text| text.parse().unwrap());
    directory.routes().routes(&event("evt_1"), tenant.as_ref())
}

async fn create(directory: &Directory, raw: RawSettings) -> Result<Arc<Listed>, DirectoryError> {
    directory.create(raw, &|_, _| Ok(Vec::new())).await
}

#[tokio::test]
async fn an_empty_directory_has_nothing_and_changes_by_itself_never() {
    let directory = Directory::empty(Arc::default());
    assert!(directory.all().is_empty());
    assert!(directory.get(&"crm".parse().unwrap()).is_none());
    let changes = directory.clone().changes();
    assert!(*changes.borrow() == 0 && !changes.has_changed().unwrap());
    assert!(create(&directory, raw("crm", None)).await.is_err());
}

#[tokio::test]
async fn what_is_made_changed_and_deleted_is_so_at_once_and_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (store, directory) = open(&folder).await;
    let (crm, erp) = (raw("crm", None), raw("erp", Some("acme")));
    let crm = create(&directory, crm).await.unwrap().endpoint.clone();
    let erp = create(&directory, erp).await.unwrap().endpoint.clone();
    assert_eq!(routed(&directory, None), std::slice::from_ref(&crm.key));
    assert_eq!(routed(&directory, Some("acme")), [crm.key.clone(), erp.key.clone()]);

    let renamed = RawSettings { name: "sales".to_owned(), ..raw("crm", None) };
    let change = EndpointChange::Settings(Box::new(renamed));
    let changed = directory.change(crm.id, Some(1), change.clone()).await.unwrap();
    assert_eq!((changed.endpoint.key.clone(), changed.endpoint.revision), (crm.key.clone(), 2));
    let stale = directory.change(crm.id, Some(1), change).await.unwrap_err();
    let is_changed = |error: &DirectoryError| {
        matches!(error, DirectoryError::Store(store::Error::EndpointChanged { revision: 2 }))
    };
    assert!(is_changed(&stale), "{stale}");
    directory.delete(erp.id).await.unwrap();
    assert_eq!(routed(&directory, Some("acme")), std::slice::from_ref(&crm.key));
    let again = directory.delete(erp.id).await.unwrap_err();
    assert!(matches!(again, DirectoryError::Deleted(id) if id == erp.id));

    drop(directory);
    store.close().await.unwrap();
    let (_, directory) = open(&folder).await;
    let names: Vec<Name> =
        directory.all().iter().map(|listed| listed.endpoint.settings.name.clone()).collect();
    assert_eq!(names, ["sales".parse::<Name>().unwrap()]);
    assert_eq!(routed(&directory, Some("acme")), [crm.key]);
    let deleted = directory.get(&erp.key).unwrap();
    assert_eq!(deleted.deleted, Some(NOW));
    assert_eq!(deleted.endpoint.settings.tenant, erp.settings.tenant);
    assert_eq!(directory.draining().len(), 1);
    directory.drained(erp.id).await.unwrap();
    assert!(directory.draining().is_empty());
    directory.bury(vec![erp.id]).await.unwrap();
    assert!(directory.get(&erp.key).is_none());
}

/// Whoever follows the directory comes later, and events may come before.
#[tokio::test]
async fn what_is_stored_as_soon_as_an_endpoint_is_there_goes_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, directory) = open(&folder).await;
    let ordered = || RawSettings { order: Some("subject".to_owned()), ..raw("crm", None) };
    let of_api = RawSettings { tenant: Some("acme".to_owned()), ..ordered() };
    let of_api = create(&directory, of_api).await.unwrap().endpoint.key.clone();
    let settings = check(ordered(), Origin::File).unwrap();
    directory.configure(vec![FileEndpoint { settings, ..of_file("crm") }]);

    let endpoints = vec!["crm".parse().unwrap(), of_api];
    let routes = Arc::new(Routes { handlers: Vec::new(), endpoints });
    let new = |id: &str| NewEvent {
        event: Arc::new(event(id)),
        routes: Arc::clone(&routes),
        allowance: None,
        tenant: None,
        trace: None,
    };
    store.raise(vec![new("evt_1"), new("evt_2")]).await.unwrap();
    let taken = store.take_deliveries(9, 9).await.unwrap();
    assert_eq!(taken.len(), 2, "the second waits for the first at both");
}

#[tokio::test]
async fn a_name_is_given_once_for_each_tenant_also_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, directory) = open(&folder).await;
    directory.configure(vec![of_file("crm")]);
    let exists = |error: &DirectoryError| {
        matches!(error, DirectoryError::Store(store::Error::EndpointExists(_)))
    };
    let refused = create(&directory, raw("crm", None)).await.unwrap_err();
    assert!(exists(&refused), "{refused}");
    create(&directory, raw("crm", Some("acme"))).await.unwrap();
    let refused = create(&directory, raw("crm", Some("acme"))).await.unwrap_err();
    assert!(exists(&refused), "{refused}");
    create(&directory, raw("crm", Some("other"))).await.unwrap();
}

#[tokio::test]
async fn of_an_endpoint_in_the_configuration_only_where_it_stands_is_changed_and_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (store, directory) = open(&folder).await;
    directory.configure(vec![of_file("crm")]);
    let id = directory.get(&"crm".parse().unwrap()).unwrap().endpoint.id;
    let settings = EndpointChange::Settings(Box::new(raw("crm", None)));
    let refused = directory.change(id, None, settings).await.unwrap_err();
    assert!(matches!(refused, DirectoryError::InConfiguration(_)), "{refused}");
    let refused = directory.delete(id).await.unwrap_err();
    assert!(matches!(refused, DirectoryError::InConfiguration(_)), "{refused}");

    let paused = Standing { status: Status::Paused, why: Some(Why::Operator), since: NOW };
    directory.change(id, None, EndpointChange::Standing(paused)).await.unwrap();
    directory.configure(vec![of_file("crm"), of_file("erp")]);
    assert_eq!(directory.by_id(id).unwrap().endpoint.standing, paused);
    drop(directory);
    store.close().await.unwrap();
    let (_, directory) = open(&folder).await;
    directory.configure(vec![of_file("crm")]);
    assert_eq!(directory.by_id(id).unwrap().endpoint.standing, paused);
}

/// Guards that one that the store has disabled gets nothing, although the disk was away before the
/// answer.
#[tokio::test]
async fn an_endpoint_of_the_configuration_stands_as_the_store_has_it_once_that_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, directory) = open(&folder).await;
    directory.configure(vec![of_file("crm")]);
    let key: Name = "crm".parse().unwrap();
    let standing = Standing { status: Status::Disabled, why: Some(Why::Gone410), since: NOW };
    store.stand_endpoint(key.clone(), standing).await.unwrap();
    directory.0.is_stale.store(true, Ordering::Relaxed);

    create(&directory, raw("erp", None)).await.unwrap();
    let listed = directory.get(&key).unwrap();
    assert_eq!((listed.endpoint.standing, listed.endpoint.revision), (standing, 2));
}

#[tokio::test]
async fn whoever_follows_learns_which_endpoints_were_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, directory) = open(&folder).await;
    let seen = *directory.changes().borrow();
    let crm = create(&directory, raw("crm", None)).await.unwrap().endpoint.clone();
    assert_eq!(directory.changed_since(seen), Some(vec![crm.key.clone()]));
    let seen = *directory.changes().borrow();
    assert_eq!(directory.changed_since(seen), Some(Vec::new()));
    directory.configure(Vec::new());
    assert_eq!(directory.changed_since(seen), None, "it may be any");
}

#[tokio::test]
async fn a_page_has_the_newest_first_and_goes_on_behind_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, directory) = open(&folder).await;
    for (name, tenant) in [("a", None), ("b", Some("acme")), ("c", Some("acme")), ("d", None)] {
        create(&directory, raw(name, tenant)).await.unwrap();
    }
    let names = |listed: &[Arc<Listed>]| -> Vec<String> {
        listed.iter().map(|listed| listed.endpoint.settings.name.to_string()).collect()
    };
    let all = EndpointFilter::default();
    let first = directory.page(&all, None, 3);
    assert_eq!(names(&first), ["d", "c", "b"]);
    assert_eq!(names(&directory.page(&all, Some(first[2].endpoint.id), 3)), ["a"]);
    let acme = EndpointFilter { tenant: Some("acme".parse().unwrap()), ..all.clone() };
    assert_eq!(names(&directory.page(&acme, None, 9)), ["c", "b"]);
    let named = EndpointFilter { name: Some("a".parse().unwrap()), ..all };
    assert_eq!(names(&directory.page(&named, None, 9)), ["a"]);
}

/// Guards that one tenant does not take the places of all others.
#[tokio::test]
async fn a_tenant_has_a_thousand_endpoints_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, directory) = open(&folder).await;
    let of_acme = |position: u64, deleted: Option<Timestamp>| {
        let listed = active::listed(position, Vec::new());
        let tenant = Some("acme".parse().unwrap());
        let settings = Settings { tenant, ..Settings::clone(&listed.endpoint.settings) };
        let endpoint = Endpoint { settings: Arc::new(settings), ..listed.endpoint.clone() };
        Arc::new(Listed { endpoint, secrets: Arc::from([]), deleted })
    };
    let crm = async |tenant: Option<&str>| create(&directory, raw("crm", tenant)).await;
    let is_refused = |made: &Result<Arc<Listed>, _>| matches!(made, Err(DirectoryError::TooMany));
    let first = 1 << 40;
    (first..first + 1_000).for_each(|position| directory.known().put(of_acme(position, None)));
    assert!(is_refused(&crm(Some("acme")).await));
    assert!(crm(Some("globex")).await.is_ok() && crm(None).await.is_ok());
    assert!(directory.deleted_of("acme".parse().unwrap()).is_empty());

    let gone = |position: u64| directory.known().put(of_acme(position, Some(NOW)));
    (first..first + 10_000).for_each(gone);
    assert!(is_refused(&crm(Some("acme")).await), "those that were deleted are remembered");
    assert_eq!(directory.deleted_of("acme".parse().unwrap()).len(), 10_000);
    let key = of_acme(first, None).endpoint.key.clone();
    directory.known().take(&key);
    assert!(crm(Some("acme")).await.is_ok());
}
