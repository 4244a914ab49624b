//! How models are reached: the known providers, changed by what a file says of them, and the
//! providers that a file adds. Also checks that each model has an address and a price before it is
//! asked.

use crate::config::campaign::names::{self, EndpointDefaults, KnownNames};
use crate::config::campaign::raw_models::{RawModel, RawProvider};

use crate::config::reading::reader::ConfigReader;
use crate::config::reading::values::ValueFault;
use crate::prices::ListedModel;
use synthd_actors::model::{CampaignName, ProviderEndpoint, ReplaySource, SOONEST};

/// The endpoint of a model, by the model's name. What the file says comes before the defaults of a
/// known provider. None for scripted and replayed models, and if the dialect or the address is
/// missing (which `check` reports).
pub(in crate::config) fn endpoint(
    model: &str,
    providers: &[RawProvider],
    known_names: &KnownNames<'_>,
) -> Option<ProviderEndpoint> {
    let provider = provider_of(model);
    if provider == names::REPLAY {
        return None;
    }
    let own = providers.iter().find(|own| own.name == provider);
    let known = known(provider, known_names);
    let given = |field: Option<&String>| field.cloned();
    let dialect = given(own.and_then(|own| own.dialect.given()));
    let base_url = given(own.and_then(|own| own.base_url.given()));
    let keys = own.and_then(|own| own.key_env.given()).cloned();
    // Without a key in the file, the known provider's variable is used.
    let usual = || known?.key_env.map(|key| vec![key.to_owned()]);
    let mut keys = keys.or_else(usual).unwrap_or_default().into_iter();
    Some(ProviderEndpoint {
        dialect: dialect.or_else(|| Some(known?.dialect.to_owned()))?,
        base_url: base_url.or_else(|| Some(known?.base_url?.to_owned()))?,
        key_env: keys.next(),
        more_keys: keys.collect(),
        concurrency: own.and_then(|own| own.concurrency.given()).copied(),
        proxy: given(own.and_then(|own| own.proxy.given())),
    })
}

/// The part of a model's name before the slash.
fn provider_of(model: &str) -> &str {
    model.split_once('/').map_or(model, |(provider, _)| provider)
}

/// The defaults of a known provider. None for unknown providers and for those without a network.
fn known<'o>(provider: &str, known_names: &KnownNames<'o>) -> Option<&'o EndpointDefaults> {
    known_names.providers.iter().find(|known| known.name == provider)?.speaks.as_ref()
}

/// Checks every provider of the file, and the address and the price of every model.
pub(in crate::config) fn check(
    providers: &[RawProvider],
    models: &[RawModel],
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) {
    providers.iter().for_each(|provider| check_provider(provider, known_names, reader));
    for model in models {
        check_address(model, providers, known_names, reader);
        check_price(model, providers, known_names, reader);
    }
}

/// Reports a provider section with an invalid or reserved name, with settings for a provider that
/// has none, or without a dialect.
fn check_provider(provider: &RawProvider, known_names: &KnownNames<'_>, reader: &ConfigReader) {
    let name = &provider.name;
    let own = |what: String| ValueFault::new(what);
    if let Err(fault) = names::campaign(name) {
        let fault = own(format!("{name:?} cannot be the name of a provider: {}", fault.message));
        reader.value(&provider.place, fault.hint("lower-case letters, digits and hyphens"));
        return;
    }
    if check_replay(provider, reader) {
        return;
    }
    check_proxy(provider, known_names, reader);
    if SOONEST.split('/').next() == Some(name) {
        let fault = own(format!(
            "the name {name} is reserved for the provider that answers \
                                 soonest"
        ));
        reader.value(&provider.place, fault.hint("give the section another name"));
        return;
    }
    let built_in = known_names.providers.iter().find(|known| known.name == name);
    if built_in.is_some_and(|known| known.speaks.is_none()) {
        let fault = own(format!("the provider {name} is built in and has no settings"));
        reader.value(&provider.place, fault.hint("give the section another name"));
    } else if built_in.is_none() && provider.dialect.is_absent() {
        let fault = own(format!("provider {name} needs a `dialect`"));
        reader.value(&provider.place, fault.hint("most servers speak \"openai\" or \"vllm\""));
    }
}

/// Reports a proxy for a provider that has a key and is asked without TLS: the proxy could read the
/// key.
fn check_proxy(provider: &RawProvider, known_names: &KnownNames<'_>, reader: &ConfigReader) {
    // A wrong proxy was already reported.
    let Some(span) = provider.proxy.span() else { return };
    let known = known(&provider.name, known_names);
    let usual = || known.and_then(|known| known.base_url).map(str::to_owned);
    let address = provider.base_url.given().cloned().or_else(usual).unwrap_or_default();
    let has_key = match provider.key_env.is_absent() {
        true => known.is_some_and(|known| known.key_env.is_some()),
        false => true,
    };
    if has_key && address.starts_with("http://") {
        let fault =
            ValueFault::new("the proxy would see the key: the provider is asked without TLS");
        reader.value(span, fault.hint("set an https:// base_url, or leave the proxy out"));
    }
}

/// Checks the keys of a replay. `[providers.replay]` must say where the record is and may have no
/// other key, and no other provider may have these keys. Returns whether the section is a replay.
fn check_replay(provider: &RawProvider, reader: &ConfigReader) -> bool {
    let replays = provider.name == names::REPLAY;
    let whose = [("record", &provider.record), ("campaign", &provider.campaign)];
    let others = [
        ("dialect", provider.dialect.span()),
        ("base_url", provider.base_url.span()),
        ("key_env", provider.key_env.span()),
        ("concurrency", provider.concurrency.span()),
        ("proxy", provider.proxy.span()),
    ];
    for (key, field) in whose {
        if let (false, Some(span)) = (replays, field.span()) {
            let fault = ValueFault::new(format!("only `[providers.replay]` has the key `{key}`"));
            reader.value(span, fault.hint("leave it out"));
        } else if replays && field.is_absent() {
            let fault = ValueFault::new(format!("a replay needs its `{key}`"));
            let hint = "set the data directory of the recorded campaign, and the campaign's name";
            reader.value(&provider.place, fault.hint(hint));
        }
    }
    for (key, span) in others {
        if let (true, Some(span)) = (replays, span) {
            let fault =
                ValueFault::new(format!("a replay asks no provider, so `{key}` has no meaning"));
            reader.value(span, fault.hint("leave it out"));
        }
    }
    replays
}

/// The recorded campaign that answers for a model. None for models of other providers.
pub(in crate::config) fn recorded(model: &str, providers: &[RawProvider]) -> Option<ReplaySource> {
    let replay = providers.iter().find(|own| own.name == names::REPLAY)?;
    (provider_of(model) == names::REPLAY).then_some(())?;
    Some(ReplaySource {
        data_dir: replay.record.given()?.clone(),
        campaign: CampaignName(replay.campaign.given()?.clone()),
    })
}

/// Reports a model whose provider has no address, and a replayed model without a record.
fn check_address(
    model: &RawModel,
    providers: &[RawProvider],
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) {
    let (Some(name), Some(span)) = (model.name.given(), model.name.span()) else { return };
    let provider = provider_of(name);
    let own = providers.iter().find(|own| own.name == provider);
    if provider == names::REPLAY {
        if own.is_none() {
            let fault = ValueFault::new("the file does not name the campaign to replay");
            let hint = "add `[providers.replay]` with `record = \"DIR\"` and `campaign = \"NAME\"`";
            reader.value(span, fault.hint(hint));
        }
        return;
    }
    let known = known(provider, known_names);
    if known.is_none() && known_names.providers.iter().any(|known| known.name == provider) {
        return;
    }
    let given = own.is_some_and(|own| !own.base_url.is_absent());
    if (own.is_none() && known.is_none()) || given || known.is_some_and(|k| k.base_url.is_some()) {
        return;
    }
    let fault = ValueFault::new(format!("the address of {provider} is unknown"));
    let hint = format!("add `[providers.{provider}]` with `base_url = \"https://...\"`");
    reader.value(span, fault.hint(hint));
}

/// What the price table says of a model. None if the file gives the provider another address or
/// dialect, since the price may then be different, and if the provider is free.
pub(in crate::config) fn listed<'o>(
    name: &str,
    providers: &[RawProvider],
    known_names: &KnownNames<'o>,
) -> Option<&'o ListedModel> {
    let own = providers.iter().find(|own| own.name == provider_of(name));
    let moved = own.is_some_and(|own| !own.base_url.is_absent() || !own.dialect.is_absent());
    let free = own.and_then(|own| own.free.given()).is_some_and(|free| *free);
    known_names.prices?.get(name).filter(|_| !moved && !free)
}

/// Reports a model that may cost something and has no price, in the file or in the table. This is
/// an error also without a budget. A stored text had its prices when its campaign began.
fn check_price(
    model: &RawModel,
    providers: &[RawProvider],
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) {
    let (Some(name), Some(span)) = (model.name.given(), model.name.span()) else { return };
    let own = providers.iter().find(|own| own.name == provider_of(name));
    let declared = own.and_then(|own| own.free.given()).copied();
    // A free provider is a server on this machine. With another address or with a key, it may be
    // someone else's server, so it is no longer known to be free.
    let moved = own.is_some_and(|own| !own.base_url.is_absent() || !own.key_env.is_absent());
    let free = declared.unwrap_or_else(|| !moved && known_names.is_free(name));
    if known_names.is_stored
        || model.price.is_some()
        || free
        || listed(name, providers, known_names).is_some()
    {
        return;
    }
    let unusable = known_names.prices.and_then(|table| table.unusable(name));
    let fault = match unusable {
        Some(why) => ValueFault::new(format!("its price in the table cannot be used: {why}")),
        None => ValueFault::new("a model that may cost something needs its price"),
    };
    let hint = "add `price = { input = \"0.15\", output = \"0.60\" }`, dollars per million tokens; \
                or `free = true` under its provider; `synthd models list` shows known prices";
    reader.value(span, fault.hint(hint));
}
