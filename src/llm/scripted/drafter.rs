//! Scripted models for `synthd template draft`: each plays all roles of a draft, in one way.
//!
//! | model | what it does |
//! | --- | --- |
//! | `scripted/drafter` | writes a template that passes the gate at once |
//! | `scripted/drafter-repairs` | forgets the cheats, and adds them when the gate asks for them |
//! | `scripted/drafter-stuck` | forgets the cheats, whatever the gate says |
//! | `scripted/drafter-hostile` | answers with files that lead out of the template |
//!
//! They answer by the request alone, so the same request always has the same answer.

use super::tokens;
use async_trait::async_trait;
use synthd_actors::draft::DraftRole;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRequest, ChatRole, FaultKind, FinishReason, Usage,
};
use synthd_actors::ports::{CallContext, ChatModel};

/// The template that a drafter writes, in the form of an answer. `@ID@` and `@CATEGORY@` stand for those
/// of its idea.
const TEMPLATE: &str = include_str!("drafted_template.txt");
/// The key of the part that some drafters forget. It is the last one of the YAML text.
const CHEATS: &str = "  cheats:\n";
/// The line behind the YAML text.
const FENCE: &str = "~~~~\n";
/// The id of the first idea. Later ones have a number.
const IDEA: &str = "shell/price-list";

/// What a drafter's solver proposes. It follows from the instruction alone.
const COMMANDS: &str = "\
~~~~
cat > total.sh <<'SCRIPT'
awk '{ sum += $2 } END { print sum + 0 }' prices.txt
SCRIPT
~~~~
~~~~
sh total.sh > total.txt
~~~~
";

/// Files that lead out of the template, or are no files.
const HOSTILE: &str = "\
file: ../../etc/cron.d/draft
~~~~
* * * * * root id
~~~~
file: /etc/passwd
~~~~
root::0:0::/:/bin/sh
~~~~
file: template.yaml -> /etc/shadow
~~~~
link
~~~~
file: template.yaml
~~~~
title: \u{1b}[2J
~~~~
";

/// What a scripted drafter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrafterBehaviour {
    Good,
    Repairs,
    Stuck,
    Hostile,
}

impl DrafterBehaviour {
    const ALL: [Self; 4] = [Self::Good, Self::Repairs, Self::Stuck, Self::Hostile];

    /// The model's name after `scripted/`.
    fn name(self) -> &'static str {
        match self {
            Self::Good => "drafter",
            Self::Repairs => "drafter-repairs",
            Self::Stuck => "drafter-stuck",
            Self::Hostile => "drafter-hostile",
        }
    }

    /// The behaviour of that name, without `scripted/`. None for other names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name)
    }

    /// The answer of a role to what it is asked.
    fn answer(self, role: DraftRole, asked: &str) -> String {
        match (role, self) {
            (DraftRole::Ideator, _) => idea(asked),
            (DraftRole::Builder, Self::Hostile) => HOSTILE.to_owned(),
            (DraftRole::Builder, Self::Stuck) => without_cheats(&template(asked)),
            (DraftRole::Builder, Self::Repairs) if !has_section(asked, "Findings") => {
                without_cheats(&template(asked))
            }
            (DraftRole::Builder, _) => template(asked),
            (DraftRole::Critic, _) => "no defects\n".to_owned(),
            (DraftRole::Solver, _) => COMMANDS.to_owned(),
        }
    }
}

/// A model that plays the roles of a draft.
pub(crate) struct ScriptedDrafter {
    behaviour: DrafterBehaviour,
}

impl ScriptedDrafter {
    pub(crate) fn new(behaviour: DrafterBehaviour) -> Self {
        Self { behaviour }
    }
}

#[async_trait]
impl ChatModel for ScriptedDrafter {
    /// Answers a request of a draft. Fails for good for any other one. The usage is an estimate.
    async fn complete(
        &self,
        request: &ChatRequest,
        _context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let Some(role) = DraftRole::of(request) else {
            let name = self.behaviour.name();
            let why = format!("scripted/{name} answers only what `synthd template draft` asks");
            return Err(CallFault::free(FaultKind::ModelPermanent, why));
        };
        let asked = request.messages.last().map_or("", |message| message.content.as_str());
        let said = self.behaviour.answer(role, asked);
        let message = ChatMessage::text(ChatRole::Assistant, said);
        let usage = Usage::of(request.messages.iter().map(tokens).sum(), tokens(&message));
        Ok(ChatReply::new(message, FinishReason::Stop, usage))
    }
}

/// Whether a request has a section of this title.
fn has_section(asked: &str, title: &str) -> bool {
    asked.lines().any(|line| line.strip_prefix("# ") == Some(title))
}

/// The idea, under an id that no other template has.
fn idea(asked: &str) -> String {
    let is_taken = |id: &str| asked.lines().any(|line| line.strip_prefix("- ") == Some(id));
    let numbered = (2..).map(|number: u32| format!("{IDEA}-{number}"));
    let mut ids = std::iter::once(IDEA.to_owned()).chain(numbered);
    let id = ids.find(|id| !is_taken(id)).unwrap_or_default();
    format!(
        "id: {id}\ntitle: The total of a price list\nidea: A script adds up prices and is wrong in \
         four places.\nThe agent mends it and writes its output into a file.\n"
    )
}

/// The template for the idea that a request names.
fn template(asked: &str) -> String {
    let named = asked.rsplit_once("# Idea\n").map_or("", |(_, named)| named);
    let id = named.lines().find_map(|line| line.strip_prefix("id: ")).unwrap_or(IDEA);
    let category = id.split('/').next().unwrap_or_default();
    TEMPLATE.replace("@ID@", id).replace("@CATEGORY@", category)
}

/// An answer without the cheats of its template.
fn without_cheats(answer: &str) -> String {
    let Some((before, cheats)) = answer.split_once(CHEATS) else { return answer.to_owned() };
    let after = cheats.split_once(FENCE).map_or("", |(_, after)| after);
    format!("{before}{FENCE}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SCRIPTED_MODELS;
    use synthd_actors::draft::DraftFiles;

    #[test]
    fn campaigns_know_every_drafter() {
        for behaviour in DrafterBehaviour::ALL {
            assert!(SCRIPTED_MODELS.contains(&behaviour.name()));
            assert_eq!(DrafterBehaviour::named(behaviour.name()), Some(behaviour));
        }
        assert_eq!(DrafterBehaviour::named("oracle"), None);
    }

    #[test]
    fn a_drafter_writes_a_template_for_its_idea_with_or_without_cheats() {
        let asked = "# Idea\n\nid: shell/price-list-2\n";
        let good =
            DrafterBehaviour::Repairs.answer(DraftRole::Builder, &format!("{asked}# Findings\n"));
        let files = DraftFiles::parse(&good).unwrap();
        let yaml = |files: &DraftFiles| {
            files.iter().find(|(path, _)| *path == "template.yaml").unwrap().1.text.clone()
        };
        assert!(yaml(&files).contains("id: \"shell/price-list-2\"\n"));
        assert!(yaml(&files).contains("category: \"shell\"\n") && yaml(&files).contains("cheats:"));
        let bad = DrafterBehaviour::Repairs.answer(DraftRole::Builder, asked);
        let bad = DraftFiles::parse(&bad).unwrap();
        assert!(!yaml(&bad).contains("cheats"));
        assert_eq!(bad.iter().count(), files.iter().count());
    }

    #[test]
    fn an_idea_has_an_id_of_its_own() {
        assert!(idea("# Templates that exist\n\n- a/b\n").starts_with("id: shell/price-list\n"));
        let taken = "- shell/price-list\n- shell/price-list-2\n";
        assert!(idea(taken).starts_with("id: shell/price-list-3\n"));
    }
}
