//! Renders the table of faults as the page `docs/faults.md`. A test compares the page with the
//! table.

use super::{
    AgentEnding, BackendSign, FailedCallEffect, FaultKind, FaultOwner, FaultPolicy, FaultResponse,
    ModelFailure, ProviderSign,
};

/// The introduction of the page and the header of the table.
const HEAD: &str = "\
# Faults

What went wrong around an episode is a fault. This table says all that a kind of fault means; the
engine asks it everywhere. It is printed from `FaultKind::policy` in `actors/model/fault.rs`.

- **whose**: who caused it. The operator is the person who runs the campaign.
- **what follows**: `retry` is another attempt, while the episode has attempts left. `free retry` and
  `start over` cost the episode no attempt. `give up` ends the episode as faulted. `pause` and `stop`
  rest the whole campaign. A pause cuts off the attempts that run; after `pause, others go on` they go
  on until they end or have the same fault. `wait` leaves the episode to be resumed.
- **asked again**: whether the model is asked again within the same call, up to five times, before
  anything follows.
- **many in a row**: whether so many in a row that no single episode could cause them pause the campaign.
  `pause, in a minute`: so do more than ten within a minute.
- **may pass**: whether a later run tries the faulted episode again.
- **label**: how the episode ends where the agent itself caused the fault. Every other kind gives no
  label at all: the outcome is null, never 0, and the episode makes no row.
- **no turn**: the kind that stands in its place if the agent has had no turn yet.
- **provider**: what it tells of a model's provider. After eight failures in a row, or three silent calls,
  the provider is down and only probed; any answer ends that. `none`: nothing.
- **backend**: what it tells of the backend that was to make a sandbox. `fails`: eight in a row open its
  breaker. `is down`: everything that needs a sandbox waits for it at once.
- **agent program**: what follows for an agent program whose call failed so. `is told`: it goes on as it
  likes. `ends`: the attempt ends. `has left`: the program has left the call itself.
- **slow**: whether it counts as a slow answer under `least-latency`.
- **fallback**: the list of `fallback` whose model stands in.
- **at the gateway**: the status and the code that a client gets. A 429 of the provider stays a 429.
  `final`: the client is told not to try again.
- **code**: the error that users are shown.

| kind | whose | what follows | asked again | costs an attempt | many in a row | may pass | label | no turn | provider | backend | agent program | slow | fallback | at the gateway | code | what users are told |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

/// The whole page in Markdown, with one row for each kind of fault.
pub fn fault_page() -> String {
    let mut page = HEAD.to_owned();
    for kind in FaultKind::ALL {
        page.push_str(&row(kind, &kind.policy()));
    }
    page
}

/// One row of the table, in the order of the header's columns.
fn row(kind: FaultKind, policy: &FaultPolicy) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut row = format!(
        "| `{kind}` | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} {} | {} | {}",
        owner(policy.owner),
        response(policy),
        yes(policy.asks_again),
        yes(policy.costs_attempt()),
        many(policy),
        yes(policy.may_pass),
        ending(policy.ending),
        policy.before_a_turn.map_or_else(|| "the same".to_owned(), |kind| format!("`{kind}`")),
        sign(policy.sign),
        backend(policy.backend),
        agent_call(policy.agent_call()),
        yes(policy.slows),
        policy.stands_in.map_or("none", ModelFailure::as_str),
        policy.client.status,
        client(policy),
        policy.code.unwrap_or("none"),
        policy.told,
    );
    if !policy.hint.is_empty() {
        row.push_str("; ");
        row.push_str(policy.hint);
    }
    row.push_str(" |\n");
    row
}

/// The column "many in a row".
fn many(policy: &FaultPolicy) -> &'static str {
    match (policy.may_be_outage, policy.is_restart) {
        (true, _) => "pause",
        (false, true) => "pause, in a minute",
        (false, false) => "none",
    }
}

/// The column "backend".
fn backend(sign: BackendSign) -> &'static str {
    match sign {
        BackendSign::Answers => "answers",
        BackendSign::Fails => "fails",
        BackendSign::Down => "is down",
        BackendSign::Nothing => "none",
    }
}

/// The column "agent program".
fn agent_call(call: FailedCallEffect) -> &'static str {
    match call {
        FailedCallEffect::Told => "is told",
        FailedCallEffect::Ends => "ends",
        FailedCallEffect::Left => "has left",
    }
}

/// The column "provider".
fn sign(sign: ProviderSign) -> &'static str {
    match sign {
        ProviderSign::Answers => "answers",
        ProviderSign::Fails => "fails",
        ProviderSign::Silent => "is silent",
        ProviderSign::Nothing => "none",
    }
}

/// The code that a client of the gateway gets, and whether it is final.
fn client(policy: &FaultPolicy) -> String {
    let last = if policy.client.is_final { ", final" } else { "" };
    format!("`{}`{last}", policy.client.code)
}

/// The column "whose".
fn owner(owner: FaultOwner) -> &'static str {
    match owner {
        FaultOwner::Provider => "provider",
        FaultOwner::Agent => "agent",
        FaultOwner::Template => "template",
        FaultOwner::Host => "host",
        FaultOwner::Engine => "engine",
        FaultOwner::Operator => "operator",
    }
}

/// The column "what follows".
fn response(policy: &FaultPolicy) -> &'static str {
    match policy.response {
        FaultResponse::Retry => "retry",
        FaultResponse::RetryFree => "free retry",
        FaultResponse::StartOver => "start over",
        FaultResponse::GiveUp => "give up",
        FaultResponse::PauseCampaign if policy.is_of_model => "pause, others go on",
        FaultResponse::PauseCampaign => "pause",
        FaultResponse::StopCampaign => "stop",
        FaultResponse::Wait => "wait",
    }
}

/// The column "label".
fn ending(ending: Option<AgentEnding>) -> String {
    match ending {
        None => "none".to_owned(),
        Some(AgentEnding::Stops(stop)) => format!("judged, `{}`", stop.as_str()),
        Some(AgentEnding::Uncopied) => "unresolved, where the final copy fails".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SYNTHD_UPDATE_DOCS=1 cargo test` writes the page anew.
    #[test]
    fn the_page_of_faults_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
        if std::env::var_os("SYNTHD_UPDATE_DOCS").is_some() {
            std::fs::write(path, fault_page()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page == fault_page(), "docs/faults.md differs from the table: update it");
    }

    #[test]
    fn only_what_the_agent_did_may_become_a_label() {
        for kind in FaultKind::ALL {
            let policy = kind.policy();
            let of_agent = policy.owner == FaultOwner::Agent;
            assert_eq!(policy.ending.is_some(), of_agent, "{kind}");
            assert!(!policy.told.is_empty(), "{kind}");
            assert_eq!(policy.code.is_some(), !policy.hint.is_empty(), "{kind}");
            // What stands in its place is no label.
            let other = policy.before_a_turn.map(FaultKind::policy);
            assert!(other.is_none_or(|other| other.ending.is_none()), "{kind}");
            if matches!(policy.ending, Some(AgentEnding::Stops(_))) {
                assert!(!policy.tries_again() && !policy.may_be_outage, "{kind}");
            }
        }
    }

    #[test]
    fn what_halts_a_campaign_ends_an_agents_attempt() {
        for kind in FaultKind::ALL {
            let policy = kind.policy();
            let ends = policy.agent_call() == FailedCallEffect::Ends;
            assert!(ends || !policy.halts_campaign(), "{kind}");
        }
        let left = |kind: &FaultKind| kind.policy().agent_call() == FailedCallEffect::Left;
        let left: Vec<_> = FaultKind::ALL.into_iter().filter(left).collect();
        assert_eq!(left, [FaultKind::AgentLeft]);
    }

    /// A campaign's reason in the store says which fault paused it.
    #[test]
    fn the_text_of_a_fault_begins_with_its_kind() {
        for kind in FaultKind::ALL {
            let text = crate::model::Fault::new(kind, "no space: none").to_string();
            assert_eq!(FaultKind::at_the_start_of(&text), Some(kind));
        }
        assert_eq!(FaultKind::at_the_start_of("its actor died: a panic"), None);
        assert_eq!(FaultKind::at_the_start_of("cancelled"), None);
    }

    #[test]
    fn every_kind_is_in_the_table_once() {
        let names: std::collections::BTreeSet<_> =
            FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), FaultKind::ALL.len());
        // The last variant's number counts them all.
        assert_eq!(names.len(), FaultKind::Cancelled as usize + 1);
    }
}
