//! The help of every command there is, found by reading the help itself.

use super::harness::{assert_fits, snapshot, synthd};

/// `(path, help)` of the program and of every command below it.
fn all_helps() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let ran = synthd(&args).succeeds();
        assert_eq!(ran.stderr, "", "help is an answer");
        for name in subcommands(&ran.stdout) {
            open.push([path.clone(), vec![name]].concat());
        }
        found.push((path, ran.stdout));
    }
    found
}

fn subcommands(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_help_text_fits_and_is_as_it_was() {
    let helps = all_helps();
    assert!(helps.len() >= 16, "{} commands were found", helps.len());
    for (path, help) in helps {
        assert_fits(&help);
        assert!(help.contains("Usage: synthd"), "{help}");
        let name =
            if path.is_empty() { "help".to_owned() } else { format!("help_{}", path.join("_")) };
        snapshot(&name, &help, None);
    }
}

#[test]
fn an_unknown_command_is_bad_usage() {
    let ran = synthd(&["epsiode", "list"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    snapshot("unknown_command", &ran.told(), None);
    for args in [&["episode"][..], &["episode", "show"], &["run", "--no-such-option"]] {
        let ran = synthd(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert_fits(&ran.stderr);
    }
}

#[test]
fn letters_exchanged_in_a_command_are_guessed() {
    for (args, meant) in [
        (&["rnu", "x.toml"][..], "'run'"),
        (&["--log-level", "info", "rnu"], "'run'"),
        (&["episode", "lsit"], "'list'"),
        (&["template", "chekc"], "'check'"),
    ] {
        let ran = synthd(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.stderr.contains(meant), "{args:?}: {}", ran.stderr);
    }
    let far = synthd(&["xyzzy"]);
    assert!(!far.stderr.contains("similar"), "{}", far.stderr);
}

#[test]
fn a_level_that_is_none_is_bad_usage() {
    let ran = synthd(&["--log-level", "nonsense", "template", "list"]).fails(2, "SYN-0105");
    assert!(ran.stderr.contains("unknown level \"nonsense\""), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    let ran = synthd(&["--log-level", "inof", "template", "list"]).fails(2, "SYN-0105");
    assert!(ran.stderr.contains("did you mean `info`?"), "{}", ran.stderr);
}

#[test]
fn no_arguments_at_all_show_the_help() {
    let ran = synthd(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("Usage: synthd"), "{ran:?}");
}

#[test]
fn the_version_is_one_line() {
    let version = synthd(&["--version"]).succeeds().stdout;
    assert_eq!(version, format!("synthd {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = synthd(&["completions", shell]).succeeds().stdout;
        assert!(script.contains("episode"), "{shell}");
    }
}
