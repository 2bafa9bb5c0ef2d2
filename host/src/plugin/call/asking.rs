//! What a plugin is asked that no event waits for: whether its settings will do, and what it would
//! send itself.
//!
//! Operators and developers ask. Never about a request that somebody has posted.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::error::CallError;
use super::here::guest_thread;
use super::log::tell;
use super::occasion::Occasion;
use super::pool::PoolError;
use super::{Called, enter};
use crate::event::{Request, Timestamp};
use crate::lock::lock;
use crate::plugin::contract::convert;
use crate::plugin::contract::violation::{TEXT_BYTES_MAX, shortened};
use crate::plugin::{Host, Plugin, Role};
use crate::setting;

impl Host {
    /// Asks a plugin whether it can work with these settings, once they are what it declares; what
    /// it has against them is for the operator. On a thread of its own: a reload waits for no pool.
    pub async fn check(
        &self,
        plugin: &Arc<Plugin>,
        role: Role,
        settings: &Arc<str>,
    ) -> Called<Result<(), String>> {
        if let Err(reason) = setting::check(plugin.settings(role), settings) {
            return Called { ended: Ok(Err(reason)), log: Vec::new(), denied: false };
        }
        let plugin = Arc::clone(plugin);
        let parts = Arc::clone(&self.0);
        let bounds = self.bounds(&plugin.name);
        let context = self.context(&plugin, role, settings, &bounds);
        let deadline = bounds.deadlines.check;
        let (answer, answered) = oneshot::channel();
        let call = move || {
            let _turn = lock(&parts.describing);
            let occasion = Occasion::Plugin("check");
            let (checked, left) =
                enter(&plugin, context, &occasion, deadline, |store, instance| {
                    let check = match role {
                        Role::Provider => &plugin.provider_functions()?.check,
                        Role::Handler => &plugin.handler_functions()?.check,
                    };
                    check.call(store, instance, ()).map(|(checked,)| checked)
                });
            let shown = |reason: String| shortened(&reason, TEXT_BYTES_MAX);
            let ended = checked.map(|result| result.map_err(shown));
            // Who asked may be gone by now.
            drop(answer.send(Called { ended, log: left.log, denied: false }));
        };
        if let Err(error) = guest_thread("plugin-check").spawn(call) {
            return Called::never(CallError::Host(format!("failed to start a thread: {error}")));
        }
        let gone = |_| Called::never(PoolError::Panicked("the check's thread ended".to_owned()));
        answered.await.unwrap_or_else(gone)
    }

    /// Asks a provider for the request that it would send with these digests. For developers.
    pub async fn sign(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        request: &Arc<Request>,
        signed_at: Timestamp,
        digests: Vec<Vec<u8>>,
    ) -> Result<Result<Request, String>, CallError> {
        let plugin = Arc::clone(plugin);
        let request = Arc::clone(request);
        let bounds = self.bounds(&plugin.name);
        let mut context = self.context(&plugin, Role::Provider, settings, &bounds);
        context.lift_bytes_max += 2 * request.body.len();
        let deadline = bounds.deadlines.parse;
        let call = move || {
            let digests: Vec<&[u8]> = digests.iter().map(Vec::as_slice).collect();
            let occasion = Occasion::Request("sign", &request, signed_at);
            let (signed, left) = enter(&plugin, context, &occasion, deadline, |store, instance| {
                let sign = &plugin.provider_functions()?.sign;
                convert::lend_request(&request, |request| {
                    let params = (request, signed_at.0, digests.as_slice());
                    sign.call(store, instance, params).map(|(signed,)| signed)
                })
            });
            tell(left.log, &plugin.name, "sign");
            match signed? {
                Ok(request) => convert::request(request).map(Ok).map_err(CallError::Violation),
                Err(reason) => Ok(Err(shortened(&reason, TEXT_BYTES_MAX))),
            }
        };
        self.0.pools.parse.call(None, deadline, call).await?
    }
}
