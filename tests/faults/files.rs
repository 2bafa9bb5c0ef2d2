//! Data that can't be used: a start that says which file and why, ends, and leaves it as it is.

use std::path::PathBuf;

use crate::harness::{Process, Receiver, Setup, Stopped, payment, refusal, serve};

/// The store's file of a gateway.
fn file(stopped: &Stopped) -> PathBuf {
    stopped.folder().join("data/hookgate.redb")
}

/// The last line must say which file it is and why it will not do.
#[track_caller]
fn check_said(stopped: &Stopped, said: &str, why: &str) {
    let place = file(stopped).display().to_string();
    let last = said.lines().last().unwrap_or_default();
    let is_clear = last.starts_with("hookgate: ") && last.contains(&place) && last.contains(why);
    assert!(is_clear && !last.contains("panicked"), "{said}");
}

/// The file must be as it was.
#[track_caller]
fn check_untouched(stopped: &Stopped, bytes: &[u8]) {
    let now = std::fs::read(file(stopped)).unwrap();
    let first = now.iter().zip(bytes).position(|(now, before)| now != before);
    assert_eq!((now.len(), first), (bytes.len(), None), "its length, and what is different");
}

async fn check_foreign(bytes: &[u8]) {
    let stopped = Setup::stripe().prepare();
    std::fs::create_dir(stopped.folder().join("data")).unwrap();
    std::fs::write(file(&stopped), bytes).unwrap();

    let said = refusal(serve(&stopped)).await;

    check_said(&stopped, &said, "is not a store of Hookgate");
    check_untouched(&stopped, bytes);
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_alone() {
    check_foreign(b"").await;
    check_foreign(b"shopping list:\n- milk\n").await;
    check_foreign(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").await;
    let mut sqlite = b"SQLite format 3\0".to_vec();
    sqlite.resize(8192, 0);
    check_foreign(&sqlite).await;
}

/// A gateway that has done something, or nothing.
async fn used(events: usize) -> Process {
    let gateway = Process::start(Setup::stripe().prepare()).await;
    for number in 0..events {
        let event = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&event).await.accepted();
    }
    gateway.settle().await;
    gateway
}

/// A start on each of these cuts must fail.
async fn check_cuts(stopped: &Stopped, whole: &[u8], cuts: &[usize]) {
    for bytes in cuts {
        std::fs::write(file(stopped), &whole[..*bytes]).unwrap();
        let said = refusal(serve(stopped)).await;
        check_said(stopped, &said, "failed to open the store");
    }
}

#[tokio::test]
async fn a_file_that_was_cut_short_after_a_stop_is_refused_and_left_alone() {
    let stopped = used(20).await.terminate().await;
    let whole = std::fs::read(file(&stopped)).unwrap();
    for bytes in [whole.len() - 1, whole.len() - 4096, whole.len() / 2, 4096, 320, 9] {
        check_cuts(&stopped, &whole, &[bytes]).await;
        check_untouched(&stopped, &whole[..bytes]);
    }

    std::fs::write(file(&stopped), &whole).unwrap();
    let gateway = Process::start(stopped).await;
    assert_eq!(gateway.events().await.len(), 20);
    gateway.terminate().await;
}

/// What is cut off may be room that nothing was in: redb does not mind that after a kill.
#[tokio::test]
async fn a_file_that_was_cut_short_after_a_kill_is_refused() {
    let stopped = used(20).await.kill().await;
    let whole = std::fs::read(file(&stopped)).unwrap();
    check_cuts(&stopped, &whole, &[whole.len() - 1, 4096, 320, 9]).await;
}

#[tokio::test]
async fn a_new_file_that_was_cut_short_after_a_kill_is_refused() {
    let stopped = used(0).await.kill().await;
    let whole = std::fs::read(file(&stopped)).unwrap();
    check_cuts(&stopped, &whole, &[whole.len() - 4096, whole.len() / 2]).await;
}

#[tokio::test]
async fn a_second_gateway_on_the_same_data_is_refused_and_the_first_goes_on() {
    let receiver = Receiver::start().await;
    let setup = Setup::stripe().endpoint("crm", &receiver, &["payment.failed"]);
    let gateway = Process::start(setup.prepare()).await;

    let said = refusal(serve(gateway.stopped())).await;

    let place = file(gateway.stopped());
    let why = format!("the store {} is in use by another gateway", place.display());
    assert!(said.lines().last().unwrap_or_default().ends_with(&why), "{said}");
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    assert_eq!(receiver.received().len(), 1);
    gateway.terminate().await;
}

/// Somebody whom modes bind, which they do not do with root.
#[cfg(unix)]
mod modes {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use tokio::process::Command;

    use super::*;
    use crate::harness::copy_program;

    const NOBODY: u32 = 65534;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `hookgate serve` as somebody who may read everything in the folder.
    fn serve_as_nobody(stopped: &Stopped) -> Command {
        if !rustix::process::geteuid().is_root() {
            return serve(stopped);
        }
        // The program itself may lie where only root may look.
        let copy = stopped.folder().join("hookgate");
        copy_program(&copy);
        set(stopped.folder(), 0o755);
        let mut command = Command::new(copy);
        let original = serve(stopped);
        command.args(original.as_std().get_args()).uid(NOBODY).gid(NOBODY);
        command
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_written_is_named() {
        let stopped = used(20).await.terminate().await;
        let bytes = std::fs::read(file(&stopped)).unwrap();
        set(&stopped.folder().join("data"), 0o755);
        set(&file(&stopped), 0o444);

        let said = refusal(serve_as_nobody(&stopped)).await;

        check_said(&stopped, &said, "Permission denied");
        check_untouched(&stopped, &bytes);
    }

    #[tokio::test]
    async fn a_folder_in_which_nothing_can_be_made_is_named() {
        let stopped = Setup::stripe().prepare();
        let data = stopped.folder().join("data");
        std::fs::create_dir(&data).unwrap();
        set(&data, 0o555);

        let said = refusal(serve_as_nobody(&stopped)).await;

        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains(&data.display().to_string()), "{said}");
        assert!(last.contains("Permission denied"), "{said}");
        set(&data, 0o755);
    }

    #[tokio::test]
    async fn a_folder_that_can_not_be_made_is_named() {
        let stopped = Setup::stripe().prepare();
        set(stopped.folder(), 0o555);
        let data = stopped.folder().join("data");

        let said = if rustix::process::geteuid().is_root() {
            refusal(serve_as_nobody(&stopped)).await
        } else {
            let said = refusal(serve(&stopped)).await;
            set(stopped.folder(), 0o755);
            said
        };

        let why = format!("failed to create the data folder {}", data.display());
        assert!(said.contains(&why) && said.contains("Permission denied"), "{said}");
    }
}
