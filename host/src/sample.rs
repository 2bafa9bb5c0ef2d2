//! Requests as a payment provider would send them: a sample of its plugin, with event ids of its
//! own, signed with a secret of the source.
//!
//! For developers, tests, and operators who try a source. Never sends a request, nor reads a file.

mod fresh;
mod sign;

use std::sync::Arc;

pub(crate) use self::sign::{SignError, sign};
use crate::event::{Request, Timestamp};
use crate::plugin::{Host, Plugin};
use crate::secrets::Secret;

/// A sample that is signed.
#[derive(Debug)]
pub(crate) struct Renewed {
    pub(crate) request: Request,
    /// Whether the gateway takes it for a new event: a sample whose ids can't be replaced is a
    /// duplicate the second time.
    pub(crate) is_new: bool,
}

/// Gives a sample new event ids, and signs it as at `at`; headers of the names in `kept` stay as
/// they are.
///
/// # Errors
///
/// Why the provider's request can't be made here.
pub(crate) async fn renewed(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    secrets: &[Secret],
    mut request: Request,
    kept: &[&str],
    at: Timestamp,
) -> Result<Renewed, SignError> {
    let recorded = Arc::new(request.clone());
    let recorded = sign(host, plugin, settings, secrets, &recorded, at).await?;
    let ids = event_ids(host, plugin, settings, recorded).await?;
    fresh::renew(&mut request, &ids, kept);
    let request = sign(host, plugin, settings, secrets, &Arc::new(request), at).await?;
    let own = event_ids(host, plugin, settings, request.clone()).await?;
    Ok(Renewed { is_new: own != ids || ids.is_empty(), request })
}

/// The same for a source that verifies nothing: as the provider would send it, but for a signature
/// that nobody looks at.
///
/// # Errors
///
/// The plugin broke.
pub(crate) async fn renewed_unsigned(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    mut request: Request,
    at: Timestamp,
) -> Result<Renewed, SignError> {
    let recorded = drafted((host, plugin), settings, request.clone(), at).await?;
    let ids = event_ids(host, plugin, settings, recorded).await?;
    fresh::renew(&mut request, &ids, &[]);
    let request = drafted((host, plugin), settings, request, at).await?;
    let own = event_ids(host, plugin, settings, request.clone()).await?;
    Ok(Renewed { is_new: own != ids || ids.is_empty(), request })
}

/// The request as the plugin writes it for its provider, without what a secret would make. One
/// that a plugin can't write it reads as it is.
async fn drafted(
    (host, plugin): (&Host, &Arc<Plugin>),
    settings: &Arc<str>,
    request: Request,
    at: Timestamp,
) -> Result<Request, SignError> {
    let bare = Arc::new(request);
    let drafted = host.sign(plugin, settings, &bare, at, Vec::new()).await;
    let drafted = drafted.map_err(|error| SignError::Call(plugin.name().to_string(), error))?;
    Ok(drafted.unwrap_or_else(|_| Request::clone(&bare)))
}

/// What the provider plugin would know the request's events by.
async fn event_ids(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    signed: Request,
) -> Result<Vec<String>, SignError> {
    let claims = host.claims(plugin, settings, plugin.name(), &Arc::new(signed)).await;
    let claims = claims.map_err(|error| SignError::Call(plugin.name().to_string(), error))?;
    Ok(claims.map(|claims| claims.event_ids).unwrap_or_default())
}
