//! Templates: drawing, rendering, and every way a template can be wrong.

mod drawing;
mod format;

use super::{Template, TemplateError};

/// A template with these parameters and this instruction.
fn with(parameters: &str, instruction: &str) -> String {
    format!(
        "schema: synthd/template@1\n\
         id: unit/test\n\
         title: t\n\
         category: unit\n\
         difficulty: easy\n\
         expected_steps: {{min: 1, max: 2}}\n\
         parameters: {parameters}\n\
         environment:\n\
         \x20 files: [{{path: 'dir/a.txt', content: 'a'}}]\n\
         instruction: {}\n\
         solution: [{{run: 'true'}}]\n\
         verification:\n\
         \x20 run: sh /sealed/check.sh\n\
         \x20 files: [{{path: check.sh, content: \"exit 1\\n\"}}]\n",
        serde_json::Value::from(instruction)
    )
}

fn parse(text: &str) -> Result<Template, TemplateError> {
    Template::parse("unit/test", text)
}

/// The instruction of a task, without its canary.
fn instruction(text: &str, seed: u64, index: u32) -> Result<String, TemplateError> {
    let task = parse(text)?.task(seed, index)?;
    let (said, canary) = task.instruction.split_once("\n\n[").unwrap();
    assert_eq!(canary.trim_end(), format!("{}]", task.canary));
    Ok(said.to_owned())
}
