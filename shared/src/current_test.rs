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

/// The full name of the test whose own thread this is, the same under every runner. A thread or a
/// task that a test started is no test's own.
#[cfg(feature = "seed")]
pub(crate) fn of_thread() -> Option<String> {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main" && !name.starts_with("tokio-"))?;
    // Under nextest and with `--exact`, the command line says which name is the test's.
    exact().is_none_or(|test| test == name).then(|| name.to_owned())
}

/// The name of the test's binary as `Cargo.toml` has it: without the hash that cargo adds.
#[cfg(feature = "seed")]
pub(crate) fn binary() -> String {
    let program = program();
    match program.rsplit_once('-') {
        Some((name, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            name.to_owned()
        }
        _ => program,
    }
}

/// The beginning of a test's name for the name of something on a server: letters, digits, dots,
/// underscores and hyphens, and no more than `limit` of them.
pub(crate) fn legal(test: &str, limit: usize) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    let words = test.replace("::", ".");
    words.chars().map(|c| if legal(c) { c } else { '-' }).take(limit).collect()
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
