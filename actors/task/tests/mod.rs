//! Templates: drawing, rendering, and every way a template can be wrong.

mod backlogs;
mod case_environment;
mod case_git;
mod cases;
mod drawing;
mod duplicates;
mod environment;
mod faults;
mod folder;
mod format;
mod git_packs;
mod long_packs;
mod pack_leaks;
mod pack_names;
mod packs;
mod services;
mod speed_packs;
mod stages;
mod written_cases;
mod written_packs;

use super::{FolderFile, Template, TemplateError, TemplateFolder};
use std::sync::Arc;

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

/// The YAML of a template in a folder, with these lines in the places of `environment.files`,
/// `verification` and, before them, of any other keys.
fn second(keys: &str, files: &str, verification: &str) -> String {
    format!(
        "schema: synthd/template@2\n\
         id: unit/test\n\
         title: t\n\
         category: unit\n\
         difficulty: easy\n\
         expected_steps: {{min: 1, max: 2}}\n\
         parameters: {{n: {{choice: [7]}}}}\n\
         {keys}\n\
         environment:\n\
         \x20 files: {files}\n\
         verification:\n\
         \x20 {verification}\n"
    )
}

/// What every template needs beside files and verification.
const KEYS: &str = "instruction: do\nsolution: [{run: 'true'}]";

/// Reads a template in a folder with these files beside its YAML.
fn in_folder(text: &str, files: &[(&str, &[u8])]) -> Result<Template, Vec<TemplateError>> {
    let yaml = [("template.yaml", text.as_bytes())];
    let file = |(path, bytes): (&str, &[u8])| {
        let executable = path.contains("tool");
        (path.to_owned(), FolderFile { bytes: bytes.to_vec().into(), executable })
    };
    let files = yaml.into_iter().chain(files.iter().copied()).map(file).collect();
    Template::read("unit/test", Arc::new(TemplateFolder::directory(files)))
}

/// The mistakes of a template in a folder: those of its form, or those of its first task.
fn mistakes(text: &str, files: &[(&str, &[u8])]) -> Vec<TemplateError> {
    in_folder(text, files).map_or_else(|errors| errors, |template| template.mistakes(1, 0))
}

/// Each mistake as `file:line:column: message`.
fn told(errors: &[TemplateError]) -> Vec<String> {
    let told = |error: &TemplateError| {
        let (line, column) = error.location.unwrap_or_default();
        format!("{}:{line}:{column}: {}", error.path, error.message)
    };
    errors.iter().map(told).collect()
}
