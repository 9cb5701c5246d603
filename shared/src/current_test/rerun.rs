//! The command that runs a test again. It is the command that ran the test, narrowed to the test.
//!
//! A test's process does not know with which features, package or profile it was built. The runner
//! that started the process knows: the parent's command line says it.

use std::path::{Path, PathBuf};

use crate::cure::quoted;

/// Options with a value that decide what is built.
const WITH_VALUE: [&str; 27] = [
    "-p",
    "--package",
    "--exclude",
    "-F",
    "--features",
    "--manifest-path",
    "--target",
    "--target-dir",
    "--profile",
    "-P",
    "--cargo-profile",
    "--config",
    "-Z",
    "-C",
    "--test",
    "--bin",
    "--bench",
    "--example",
    "--run-ignored",
    "--config-file",
    "--tool-config-file",
    "--user-config-file",
    "--archive-file",
    "--archive-format",
    "--binaries-metadata",
    "--cargo-metadata",
    "--workspace-remap",
];

/// Options without a value that decide what is built.
const ALONE: [&str; 17] = [
    "--workspace",
    "--all",
    "--all-features",
    "--no-default-features",
    "-r",
    "--release",
    "--lib",
    "--bins",
    "--tests",
    "--examples",
    "--benches",
    "--all-targets",
    "--doc",
    "--locked",
    "--offline",
    "--frozen",
    "--ignore-rust-version",
];

/// A process as it was started.
struct Started {
    args: Vec<String>,
    dir: PathBuf,
}

/// The command that runs this test again, and no other test of its program, with these variables.
pub(crate) fn again(test: &str, vars: &[String]) -> String {
    let with = |command: String| {
        vars.iter().rev().fold(command, |command, var| format!("{var} {command}"))
    };
    let test = (test != super::program()).then_some(test);
    let own: Vec<String> = std::env::args().collect();
    let here = std::env::current_dir().unwrap_or_default();
    match runner(test.is_some()) {
        Some(runner) => {
            let is_there =
                std::env::var_os("PWD").is_some_and(|shell| Path::new(&shell) == runner.dir);
            let command = match test {
                Some(test) => narrowed(&runner.args, test, &own),
                None => whole(&runner.args),
            };
            from((!is_there).then_some(&runner.dir), &with(command))
        }
        None => from(Some(&here), &with(direct(own, test))),
    }
}

/// The command with a `cd` to `dir`, unless the shell is there already.
fn from(dir: Option<&PathBuf>, command: &str) -> String {
    match dir {
        Some(dir) => format!("cd {} && {command}", quoted(&dir.to_string_lossy())),
        None => command.to_owned(),
    }
}

/// The command that starts the program itself, for when no runner is known.
fn direct(mut own: Vec<String>, test: Option<&str>) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    // Linux says so of a file that a build has replaced meanwhile.
    let program = program.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    if let Some(test) = test {
        return format!("{} --exact {}", quoted(&program), always_quoted(test));
    }
    own.splice(..own.len().min(1), [program]);
    own.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The runner's whole command line. A program that is no test cannot be run alone, only the whole
/// of which it is a part.
fn whole(runner: &[String]) -> String {
    let words = runner.iter().skip(1).map(|word| quoted(word));
    ["cargo".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// The runner's command line, reduced to the test and to the options that decide what is built.
fn narrowed(runner: &[String], test: &str, own: &[String]) -> String {
    let is_nextest = runner.first().is_some_and(|program| name_of(program) == "cargo-nextest");
    let mut words = vec!["cargo".to_owned()];
    // `cargo test`, `cargo nextest run`: what else has no dash is a filter or a value.
    let mut commands = if is_nextest { 2 } else { 1 };
    let mut args = runner.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        let option = arg.split_once('=').map_or(arg.as_str(), |(option, _)| option);
        if WITH_VALUE.contains(&option) {
            words.push(arg.clone());
            words.extend(args.next().filter(|_| option == arg).cloned());
        } else if ALONE.contains(&arg.as_str()) || joins_value(arg) {
            words.push(arg.clone());
        } else if !arg.starts_with('-') && commands > 0 {
            commands -= 1;
            words.push(arg.clone());
        }
    }
    let mut command = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    if is_nextest {
        let binary = std::env::var("NEXTEST_BINARY_ID");
        let binary =
            binary.map(|id| format!("binary_id(={}) & ", escaped(&id))).unwrap_or_default();
        let filter = format!("{binary}test(={})", escaped(test));
        return format!("{command} -E {}", always_quoted(&filter));
    }
    command += " -- --exact ";
    command += &always_quoted(test);
    for kept in own.iter().filter(|arg| ["--ignored", "--include-ignored"].contains(&arg.as_str()))
    {
        command = format!("{command} {kept}");
    }
    command
}

/// `-pname`, `-Ffeatures`: an option of one letter and its value in one word.
fn joins_value(arg: &str) -> bool {
    arg.len() > 2 && ["-p", "-F", "-P", "-Z", "-C"].iter().any(|option| arg.starts_with(option))
}

/// As nextest's filters read it: a backslash begins an escape, a parenthesis ends the name.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| r"\/(),".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// A runner that a user wrote may name its tests in sentences. Between these quotes, a shell
/// changes no character but the quote itself.
fn always_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn name_of(program: &str) -> String {
    Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The cargo or nextest that started this process, directly or through a wrapper. For a program
/// that is no test, any ancestor counts.
#[cfg(target_os = "linux")]
fn runner(is_test: bool) -> Option<Started> {
    /// A wrapper, a shell around it; a test that starts programs.
    const FURTHEST: usize = 8;
    let own = std::env::args().next()?;
    let mut pid = nix::unistd::getppid().as_raw();
    for _ in 0..FURTHEST {
        let text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let args: Vec<String> = text
            .strip_suffix(b"\0")
            .unwrap_or(&text)
            .split(|byte| *byte == 0)
            .map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect();
        if ["cargo", "cargo-nextest"].contains(&name_of(args.first()?).as_str()) {
            return Some(Started {
                args,
                dir: std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
            });
        }
        // A wrapper is told what to run; another process has reasons of its own, and its runner knows nothing of this test.
        if is_test && !args.iter().any(|arg| arg.contains(&own)) {
            return None;
        }
        // proc(5): the parent is the second field behind the name, which may hold anything.
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        pid = status.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    }
    None
}

/// On other systems a command line cannot be read word by word, so the program itself is named.
#[cfg(not(target_os = "linux"))]
fn runner(_: bool) -> Option<Started> {
    None
}

#[cfg(test)]
mod tests {
    use super::{always_quoted, direct, escaped, narrowed, whole};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn of_the_runners_words_those_stay_that_decide_what_is_built() {
        let again = |runner: &str| narrowed(&words(runner), "m::works", &words("it"));

        for (runner, command) in [
            ("/x/bin/cargo test", "cargo test"),
            ("cargo test -q works --no-fail-fast -- works --nocapture", "cargo test"),
            (
                "cargo --config a=b t -p shop -j 2 --features=a,b",
                "cargo --config a=b t -p shop --features=a,b",
            ),
            (
                "cargo test --workspace --exclude x --release --lib",
                "cargo test --workspace --exclude x --release --lib",
            ),
            (
                "cargo test -Fa --manifest-path /a/Cargo.toml",
                "cargo test -Fa --manifest-path /a/Cargo.toml",
            ),
        ] {
            assert_eq!(again(runner), format!("{command} -- --exact 'm::works'"), "{runner}");
        }
        assert_eq!(whole(&words("/x/cargo run -p x -- a;b")), "cargo run -p x -- 'a;b'");
        assert_eq!(
            narrowed(&words("cargo test"), "a", &words("it --ignored a")),
            "cargo test -- --exact 'a' --ignored"
        );
    }

    #[test]
    fn nextest_is_given_a_filter_in_its_own_words() {
        let runner =
            "/x/cargo-nextest nextest run -p shop --no-capture works -E all() --run-ignored all";

        let again = narrowed(&words(runner), "m::works", &words("it"));

        assert!(again.starts_with("cargo nextest run -p shop --run-ignored all -E '"), "{again}");
        assert!(again.ends_with("test(=m::works)'"), "{again}");
        assert_eq!(escaped(r"a(b), c\d"), r"a\(b\)\, c\\d");
    }

    #[test]
    fn without_a_runner_the_program_itself_is_run() {
        let program = std::env::current_exe().unwrap().display().to_string();

        assert!(direct(words("x"), Some("a b")).ends_with(" --exact 'a b'"));
        assert!(direct(words("x part 1"), None).ends_with(" part 1"));
        assert!(direct(words("x"), Some("a")).contains(&program));
    }

    #[test]
    fn a_shell_reads_a_name_as_it_is() {
        for name in ["it's \"größer\" than $HOME", "plain", "''"] {
            let command = format!("printf '%s\n' {}", always_quoted(name));

            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();

            assert_eq!(String::from_utf8(output.stdout).unwrap().lines().last(), Some(name));
        }
    }
}
