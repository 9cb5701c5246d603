//! Faults: plausible mistakes that a subject makes on request, one at a time.
//!
//! `COURSE_FAULT=<id>` switches a fault on for a process. The ids of a crate are in its
//! `faults.toml`. The compiler checks that they are there.
//!
//! ```no_run
//! use testenv::fault::FAULT_VAR;
//!
//! // The suite of a task on a wrong program.
//! let mut cargo = std::process::Command::new("cargo");
//! cargo.args(["test", "-p", "task06-redis"]).env(FAULT_VAR, "ttl-in-seconds");
//! assert!(!cargo.status().unwrap().success(), "no test noticed");
//! ```
//!
//! A check must not tell the tests whether the program is right: tests that know it need not look at
//! the program. So a check sets [`PROGRAM_VAR`] for right and wrong programs alike. Its value is a
//! [`Program`], which names no fault. The process writes down each place at which the fault could
//! be, on right programs too.
//!
//! Invariant: a `COURSE_FAULT` that the crate under test does not list is refused, never ignored.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The variable with the id of the fault that this process makes.
pub const FAULT_VAR: &str = "COURSE_FAULT";

/// The variable by which a check selects a program. Its value is a [`Program`]. `COURSE_FAULT` is then
/// ignored.
pub const PROGRAM_VAR: &str = "COURSE_PROGRAM";

/// True if this process was asked to make the mistake `id`: `if fault!("ttl-in-seconds") { … }`.
///
/// The id must be in the `faults.toml` of the crate that uses the macro. Otherwise the crate does
/// not compile.
///
/// # Panics
///
/// When `COURSE_FAULT` names a fault that this crate does not list, and in a file below `tests/`: a test
/// that asks for the fault does not look at the program.
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
        // The answer never changes in a process, and a subject may ask a million times.
        static ON: ::std::sync::OnceLock<bool> = ::std::sync::OnceLock::new();
        *ON.get_or_init(|| $crate::fault::is_on(LISTED, env!("CARGO_PKG_NAME"), $id))
    }};
}

/// The value beside the fault that this process was asked to make, or `None`. It is [`fault!`] for many:
/// each id is looked up while the crate compiles.
///
/// # Panics
///
/// As [`fault!`].
///
/// ```compile_fail
/// // As above: here is no file faults.toml.
/// let read: Option<fn(&str) -> bool> = testenv::by_fault! {
///     "empty-is-a-name" => |_| true,
///     "blank-is-a-name" => |name| !name.is_empty(),
/// };
/// ```
#[macro_export]
macro_rules! by_fault {
    ($($id:literal => $value:expr),+ $(,)?) => {
        match () {
            $(() if $crate::fault!($id) => Some($value),)+
            () => None,
        }
    };
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

/// Whether `id` is the fault of this process. [`fault!`] calls it, once for each place.
#[doc(hidden)]
#[track_caller]
pub fn is_on(faults_toml: &str, package: &str, id: &str) -> bool {
    let file = Location::caller().file();
    assert!(
        !is_of_tests(Path::new(file)),
        "{file} asks whether a fault is on: a test looks at what the program does"
    );
    let selected = match asked() {
        Asked::Nothing => return false,
        Asked::Program(program) => return program.reaches(id),
        Asked::Fault(selected) => selected,
    };
    if selected == id {
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

/// Whether a source is below the `tests/` of a package. A checkout may be below a folder of this name.
fn is_of_tests(file: &Path) -> bool {
    file.iter()
        .rev()
        .find(|part| *part == "tests" || *part == "src")
        .is_some_and(|part| part == "tests")
}

/// What this process was asked to be.
enum Asked {
    Nothing,
    Fault(String),
    Program(Program),
}

fn asked() -> &'static Asked {
    static ASKED: OnceLock<Asked> = OnceLock::new();
    ASKED.get_or_init(|| {
        if let Ok(value) = std::env::var(PROGRAM_VAR) {
            let program = Program::read(&value);
            return Asked::Program(program.unwrap_or_else(|| {
                panic!(
                    "{PROGRAM_VAR}={value}: no check has set this\n  to fix: unset {PROGRAM_VAR}"
                )
            }));
        }
        std::env::var(FAULT_VAR).map_or(Asked::Nothing, Asked::Fault)
    })
}

/// Whether a check has chosen the program.
pub(crate) fn is_checked() -> bool {
    matches!(asked(), Asked::Program(_))
}

/// The fault of [`FAULT_VAR`].
pub(crate) fn selected() -> Option<&'static str> {
    if let Asked::Fault(id) = asked() { Some(id) } else { None }
}

/// The program that a check asks for: the right one, or one with a fault.
///
/// A test sees two numbers and the path of a file. If the program has a fault, the second number is
/// the fault's seal with the first one. Otherwise it is any number. The file collects the seals of
/// the faults that the process could have made, one a line, whether one was on or not.
#[derive(Debug)]
pub struct Program {
    salt: u64,
    sealed: u64,
    reached: PathBuf,
}

impl Program {
    /// The right program for `None`, otherwise the program with this fault. The two random numbers
    /// are used for no other process. `reached` is an empty file, whose path is UTF-8.
    pub fn new(fault: Option<&str>, [salt, other]: [u64; 2], reached: &Path) -> Program {
        let sealed = fault.map_or(other, |id| seal(salt, id));
        Program { salt, sealed, reached: reached.to_owned() }
    }

    /// The value of [`PROGRAM_VAR`].
    pub fn value(&self) -> String {
        format!("{:016x}-{:016x}-{}", self.salt, self.sealed, self.reached.display())
    }

    /// Which of these faults the processes could have made until now.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn reached<'a>(
        &self,
        faults: impl IntoIterator<Item = &'a str>,
    ) -> std::io::Result<BTreeSet<&'a str>> {
        let seals = std::fs::read_to_string(&self.reached)?;
        let seals: BTreeSet<&str> = seals.lines().collect();
        let is_reached = |id: &&str| seals.contains(word(seal(self.salt, id)).as_str());
        Ok(faults.into_iter().filter(is_reached).collect())
    }

    fn read(value: &str) -> Option<Program> {
        let mut parts = value.splitn(3, '-');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (salt, sealed) = (number()?, number()?);
        Some(Program { salt, sealed, reached: parts.next()?.into() })
    }

    fn reaches(&self, id: &str) -> bool {
        let sealed = seal(self.salt, id);
        let line = format!("{}\n", word(sealed));
        let file = OpenOptions::new().append(true).open(&self.reached);
        match file.and_then(|mut file| file.write_all(line.as_bytes())) {
            Ok(()) => {}
            // The check has ended: what is left of its processes has nobody to tell.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                panic!("a check's file {} cannot be written: {error}", self.reached.display())
            }
        }
        sealed == self.sealed
    }
}

fn word(seal: u64) -> String {
    format!("{seal:016x}")
}

/// A number that tells a fault only to those who know it. FNV-1a: it hides nothing from a test that
/// computes it too, and such a test could as well read this file.
fn seal(salt: u64, id: &str) -> u64 {
    let bytes = salt.to_le_bytes().into_iter().chain(id.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Ends the process before `main` if `COURSE_FAULT` names a fault that the package under test does
/// not list.
///
/// Cargo and nextest tell a test process its package. In a process that neither of them started,
/// [`fault!`] does the check when the process reaches a fault.
pub(crate) fn refuse_unknown() {
    let (Some(selected), Some(package_dir)) = (selected(), std::env::var_os("CARGO_MANIFEST_DIR"))
    else {
        return;
    };
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    // Cargo hands its package's variables to everything below it: the course's own processes have no faults to refuse.
    let Ok(faults_toml) = std::fs::read_to_string(Path::new(&package_dir).join("faults.toml"))
    else {
        return;
    };
    if !lists(&faults_toml, selected) {
        writeln!(std::io::stderr(), "{}", refusal(&faults_toml, &package, selected)).ok();
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
    use std::path::Path;

    use super::{Program, is_of_tests, lists};

    const TOML: &str = "# c\n[[fault]]\nid = \"a-b\"\nstory = \"id = \\\"x\\\"\"\n";

    #[test]
    fn an_id_is_listed_only_as_a_whole_line_of_its_own() {
        assert!(lists(TOML, "a-b"));
        assert!(!lists(TOML, "a"));
        assert!(!lists(TOML, "x"));
    }

    #[test]
    fn a_file_is_of_the_tests_by_its_place_in_the_package() {
        for (file, expected) in [
            ("crates/task07-kafka/tests/exercise.rs", true),
            ("crates/task07-kafka/tests/common/mod.rs", true),
            ("crates/task07-kafka/src/faults.rs", false),
            ("/home/me/tests/course/crates/task07-kafka/src/faults.rs", false),
            ("/home/me/src/course/crates/task07-kafka/tests/exercise.rs", true),
        ] {
            assert_eq!(is_of_tests(Path::new(file)), expected, "{file}");
        }
    }

    #[test]
    #[should_panic = "cannot be written"]
    fn what_a_process_cannot_note_is_no_fault_that_nobody_reached() {
        // A folder is no file to write to.
        let folder = tempfile::tempdir().unwrap();

        Program::new(None, [7, 8], folder.path()).reaches("a-b");
    }

    #[test]
    fn a_process_makes_the_fault_that_its_program_has_and_notes_those_it_could_make() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let program = |fault| Program::new(fault, [7, 8], file.path());
        let in_process = |fault| Program::read(&program(fault).value()).unwrap();

        assert!(in_process(Some("a-b")).reaches("a-b"));
        assert!(!in_process(Some("a-b")).reaches("c"));
        assert!(!in_process(None).reaches("d"));

        let reached = program(None).reached(["a-b", "c", "d", "e"]).unwrap();
        assert_eq!(reached.into_iter().collect::<Vec<_>>(), ["a-b", "c", "d"]);
    }

    #[test]
    fn the_values_of_right_and_wrong_programs_look_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let right = Program::new(None, [7, 8], file.path()).value();
        let wrong = Program::new(Some("a-b"), [7, 8], file.path()).value();

        let shape = |value: &str| value.replace(|c: char| c.is_ascii_hexdigit(), "0");
        assert_eq!(shape(&right), shape(&wrong));
        assert!(!wrong.contains("a-b"));
    }
}
