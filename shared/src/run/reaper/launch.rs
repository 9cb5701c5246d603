//! Starts a reaper as nobody's child. It takes from its starter only what it needs.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{LOG, REAPER_VAR};
use crate::run::layout::{DIR_VAR, unwritable};
use crate::{Error, Heading};

/// Prefixes of the variables that decide how servers, engines and state are reached.
const KEPT_PREFIXES: [&str; 3] = ["TESTENV_", "DOCKER_", "TESTCONTAINERS_"];

/// Variables that any program may need. All other variables are removed. When a build ends, build
/// systems end every process that has their variables, which would be before anything was removed.
const KEPT_VARS: [&str; 20] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "RUST_BACKTRACE",
    "SSH_AUTH_SOCK",
    "KRB5CCNAME",
];

/// How long a log may become, in bytes.
const LOG_LIMIT: u64 = 64 * 1024;

/// The running program, on Linux.
const LINK: &str = "/proc/self/exe";
/// The running program in a shell that has it open.
const OPEN: &str = "/proc/self/fd/3";

/// Starts a reaper for the run in `dir`, with `vars` in its environment. It is ready once its file
/// is locked.
pub(in crate::run) fn start(dir: &Path, vars: &[(&str, &str)]) -> Result<(), Error> {
    let log_path = dir.join(LOG);
    let log = open_log(&log_path).map_err(|cause| unwritable(&log_path, &cause))?;
    let mut command = Command::new("/bin/sh");
    // The shell ends at once, so that the reaper is nobody's child: whoever ends the test with all its
    // children does not meet it. The program comes in as
    // the shell's input, which a process in its background does not get.
    command.args(["-c", r#"exec 3<&0; "$@" &"#, "sh"]).args(own_program()).arg("testenv-reaper");
    command.arg(dir.file_name().unwrap_or_default());
    command
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_kept(&name.to_string_lossy())))
        // A binary that measures its coverage would leave the reaper's in the root directory.
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .envs(vars.iter().copied())
        // It may keep what was left in another base than its starter's.
        .envs(dir.parent().and_then(Path::parent).map(|of_base| (DIR_VAR, of_base)))
        .env(REAPER_VAR, dir)
        .current_dir("/")
        .process_group(0)
        .stdin(File::open(LINK).map_or_else(|_| Stdio::null(), Stdio::from))
        .stdout(Stdio::null())
        .stderr(log);
    let cannot =
        |cause: String| Error::under(Heading::State, "cannot start the reaper").cause(cause);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(cannot(format!("/bin/sh ended: {status}"))),
        Err(cause) => Err(cannot(cause.to_string())),
    }
}

/// A run that cannot be removed, because its engine is gone for example, is tried by every later
/// run, and each writes why it could not. So a log that is long begins anew.
fn open_log(path: &Path) -> std::io::Result<File> {
    if path.metadata().is_ok_and(|log| log.len() > LOG_LIMIT) {
        std::fs::write(path, "")?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn is_kept(name: &str) -> bool {
    KEPT_VARS.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The words that start this program again.
///
/// On Linux the first word is the open file, which still exists after a build has replaced the
/// binary and this process has ended. If another program loads this one (a loader, an emulator),
/// the kernel's command line has more words than ours: the additional words come first.
fn own_program() -> Vec<OsString> {
    if !Path::new(LINK).exists() {
        return vec![std::env::current_exe().unwrap_or_default().into()];
    }
    let args: Vec<OsString> = std::env::args_os().collect();
    let line = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    loaded_by(&line, &args)
        .map(|(options, program)| {
            let program = std::path::absolute(&program).unwrap_or(program);
            [vec![OPEN.into()], options, vec![program.into()]].concat()
        })
        .unwrap_or_else(|| vec![OPEN.into()])
}

/// The loader's options and the program, if the command line begins with a loader.
fn loaded_by(line: &[u8], args: &[OsString]) -> Option<(Vec<OsString>, PathBuf)> {
    use std::os::unix::ffi::OsStringExt;
    let words = line.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let words: Vec<OsString> = words.map(|word| OsString::from_vec(word.to_owned())).collect();
    let before = words.len().checked_sub(args.len()).filter(|before| *before > 0)?;
    let program = args.first().filter(|_| words[before..] == *args)?;
    Some((words[1..before].to_vec(), program.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_log_goes_on_until_it_is_long_and_then_begins_anew() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join(LOG);
        let line = [b'x'; 1024];

        let lengths: Vec<u64> = (0..100)
            .map(|_| {
                open_log(&log).unwrap().write_all(&line).unwrap();
                log.metadata().unwrap().len()
            })
            .collect();

        assert_eq!(lengths[1], 2048);
        assert_eq!(lengths.iter().max(), Some(&(LOG_LIMIT + 1024)));
    }

    #[test]
    fn a_program_that_a_loader_loads_is_started_by_the_loader() {
        let args = words("./it-1 --exact x");

        let loaded = loaded_by(b"/lib/ld.so\0--library-path\0/opt\0./it-1\0--exact\0x\0", &args);

        assert_eq!(loaded, Some((words("--library-path /opt"), "./it-1".into())));
        assert_eq!(loaded_by(b"./it-1\0--exact\0x\0", &args), None);
        assert_eq!(loaded_by(b"", &args), None);
    }

    #[test]
    fn what_build_systems_know_their_processes_by_stays_behind() {
        let theirs =
            ["BUILD_ID", "JENKINS_NODE_COOKIE", "RUNNER_TRACKING_ID", "CI_JOB_ID", "PGHOST"];

        assert_eq!(theirs.map(is_kept), [false; 5]);
        assert_eq!(["TESTENV_DIR", "DOCKER_HOST", "HOME"].map(is_kept), [true; 3]);
    }
}
