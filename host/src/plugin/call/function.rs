//! The functions of the contract that a plugin exports: found once, and called many times.
//!
//! wasmtime compares the type of a function with the one that it is called by whenever it looks the
//! function up. For the types of a provider that takes as long as a small call does, and a plugin's
//! types never change. So each function is found and compared when the plugin is loaded, and called
//! by its place from then on. What the values mean is not known here.

use std::fmt;
use std::marker::PhantomData;

use wasmtime::Store;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc,
};

use super::Context;
use crate::plugin::contract::bindings::exports::hookgate::plugin::{handler, provider};
use crate::plugin::contract::bindings::hookgate::plugin::types;
use crate::plugin::contract::bindings::{PACKAGE, VERSION};

/// One function of the contract.
pub(in crate::plugin) trait Signature {
    /// Its name in its interface.
    const NAME: &'static str;
    /// What it is called with.
    type Params<'a>: ComponentNamedList + Lower;
    /// What it returns.
    type Returned: ComponentNamedList + Lift;
}

/// A plugin's function, which has the type of the contract.
pub(in crate::plugin) struct Function<S> {
    index: ComponentExportIndex,
    signature: PhantomData<fn() -> S>,
}

/// The functions of a provider.
#[derive(Debug)]
pub(in crate::plugin) struct Provider {
    pub(in crate::plugin) describe: Function<DescribeProvider>,
    pub(in crate::plugin) check: Function<Check>,
    pub(in crate::plugin) claim: Function<Claim>,
    pub(in crate::plugin) parse: Function<Parse>,
    pub(in crate::plugin) sign: Function<Sign>,
}

/// The functions of a handler.
#[derive(Debug)]
pub(in crate::plugin) struct Handler {
    pub(in crate::plugin) describe: Function<DescribeHandler>,
    pub(in crate::plugin) check: Function<Check>,
    pub(in crate::plugin) handle: Function<Handle>,
}

impl Provider {
    /// Those of the plugin that this is an instance of. Fails if one is missing or has another type
    /// than the contract's.
    pub(in crate::plugin) fn find(
        store: &mut Store<Context>,
        instance: &Instance,
    ) -> wasmtime::Result<Self> {
        let interface = Interface::find("provider", store, instance)?;
        Ok(Self {
            describe: interface.function(store, instance)?,
            check: interface.function(store, instance)?,
            claim: interface.function(store, instance)?,
            parse: interface.function(store, instance)?,
            sign: interface.function(store, instance)?,
        })
    }
}

impl Handler {
    /// As [`Provider::find`].
    pub(in crate::plugin) fn find(
        store: &mut Store<Context>,
        instance: &Instance,
    ) -> wasmtime::Result<Self> {
        let interface = Interface::find("handler", store, instance)?;
        Ok(Self {
            describe: interface.function(store, instance)?,
            check: interface.function(store, instance)?,
            handle: interface.function(store, instance)?,
        })
    }
}

/// An interface that a plugin exports.
struct Interface {
    name: String,
    index: ComponentExportIndex,
}

impl Interface {
    fn find(name: &str, store: &mut Store<Context>, instance: &Instance) -> wasmtime::Result<Self> {
        let name = format!("{PACKAGE}/{name}@{VERSION}");
        let Some(index) = instance.get_export_index(store, None, &name) else {
            wasmtime::bail!("it does not export `{name}`");
        };
        Ok(Self { name, index })
    }

    fn function<S: Signature>(
        &self,
        store: &mut Store<Context>,
        instance: &Instance,
    ) -> wasmtime::Result<Function<S>> {
        let name = S::NAME;
        let Some(index) = instance.get_export_index(&mut *store, Some(&self.index), name) else {
            wasmtime::bail!("`{}` has no function `{name}`", self.name);
        };
        let typed = instance.get_typed_func::<S::Params<'_>, S::Returned>(store, &index);
        typed.map_err(|error| error.context(format!("function `{name}` of `{}`", self.name)))?;
        Ok(Function { index, signature: PhantomData })
    }
}

impl<S: Signature> Function<S> {
    /// Calls it in an instance of its plugin. Fails if the guest traps, and in an instance of
    /// another plugin.
    pub(in crate::plugin) fn call(
        &self,
        store: &mut Store<Context>,
        instance: &Instance,
        params: S::Params<'_>,
    ) -> wasmtime::Result<S::Returned> {
        let Some(function) = instance.get_func(&mut *store, self.index) else {
            wasmtime::bail!("the instance is one of another plugin than `{}`", S::NAME);
        };
        #[expect(unsafe_code, reason = "comparing the types again costs as much as the call")]
        // SAFETY: `Interface::function` has compared the function with these types, and it is of
        // the same component: wasmtime finds no function by the index of another one.
        let function: TypedFunc<S::Params<'_>, S::Returned> =
            unsafe { TypedFunc::new_unchecked(function) };
        function.call(store, params)
    }
}

impl<S: Signature> fmt::Debug for Function<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::NAME)
    }
}

/// `provider.describe`.
pub(in crate::plugin) struct DescribeProvider;
/// `handler.describe`.
pub(in crate::plugin) struct DescribeHandler;
/// `provider.check` and `handler.check`.
pub(in crate::plugin) struct Check;
/// `provider.claim`.
pub(in crate::plugin) struct Claim;
/// `provider.parse`.
pub(in crate::plugin) struct Parse;
/// `provider.sign`.
pub(in crate::plugin) struct Sign;
/// `handler.handle`.
pub(in crate::plugin) struct Handle;

impl Signature for DescribeProvider {
    const NAME: &'static str = "describe";
    type Params<'a> = ();
    type Returned = (provider::ProviderInfo,);
}

impl Signature for DescribeHandler {
    const NAME: &'static str = "describe";
    type Params<'a> = ();
    type Returned = (handler::HandlerInfo,);
}

impl Signature for Check {
    const NAME: &'static str = "check";
    type Params<'a> = ();
    type Returned = (Result<(), String>,);
}

impl Signature for Claim {
    const NAME: &'static str = "claim";
    type Params<'a> = (types::RequestParam<'a>,);
    type Returned = (Result<provider::Claims, provider::Refusal>,);
}

impl Signature for Parse {
    const NAME: &'static str = "parse";
    type Params<'a> = (types::RequestParam<'a>,);
    type Returned = (Result<Vec<types::EventResult>, types::Failure>,);
}

impl Signature for Sign {
    const NAME: &'static str = "sign";
    type Params<'a> = (types::RequestParam<'a>, u64, &'a [&'a [u8]]);
    type Returned = (Result<types::RequestResult, String>,);
}

impl Signature for Handle {
    const NAME: &'static str = "handle";
    type Params<'a> = (types::EventParam<'a>, handler::Context<'a>);
    type Returned = (Result<(), types::Failure>,);
}
