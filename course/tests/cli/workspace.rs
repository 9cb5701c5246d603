//! A workspace of two small tasks without dependencies, so that building one takes a second.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;
use testenv::wait;

const MANIFEST: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n";

const README: &str = "# Task 01: a sum\n\nTwo numbers become one.\n\n## Requirements\n\n\
    - **R1** `sum` adds.\n- **R2** `sum` stops at the largest number.\n- **R3** `name` names a number, in letters of any size.\n\n## Do\n\nTest it.\n";

const FAULTS: &str = r#"# The wrong sums.
[[fault]]
id = "minus"
requirement = "R1"
story = "STORY-OF-MINUS"
hint = "HINT-OF-MINUS"
[[fault]]
id = "wraps"
requirement = "R2"
story = "STORY-OF-WRAPS"
hint = "HINT-OF-WRAPS"
[[variant]]
id = "capitals"
requirement = "R3"
story = "STORY-OF-CAPITALS"
hint = "HINT-OF-CAPITALS"
"#;

const SUBJECT: &str = r#"
#[allow(dead_code)]
pub mod fault;
pub fn sum(a: i32, b: i32) -> i32 {
    if fault!("minus") { a - b } else if a.checked_add(b).is_none() && fault!("wraps") { a.wrapping_add(b) } else { a.saturating_add(b) }
}
pub fn name(_: i32) -> String {
    if fault!("capitals") { "A NUMBER".into() } else { "a number".into() }
}
"#;

/// The harness's own file. It needs no other crate, so building it takes no time.
const FAULT: &str = include_str!("../../../shared/src/fault.rs");

/// Green, and it catches nothing.
pub(crate) const EXERCISE: &str =
    "#[test]\nfn nothing_and_nothing_is_nothing() { assert_eq!(task01_sum::sum(0, 0), 0); }\n";

/// Catches both faults.
pub(crate) const SOLUTION: &str = "#[test]\nfn one_and_one_is_two() { assert_eq!(task01_sum::sum(1, 1), 2); }\n\
    #[test]\nfn the_largest_number_stays() { assert_eq!(task01_sum::sum(i32::MAX, 1), i32::MAX); }\n";

/// A suite that is compiled in only with the feature `integration`.
pub(crate) fn gated(suite: &str) -> String {
    format!("#![cfg(feature = \"integration\")]\n{suite}")
}

/// A workspace; gone when dropped.
pub(crate) struct Workspace {
    dir: TempDir,
}

impl Workspace {
    /// With exercises that catch nothing, in a git repository of one commit.
    pub(crate) fn new() -> Workspace {
        let workspace =
            Workspace { dir: tempfile::Builder::new().prefix("a course ").tempdir().unwrap() };
        workspace.write("Cargo.toml", MANIFEST);
        workspace.write("course/keep", "");
        workspace.write("temp dir/keep", "");
        for task in ["task01-sum", "task02-more"] {
            let library = task.replace('-', "_");
            let suite = |text: &str| text.replace("task01_sum", &library);
            workspace.write(
                &format!("crates/{task}/Cargo.toml"),
                &format!("[package]\nname = \"{task}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
            );
            workspace.write(&format!("crates/{task}/README.md"), README);
            workspace.write(&format!("crates/{task}/faults.toml"), FAULTS);
            workspace.write(&format!("crates/{task}/src/lib.rs"), SUBJECT);
            let (fault, _tests) = FAULT.split_once("#[cfg(test)]").unwrap();
            // Its examples are about the whole harness.
            let code = fault.lines().filter(|line| !line.starts_with("//"));
            let code: Vec<&str> = code.collect();
            workspace.write(&format!("crates/{task}/src/fault.rs"), &code.join("\n"));
            workspace.write(&format!("crates/{task}/tests/exercise.rs"), &suite(EXERCISE));
            workspace.write(&format!("crates/{task}/tests/solution.rs"), &suite(SOLUTION));
        }
        workspace
    }

    /// The same, with a first task whose tests exist only with the feature `integration`.
    pub(crate) fn with_a_real_tier(needs: &str) -> Workspace {
        let workspace = Workspace::new();
        let task = "crates/task01-sum";
        let manifest = workspace.read(&format!("{task}/Cargo.toml"));
        workspace.write(
            &format!("{task}/Cargo.toml"),
            &format!("{manifest}[features]\nintegration = []\n"),
        );
        workspace.write(
            &format!("{task}/faults.toml"),
            &format!("tier = \"integration\"\nneeds = [{needs}]\n{FAULTS}"),
        );
        for (file, suite) in [("exercise", EXERCISE), ("solution", SOLUTION)] {
            workspace.write(&format!("{task}/tests/{file}.rs"), &gated(suite));
        }
        workspace
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(path)).unwrap()
    }

    /// Writes the learner's file of the first task.
    pub(crate) fn exercise(&self, text: &str) {
        self.write("crates/task01-sum/tests/exercise.rs", text);
    }

    /// `cargo course` with these words, not started yet.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_course"));
        for variable in [
            "CARGO_TARGET_DIR",
            "COURSE_FAULT",
            "COURSE_PROGRAM",
            "CLICOLOR_FORCE",
            "NO_COLOR",
            "GIT_DIR",
            "TEST_SEED",
            "TEST_SEED_LOG",
        ] {
            command.env_remove(variable);
        }
        command
            .args(words)
            .current_dir(self.root())
            .env("TMPDIR", self.temp())
            .stdin(Stdio::null());
        command
    }

    /// The same command, started by another program.
    pub(crate) fn started_by(&self, starter: &[&str], command: &Command) -> Command {
        let mut started = Command::new(starter[0]);
        started.args(&starter[1..]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => started.env(name, value),
                None => started.env_remove(name),
            };
        }
        started.current_dir(self.root()).stdin(Stdio::null());
        started
    }

    pub(crate) fn course(&self, words: &[&str]) -> Said {
        Said::of(&self.command(words).output().unwrap())
    }

    /// The temporary directory of the commands; it also has a path with spaces.
    pub(crate) fn temp(&self) -> PathBuf {
        self.root().join("temp dir")
    }

    /// What lies in the temporary directory, beside what was there.
    pub(crate) fn left_in_temp(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.temp()).unwrap().flatten();
        entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| name != "keep")
            .collect()
    }

    /// A git repository whose only commit is what stands here now.
    pub(crate) fn commit(&self) {
        for words in [
            &["init", "-q"][..],
            &["add", "crates"],
            &["-c", "user.name=n", "-c", "user.email=e@example", "commit", "-q", "-m", "m"],
        ] {
            assert!(git(&self.root(), words).status.success());
        }
    }
}

fn git(root: &Path, words: &[&str]) -> Output {
    Command::new("git").current_dir(root).env_remove("GIT_DIR").args(words).output().unwrap()
}

/// What a command said, and its exit code.
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) all: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Said {
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut all = out.clone();
        write!(all, "{}", String::from_utf8_lossy(&output.stderr)).unwrap();
        Said { out, all, code: output.status.code() }
    }

    /// Fails, with everything that was said, unless all of these were said and the exit code is this.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, parts: &[&str]) {
        for part in parts {
            assert!(self.all.contains(part), "not said: {part}\n{}", self.all);
        }
        assert_eq!(self.code, Some(code), "{}", self.all);
    }

    /// Fails when this was said.
    #[track_caller]
    pub(crate) fn hides(&self, part: &str) {
        assert!(!self.all.contains(part), "said: {part}\n{}", self.all);
    }

    /// Whether this score was said last.
    pub(crate) fn last_score(&self, score: &str) -> bool {
        let said = self.out.lines().rfind(|line| line.ends_with(" faults caught"));
        said.is_some_and(|line| line.contains(score))
    }

    pub(crate) fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

/// The process that a test of ours has noted in this file, once it has begun.
pub(crate) fn begun(note: &Path) -> i32 {
    wait::until_blocking(Duration::from_secs(60), "the hanging test", || {
        std::fs::read_to_string(note).unwrap_or_default().parse().map_err(|_| "not begun")
    })
    .unwrap()
}

/// Waits for the end of a process that somebody else started.
pub(crate) fn expect_ended(pid: i32) {
    wait::until_blocking(Duration::from_secs(10), "the end of the test process", || {
        match kill(Pid::from_raw(pid), None) {
            Ok(()) if !is_zombie(pid) => Err("it is alive"),
            _ => Ok(()),
        }
    })
    .unwrap();
}

/// In a container without an init process nobody buries the orphans.
pub(crate) fn is_zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
