//! `tasks.template_dirs`: directories with the campaign's own templates. `tasks.harbor` and `tasks.swe`:
//! tasks of containers.

use crate::config::LoadedCampaign;
use crate::config::campaign::whole_paths::{HARBOR_TASKS, PathList, SWE_ROWS, TEMPLATE_DIRS};
use crate::config::reading::errors::{ConfigError, ConfigErrors};
use crate::config::reading::source::SourceText;
use crate::error::Code;
use std::path::Path;
use synthd_actors::model::ContainerSource;

/// What keeps a directory, or a template in it, from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryProblem {
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

/// Where the templates of a campaign's own directories go. The library of templates is one.
pub trait TemplateStore: Clone {
    /// Adds the templates below a directory, which people call `shown`. If something is wrong,
    /// nothing is added, and each problem is told.
    fn add(&mut self, directory: &Path, shown: &Path) -> Vec<LibraryProblem>;

    /// Adds the tasks of containers at a path. Tasks that cannot be used are refused by name and are no
    /// problem of the path.
    fn add_containers(
        &mut self,
        source: ContainerSource,
        path: &Path,
        shown: &Path,
    ) -> Vec<LibraryProblem>;
}

/// The lists of paths, and what each names. None: directories with templates.
static LISTS: [(PathList, Option<ContainerSource>); 3] = [
    (TEMPLATE_DIRS, None),
    (HARBOR_TASKS, Some(ContainerSource::Harbor)),
    (SWE_ROWS, Some(ContainerSource::Swe)),
];

/// The campaign and the templates in its directories, or all that is wrong with both.
pub(in crate::config) fn read<Templates: TemplateStore>(
    library: &Templates,
    name: &str,
    text: &str,
    base: &Path,
    loaded: Result<LoadedCampaign, ConfigErrors>,
) -> Result<(LoadedCampaign, Templates), ConfigErrors> {
    let mut library = library.clone();
    let source = SourceText::new(name, text);
    let mut mistakes: Vec<ConfigError> = Vec::new();
    let lists = LISTS.iter().flat_map(|(list, kind)| {
        list.named(text).into_iter().map(move |(path, span)| (list, *kind, path, span))
    });
    for (list, kind, path, span) in lists {
        // The check of the campaign has already reported such a path.
        if path.trim().is_empty() || path.starts_with('~') {
            continue;
        }
        let (place, shown) = (base.join(&path), Path::new(&path));
        let troubles = match kind {
            None => library.add(&place, shown),
            Some(kind) => library.add_containers(kind, &place, shown),
        };
        let hint = || Some(list.hint.to_owned());
        mistakes.extend(
            troubles.into_iter().map(|one| source.error(&span, one.what, one.hint.or_else(hint))),
        );
    }
    match loaded {
        Ok(loaded) if mistakes.is_empty() => Ok((loaded, library)),
        // The campaign is valid, but a directory is not.
        Ok(_) => {
            // The mistakes of the directories become the only mistakes of the file.
            let none = ConfigErrors::new(Code::ConfigInvalid, Path::new(name), vec![], 0);
            Err(none.and(mistakes))
        }
        // The file itself cannot be read, so its directories say nothing.
        Err(errors) if errors.code() != Code::ConfigInvalid => Err(errors),
        Err(errors) => Err(errors.and(mistakes)),
    }
}
