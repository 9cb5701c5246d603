//! Faults: plausible mistakes that a subject makes on request, one at a time.
//!
//! `COURSE_FAULT=<id>` switches a fault on for a process. The ids of a crate are in its
//! `faults.toml`. The compiler checks that they are there.
//!
//! ```no_run
//! use testenv::fault::{FAULT_VAR, REACHED_VAR};
//!
//! // The suite of a task on a wrong program; `reached` then names the tests that ran the wrong line.
//! let mut cargo = std::process::Command::new("cargo");
//! cargo.args(["test", "-p", "task06-redis"]).env(FAULT_VAR, "ttl-in-seconds").env(REACHED_VAR, "/tmp/reached");
//! assert!(!cargo.status().unwrap().success(), "no test noticed");
//! ```
//!
//! Invariant: a `COURSE_FAULT` that the crate under test does not list is refused, never ignored.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::OnceLock;

/// The variable with the id of the fault that this process makes.
pub const FAULT_VAR: &str = "COURSE_FAULT";

/// The variable with the path of a file. The file collects, one per line, the names of the threads
/// (for libtest: the tests) that reached the fault.
pub const REACHED_VAR: &str = "COURSE_REACHED";

/// True if this process was asked to make the mistake `id`: `if fault!("ttl-in-seconds") { … }`.
///
/// The id must be in the `faults.toml` of the crate that uses the macro. Otherwise the crate does
/// not compile.
///
/// # Panics
///
/// When `COURSE_FAULT` names a fault that this crate does not list.
///
/// ```compile_fail
/// // In a crate whose faults.toml has the line `id = "ttl-in-seconds"` this compiles; here, where there is no such file, it must not.
/// fn expires_after_ms(ttl_ms: u64) -> u64 {
///     if testenv::fault!("ttl-in-seconds") { ttl_ms * 1000 } else { ttl_ms }
/// }
/// ```
#[macro_export]
macro_rules! fault {
    ($id:literal) => {{
        const LISTED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/faults.toml"));
        const _: () = assert!(
            $crate::fault::lists(LISTED, $id),
            concat!("faults.toml of this crate has no `id = \"", $id, "\"`")
        );
        $crate::fault::is_on(LISTED, env!("CARGO_PKG_NAME"), $id)
    }};
}

/// Whether the text of a `faults.toml` has the line `id = "<id>"`. [`fault!`] calls it while the
/// crate compiles.
#[doc(hidden)]
pub const fn lists(faults_toml: &str, id: &str) -> bool {
    const KEY: &[u8] = b"\nid = \"";
    let (text, id) = (faults_toml.as_bytes(), id.as_bytes());
    let mut at = 0;
    while at + KEY.len() + id.len() < text.len() {
        if matches(text, at, KEY)
            && matches(text, at + KEY.len(), id)
            && text[at + KEY.len() + id.len()] == b'"'
        {
            return true;
        }
        at += 1;
    }
    false
}

const fn matches(text: &[u8], at: usize, part: &[u8]) -> bool {
    let mut i = 0;
    while i < part.len() {
        if text[at + i] != part[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether `id` is the fault of this process. If so, adds a line to the file of [`REACHED_VAR`].
/// [`fault!`] calls it.
#[doc(hidden)]
pub fn is_on(faults_toml: &str, package: &str, id: &str) -> bool {
    let Some(selected) = selected() else { return false };
    if selected == id {
        note_reached();
        return true;
    }
    // The subject of an earlier task that this one stacks on asks with a list of its own: only the package under test refuses.
    let asked_from_below =
        std::env::var("CARGO_PKG_NAME").is_ok_and(|under_test| under_test != package);
    assert!(
        asked_from_below || lists(faults_toml, selected),
        "{}",
        refusal(faults_toml, package, selected)
    );
    false
}

/// The fault that this process was asked to make.
pub(crate) fn selected() -> Option<&'static str> {
    static SELECTED: OnceLock<Option<String>> = OnceLock::new();
    SELECTED.get_or_init(|| std::env::var(FAULT_VAR).ok()).as_deref()
}

fn note_reached() {
    static FILE: OnceLock<Option<std::fs::File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = std::env::var_os(REACHED_VAR)?;
        Some(
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .expect("COURSE_REACHED names a file that can be written"),
        )
    });
    if let Some(mut file) = file.as_ref() {
        let thread = std::thread::current();
        let line = format!("{}\n", thread.name().unwrap_or("(a thread without a name)"));
        file.write_all(line.as_bytes()).expect("the file of COURSE_REACHED takes a line");
    }
}

/// Ends the process before `main` if `COURSE_FAULT` names a fault that the package under test does
/// not list.
///
/// Cargo and nextest tell a test process its package. In a process that neither of them started,
/// [`fault!`] does the check when the process reaches a fault.
pub(crate) fn refuse_unknown() {
    let (Ok(selected), Some(package_dir)) =
        (std::env::var(FAULT_VAR), std::env::var_os("CARGO_MANIFEST_DIR"))
    else {
        return;
    };
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    // Cargo hands its package's variables to everything below it: the course's own processes have no faults to refuse.
    let Ok(faults_toml) =
        std::fs::read_to_string(std::path::Path::new(&package_dir).join("faults.toml"))
    else {
        return;
    };
    if !lists(&faults_toml, &selected) {
        writeln!(std::io::stderr(), "{}", refusal(&faults_toml, &package, &selected)).ok();
        #[expect(clippy::exit, reason = "before `main` there is nobody to return an error to")]
        std::process::exit(2);
    }
}

fn refusal(faults_toml: &str, package: &str, selected: &str) -> String {
    let ids: Vec<&str> = faults_toml
        .lines()
        .filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"'))
        .collect();
    format!(
        "{FAULT_VAR}={selected}: {package} has no such fault\n  it has: {}\n  to fix: unset {FAULT_VAR}, or choose one of these",
        ids.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::lists;

    const TOML: &str = "# c\n[[fault]]\nid = \"a-b\"\nstory = \"id = \\\"x\\\"\"\n";

    #[test]
    fn an_id_is_listed_only_as_a_whole_line_of_its_own() {
        assert!(lists(TOML, "a-b"));
        assert!(!lists(TOML, "a"));
        assert!(!lists(TOML, "x"));
    }
}
