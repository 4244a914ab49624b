//! A push to the Hub from its first question to the look at what was published.

use super::commit::{SendModes, commit, modes, probe};
use super::hub_client::{HubClient, HubFault};
use super::hub_documents::{HubHead, HubUser, NewRepo};
use super::hub_token::{HubToken, endpoint};
use super::large_files::send_large_files;
use super::read_back::{differing, entries_at, is_whole, sums_at};
use crate::error::{Error, Result};
use crate::push::push_error::{cut_off, refused};
use crate::push::push_set::{PushFile, PushSet};
use crate::push::report::{PushOutcome, PushState, SentFiles};
use crate::push::run::PushRequest;
use crate::push::sum_file::{paths_in, sha256_hex};
use crate::push::target::{HubRepo, PushTarget};
use std::collections::BTreeSet;

/// A version on its way to the Hub.
struct HubPush<'a> {
    hub: HubClient,
    set: &'a PushSet,
    repo: &'a HubRepo,
    target: &'a PushTarget,
    sent: SentFiles,
}

/// Publishes a version on the Hub, or only says what would be sent. `show` is told how many bytes are
/// done.
pub(in crate::push) async fn push_hub(
    set: &PushSet,
    request: &PushRequest<'_>,
    repo: &HubRepo,
    show: &dyn Fn(u64),
) -> Result<PushOutcome> {
    let target = request.target;
    let token = HubToken::find().ok_or_else(|| {
        refused(target, "there is no token of the Hub").hint(
            "set HF_TOKEN, or log in with `hf auth login`; the token must be one that may write",
        )
    })?;
    let hub = HubClient::new(endpoint(), token).map_err(|fault| told(target, fault))?;
    let mut push = HubPush { hub, set, repo, target, sent: SentFiles::default() };
    let Some(head) = push.head(request).await? else {
        push.plan("");
        return Ok(push.outcome(PushState::Planned));
    };
    push.probe().await?;
    let sums = sums_at(&push.hub, repo, &head).await.map_err(|fault| told(target, fault))?;
    if push.is_known(&head, sums.as_deref()).await? {
        return Ok(push.outcome(PushState::Known));
    }
    let sums = sums.unwrap_or_default();
    if request.is_plan {
        push.plan(&sums);
        return Ok(push.outcome(PushState::Planned));
    }
    push.publish(&head, &sums, show).await?;
    Ok(push.outcome(PushState::Published))
}

impl HubPush<'_> {
    fn outcome(&self, state: PushState) -> PushOutcome {
        let place = format!("{}/datasets/{}", self.hub.endpoint(), self.repo.id());
        PushOutcome { place, state, sent: self.sent }
    }

    /// The newest commit of the branch. None if the repository is not there and a push would make it.
    async fn head(&self, request: &PushRequest<'_>) -> Result<Option<String>> {
        let told = |fault| told(self.target, fault);
        let user: HubUser = self.hub.read("/api/whoami-v2").await.map_err(told)?;
        if user.only_reads() {
            return Err(refused(self.target, "the token may only read").hint(WRITE));
        }
        let path = format!("/api/datasets/{}/revision/{}", self.repo.id(), self.repo.branch);
        match self.hub.read::<HubHead>(&path).await {
            Ok(head) => return Ok(Some(head.sha)),
            Err(HubFault::Refused { status: 404, .. }) if request.creates => {}
            Err(fault) => return Err(told(fault)),
        }
        if request.is_plan {
            return Ok(None);
        }
        self.create(&user).await.map_err(told)?;
        let head: HubHead = self.hub.read(&path).await.map_err(told)?;
        Ok(Some(head.sha))
    }

    /// Makes the repository, for its owner alone.
    async fn create(&self, user: &HubUser) -> Result<(), HubFault> {
        let HubRepo { owner, name, .. } = self.repo;
        let organization = (*owner != user.name).then_some(owner.as_str());
        let repo = NewRepo { kind: "dataset", name, organization, private: true };
        let made: Result<serde_json::Value, _> =
            self.hub.post("/api/repos/create", "application/json", &repo).await;
        match made {
            // Somebody else, or a try whose answer was lost, has made it.
            Ok(_) | Err(HubFault::Refused { status: 409, .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Fails if the token may not write.
    async fn probe(&self) -> Result<()> {
        probe(&self.hub, self.repo, self.set).await.map_err(|fault| told(self.target, fault))
    }

    /// Whether the head is this version, with every byte.
    async fn is_known(&self, head: &str, sums: Option<&str>) -> Result<bool> {
        if sums.is_none_or(|sums| sha256_hex(sums.as_bytes()) != self.set.root) {
            return Ok(false);
        }
        let whole = is_whole(&self.hub, self.repo, head, self.set).await;
        whole.map_err(|fault| told(self.target, fault))
    }

    /// Counts what would be sent: what the head does not list with the same checksum.
    fn plan(&mut self, sums: &str) {
        let listed: BTreeSet<&str> = sums.lines().collect();
        for file in self.set.files.iter().chain([&self.set.sums]) {
            if !listed.contains(format!("{}  {}", file.sha256, file.path).as_str()) {
                self.sent.add(file.bytes);
            }
        }
    }

    /// Sends what is missing, commits, and reads it back.
    async fn publish(&mut self, head: &str, sums: &str, show: &dyn Fn(u64)) -> Result<()> {
        let (target, set, repo) = (self.target, self.set, self.repo);
        let told = |fault| told(target, fault);
        let files: Vec<&PushFile> = set.files.iter().chain([&set.sums]).collect();
        let modes = modes(&self.hub, repo, &files).await.map_err(told)?;
        let (mut done, mut large) = (0, SentFiles::default());
        let mut count = |file: &PushFile, is_sent: bool| {
            done += file.bytes;
            show(done);
            if is_sent {
                large.add(file.bytes);
            }
        };
        send_large_files(&self.hub, &repo.id(), &modes.large, &mut count).await.map_err(told)?;
        let gone = self.gone(head, sums).await.map_err(told)?;
        let commit = self.committed(&modes, head, &gone).await?;
        self.sent = large;
        modes.small.iter().for_each(|file| self.sent.add(file.bytes));
        show(files.iter().map(|file| file.bytes).sum());
        match differing(&self.hub, repo, &commit, &modes).await.map_err(told)? {
            None => Ok(()),
            Some(path) => Err(cut_off(target, format!("the Hub has other bytes of {path}"))),
        }
    }

    /// The files that an earlier version has listed, and that the head has and this version has not.
    async fn gone(&self, head: &str, sums: &str) -> Result<BTreeSet<String>, HubFault> {
        let named: BTreeSet<&str> = self.set.files.iter().map(|file| file.path.as_str()).collect();
        let mut old = paths_in(sums);
        old.retain(|path| !named.contains(path));
        let there = entries_at(&self.hub, self.repo, head, &old).await?;
        old.retain(|path| there.contains_key(*path));
        Ok(old.into_iter().map(str::to_owned).collect())
    }

    /// Commits. The answer of an earlier try may be lost, so a refusal counts only if the branch has
    /// another version.
    async fn committed(
        &self,
        modes: &SendModes<'_>,
        head: &str,
        gone: &BTreeSet<String>,
    ) -> Result<String> {
        let made = commit(&self.hub, self.repo, self.set, modes, head, gone).await;
        let fault = match made {
            Ok(commit) => return Ok(commit),
            Err(fault) => fault,
        };
        let branch = &self.repo.branch;
        let sums = sums_at(&self.hub, self.repo, branch).await.ok().flatten();
        if sums.is_some_and(|sums| sha256_hex(sums.as_bytes()) == self.set.root) {
            return Ok(branch.clone());
        }
        Err(match fault {
            HubFault::Refused { status: 409 | 412, .. } => {
                cut_off(self.target, "somebody else has committed in the meantime")
            }
            fault => told(self.target, fault),
        })
    }
}

/// What to do about a token that may not write.
const WRITE: &str = "make a token that may write this repository, and set HF_TOKEN to it";

/// The error for a fault of the Hub.
fn told(target: &PushTarget, fault: HubFault) -> Error {
    let (status, why) = match fault {
        HubFault::Broken(why) => return cut_off(target, why),
        HubFault::Refused { status, why } => (status, why),
    };
    let (what, hint) = match status {
        401 => ("the Hub does not accept the token", WRITE),
        403 => ("the token may not write it", WRITE),
        404 => (
            "the Hub has no such repository or branch, or does not show it to this token",
            "make it on the Hub, or give --create to make a private one",
        ),
        _ => ("the Hub refuses it", "the answer of the Hub is above; docs/push.md has its limits"),
    };
    refused(target, format!("{what} ({status}: {why})")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_refusal_says_what_to_do_and_a_broken_line_that_it_goes_on() {
        let target = PushTarget::parse("hf://datasets/me/rows").unwrap();
        let refused = |status| HubFault::Refused { status, why: "no".to_owned() };
        for (status, word) in [(401, "token"), (403, "token"), (404, "--create"), (422, "limits")] {
            let error = told(&target, refused(status));
            assert_eq!(error.code(), Code::PushRefused);
            assert!(error.hint_text().unwrap().contains(word), "{status}");
        }
        let error = told(&target, HubFault::Broken("cut".to_owned()));
        assert_eq!(error.code(), Code::PushCutOff);
        assert!(error.hint_text().unwrap().contains("again"));
    }
}
