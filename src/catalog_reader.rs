//! Reads templates into a catalog, on several cores if there are many of them: to read the shipped ones is
//! most of what a start of the program costs.

use crate::packs::PackLibrary;
use crate::template_files::TemplateSource;
use std::panic::resume_unwind;
use std::thread;
use synthd_actors::task::{Catalog, TemplateError};

/// The most threads that read.
const MOST_THREADS: usize = 8;
/// The fewest templates of a thread.
const LEAST_SHARE: usize = 16;

/// Reads templates from their files. They may take their tasks from these packs. A later template replaces an
/// earlier one with the same id. Err has all mistakes, in the order of the templates.
pub(crate) fn read_catalog(
    sources: &[TemplateSource],
    packs: &PackLibrary,
) -> Result<Catalog, Vec<TemplateError>> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    read_in_shares(sources, packs, sources.len().div_ceil(cores).max(LEAST_SHARE))
}

/// The same, with so many templates for each thread.
fn read_in_shares(
    sources: &[TemplateSource],
    packs: &PackLibrary,
    share: usize,
) -> Result<Catalog, Vec<TemplateError>> {
    let parts: Vec<Result<Catalog, Vec<TemplateError>>> = thread::scope(|scope| {
        let mut shares = sources.chunks(share);
        let own = shares.next().unwrap_or_default();
        let start = |part| {
            let reader = thread::Builder::new().name("template reader".to_owned());
            reader.spawn_scoped(scope, move || read_part(part, packs)).map_err(|_| part)
        };
        let started: Vec<_> = shares.map(start).collect();
        let first = read_part(own, packs);
        let others = started.into_iter().map(|reader| match reader.map(|reader| reader.join()) {
            Ok(Ok(read)) => read,
            Ok(Err(panic)) => resume_unwind(panic),
            // The host gives no more threads.
            Err(part) => read_part(part, packs),
        });
        std::iter::once(first).chain(others).collect()
    });
    let (mut catalog, mut errors) = (Catalog::default(), Vec::new());
    for part in parts {
        match part {
            Ok(part) => catalog = catalog.with(part),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(catalog) } else { Err(errors) }
}

/// Reads some templates, one after the other.
fn read_part(
    sources: &[TemplateSource],
    packs: &PackLibrary,
) -> Result<Catalog, Vec<TemplateError>> {
    let folders = sources.iter().map(|source| (source.id.as_str(), source.folder.clone()));
    Catalog::read_with_packs(folders, packs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use synthd_actors::task::TemplateFolder;

    fn source(id: &str, title: &str, difficulty: &str) -> TemplateSource {
        let text = format!(
            "schema: synthd/template@1\nid: {id}\ntitle: {title}\ncategory: unit\n\
             difficulty: {difficulty}\nexpected_steps: {{min: 1, max: 9}}\nenvironment: {{}}\n\
             instruction: Do it.\nsolution:\n  - run: 'true'\n\
             verification:\n  checks: [{{name: all, run: 'true'}}]\n  \
             cheats: [{{name: idle, steps: [{{run: 'true'}}]}}]\n"
        );
        let folder = Arc::new(TemplateFolder::single(text.into_bytes()));
        TemplateSource { id: id.to_owned(), folder, path: None }
    }

    #[test]
    fn shares_give_what_the_whole_gives() {
        let right = [
            source("unit/one", "First", "easy"),
            source("unit/two", "Other", "easy"),
            source("unit/one", "Second", "easy"),
        ];
        let wrong = [
            source("unit/late", "Wrong", "none"),
            source("unit/fine", "Fine", "hard"),
            source("unit/early", "Wrong", "none"),
        ];
        let packs = PackLibrary::default();
        for share in [1, 2, 3, 9] {
            let read = read_in_shares(&right, &packs, share).unwrap();
            assert_eq!(read.ids().collect::<Vec<_>>(), ["unit/one", "unit/two"]);
            assert_eq!(read.get("unit/one").unwrap().title, "Second", "the later one counts");
            let errors = read_in_shares(&wrong, &packs, share).unwrap_err();
            let named: Vec<&str> = errors.iter().map(|error| error.template.as_str()).collect();
            assert_eq!(named, ["unit/late", "unit/early"], "in the order of the templates");
        }
        assert_eq!(read_catalog(&[], &packs).unwrap().ids().count(), 0);
    }
}
