//! Which test asks.

/// The full name of the test on whose behalf this thread runs, as the runner knows it.
///
/// libtest names a test's thread after it, except where it runs a single test on the main thread: there nextest's variable, or the
/// `--exact` of the command line, tells. Elsewhere (a worker of a runtime, a plain program) it is the program's name.
#[cfg_attr(
    not(any(
        feature = "kafka",
        all(feature = "integration", any(feature = "postgres", feature = "redis"))
    )),
    expect(dead_code, reason = "the services that name things after tests are features")
)]
pub(crate) fn name() -> String {
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" && !name.starts_with("tokio-") => name.to_owned(),
        _ => std::env::var("NEXTEST_TEST_NAME").ok().or_else(exact).unwrap_or_else(program),
    }
}

/// The command that runs a test again, and nothing else.
#[cfg(all(feature = "integration", any(feature = "postgres", feature = "redis")))]
pub(crate) fn again(test: &str) -> String {
    let package =
        std::env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
    // cargo's program for a test target is `<target>-<hash>`.
    let program = program();
    let target =
        program.rsplit_once('-').map(|(target, _)| format!(" --test {target}")).unwrap_or_default();
    // A runner of somebody's own may name its tests in sentences; a shell takes all between these quotes but the quote itself.
    let test = test.replace('\'', r"'\''");
    format!("cargo test{package} --features integration{target} -- --exact '{test}'")
}

fn exact() -> Option<String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    (args.iter().any(|arg| arg == "--exact") && filters.len() == 1).then(|| filters[0].clone())
}

fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(all(test, feature = "integration", any(feature = "postgres", feature = "redis")))]
mod tests {
    #[test]
    fn a_shell_reads_a_name_as_it_is() {
        for name in ["it's \"größer\" than $HOME", "plain", "''"] {
            let command = super::again(name).replace("cargo test", "printf '%s\n'");

            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();

            let words = String::from_utf8(output.stdout).unwrap();
            assert_eq!(words.lines().last(), Some(name), "{command}");
        }
    }
}
