//! Files that are no configuration, and configurations in odd files.

use super::*;
use std::fs;
use std::io::Write as _;
use tempfile::TempDir;

fn load(bytes: &[u8]) -> Result<LoadedCampaign, ConfigErrors> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("c.toml");
    fs::write(&path, bytes).expect("written");
    load_campaign(&path)
}

fn only(result: Result<LoadedCampaign, ConfigErrors>) -> (Code, ConfigError) {
    let errors = result.expect_err("refused");
    assert_eq!(errors.total(), 1, "{errors}");
    (errors.code(), errors.errors()[0].clone())
}

#[test]
fn what_cannot_be_read_is_said_so() {
    let dir = TempDir::new().expect("a directory");
    let (code, error) = only(load_campaign(&dir.path().join("missing.toml")));
    assert_eq!((code, error.line), (Code::ConfigUnreadable, 0));
    assert!(error.message.contains("No such file"), "{}", error.message);
    let (code, error) = only(load_campaign(dir.path()));
    assert_eq!((code, error.message.as_str()), (Code::ConfigUnreadable, "is a directory"));
    let error = crate::error::Error::from(load_campaign(dir.path()).expect_err("refused"));
    assert!(error.report().contains("\n  help: name a TOML file"), "{}", error.report());
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("huge.toml");
    let file = fs::File::create(&path).expect("created");
    file.set_len(100 << 20).expect("a sparse file");
    let (code, error) = only(load_campaign(&path));
    assert_eq!(code, Code::ConfigUnreadable);
    assert_eq!(error.message, "is larger than 1024 KiB");
    let (code, _) = only(parse_campaign("c.toml", &"#".repeat((1 << 20) + 1)));
    assert_eq!(code, Code::ConfigUnreadable);
    assert!(parse_campaign("c.toml", &format!("{MINIMAL}#{}", "x".repeat(1_000_000))).is_ok());
}

#[test]
fn bad_bytes_are_located() {
    let (code, error) = only(load(b"[campaign]\nname = \"\xc3\xa9\xff\" # \xfe\n"));
    assert_eq!(code, Code::ConfigUnreadable);
    assert_eq!((error.line, error.column), (2, 10));
    assert_eq!(error.message, "not UTF-8: byte 0xff at offset 21");
    let (_, error) = only(load(b"\xff\xfe[\0c\0"));
    assert_eq!(error.hint.as_deref(), Some("this looks like UTF-16; save it as UTF-8"));
    // Cut in the middle of a character.
    let (_, error) = only(load(b"# \xe2\x82"));
    assert_eq!((error.line, error.column), (1, 3));
}

#[test]
fn an_empty_file_is_one_mistake() {
    for text in ["", "\n\n", "# only a comment", "\u{feff}"] {
        let (code, error) = only(load(text.as_bytes()));
        assert_eq!((code, error.line, error.column), (Code::ConfigInvalid, 1, 1));
        assert_eq!(error.message, "nothing is set in this file");
    }
}

#[test]
fn a_mark_and_windows_line_ends_change_nothing() {
    let windows = format!("\u{feff}{}", MINIMAL.replace('\n', "\r\n"));
    let loaded = load(windows.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.config, campaign(MINIMAL));
    assert!(loaded.source.starts_with('['));
    let (_, error) = only(load(
        format!("\u{feff}x = 1\r\n{windows}").replace("\r\n\u{feff}", "\r\n").as_bytes(),
    ));
    assert_eq!((error.line, error.column, error.source_line.as_str()), (1, 1, "x = 1"));
}

#[test]
fn a_lone_carriage_return_is_an_error() {
    let errors = errors("[campaign]\rname = \"x\"\r");
    assert!(errors.errors()[0].message.contains("carriage return"), "{errors}");
    assert!(!errors.render().contains('\r'));
}

#[test]
fn zeros_are_an_error() {
    let (code, _) = match load(&[0; 4096]) {
        Err(errors) => (errors.code(), errors.render()),
        Ok(_) => panic!("accepted"),
    };
    assert_eq!(code, Code::ConfigInvalid);
}

#[test]
fn pipes_are_read() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(MINIMAL.as_bytes()).expect("written");
    drop(writer);
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    assert!(load_campaign(Path::new(&path)).is_ok());
}
