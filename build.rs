//! Builds the guest, a static program of the standard library alone, with the same
//! compiler and no further tools, and leaves it where `src/sandbox/guest` embeds it. Also packs the
//! shipped templates and packs into compressed frames, see `src/embedded_files.rs`.

#![expect(clippy::expect_used, reason = "a build that cannot go on must stop and say why")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use zstd::bulk::{Compressor, decompress};

const SOURCE: &str = "src/sandbox/guest/program";
/// The level of compression. Higher ones save little, and are expanded at half the speed.
const LEVEL: i32 = 12;

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=packs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    embed_templates(&out);
    embed_packs(&out);
    let guest = out.join("guest");
    if compile(&guest, true) {
        println!("cargo::rustc-env=SYNTHD_GUEST_LINKAGE=static");
        return;
    }
    println!(
        "cargo::warning=no static C library found (Debian: libc6-dev, Fedora: glibc-static); \
         the guest is linked dynamically and works only in sandboxes that show the host's /usr"
    );
    assert!(compile(&guest, false), "the guest does not compile");
    println!("cargo::rustc-env=SYNTHD_GUEST_LINKAGE=dynamic");
}

fn compile(guest: &Path, fixed: bool) -> bool {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let mut command = Command::new(rustc);
    command
        .args(["--edition", "2024", "--crate-name", "guest", "--crate-type", "bin"])
        .args(["--target", &target, "-C", "panic=abort", "-C", "opt-level=s"])
        .args(["-C", "lto=fat", "-C", "strip=symbols", "-C", "codegen-units=1"])
        .arg("-o")
        .arg(guest)
        .arg(format!("{SOURCE}/main.rs"))
        // Flags meant for the application would change the guest, or break its linking.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    if fixed {
        command.args(["-C", "target-feature=+crt-static"]);
    }
    command.status().is_ok_and(|status| status.success())
}

/// Packs every template with its files, so that the binary needs no files beside it.
fn embed_templates(out: &Path) {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let templates = root.join("templates");
    let mut found = Vec::new();
    collect(&templates, &mut found);
    found.sort();
    let mut frame = FrameWriter::default();
    let mut list = String::new();
    for path in found {
        let is_directory = path.is_dir();
        let place = if is_directory { path.clone() } else { path.with_extension("") };
        let id = slashed(place.strip_prefix(&templates).expect("below it"));
        let files = match is_directory {
            true => frame.add_below(&path),
            false => frame.add(TEMPLATE_FILE, &path),
        };
        list.push_str(&format!(
            "EmbeddedTemplate {{ id: {id:?}, is_directory: {is_directory}, \
             files: &[\n{files}] }},\n"
        ));
    }
    let frame = frame.finish(&out.join("templates.zst"));
    let library = format!("EmbeddedLibrary {{ frame: {frame}, templates: &[\n{list}] }}");
    std::fs::write(out.join("templates.rs"), library).expect("OUT_DIR is writable");
    // Nobody need have calibrated the templates.
    let calibration = std::fs::read(templates.join("calibration.toml")).unwrap_or_default();
    std::fs::write(out.join("calibration.toml"), calibration).expect("OUT_DIR is writable");
}

/// Packs the files of every pack, each pack into a frame of its own.
fn embed_packs(out: &Path) {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut packs = entries(&root.join("packs"));
    packs.sort();
    let mut list = String::from("&[\n");
    for pack in packs.iter().filter(|path| path.join("pack.toml").is_file()) {
        let name = slashed(pack.strip_prefix(root.join("packs")).expect("below it"));
        let mut frame = FrameWriter::default();
        let files = frame.add_below(pack);
        let frame = frame.finish(&out.join(format!("pack-{name}.zst")));
        list.push_str(&format!(
            "EmbeddedPack {{ name: {name:?}, frame: {frame}, files: &[\n{files}] }},\n"
        ));
    }
    list.push(']');
    std::fs::write(out.join("packs.rs"), list).expect("OUT_DIR is writable");
}

/// Files, one behind the other, that become one compressed frame.
#[derive(Default)]
struct FrameWriter(Vec<u8>);

impl FrameWriter {
    /// Adds a file. Returns its entry for a list of files, as Rust.
    fn add(&mut self, path: &str, file: &Path) -> String {
        let start = self.0.len();
        self.0.extend(std::fs::read(file).expect("shipped files can be read"));
        let (executable, end) = (is_executable(file), self.0.len());
        format!(
            "EmbeddedFile {{ path: {path:?}, executable: {executable}, \
             at: ({start}, {end}) }},\n"
        )
    }

    /// Adds all files below a directory. Returns their entries.
    fn add_below(&mut self, directory: &Path) -> String {
        let add = |file: PathBuf| {
            let path = slashed(file.strip_prefix(directory).expect("below it"));
            self.add(&path, &file)
        };
        files_below(directory).into_iter().map(add).collect()
    }

    /// Writes the frame, and reads it back: a binary whose files cannot be read is never built.
    /// Returns the frame as Rust.
    fn finish(self, path: &Path) -> String {
        let mut compressor = Compressor::new(LEVEL).expect("zstd has the level");
        compressor.include_checksum(true).expect("zstd has checksums");
        let packed = compressor.compress(&self.0).expect("the files can be compressed");
        let back = decompress(&packed, self.0.len()).expect("the frame can be expanded");
        assert!(back == self.0, "zstd gives other bytes back than it was given");
        std::fs::write(path, packed).expect("OUT_DIR is writable");
        let (path, size) = (path.to_string_lossy(), self.0.len());
        format!("EmbeddedFrame {{ packed: include_bytes!({path:?}), size: {size} }}")
    }
}

/// A directory with this file is a template; `src/templates.rs` reads users' templates in the same way.
const TEMPLATE_FILE: &str = "template.yaml";

/// The templates below a directory: files `<name>.yaml`, and directories with a `template.yaml`.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for path in entries(directory) {
        if path.join(TEMPLATE_FILE).is_file() {
            found.push(path);
        } else if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

/// All files below a directory, sorted.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(directory) {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

/// A relative path with `/` between its parts.
fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// Whether the owner may execute a file.
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o100 != 0)
}
