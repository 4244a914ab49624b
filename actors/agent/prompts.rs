//! The prompts of a campaign: texts with variables, such as `{{ instruction }}`. A text replaces
//! the scaffold's own prompt, or surrounds it with `{{ builtin }}`.

use crate::agent::AgentLimits;
use crate::model::{ChatMessage, ChatRole, PromptOverrides, Task};

/// Which prompt a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// The system message.
    System,
    /// The first user message, which has the task, and the message with the instruction of a later
    /// stage.
    Instruction,
}

impl PromptKind {
    /// The names that may stand between `{{` and `}}`.
    pub fn variables(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::System => &["builtin", "workspace"],
            Self::Instruction => &["builtin", "workspace", "instruction"],
        };
        own.iter().copied().chain(AgentLimits::VARIABLES).collect()
    }
}

/// A name between `{{` and `}}` that is not a variable, or a `{{` without its `}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// The line in the text, counted from 1.
    pub line: usize,
    /// The name as it was written. It is `{{` if the closing `}}` is missing.
    pub name: String,
}

/// A part of a text. A variable has its name and its line.
enum PromptPart<'t> {
    Text(&'t str),
    Variable(&'t str, usize),
}

/// The variables of a text, in their order. Campaign files are checked with it. Err for a name that
/// is not a variable of this prompt.
pub fn variables(text: &str, kind: PromptKind) -> Result<Vec<&str>, UnknownVariable> {
    let named = parts(text)?.into_iter().filter_map(|part| match part {
        PromptPart::Text(_) => None,
        PromptPart::Variable(name, line) => Some((name, line)),
    });
    named
        .map(|(name, line)| match kind.variables().contains(&name) {
            true => Ok(name),
            false => Err(UnknownVariable { line, name: name.to_owned() }),
        })
        .collect()
}

/// Divides a text into plain parts and variables. Err if a `{{` has no `}}`. The names are not
/// checked.
fn parts(text: &str) -> Result<Vec<PromptPart<'_>>, UnknownVariable> {
    let (mut parts, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some((before, after)) = rest.split_once("{{") {
        // Lines are counted for the error message.
        line += before.matches('\n').count();
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(UnknownVariable { line, name: "{{".to_owned() });
        };
        parts.push(PromptPart::Text(before));
        parts.push(PromptPart::Variable(name.trim(), line));
        line += name.matches('\n').count();
        rest = behind;
    }
    // The text behind the last variable.
    parts.push(PromptPart::Text(rest));
    Ok(parts)
}

/// The first messages of the conversation, with the campaign's texts instead of the scaffold's own.
/// A message without such a text stays as it is.
pub(super) fn over(
    prompts: &PromptOverrides,
    opening: Vec<ChatMessage>,
    task: &Task,
    limits: &AgentLimits,
) -> Vec<ChatMessage> {
    opening.into_iter().map(|message| over_message(prompts, message, task, limits)).collect()
}

/// The same for one message.
pub(super) fn over_message(
    prompts: &PromptOverrides,
    message: ChatMessage,
    task: &Task,
    limits: &AgentLimits,
) -> ChatMessage {
    let own = match message.role {
        ChatRole::System => prompts.system.as_deref(),
        ChatRole::User => prompts.instruction.as_deref(),
        ChatRole::Assistant | ChatRole::Tool => None,
    };
    match own.map(|text| filled(text, &message.content, task, limits)) {
        Some(content) => ChatMessage { content, ..message },
        None => message,
    }
}

/// The text with its variables replaced. `builtin` is the scaffold's own prompt. The campaign was
/// checked before, so a name that is not a variable simply stays as it is.
fn filled(text: &str, builtin: &str, task: &Task, limits: &AgentLimits) -> String {
    let Ok(parts) = parts(text) else { return text.to_owned() };
    let value = |part: PromptPart<'_>| match part {
        PromptPart::Text(text) => text.to_owned(),
        PromptPart::Variable("builtin", _) => builtin.to_owned(),
        PromptPart::Variable("workspace", _) => task.workspace().to_owned(),
        PromptPart::Variable("instruction", _) => task.instruction.clone(),
        PromptPart::Variable(name, _) => {
            limits.variable(name).unwrap_or_else(|| format!("{{{{{name}}}}}"))
        }
    };
    parts.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{MinimalScaffold, Scaffold};
    use crate::model::WORKSPACE;
    use crate::testkit;
    use proptest::prelude::*;

    fn task() -> Task {
        testkit::catalog().select(&["unit/letter".to_owned()], &[]).remove(0).task(1, 0).unwrap()
    }

    #[test]
    fn texts_stand_in_place_of_the_scaffolds_or_around_them() {
        let (task, limits) = (task(), AgentLimits::default());
        let own = MinimalScaffold.open(&task, &limits);
        assert_eq!(over(&PromptOverrides::default(), own.clone(), &task, &limits), own);
        let prompts = PromptOverrides {
            system: Some("{{ builtin }}\nBe brief in {{workspace}}, {{ memory }}.".to_owned()),
            instruction: Some("Do this: {{instruction}}!".to_owned()),
        };
        let opened = over(&prompts, own.clone(), &task, &limits);
        let expected = format!("{}\nBe brief in {WORKSPACE}, 512 MiB.", own[0].content);
        assert_eq!(opened[0].content, expected);
        assert_eq!(opened[1].content, format!("Do this: {}!", task.instruction));
    }

    /// A later stage is told in the campaign's words as well.
    #[test]
    fn a_later_instruction_is_told_like_the_first_one() {
        let (task, limits) = (task(), AgentLimits::default());
        let own = MinimalScaffold.next_instruction(&task);
        let text = "{{ builtin }} In short: {{ instruction }}!".to_owned();
        let prompts = PromptOverrides { system: None, instruction: Some(text) };
        let told = over_message(&prompts, own.clone(), &task, &limits);
        assert_eq!(told.content, format!("{} In short: {}!", own.content, task.instruction));
        assert_eq!(told.role, ChatRole::User);
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_line() {
        let unknown = |text, kind| variables(text, kind).unwrap_err();
        let told = unknown("a\n{{ builtin }}\n {{ tsak }}", PromptKind::System);
        assert_eq!(told, UnknownVariable { line: 3, name: "tsak".to_owned() });
        assert_eq!(unknown("{{ instruction }}", PromptKind::System).line, 1);
        assert_eq!(unknown("a\n{{ builtin }", PromptKind::Instruction).line, 2);
        assert_eq!(variables("no { brace }", PromptKind::System), Ok(Vec::new()));
    }

    proptest! {
        /// Every text is either refused or filled.
        #[test]
        fn no_text_is_too_odd(text in "([a-z\\n{} ]|builtin|instruction){0,60}") {
            let task = task();
            let filled = filled(&text, "B", &task, &AgentLimits::default());
            if !text.contains("{{") {
                prop_assert_eq!(filled, text);
            } else if variables(&text, PromptKind::Instruction).is_ok() {
                prop_assert!(!filled.contains("{{ builtin }}"));
            }
        }
    }
}
