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
