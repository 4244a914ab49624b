//! `synthd template new`: writes a small template in a folder, to start from.

use crate::cli::terminal::output::print_line;
use crate::error::{Code, Error, Result};
use clap::Args;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synthd_actors::draft::is_template_id;

/// The files of the new template. `@ID@` and `@CATEGORY@` stand for its own words.
const STARTER: [(&str, &str); 7] = [
    ("template.yaml", include_str!("starter/template.yaml")),
    ("files/README.md", include_str!("starter/files/README.md")),
    ("files/total.sh.j2", include_str!("starter/files/total.sh.j2")),
    ("files/prices.txt.j2", include_str!("starter/files/prices.txt.j2")),
    ("lib/rewritten.sh", include_str!("starter/lib/rewritten.sh")),
    ("sealed/total.txt.j2", include_str!("starter/sealed/total.txt.j2")),
    ("sealed/check.sh", include_str!("starter/sealed/check.sh")),
];

#[derive(Args)]
#[command(after_help = "Example:
  synthd template new debugging/price-list --dir templates
  synthd template check debugging/price-list --templates templates")]
pub(super) struct TemplateNewArgs {
    /// The template's id: `<category>/<name>`
    id: String,
    /// The directory of your templates
    #[arg(long, value_name = "DIR", default_value = "templates")]
    dir: PathBuf,
}

/// `template new`: writes the files, and says how to go on.
pub(super) fn run(args: &TemplateNewArgs) -> Result<ExitCode> {
    let category = category_of(&args.id)?;
    let folder = args.dir.join(&args.id);
    if folder.exists() || args.dir.join(format!("{}.yaml", args.id)).exists() {
        let what = format!("{} is already there", folder.display());
        return Err(Error::new(Code::BadUsage, what).hint("choose another id"));
    }
    for (path, text) in STARTER {
        let text = text.replace("@ID@", &args.id).replace("@CATEGORY@", category);
        write_new(&folder.join(path), &text)?;
    }
    print_line(&format!("{} is a new template. Prove it:", folder.display()));
    let dir = args.dir.display();
    print_line(&format!("  synthd template check {} --templates {dir}", args.id));
    Ok(ExitCode::SUCCESS)
}

/// The files of a small template, in the form in which models answer those of a draft.
pub(super) fn starter_answer() -> String {
    let file = |(path, text): &(&str, &str)| {
        let text = text.replace("@ID@", "shell/starter").replace("@CATEGORY@", "shell");
        format!("file: {path}\n~~~~\n{}\n~~~~\n\n", text.trim_end())
    };
    STARTER.iter().map(file).collect()
}

/// The first part of an id. Err if the id has not two parts of plain letters, digits and hyphens.
fn category_of(id: &str) -> Result<&str> {
    let category = id.split('/').next().filter(|_| is_template_id(id));
    category.ok_or_else(|| {
        Error::new(Code::BadUsage, format!("{id:?} is no id for a new template"))
            .hint("an id is `<category>/<name>`, in lower-case letters, digits and hyphens")
    })
}

/// Writes a file that is not there yet, and the directories around it.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let written = || -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        io::Write::write_all(&mut fs::File::create_new(path)?, text.as_bytes())
    };
    written().map_err(|error| {
        Error::new(Code::Io, format!("cannot write {}", path.display())).with_source(error)
    })
}
