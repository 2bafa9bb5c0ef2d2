//! The priority of threads that compute for long.
//!
//! Where cores are short, they get what the others leave, and a little more. Never raises one.

/// The niceness of such a thread: about a tenth of what others get.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lowers the priority of this thread for good. Elsewhere than on Linux this would be about the
/// whole process, so there it does nothing.
pub(crate) fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "failed to lower the priority of a thread");
    }
}
