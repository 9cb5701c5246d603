//! P10: only what the run made is ever removed, and runs that were asked for different servers
//! share none.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::kill_with_its_reaper;

/// Folders as people have them, two of which look like runs to whoever does not look twice.
fn furnish(dir: &Path) {
    for folder in ["work/deep", ".hidden", "empty", "looks-like-a-run/ledger", ".new-x"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    for file in ["work/deep/thesis.tex", ".hidden/key", "notes", "looks-like-a-run/members"] {
        std::fs::write(dir.join(file), "theirs").unwrap();
    }
}

/// Every path below a directory, but the harness's own.
fn below(dir: &Path, base: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path != base {
            found.push(path.display().to_string());
            if entry.file_type().unwrap().is_dir() {
                found.extend(below(&path, base));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_directory_that_the_user_names_keeps_what_is_in_it() {
    let lab = Lab::new();
    furnish(&lab.runs());
    let theirs = below(&lab.runs(), &lab.base());
    let run = |id: &str, end: &str| {
        let mut test = lab.actor("native", end).env("TESTENV_RUN_ID", id).spawn().unwrap();
        assert_eq!(lab::line(&mut test), "native");
        test
    };

    kill_with_its_reaper(&lab, run("killed", "wait"));
    run("next", "pass").wait().unwrap();
    testenv::wait::until_blocking(PROMISED, "the end of both runs", || {
        if lab.base().exists() { Err("there") } else { Ok(()) }
    })
    .unwrap();

    assert_eq!(below(&lab.runs(), &lab.base()), theirs);
}

#[test]
fn what_somebody_puts_between_the_runs_stays() {
    let lab = Lab::new();
    let mut test = lab.actor("native", "wait").env("TESTENV_RUN_ID", "first").spawn().unwrap();
    assert_eq!(lab::line(&mut test), "native");
    furnish(&lab.base().join("furnished"));
    furnish(&lab.runs().with_file_name("elsewhere"));
    symlink(lab.runs().with_file_name("elsewhere"), lab.base().join("link")).unwrap();
    let theirs = || below(&lab.base(), &lab.base().join("first"));
    let before = theirs();
    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_gone("first");

    let next = lab.actor("nothing", "pass").env("TESTENV_RUN_ID", "first").status().unwrap();

    assert!(next.success());
    lab.expect_gone("first");
    let there = theirs().into_iter().filter(|path| !path.ends_with(".lock"));
    assert_eq!(
        there.collect::<Vec<_>>(),
        before.into_iter().filter(|path| !path.ends_with(".lock")).collect::<Vec<_>>()
    );
    assert!(lab.runs().with_file_name("elsewhere").join("work/deep/thesis.tex").exists());
}

/// What a test says that cannot join a run, and what the user then finds.
fn refused(lab: &Lab) -> String {
    let output = lab.actor("nothing", "pass").stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_directory_of_the_harnesss_name_that_it_did_not_make_is_refused_and_kept() {
    let lab = Lab::new();
    furnish(&lab.base());
    let theirs = below(&lab.base(), Path::new(""));

    let said = refused(&lab);

    assert!(said.contains("the harness did not make it") && said.contains("to fix: "), "{said}");
    assert_eq!(below(&lab.base(), Path::new("")), theirs);
}

#[test]
fn a_link_in_the_place_of_the_runs_is_refused_and_what_it_leads_to_is_kept() {
    let lab = Lab::new();
    let elsewhere = lab.runs().with_file_name("elsewhere");
    furnish(&elsewhere);
    let theirs = below(&elsewhere, Path::new(""));
    std::fs::create_dir_all(lab.runs()).unwrap();
    symlink(&elsewhere, lab.base()).unwrap();

    let said = refused(&lab);

    assert!(said.contains("a link") && said.contains("to fix: export TESTENV_DIR="), "{said}");
    assert_eq!(below(&elsewhere, Path::new("")), theirs);
}

/// The server that a run with these variables meets, as a member of the run says it.
fn met(lab: &Lab, vars: &[(&str, &str)]) -> String {
    let mut member = lab.actor("member", "0");
    member.env("TESTENV_RUN_ID", "same").env("TESTENV_GRACE_MS", "3000");
    let output = member.envs(vars.iter().copied()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn runs_that_were_asked_for_other_servers_share_none_within_the_grace() {
    let lab = Lab::new();
    let asked: [&[(&str, &str)]; 6] = [
        &[],
        &[("TESTENV_PROVIDER", "native")],
        &[("TESTENV_POSTGRES_URL", "postgres://one")],
        &[("TESTENV_POSTGRES_URL", "postgres://other")],
        &[("TESTENV_SERVICE_OF_TOMORROW_IMAGE", "x:1")],
        &[("DOCKER_HOST", "tcp://127.0.0.1:1")],
    ];

    let first = asked.map(|vars| met(&lab, vars));
    let again = asked.map(|vars| met(&lab, vars));

    let mut different = first.to_vec();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), asked.len(), "{first:?}");
    assert_eq!(first, again, "the same run is met again");
    let names = std::fs::read_dir(lab.base()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(
        names.iter().all(|name| !name.contains("postgres")),
        "no name tells an address: {names:?}"
    );
    lab.expect_nothing_left(PROMISED);
}

/// A run with a container in namespaces of its own, and a temporary directory of its own, as systemd's `PrivateTmp` and job runners make them.
#[cfg(feature = "integration")]
fn hidden(lab: &Lab, namespaces: &[&str]) -> std::process::Child {
    let script = r#"mount -t tmpfs none "$0" && exec "$1" docker wait"#;
    std::fs::create_dir_all(lab.runs()).unwrap();
    let mut run = lab.command("unshare");
    run.args(namespaces).args(["--mount", "sh", "-c", script]).arg(lab.runs());
    run.arg(env!("CARGO_BIN_EXE_testenv-actor"));
    let mut run = run.spawn().expect("unshare can be run (package util-linux)");
    assert_eq!(lab::line(&mut run), "docker", "mounting needs root");
    run
}

/// As a job's container that is killed: its processes are gone at once, the reaper too, and its files with the last of them.
#[cfg(feature = "integration")]
#[test]
fn what_is_left_of_a_process_namespace_that_was_killed_is_swept_by_root_of_the_machine() {
    let lab = Lab::new();
    let mut killed = hidden(&lab, &["--pid", "--fork", "--kill-child", "--mount-proc"]);
    assert!(!lab.base().exists());

    killed.kill().unwrap();
    killed.wait().unwrap();
    let next = lab.actor("nothing", "pass").status().unwrap();

    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
}

#[cfg(feature = "integration")]
#[test]
fn a_run_behind_another_mount_of_the_same_path_is_not_swept() {
    let lab = Lab::new();
    let mut live = hidden(&lab, &[]);
    let containers =
        || lab::engine::labelled("container", "testenv.owner", &lab.base().display().to_string());
    assert_eq!((containers().len(), lab.base().exists()), (1, false));

    let beside = lab.actor("docker", "pass").status().unwrap();

    assert!(beside.success());
    testenv::wait::until_blocking(PROMISED, "the end of the run beside it", || {
        if lab.base().exists() { Err("there") } else { Ok(()) }
    })
    .unwrap();
    lab.expect_reapers(PROMISED, 1, "");
    assert_eq!(containers().len(), 1, "the live run's container is there");
    drop(live.stdin.take());
    live.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

/// `HOME=/nonexistent` is how systems say that a user has none.
#[test]
fn a_home_that_is_not_there_is_not_made() {
    let lab = Lab::new();
    let home = lab.runs().with_file_name("no home");
    let mut test = lab.actor("native", "pass");

    let status = test.env("HOME", &home).env_remove("XDG_STATE_HOME").status().unwrap();

    assert!(status.success());
    lab.expect_nothing_left(PROMISED);
    assert!(!home.exists());
}

/// Under cargo's setting `runner`, cargo is no test's parent: still one run, one server.
#[test]
fn a_wrapper_between_cargo_and_the_tests_does_not_split_the_run() {
    let lab = Lab::new();
    let actor = env!("CARGO_BIN_EXE_testenv-actor");
    let wrapped =
        |test: &str| format!(r#"sh -c 'timeout 60 sh -c "\"\$0\" member 0; true" "$0"' "{test}""#);
    let script = format!("{}; {}", wrapped(actor), wrapped(actor));

    let mut cargo = lab.cargo(&script);
    let output = cargo.env("TESTENV_GRACE_MS", "0").output().unwrap();

    let said = String::from_utf8(output.stdout).unwrap();
    let servers: Vec<&str> = said.lines().collect();
    assert_eq!(servers.len(), 2, "{said}");
    assert_eq!(servers[0], servers[1]);
    lab.expect_nothing_left(PROMISED);
}

/// A runner that removes each test's temporary directory takes nothing of the run with it.
#[test]
fn tests_with_a_temporary_directory_each_share_a_run() {
    let lab = Lab::new();
    let (given, own) = (lab.runs(), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    std::fs::create_dir(&given).unwrap();
    let actor = env!("CARGO_BIN_EXE_testenv-actor");
    let given = given.display();
    let [one, other] = own.each_ref().map(|own| {
        format!("TMPDIR={} TESTENV_TMPDIR='{given}' {actor} member 0", own.path().display())
    });

    // The last one has what a runner itself has.
    let mut cargo = lab.cargo(&format!("{one}; {other}; TMPDIR='{given}' {actor} member 0"));
    cargo.env_remove("TESTENV_DIR").env("TESTENV_GRACE_MS", "0");
    let output = cargo.output().unwrap();

    let said = String::from_utf8(output.stdout).unwrap();
    let servers: Vec<&str> = said.lines().collect();
    assert_eq!(servers.len(), 3, "{said}");
    assert!(servers.iter().all(|server| *server == servers[0]), "{said}");
    lab.expect_nothing_left(PROMISED);
    for own in own {
        assert_eq!(std::fs::read_dir(own.path()).unwrap().count(), 0);
    }
}

/// As a cross-compiling loader, or one of another libc, starts a test.
#[cfg(target_os = "linux")]
#[test]
fn a_test_that_an_explicit_loader_starts_has_a_reaper() {
    let lab = Lab::new();
    let actor = env!("CARGO_BIN_EXE_testenv-actor");
    let loader = Command::new("sh")
        .args(["-c", r#"ldd "$0" | awk '/ld-linux|ld-musl/ { print $1; exit }'"#, actor])
        .output()
        .unwrap();
    let loader = String::from_utf8(loader.stdout).unwrap();
    let mut test = lab.command(loader.trim());

    let status = test.args([actor, "nothing", "pass"]).status().unwrap();

    assert!(status.success());
    lab.expect_nothing_left(PROMISED);
}
