//! P10 beside others: two users, two checkouts and two containers on one machine with one engine,
//! all at the same time. Outside the containers, they share one directory for runs.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::lab::{self, Lab, PROMISED, engine};

/// Who runs tests at the same time: a checkout's own program, for a user.
struct Party {
    program: PathBuf,
    /// The user's number and group; nothing for whoever runs this test.
    user: Option<(u32, u32)>,
}

impl Party {
    /// A test in a run of its own, which writes into what it is given and fails where it finds anything in it.
    fn run(&self, lab: &Lab, number: usize) -> Result<(), String> {
        let (resource, provider) = WORLDS[number % WORLDS.len()];
        let mut test = match self.user {
            None => lab.command(self.program.to_str().unwrap()),
            Some((user, group)) => {
                let mut setpriv = lab.command("setpriv");
                setpriv.args(["--reuid", &user.to_string(), "--regid", &group.to_string()]);
                setpriv.arg("--clear-groups").arg(&self.program);
                setpriv
            }
        };
        test.args([resource, "pass"]).env("TESTENV_PROVIDER", provider).env("HOME", "/nonexistent");
        if let Some((user, _)) = self.user {
            test.env("XDG_STATE_HOME", lab.state().with_file_name(format!("state of {user}")));
        }
        test.env("TESTENV_RUN_ID", format!("run-{number}-of-{:?}", self.program)).current_dir("/");
        let output = test.stderr(Stdio::piped()).output().unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// The resource and the provider of run after run.
const WORLDS: [(&str, &str); 4] =
    [("postgres", "docker"), ("redis", "native"), ("postgres", "native"), ("redis", "docker")];

/// A container that has the engine's socket, in which run follows run: what failed in it.
fn job(lab: &Lab, name: &str, runs: usize) -> Vec<String> {
    let run = |number: usize| {
        let (resource, provider) = WORLDS[number % WORLDS.len()];
        let vars = format!("TESTENV_RUN_ID=run-{number} TESTENV_PROVIDER={provider}");
        format!("{vars} /actor {resource} pass || failed=\"$failed {number}\"\n")
    };
    let script = (0..runs).map(run).collect::<String>() + "[ -z \"$failed\" ]";
    let file = lab.runs().with_file_name(name);
    let id = ["--cidfile", file.to_str().unwrap()];
    let (passed, said) = engine::job(&[&engine::SOCKET[..], &id].concat(), &script);
    let id = std::fs::read_to_string(file).unwrap();
    let left = engine::labelled("container", testenv::tools::docker::JOB_LABEL, &id);
    let failed = (!passed).then(|| format!("{name}: {said}"));
    failed.into_iter().chain(left).collect()
}

#[test]
pub(crate) fn two_users_two_checkouts_and_two_containers_at_once_touch_nothing_of_each_other() {
    let lab = Lab::new();
    let actor = Path::new(env!("CARGO_BIN_EXE_testenv-actor"));
    let checkout = |name: &str| {
        let copy = lab.runs().with_file_name(name);
        std::fs::copy(actor, &copy).unwrap();
        copy
    };
    let mut parties = vec![
        Party { program: checkout("one"), user: None },
        Party { program: checkout("other"), user: None },
    ];
    // Another user, who may use the engine: root can be one, and nobody else can.
    open_to_all(&lab);
    assert!(
        nix::unistd::geteuid().is_root(),
        "to be another user needs root: run this test by sudo"
    );
    parties.push(Party { program: checkout("third"), user: Some((65534, group_of_engine())) });

    let runs = lab::load(4, 20);
    let lab = &lab;
    let failed: Vec<String> = std::thread::scope(|scope| {
        let jobs = ["a job", "another job"].map(|name| scope.spawn(move || job(lab, name, runs)));
        let parties = parties.iter().map(|party| {
            scope.spawn(move || {
                (0..runs).filter_map(|number| party.run(lab, number).err()).collect::<Vec<String>>()
            })
        });
        let all: Vec<_> = parties.collect::<Vec<_>>().into_iter().chain(jobs).collect();
        all.into_iter().flat_map(|runs| runs.join().unwrap()).collect()
    });

    assert_eq!(failed, Vec::<String>::new());
    lab.expect_nothing_left(PROMISED);
    let of_all = engine::labelled("container", "testenv.owner", &lab.runs().display().to_string());
    assert_eq!(of_all, Vec::<String>::new());
}

/// Lets every user make a directory in that of the runs, as in `/tmp`.
fn open_to_all(lab: &Lab) {
    std::fs::create_dir_all(lab.runs()).unwrap();
    for dir in [lab.runs().as_path(), lab.runs().parent().unwrap()] {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o1777)).unwrap();
    }
}

/// The group whose members may use the engine.
fn group_of_engine() -> u32 {
    let host = testenv::tools::docker_host();
    let socket = host.strip_prefix("unix://").expect("the engine of this machine");
    std::fs::metadata(socket).unwrap().gid()
}
