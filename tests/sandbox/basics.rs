//! What every sandbox promises to honest programs: streams, outcomes, limits, sessions.

use super::lab::{
    ALONE, BOTH, Lab, contained, has_shell, ok, request, run, run_for, shelled, sleepers, works,
};
use std::time::Duration;
use synthd_actors::model::{ExecEnd, ExecRequest, SandboxLimits, SandboxProtection, ShellChoice};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn state_survives_from_turn_to_turn() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "session state")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        let first = run(&mut *sandbox, "mkdir sub && cd sub && export A='x y' && echo out").await;
        assert_eq!(first.end, ExecEnd::Exited(0), "{first:?}");
        assert_eq!(first.cwd, "/work/sub");
        let second = run(&mut *sandbox, "pwd; echo \"$A\"; id -u; exit 7").await;
        assert_eq!(second.end, ExecEnd::Exited(7));
        assert_eq!(second.stdout.text(), "/work/sub\nx y\n1000\n");
        // Leaving a directory that is gone leads back to the workspace.
        ok(&mut *sandbox, "rmdir /work/sub").await;
        assert_eq!(ok(&mut *sandbox, "pwd").await, "/work\n");
    }
}

#[tokio::test]
async fn streams_are_apart_and_any_bytes_pass() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let report = run(&mut *sandbox, "printf 'a\\0\\377'; printf 'b\\033[1m' >&2").await;
    assert_eq!((report.end, report.stdout.head.as_slice()), (ExecEnd::Exited(0), &b"a\0\xff"[..]));
    assert_eq!(report.stderr.head, b"b\x1b[1m");
    assert_eq!(ok(&mut *sandbox, "cat").await, "", "standard input is empty");
}

#[tokio::test]
async fn joined_streams_keep_the_order_in_which_they_were_written() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "joined streams")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        let command = "for n in 1 2 3; do echo out $n; echo err $n >&2; done; (exit 3)";
        let joined = ExecRequest { joined: true, ..request(command, Duration::from_secs(20)) };
        let report = sandbox.exec(&joined).await.unwrap();
        let expected = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n";
        assert_eq!((report.end, report.stdout.text().as_str()), (ExecEnd::Exited(3), expected));
        assert_eq!((report.stderr.total, report.stderr.text().as_str()), (0, ""));
        // What goes on in the background holds the one pipe, and later commands are apart again.
        let left = "sleep 1000 & echo left";
        let joined = ExecRequest { joined: true, ..request(left, Duration::from_secs(20)) };
        assert_eq!(sandbox.exec(&joined).await.unwrap().stdout.text(), "left\n");
        let apart = run(&mut *sandbox, "echo out; echo err >&2").await;
        let texts = (apart.stdout.text(), apart.stderr.text());
        assert_eq!(texts, ("out\n".to_owned(), "err\n".to_owned()));
    }
}

#[tokio::test]
async fn every_way_to_end_is_told_apart() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "ways to end")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        for (command, end) in [
            ("true", ExecEnd::Exited(0)),
            ("exit 255", ExecEnd::Exited(255)),
            ("(exit 137)", ExecEnd::Exited(137)),
            ("kill -9 $$", ExecEnd::Signaled(9)),
            ("kill -TERM $$", ExecEnd::Signaled(15)),
            ("exec false", ExecEnd::Exited(1)),
            ("/no/such/program", ExecEnd::Exited(127)),
            ("echo 'unfinished", ExecEnd::Exited(2)),
            ("if", ExecEnd::Exited(2)),
            ("exec 0<&- 1>&- 2>&- 9>&-; exit 7", ExecEnd::Exited(7)),
        ] {
            assert_eq!(run(&mut *sandbox, command).await.end, end, "{shell:?}: {command}");
            works(&mut *sandbox).await;
        }
    }
}

#[tokio::test]
async fn signals_have_their_usual_effect() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let asked = "for s in TERM INT HUP QUIT; do (exec sh -c 'kill -'$s' $$; echo lives'); \
                 echo $?; done";
    assert_eq!(ok(&mut *sandbox, asked).await, "143\n130\n129\n131\n");
    assert_eq!(run(&mut *sandbox, "yes | head -n 1").await.stderr.text(), "");
}

#[tokio::test]
async fn a_timeout_ends_the_whole_tree() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let tree = "sleep 1001 & setsid sleep 1002 & (setsid sh -c 'sleep 1003; :' &) ; \
                trap '' TERM INT HUP; sleep 1004";
    let report = run_for(&mut *sandbox, tree, SHORT).await;
    assert_eq!(report.end, ExecEnd::TimedOut);
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
}

#[tokio::test]
async fn background_work_of_earlier_turns_outlives_a_timeout() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "sleep 1000 & echo $! > kept").await;
    let report = run_for(&mut *sandbox, "sleep 1001 & sleep 1002", SHORT).await;
    assert_eq!(report.end, ExecEnd::TimedOut);
    ok(&mut *sandbox, "kill -0 $(cat kept)").await;
    sleepers(&mut *sandbox, 1).await;
}

#[tokio::test]
async fn a_command_ends_with_its_process_whoever_holds_the_pipe() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    for command in ["sleep 1000 &", "setsid sleep 1000 &", "(sleep 1000; echo late) & echo now"] {
        let report = run(&mut *sandbox, command).await;
        assert_eq!(report.end, ExecEnd::Exited(0), "{command}");
    }
    sleepers(&mut *sandbox, 3).await;
    // A background flood into a pipe nobody asks about blocks neither side.
    ok(&mut *sandbox, "yes > /dev/stdout & echo $! > pid").await;
    works(&mut *sandbox).await;
    ok(&mut *sandbox, "kill -0 $(cat pid) && kill $(cat pid)").await;
}

#[tokio::test]
async fn processor_time_is_limited_per_command() {
    let lab = Lab::new().await;
    let limits = SandboxLimits { command_cpu: Duration::from_secs(1), ..SandboxLimits::default() };
    let mut sandbox = lab.limited(limits).await;
    for command in
        ["while :; do :; done", "(while :; do :; done)", "trap '' XCPU; while :; do :; done"]
    {
        let report = run(&mut *sandbox, command).await;
        assert_eq!(report.end, ExecEnd::CpuLimit, "{command}: {report:?}");
        works(&mut *sandbox).await;
    }
    // The same codes without the time are what the program says they are.
    assert_eq!(run(&mut *sandbox, "exit 152").await.end, ExecEnd::Exited(152));
}

#[tokio::test]
async fn out_of_memory_is_told_from_other_kills() {
    let lab = Lab::new().await;
    let limits =
        SandboxLimits { memory_bytes: 64 << 20, disk_bytes: 1 << 20, ..SandboxLimits::default() };
    let mut sandbox = lab.limited(limits).await;
    let hungry = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); y=$x$x$x$x$x$x$x$x; echo ${#y}";
    let report = run(&mut *sandbox, hungry).await;
    if lab.enforces(SandboxProtection::MemoryCgroup) {
        assert_eq!(report.end, ExecEnd::OutOfMemory, "{report:?}");
        let told = &sandbox.fingerprint().enforced["memory"];
        assert!(told.starts_with("67108864 by cgroup"), "{told}");
        // Its two work areas, or a container's three and what is in /run and /dev/shm.
        let whole = if contained() { 103_809_024 } else { 69_206_016 };
        assert!(told.ends_with(&format!(", {whole} with its work areas")), "{told}");
    } else {
        // The address space of each process is bounded: the shell itself gives up.
        assert!(matches!(report.end, ExecEnd::Exited(code) if code != 0), "{report:?}");
        assert_eq!(sandbox.fingerprint().enforced["memory"], "67108864 by rlimit per process");
    }
    for (command, end) in [
        ("kill -9 $$", ExecEnd::Signaled(9)),
        ("exit 137", ExecEnd::Exited(137)),
        ("false", ExecEnd::Exited(1)),
    ] {
        assert_eq!(run(&mut *sandbox, command).await.end, end);
    }
    // A kill a command has got over is not blamed on the one after it.
    assert_eq!(
        run(&mut *sandbox, &format!("sh -c '{hungry}' | cat; true")).await.end.exit_code(),
        0
    );
    assert_eq!(run(&mut *sandbox, "false").await.end, ExecEnd::Exited(1));
}

#[tokio::test]
async fn output_is_cut_in_the_middle_and_counted() {
    let lab = Lab::new().await;
    let mut sandbox =
        lab.limited(SandboxLimits { output_kept: 2_000, ..SandboxLimits::default() }).await;
    let report = run(&mut *sandbox, "seq 1 100000; echo end; seq 1 10 >&2").await;
    assert_eq!((report.end, report.stdout.total), (ExecEnd::Exited(0), 588_895 + 4));
    assert_eq!((report.stdout.head.len(), report.stdout.tail.len()), (1_000, 1_000));
    assert!(report.stdout.truncated() && !report.stderr.truncated());
    assert!(report.stdout.head.starts_with(b"1\n2\n"));
    assert!(report.stdout.tail.ends_with(b"\n100000\nend\n"));
    let exact = run(&mut *sandbox, "head -c 2000 /dev/zero").await.stdout;
    assert!(!exact.truncated() && exact.total == 2_000);
}

#[tokio::test]
async fn too_much_output_ends_a_command() {
    let lab = Lab::new().await;
    let mut sandbox =
        lab.limited(SandboxLimits { output_killed: 1 << 20, ..SandboxLimits::default() }).await;
    for command in ["yes", "yes >&2", "while :; do head -c 100000 /dev/zero; done", "yes & yes"] {
        let report = run(&mut *sandbox, command).await;
        assert_eq!(report.end, ExecEnd::OutputLimit, "{command}");
        assert!(report.stdout.total + report.stderr.total > 1 << 20);
    }
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn a_session_survives_what_commands_do_to_their_shell() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "hurt sessions")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        ok(&mut *sandbox, "export KEPT=1; cd /tmp").await;
        for command in [
            "exec true",
            "kill -9 $$",
            "trap 'echo mine' EXIT; exit 3",
            "exec 9>&-",
            "set -eu; false",
            "printf 'forged\\0declare -x KEPT=\"half' >&9; kill -9 $$",
            "printf '/nowhere\\n\\0' >&9; exec true",
            "printf 'no end' >&9; exec true",
            "exec >/dev/null 2>&1",
            "unalias -a; alias pwd=false; umask 777",
            "readonly PATH; readonly KEPT",
        ] {
            run(&mut *sandbox, command).await;
            works(&mut *sandbox).await;
        }
        assert!(run(&mut *sandbox, "trap 'echo mine' EXIT").await.stdout.text() == "mine\n");
    }
}

#[tokio::test]
async fn exports_keep_every_byte() {
    let lab = Lab::new().await;
    let set = "export Q=\"it's \\\"q\\\" \\$HOME \\`id\\` \\\\ end\" N='a\nb\n\nc ' T=\"$(printf '\\t\\001\\377é')\" EMPTY= ";
    let show = "printf '%s|%s|%s|%s|' \"$Q\" \"$N\" \"$T\" \"${EMPTY-unset}\"";
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "exports")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        let first = run(&mut *sandbox, &format!("{set}; {show}")).await;
        assert_eq!(first.end, ExecEnd::Exited(0), "{first:?}");
        for _ in 0..2 {
            assert_eq!(run(&mut *sandbox, show).await.stdout.head, first.stdout.head, "{shell:?}");
        }
        ok(&mut *sandbox, "unset N; unset HOME; export SHLVL=7").await;
        assert_eq!(ok(&mut *sandbox, "echo ${N-no}${HOME-no}").await, "nono\n");
    }
}

#[tokio::test]
async fn exports_too_large_to_pass_on_are_dropped_alone() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "export SMALL=1 BIG=$(head -c 200000 /dev/zero | tr '\\0' x)").await;
    assert_eq!(ok(&mut *sandbox, "echo $SMALL${#BIG}; /bin/echo runs").await, "10\nruns\n");
    ok(
        &mut *sandbox,
        "for i in $(seq 100); do export V$i=$(head -c 30000 /dev/zero | tr '\\0' x); done",
    )
    .await;
    assert_eq!(ok(&mut *sandbox, "/bin/echo runs").await, "runs\n");
}

#[tokio::test]
async fn commands_of_any_length_but_no_nul() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "long commands")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        let long = format!("x='{}'\ncd /tmp\nexport LEFT=1\necho ${{#x}}", "y".repeat(300_000));
        assert_eq!(ok(&mut *sandbox, &long).await, "300000\n");
        assert_eq!(ok(&mut *sandbox, "pwd; echo $LEFT").await, "/tmp\n1\n");
        let plain = ExecRequest { session: false, ..request(&long, Duration::from_secs(20)) };
        let report = sandbox.exec(&plain).await.unwrap();
        assert_eq!((report.end, report.stderr.text()), (ExecEnd::Exited(0), String::new()));
        for length in [10, 300_000] {
            let report = run(&mut *sandbox, &format!("echo a\0b{}", " ".repeat(length))).await;
            assert!(matches!(report.end, ExecEnd::NotStarted(_)), "{report:?}");
        }
        let huge = run(&mut *sandbox, &" ".repeat(5 << 20)).await;
        assert!(matches!(huge.end, ExecEnd::NotStarted(_)), "{:?}", huge.end);
        works(&mut *sandbox).await;
    }
}

#[tokio::test]
async fn commands_outside_the_session_leave_it_alone() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "cd /tmp; export A=1").await;
    let apart = ExecRequest {
        session: false,
        ..request("pwd; echo ${A-unset}; cd /; export A=2; : >&9", Duration::from_secs(20))
    };
    let report = sandbox.exec(&apart).await.unwrap();
    assert_eq!(report.stdout.text(), "/work\nunset\n");
    assert_eq!(ok(&mut *sandbox, "pwd; echo $A").await, "/tmp\n1\n");
}

#[tokio::test]
async fn messages_name_the_line_the_author_wrote() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let report = run(&mut *sandbox, "nonesuch\n\nnonesuch2").await;
    let text = report.stderr.text();
    assert!(text.contains("line 1: nonesuch:") && text.contains("line 3: nonesuch2:"), "{text}");
}

#[tokio::test]
async fn a_scan_lists_the_first_files_and_notices_every_change() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let many = "mkdir d && cd d && seq -f 'f%04.0f' 1 400 | xargs touch; cd ..; echo x > a";
    let before = run(&mut *sandbox, many).await.scan.unwrap();
    assert_eq!((before.files.len(), before.files[0].as_str()), (256, "a"));
    assert_eq!(before.files[255], "d/f0255");
    let same = run(&mut *sandbox, "true").await.scan.unwrap();
    assert_eq!(same, before);
    let touched = "touch -r a /tmp/t; echo y > a; touch -r /tmp/t a";
    assert_ne!(run(&mut *sandbox, touched).await.scan.unwrap().digest, before.digest);
}

#[tokio::test]
async fn every_builtin_that_can_change_a_session_does() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "builtins")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        ok(&mut *sandbox, "export A=1 B=2; mkdir d; echo 'cd /work/d; export A=9' > s").await;
        // Plain words all of them, so that only the name tells them from programs.
        for (command, cwd, exports) in [
            ("cd /tmp", "/tmp", "1 2"),
            ("command cd /work", "/work", "1 2"),
            ("unset B", "/work", "1 none"),
            ("export B", "/work", "1 none"),
            (". ./s", "/work/d", "9 none"),
            ("eval cd /work", "/work", "9 none"),
            ("ls", "/work", "9 none"),
            ("   pwd   ", "/work", "9 none"),
            ("exec true", "/work", "9 none"),
        ] {
            run(&mut *sandbox, command).await;
            let seen = ok(&mut *sandbox, "echo \"$PWD $A ${B-none}\"").await;
            assert_eq!(seen, format!("{cwd} {exports}\n"), "{shell:?}: {command}");
        }
    }
    // Every name bash calls its own is known, or changes nothing.
    if has_shell(ShellChoice::Bash, "bash's own list of builtins") {
        let mut sandbox = lab.with(shelled(ShellChoice::Bash)).await;
        let program = include_str!("../../src/sandbox/guest/program/stateless_commands.rs");
        let names = ok(&mut *sandbox, "compgen -b; compgen -k; :").await;
        for name in names.lines().filter(|name| name.bytes().all(|b| b.is_ascii_lowercase())) {
            let harmless = ["echo", "false", "kill", "pwd", "test", "true"].contains(&name);
            assert!(harmless || program.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
