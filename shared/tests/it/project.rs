//! What a project says about its servers in its `Cargo.toml`.

use std::path::PathBuf;
use std::process::Stdio;

use crate::given::ask;
use crate::lab::engine::started;
use crate::lab::{Lab, PROMISED, line};

/// A workspace of somebody else's, with the packages `shop` and `bank`.
struct Project(tempfile::TempDir);

impl Project {
    fn new(workspace: &str, bank: &str) -> Project {
        let project = Project(tempfile::tempdir().unwrap());
        std::fs::write(project.0.path().join("Cargo.toml"), format!("[workspace]\n{workspace}\n"))
            .unwrap();
        for (name, more) in [("shop", ""), ("bank", bank)] {
            let folder = project.package(name);
            std::fs::create_dir(&folder).unwrap();
            let manifest = format!("[package]\nname = \"{name}\"\n{more}\n");
            std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        }
        project
    }

    fn package(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

const SETTINGS: &str = "[workspace.metadata.testenv.postgres.settings]\nwork_mem = \"7MB\"\nwal_level = \"logical\"\n\
    [workspace.metadata.testenv.redis.settings]\nhz = 50\nmaxmemory-policy = \"allkeys-lru\"";

#[test]
fn a_server_of_ours_has_the_settings_of_the_project() {
    let project = Project::new(SETTINGS, "");
    for provider in ["docker", "native"] {
        let lab = Lab::new();
        let mut test = lab.actor("settings", "pass");
        test.current_dir(project.package("shop")).env("TESTENV_PROVIDER", provider);

        let output = test.output().unwrap();

        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("7MB logical 50 allkeys-lru"), "{provider}: {said}");
        lab.expect_nothing_left(PROMISED);
    }
}

/// In one run: the packages of a workspace are tested by one command.
#[test]
fn two_packages_with_different_wishes_have_two_servers() {
    let bank = "[package.metadata.testenv.postgres]\nsettings = { work_mem = \"9MB\" }";
    let (project, lab) = (Project::new(SETTINGS, bank), Lab::new());
    let test_of = |package: &str| {
        let mut test = lab.actor("settings", "wait");
        test.current_dir(project.package(package)).env("TESTENV_RUN_ID", "one");
        test.env("TESTENV_PROVIDER", "docker").spawn().unwrap()
    };

    let started = started(&lab, || {
        let mut tests = ["shop", "bank", "shop"].map(test_of);
        let said = tests.each_mut().map(line);
        assert_eq!(said.map(|said| said[..3].to_owned()), ["7MB", "9MB", "7MB"]);
        for mut test in tests {
            drop(test.stdin.take());
            test.wait().unwrap();
        }
    });

    assert_eq!(started, ["postgres", "postgres", "redis", "redis"]);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn the_image_of_the_project_is_taken_and_said_and_a_variable_counts_first() {
    let image =
        "[workspace.metadata.testenv.postgres]\nimage = \"testenv.local/postgres:distribution\"";
    let (project, lab) = (Project::new(image, ""), Lab::new());
    let said = |variable: Option<&str>| {
        let mut test = lab.actor("asked", "pass");
        test.current_dir(project.package("shop")).stderr(Stdio::piped());
        test.envs(variable.map(|name| ("TESTENV_POSTGRES_IMAGE", name)));
        let mut test = test.spawn().unwrap();
        let had = ask(&mut test, "1");
        drop(test.stdin.take());
        had + &String::from_utf8_lossy(&test.wait_with_output().unwrap().stderr)
    };
    let place = format!("{}:3", project.0.path().join("Cargo.toml").display());

    let of_the_project = said(None);
    let of_the_variable = said(Some("testenv.local/no-such-image:1"));

    assert!(of_the_project.contains("had: "), "{of_the_project}");
    let named = format!("a container of testenv.local/postgres:distribution (named by {place}");
    assert!(of_the_project.contains(&named), "{of_the_project}");
    assert!(
        of_the_variable.contains("correct or unset TESTENV_POSTGRES_IMAGE"),
        "{of_the_variable}"
    );
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn what_cannot_be_had_as_the_project_says_is_refused_with_file_and_line() {
    for (says, provider, words) in [
        (
            "image = \"testenv.local/no-such-image:1\"",
            "docker",
            "no image testenv.local/no-such-image:1 for postgres",
        ),
        ("version = \"16\"", "native", "asks for an image"),
        ("imgae = \"postgres:16\"", "docker", "`imgae` is nothing that the harness knows"),
    ] {
        let says = format!("[workspace.metadata.testenv.postgres]\n{says}");
        let (project, lab) = (Project::new(&says, ""), Lab::new());
        let mut test = lab.actor("asked", "pass");
        test.current_dir(project.package("shop")).env("TESTENV_PROVIDER", provider);
        let mut test = test.spawn().unwrap();

        let refused = ask(&mut test, "1");

        assert!(refused.contains(words), "{says}: {refused}");
        let place = format!("{}:3", project.0.path().join("Cargo.toml").display());
        assert!(refused.contains(&place), "{says}: {refused}");
        if provider == "native" {
            let cure = format!("to fix: unset TESTENV_PROVIDER, or remove {place}");
            assert!(refused.contains(&cure), "{refused}");
        }
        drop(test.stdin.take());
        test.wait().unwrap();
        lab.expect_nothing_left(PROMISED);
    }
}

#[test]
fn doctor_and_setup_say_a_mistake_of_the_project() {
    let project = Project::new("[workspace.metadata.testenv.redis]\nverion = \"7\"", "");
    let lab = Lab::new();
    for word in ["doctor", "setup"] {
        let mut testenv = lab.command(env!("CARGO_BIN_EXE_testenv"));

        testenv.arg(word).current_dir(project.package("shop")).stderr(Stdio::piped());
        let output = testenv.output().unwrap();

        assert!(!output.status.success(), "{word}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("`verion` is nothing that the harness knows"), "{word}: {said}");
    }
    assert_eq!(lab.left(), Vec::<String>::new());
}
