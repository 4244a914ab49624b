//! The list of skills. A template names two to four of them, and campaigns draw by them. The list is
//! open: a template of a user's may name a skill that is not here. `docs/skills.md` explains each.

/// Every skill that the shipped templates may name, sorted.
pub const SKILLS: [&str; 77] = [
    "algo.dynamic-programming",
    "algo.graphs",
    "algo.intervals",
    "algo.numeric",
    "archive.formats",
    "awk.records",
    "binary.checksums",
    "binary.formats",
    "build.dependencies",
    "build.incremental",
    "build.make",
    "c.memory",
    "c.undefined-behaviour",
    "cli.arguments",
    "concurrency.locks",
    "concurrency.ordering",
    "config.formats",
    "config.layers",
    "csv.joins",
    "csv.quoting",
    "data.cleaning",
    "data.reconciliation",
    "data.schema-migration",
    "dates.calendars",
    "dates.zones",
    "debug.bisection",
    "debug.hypotheses",
    "debug.traces",
    "docs.changelog",
    "docs.reference",
    "encoding.text",
    "encoding.urls",
    "fs.layout",
    "fs.links",
    "fs.metadata",
    "git.bisect",
    "git.history-rewrite",
    "git.merge",
    "git.plumbing",
    "http.clients",
    "http.servers",
    "js.async",
    "js.modules",
    "json.transform",
    "log.correlation",
    "log.parsing",
    "net.addresses",
    "net.names",
    "net.protocols",
    "parse.grammars",
    "parse.precedence",
    "perf.complexity",
    "perf.io",
    "posix.permissions",
    "posix.processes",
    "posix.signals",
    "py.data-model",
    "py.packaging",
    "py.testing",
    "recovery.reassembly",
    "refactor.duplication",
    "refactor.interfaces",
    "regex.patterns",
    "schedule.dependencies",
    "security.injection",
    "security.secrets",
    "shell.pipelines",
    "shell.portability",
    "shell.quoting",
    "spec.reading",
    "sql.ddl",
    "sql.queries",
    "sql.transactions",
    "test.fixtures",
    "test.mutation",
    "test.properties",
    "text.reports",
];

#[cfg(test)]
mod tests {
    use super::SKILLS;

    #[test]
    fn the_document_has_every_skill_and_no_other() {
        let document = include_str!("../../docs/skills.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| Some(row.split_once('`')?.0)).collect();
        let skills: Vec<&str> = listed.into_iter().filter(|name| name.contains('.')).collect();
        assert_eq!(skills, SKILLS);
        assert!(SKILLS.is_sorted());
    }
}
