//! `synthd image prune`: removes old images that synthd has made and that no container uses.

use super::{connect, image_error};
use crate::cli::terminal::output::{eprint_line, pluralize, print_json, print_line};
use crate::config::size;
use crate::error::Result;
use crate::sandbox::docker::PruneLimit;
use clap::Args;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The age from which images are removed if the user gives no limit.
const OLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Args)]
#[command(
    after_help = "The command removes only images that synthd made: with `synthd image build`, or for proofs of Harbor \
tasks. It never removes an image that a container uses. It also removes copies of the guest \
program that other versions of synthd sent to the engine.

Examples:
  synthd image prune --older-than 30d
  synthd image prune --keep 20GiB --dry-run"
)]
pub(in crate::cli) struct ImagePruneArgs {
    /// Remove images older than this [default: 30d, where --keep is not given]
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,
    /// Remove the oldest images until the others take at most this
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep: Option<u64>,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Removes the images that are older than `--older-than`, and the oldest ones until the others fit
/// into `--keep`. Without either, the age of 30 days counts. An image that the engine does not
/// remove is reported and left. The bytes are an upper bound, because images share layers.
pub(super) async fn prune(args: &ImagePruneArgs) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let older_than = args.older_than.or(args.keep.is_none().then_some(OLD));
    let limit = PruneLimit { older_than, keep: args.keep };
    let images = connect().await?;
    let unwanted = images.unwanted(limit, now).await.map_err(image_error)?;
    let (mut removed, mut bytes) = (Vec::new(), 0);
    for image in &unwanted {
        let name = image.repo_tags.first().unwrap_or(&image.id);
        if args.dry_run || images.remove(image).await {
            removed.push(name.clone());
            bytes += image.size;
        } else {
            eprint_line(&format!("{name} stays: the engine does not remove it"));
        }
    }
    let guests = if args.dry_run { 0 } else { images.prune_guests().await.map_err(image_error)? };
    if args.json {
        return print_json(&json!({ "removed": removed, "bytes": bytes, "guests": guests,
            "dry_run": args.dry_run }));
    }
    let done = if args.dry_run { "would be removed" } else { "removed" };
    removed.iter().for_each(|image| print_line(&format!("{image}: {done}")));
    let images = pluralize(removed.len() as u64, "image");
    print_line(&format!("{images} {done}, at most {} MiB", bytes >> 20));
    Ok(())
}
