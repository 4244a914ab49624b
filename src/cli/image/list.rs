//! `synthd image list`: lists the images of the container engine, and which of them synthd has
//! made. An image that synthd has made has a label with its recipe.

use super::{connect, image_error};
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::error::Result;
use crate::sandbox::docker::MADE_HERE;
use clap::Args;
use serde_json::json;

#[derive(Args)]
#[command(after_help = "Example:\n  synthd image list")]
pub(in crate::cli) struct ImageListArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the images. The table has one line for each name of an image; an image without a name is
/// only in the JSON document.
pub(super) async fn list(args: &ImageListArgs) -> Result<()> {
    let found = connect().await?.list().await.map_err(image_error)?;
    if args.json {
        let all: Vec<_> = found
            .iter()
            .map(|image| {
                json!({ "id": image.id, "names": image.repo_tags, "bytes": image.size,
                    "recipe": image.labels.get(MADE_HERE) })
            })
            .collect();
        return print_json(&all);
    }
    let mut rows = table(&["image", "size", "made here of"]);
    for image in &found {
        for name in &image.repo_tags {
            let size = format!("{} MiB", image.size / (1 << 20));
            let recipe = image.labels.get(MADE_HERE).map_or("-", String::as_str);
            rows.add_row([name.as_str(), &size, recipe]);
        }
    }
    if rows.row_count() == 0 {
        print_line("no images; `synthd image build NAME --packages python3,git` makes one");
    } else {
        print_line(&rows.to_string());
    }
    Ok(())
}
