//! Starts a reaper as nobody's child. It takes from its starter only what it needs.

use std::ffi::OsString;
use std::fs::OpenOptions;
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

/// The running program, on Linux.
const LINK: &str = "/proc/self/exe";
/// The running program in a shell that has it open.
const OPEN: &str = "/proc/self/fd/3";

/// Starts a reaper for the run in `dir`, with `vars` in its environment. It is ready once its file
/// is locked.
pub(in crate::run) fn start(dir: &Path, vars: &[(&str, &str)]) -> Result<(), Error> {
    let log_path = dir.join(LOG);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|cause| unwritable(&log_path, &cause))?;
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
        .stdin(std::fs::File::open(LINK).map_or_else(|_| Stdio::null(), Stdio::from))
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
