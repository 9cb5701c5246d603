//! The two ways in which the tests of the harness meet a version of PostgreSQL.
//!
//! Invariant: what a way starts ends with it, also if this process is killed: the harness's reaper
//! sees the end of whoever asked for the server.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use tempfile::TempDir;
use testenv::tools::{CACHE_VAR, DIR_VAR, GRACE_VAR, ID_VAR, POSTGRES, PROVIDER_VAR};
use testenv::{Error, wait};

use crate::lanes;
use crate::libtest::listed;
use crate::process::{self, Guard, Run};
use crate::say::Ongoing;
use crate::suite::{self, Refused};
use crate::tasks::Course;

/// What concerns a server that the harness starts. Left out is what no version changes: load, and the
/// clock of a test.
const NATIVE: &[&str] = &[
    "p2_files::",
    "p3_postgres::",
    "p3_property::",
    "p3_rights::",
    "p3_snapshot::",
    "p3_versions::",
    "p3_whole::",
    "p4_postgres::",
];

/// What concerns a server that a URL names. The tests of the first four start one each.
const BY_URL: &[&str] = &[
    "p2_many_users::",
    "p3_copies::",
    "p4_in_the_way::",
    "p6_postgres::",
    "p3_postgres::",
    "p3_snapshot::",
    "p3_versions::",
    "p3_whole::a_copy_",
];

/// Of containers: their image has a version of its own.
const OTHERS: &[&str] = &["_in_a_container_"];

/// The version that the labs of the tests then have.
const LAB_VAR: &str = "LAB_POSTGRES";

/// 50 tests take 20 s on two busy cores. What takes ten minutes hangs.
const LIMIT: Duration = Duration::from_mins(10);

/// The program that fetches is built first, in a minute on two cores.
const FETCH_LIMIT: Duration = Duration::from_mins(15);

/// As long as the harness promises for the end of a run.
const END_LIMIT: Duration = Duration::from_secs(15);

/// Most of these tests wait for processes: on two busy cores, 16 at once took 35 s where 8 took 43 s.
const TESTS_FOR_A_CORE: usize = 8;

/// 16 labs at once have a cluster of 40 MB each, with databases of 8 MB.
const ROOM_IN_MEMORY: u64 = 2 << 30;

/// The fetched programs of a version.
pub(crate) struct Programs {
    pub(crate) major: u32,
    /// With all its parts, as the package counts them.
    pub(crate) version: String,
    bin: PathBuf,
}

/// A server of a version, and the tests that concern it.
pub(crate) struct Way<'a> {
    programs: &'a Programs,
    is_by_url: bool,
}

/// The built tests.
pub(crate) struct Tests {
    it: PathBuf,
    actor: PathBuf,
    names: Vec<String>,
}

/// What all versions have in common.
pub(crate) struct Trial<'a> {
    course: &'a Course,
    guard: Guard,
    scratch: TempDir,
}

impl Trial<'_> {
    pub(crate) fn new(course: &Course) -> Result<Trial<'_>, Error> {
        let prefix = format!("course-{}-", std::process::id());
        let scratch = tempfile::Builder::new().prefix(&prefix).tempdir_in(temporary());
        let scratch = scratch.map_err(process::no_scratch)?;
        // Root's servers run as another user.
        std::fs::set_permissions(scratch.path(), Permissions::from_mode(0o711))
            .map_err(process::no_scratch)?;
        Ok(Trial { course, guard: Guard::new(scratch.path())?, scratch })
    }

    /// Fetches the programs of a version, unless they were fetched before.
    pub(crate) fn fetch(&self, major: u32) -> Result<Programs, Error> {
        let _going_on = Ongoing::new(format!("fetching PostgreSQL {major}"));
        let mut fetch = Command::new(process::cargo());
        let words = "run --quiet --package shared --features fetch --bin fetch-postgres --";
        fetch.current_dir(&self.course.root).args(words.split(' ')).arg(major.to_string());
        let run = process::run(&mut fetch, FETCH_LIMIT, Some(&self.guard))?;
        let dir = run.stdout.trim().rsplit_once(" is in ").map(|(_, dir)| PathBuf::from(dir));
        match dir.filter(|_| run.success()) {
            Some(dir) => {
                let version = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Ok(Programs { major, version, bin: dir.join("bin") })
            }
            None => Err(Error::new("it cannot be fetched").cause(run.stderr.trim())),
        }
    }

    /// Builds the tests as `cargo course test-all` does, so that CI builds them once.
    pub(crate) fn build(&self) -> Result<Tests, Error> {
        let _going_on = Ongoing::new("building the tests of the harness");
        let words = ["--workspace", "--features", "integration", "--test", "it"];
        let built = suite::artifacts(&self.course.root, &words, &self.guard)?;
        let built = built.map_err(|Refused(words)| {
            Error::new("the tests of the harness do not compile").cause(words)
        })?;
        let program = |name: &str, is_test: bool| {
            let mut built = built.iter();
            let it = built.find(|it| it.target.name == name && it.profile.test == is_test);
            it.and_then(|it| it.executable.clone())
                .ok_or_else(|| Error::new(format!("cargo built no program `{name}`")))
        };
        let (it, actor) = (program("it", true)?, program("testenv-actor", false)?);
        let mut list = Command::new(&it);
        list.args(["--list", "--format", "terse"]);
        let names = listed(&process::run(&mut list, LIMIT, Some(&self.guard))?.stdout);
        Ok(Tests { it, actor, names })
    }

    /// Runs the tests of a way.
    pub(crate) fn run(&self, tests: &Tests, way: &Way<'_>) -> Result<Run, Error> {
        for filter in way.filters() {
            if !tests.names.iter().any(|name| name.contains(filter)) {
                return Err(Error::new(format!("no test of `it` is in `{filter}`")));
            }
        }
        let dir = self.scratch.path().join(way.id());
        std::fs::create_dir(&dir).map_err(process::no_scratch)?;
        let given = way.is_by_url.then(|| Given::start(self, tests, way, &dir)).transpose()?;
        let runs = dir.join("runs of the tests");
        let mut run = self.command(&tests.it, way, &dir);
        let at_once = lanes::cores() * TESTS_FOR_A_CORE;
        run.args(["--color", "never", "--test-threads", &at_once.to_string()])
            .args(way.filters())
            .args(OTHERS.iter().flat_map(|other| ["--skip", other]))
            .env(ID_VAR, way.id())
            .env(DIR_VAR, &runs)
            .envs(given.as_ref().map(|given| (POSTGRES.url_var, &given.url)));
        let run = process::run(&mut run, LIMIT, Some(&self.guard))?;
        // Its reaper still has databases to drop on the server of the URL.
        wait::until_blocking(END_LIMIT, "the end of the run of the tests", || {
            let left = dirs(&runs).flat_map(|base| dirs(&base)).next();
            left.map_or(Ok(()), |left| Err(left.display().to_string()))
        })?;
        given.map_or(Ok(()), Given::end)?;
        Ok(run)
    }

    /// A program that finds the version first, and nothing that the caller wants of servers.
    fn command(&self, program: &Path, way: &Way<'_>, temporary: &Path) -> Command {
        let folder = self.course.root.join("shared");
        let mut command = Command::new(program);
        let is_wish = |name: &OsString| {
            let name = name.to_string_lossy();
            let is_of_a_run = ["COURSE_", "NEXTEST", "RUST_TEST_", "TESTENV_"];
            name != CACHE_VAR && is_of_a_run.iter().any(|start| name.starts_with(start))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_wish(name)) {
            command.env_remove(name);
        }
        command
            .current_dir(&folder)
            .env("CARGO_MANIFEST_DIR", &folder)
            .env("CARGO_PKG_NAME", "shared")
            .env("RUST_BACKTRACE", "0")
            .env("PATH", way.path())
            .env("TMPDIR", temporary)
            .env(LAB_VAR, way.programs.major.to_string())
            .env(PROVIDER_VAR, "native");
        command
    }
}

impl Way<'_> {
    pub(crate) fn native(programs: &Programs) -> Way<'_> {
        Way { programs, is_by_url: false }
    }

    pub(crate) fn by_url(programs: &Programs) -> Way<'_> {
        Way { programs, is_by_url: true }
    }

    pub(crate) fn name(&self) -> &'static str {
        if self.is_by_url { "by URL" } else { "native" }
    }

    /// What runs one of its tests again.
    pub(crate) fn again(&self, test: &str) -> String {
        let (bin, major) = (self.programs.bin.display(), self.programs.major);
        let url = if self.is_by_url { "TESTENV_POSTGRES_URL=<server> " } else { "" };
        format!(
            "{url}PATH={bin}:$PATH {LAB_VAR}={major} {PROVIDER_VAR}=native cargo test --workspace --features integration --test it -- --exact {test}"
        )
    }

    fn filters(&self) -> &'static [&'static str] {
        if self.is_by_url { BY_URL } else { NATIVE }
    }

    /// The name of its run: no version meets the server of another.
    fn id(&self) -> String {
        let way = if self.is_by_url { "url" } else { "native" };
        format!("versions-{}-{}-{way}", std::process::id(), self.programs.major)
    }

    fn path(&self) -> OsString {
        let others = std::env::var_os("PATH").unwrap_or_default();
        let dirs = [self.programs.bin.clone()].into_iter().chain(std::env::split_paths(&others));
        // One of the caller's has a colon in it only if the caller wrote one.
        std::env::join_paths(dirs).unwrap_or(others)
    }
}

/// A server that a URL names, with a port and a directory of its own.
struct Given {
    /// The process for which the harness keeps it. It ends when its input is closed.
    owner: Child,
    url: String,
    address: SocketAddr,
}

impl Given {
    fn start(trial: &Trial<'_>, tests: &Tests, way: &Way<'_>, dir: &Path) -> Result<Given, Error> {
        let mut owner = trial.command(&tests.actor, way, dir);
        owner.args(["given postgres", "wait"]).env(DIR_VAR, dir.join("runs")).env(GRACE_VAR, "0");
        owner.stdin(Stdio::piped()).stdout(Stdio::piped());
        let cannot = || Error::new("no server for a URL");
        let mut owner = owner.spawn().map_err(|cause| cannot().cause(cause))?;
        let mut url = String::new();
        let output = owner.stdout.as_mut().expect("it is piped");
        BufReader::new(output).read_line(&mut url).map_err(|cause| cannot().cause(cause))?;
        let url = url.trim().to_owned();
        let place = url.rsplit_once('@').and_then(|(_, place)| place.split('/').next());
        let Some(address) = place.and_then(|place| place.parse().ok()) else {
            return Err(cannot().cause("its words are above"));
        };
        Ok(Given { owner, url, address })
    }

    fn end(mut self) -> Result<(), Error> {
        drop(self.owner.stdin.take());
        self.owner.wait().map_err(|cause| Error::new("no end of a server").cause(cause))?;
        wait::until_blocking(END_LIMIT, "the end of the server of the URL", || {
            match TcpStream::connect(self.address) {
                Ok(_) => Err("it answers"),
                Err(_) => Ok(()),
            }
        })
    }
}

fn dirs(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// Where the clusters of the tests are: in memory if there is room, for a database is a copy of files.
fn temporary() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let has_room = statvfs(memory).is_ok_and(|system| {
        #[expect(clippy::useless_conversion, reason = "the types differ from system to system")]
        let free =
            u64::from(system.blocks_available()).saturating_mul(u64::from(system.fragment_size()));
        free >= ROOM_IN_MEMORY
    });
    if has_room { memory.to_owned() } else { std::env::temp_dir() }
}
