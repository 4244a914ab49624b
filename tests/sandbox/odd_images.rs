//! Images whose authors did not think of us: each works, or is refused with the reason.

use super::lab::{ok, works};
use crate::support::{OwnEngine, TINY, skip, synthd};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use synthd::sandbox::SandboxBackends;
use synthd::sandbox::docker::DockerAddress;
use synthd_actors::model::{BackendKind, Fault, FaultKind, SandboxLimits, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

fn backends(address: DockerAddress) -> SandboxBackends {
    let guest_dir = std::env::temp_dir().join("synthd-test-guest-images");
    SandboxBackends::with_engine(synthd(), &guest_dir, address)
}

fn spec(image: &str) -> SandboxSpec {
    let limits = SandboxLimits { disk_bytes: 8 << 20, inodes: 500, ..SandboxLimits::default() };
    let image = image.to_owned();
    SandboxSpec { backend: BackendKind::Docker, image, limits, ..SandboxSpec::default() }
}

/// An image by a Dockerfile that begins from the tiny one.
fn build(engine: &OwnEngine, name: &str, lines: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let from = if lines.starts_with("FROM") { String::new() } else { format!("FROM {TINY}\n") };
    std::fs::write(directory.path().join("Dockerfile"), from + lines).unwrap();
    std::fs::copy("/bin/busybox", directory.path().join("busybox")).unwrap();
    let image = format!("odd/{name}");
    let mut build = engine.docker(&["build", "-q", "-t", &image]);
    let built = build.arg(directory.path()).env("DOCKER_BUILDKIT", "0").output().unwrap();
    assert!(built.status.success(), "{name}");
    image
}

async fn created(backend: &SandboxBackends, image: &str) -> Result<Box<dyn Sandbox>, Fault> {
    backend.check(&spec(image)).await?;
    backend.create(&spec(image)).await
}

#[tokio::test]
async fn odd_images_work_like_any_other() {
    let Some(engine) = OwnEngine::start("odd images", None, &[]) else { return };
    let backend = backends(engine.address());
    let odd = [
        ("exits", "ENTRYPOINT [\"/bin/false\"]\nCMD [\"now\"]"),
        ("numbered", "USER 12345:54321"),
        ("ghost", "USER ghost"),
        ("homeless", "RUN rm -rf /home /root /tmp /run /work\nENV HOME=/nonexistent"),
        ("closed", "RUN mkdir /closed && chmod 555 /closed\nWORKDIR /closed"),
        ("elsewhere", "WORKDIR /no/such/place"),
        ("watched", "HEALTHCHECK --interval=1s CMD false\nSTOPSIGNAL SIGQUIT"),
        ("parent", "ONBUILD RUN false\nEXPOSE 80\nLABEL synthd.owner=stranger"),
        (
            "taken",
            "RUN mkdir -p /work /home/agent && echo theirs > /work/a && chmod 000 /home/agent",
        ),
    ];
    for (name, lines) in odd {
        let image = build(&engine, name, lines);
        let mut sandbox = created(&backend, &image).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let looked =
            "pwd; id -u; ls -A; echo mine > a; echo mine > ~/a; echo mine > /tmp/a; echo $HOME";
        let seen = ok(&mut *sandbox, looked).await;
        assert_eq!(seen, "/work\n1000\n/home/agent\n", "{name}");
    }
    backend.settle().await.unwrap();
    assert_eq!(engine.containers(), [""; 0]);
}

#[tokio::test]
async fn an_environment_of_two_hundred_variables_is_kept() {
    let Some(engine) = OwnEngine::start("an image of many variables", None, &[]) else { return };
    let backend = backends(engine.address());
    let many: String = (0..200).map(|n| format!("ENV VARIABLE_{n}=\"value {n} 'é$\"\n")).collect();
    let image = build(&engine, "many", &format!("{many}ENV LD_PRELOAD=/none.so BASH_ENV=/none"));
    let mut sandbox = created(&backend, &image).await.unwrap();
    let counted = "env | grep -c ^VARIABLE_; echo \"$VARIABLE_199\"";
    assert_eq!(ok(&mut *sandbox, counted).await, "200\nvalue 199 'é$\n");
}

/// What an image declares as a volume would be a place on the engine's disk without a bound.
#[tokio::test]
async fn volumes_of_an_image_are_bounded_like_all_else() {
    let Some(engine) = OwnEngine::start("an image with volumes", None, &[]) else { return };
    let backend = backends(engine.address());
    let volumes = "RUN mkdir -p /data && chmod 777 /data\nVOLUME /data\nVOLUME [\"/var/lib/inner\", \"/tmp\"]";
    let image = build(&engine, "volumes", volumes);
    let mut sandbox = created(&backend, &image).await.unwrap();
    let fill = "for at in /data /var/lib/inner; do \
                head -c 20000000 /dev/zero > $at/full 2>/dev/null && echo $at is endless; \
                stat -f -c %T $at; done; i=0; while touch /data/$i 2>/dev/null; do i=$((i+1)); \
                [ $i -gt 600 ] && echo endless && break; done; :";
    let seen = ok(&mut *sandbox, fill).await;
    assert_eq!(seen, "tmpfs\ntmpfs\n");
    // The one volume is the container's own terminals, which takes no place on a disk.
    let volumes = engine.asked(&["volume", "ls", "-q"]);
    let kind = ["volume", "inspect", "-f", "{{.Options.type}}", volumes.trim()];
    assert_eq!(engine.asked(&kind), "devpts\n", "{volumes}");
    works(&mut *sandbox).await;
    // Nor do they carry anything from one use to the next.
    sandbox.reset().await.unwrap();
    assert_eq!(
        ok(&mut *sandbox, "ls -A /data /var/lib/inner | grep -v :; env | grep SCRATCH; :")
            .await
            .trim(),
        ""
    );
    drop(sandbox);
    backend.settle().await.unwrap();
    assert_eq!(engine.asked(&["volume", "ls", "-q"]), "");
}

#[tokio::test]
async fn a_program_linked_to_another_c_library_runs() {
    let what = "an image with musl";
    let loader = Path::new("/lib/ld-musl-x86_64.so.1");
    let musl = Command::new("musl-gcc").arg("--version").output();
    if !loader.exists() || !musl.is_ok_and(|output| output.status.success()) {
        return skip(what, "it needs musl and musl-tools");
    }
    let Some(engine) = OwnEngine::start(what, None, &[]) else { return };
    let context = tempfile::tempdir().unwrap();
    let at = |name: &str| context.path().join(name);
    std::fs::write(at("p.c"), "#include <stdio.h>\nint main(void){puts(\"musl\");return 7;}")
        .unwrap();
    let compiled = Command::new("musl-gcc").arg("-o").arg(at("p")).arg(at("p.c")).status().unwrap();
    assert!(compiled.success());
    std::fs::copy(loader, at("loader")).unwrap();
    let lines = format!("FROM {TINY}\nCOPY loader {}\nCOPY p /bin/p\n", loader.display());
    std::fs::write(at("Dockerfile"), lines).unwrap();
    let mut build = engine.docker(&["build", "-q", "-t", "odd/musl"]);
    assert!(build.arg(context.path()).env("DOCKER_BUILDKIT", "0").status().unwrap().success());
    let backend = backends(engine.address());
    let mut sandbox = created(&backend, "odd/musl").await.unwrap();
    assert_eq!(ok(&mut *sandbox, "p || echo $?").await, "musl\n7\n");
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_the_reason() {
    let Some(engine) = OwnEngine::start("images that cannot work", None, &[]) else { return };
    let backend = backends(engine.address());
    let bare = build(&engine, "bare", "FROM scratch\nCOPY busybox /only\nENTRYPOINT [\"/only\"]");
    let blocked = build(&engine, "blocked", "RUN rm -rf /work && echo file > /work");
    let many: String = (0..20).map(|n| format!("VOLUME /v{n}\n")).collect();
    let volumes = build(&engine, "volumes-without-end", &many);
    let inside = build(&engine, "volume-inside", "VOLUME /work/inner");
    foreign(&engine);
    for (image, why) in [
        (bare.as_str(), "no shell"),
        (blocked.as_str(), "/work"),
        (volumes.as_str(), "volumes"),
        (inside.as_str(), "/work/inner"),
        ("odd/foreign", "is for arm64"),
        ("odd/absent", "synthd image pull"),
    ] {
        let Err(fault) = created(&backend, image).await else { panic!("{image} was taken") };
        assert_eq!(fault.kind, FaultKind::SandboxRefused, "{image}: {fault}");
        assert!(fault.message.contains(why), "{image}: {fault}");
    }
    backend.settle().await.unwrap();
    assert_eq!(engine.containers(), [""; 0]);
}

/// The same image, said to be for another kind of machine.
fn foreign(engine: &OwnEngine) {
    let script = "mkdir root && docker -H $0 save $1 | tar -x -C root && cd root && \
                  sed -i 's/\"architecture\":\"amd64\"/\"architecture\":\"arm64\"/' *.json && \
                  sed -i 's#\"RepoTags\":\\[[^]]*\\]#\"RepoTags\":[\"odd/foreign:latest\"]#' manifest.json && \
                  rm -f repositories && tar -c . | docker -H $0 load";
    let directory = tempfile::tempdir().unwrap();
    let host = format!("unix://{}", engine.socket().display());
    let mut loading = Command::new("sh");
    loading.args(["-c", script, &host, TINY]).current_dir(directory.path());
    assert!(loading.stdout(Stdio::null()).status().unwrap().success());
}

/// An engine of the year before.
#[tokio::test]
async fn an_engine_that_is_too_old_is_refused_by_its_version() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                line.clear();
            }
            let body =
                "{\"Version\":\"19.03.15\",\"ApiVersion\":\"1.40\",\"MinAPIVersion\":\"1.12\"}";
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            (&stream).write_all(answer.as_bytes()).ok();
        }
    });
    let backend = backends(DockerAddress::unix(&socket));
    let fault = backend.check(&spec(TINY)).await.err().unwrap();
    assert_eq!(fault.kind, FaultKind::SandboxRefused, "{fault}");
    assert!(fault.message.contains("\"1.40\"") && fault.message.contains("20.10"), "{fault}");
}
