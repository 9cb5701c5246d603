//! The name of the test that asks, and the command that runs the test again.

mod rerun;

pub(crate) use rerun::again;

/// The full name of the test for which this thread runs, as the runner knows it.
///
/// If the process runs one test, `--exact` on its command line names the test. Otherwise libtest
/// has named the test's thread after it. On any other thread (a worker of a runtime, a plain
/// program), the result is the program's name.
pub(crate) fn name() -> String {
    // A thread that the test itself started may have any name: the runner's word comes first.
    if let Some(name) = exact() {
        return name;
    }
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" && !name.starts_with("tokio-") => name.to_owned(),
        _ => std::env::var("NEXTEST_TEST_NAME").unwrap_or_else(|_| program()),
    }
}

/// Whether this process runs only one test. Processes of nextest do, and so does one that was told
/// which test to run.
pub(crate) fn is_only() -> bool {
    exact().is_some()
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
