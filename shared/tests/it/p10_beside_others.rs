//! P10 beside others: two users and two checkouts on one machine, with one engine and one directory for runs, all at once.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::lab::{self, Lab, PROMISED, engine};

/// Who runs tests at the same time: a checkout's own program, for a user.
struct Party {
    program: PathBuf,
    /// The user's number and group; nothing for whoever runs this test.
    user: Option<(u32, u32)>,
    /// One for each way that the user has.
    worlds: Vec<(&'static str, &'static str)>,
}

impl Party {
    /// A test in a run of its own, which writes into what it is given and fails where it finds anything in it.
    fn run(&self, lab: &Lab, number: usize) -> Result<(), String> {
        let (resource, provider) = self.worlds[number % self.worlds.len()];
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

#[test]
fn two_users_and_two_checkouts_at_once_touch_nothing_of_each_other() {
    let lab = Lab::new();
    let actor = Path::new(env!("CARGO_BIN_EXE_testenv-actor"));
    let checkout = |name: &str| {
        let copy = lab.runs().with_file_name(name);
        std::fs::copy(actor, &copy).unwrap();
        copy
    };
    let both = vec![
        ("postgres", "docker"),
        ("redis", "native"),
        ("postgres", "native"),
        ("redis", "docker"),
    ];
    let mut parties = vec![
        Party { program: checkout("one"), user: None, worlds: both.clone() },
        Party { program: checkout("other"), user: None, worlds: both.clone() },
    ];
    // Another user, who may use the engine: root can be one, and nobody else can.
    open_to_all(&lab);
    assert!(
        nix::unistd::geteuid().is_root(),
        "to be another user needs root: run this test by sudo"
    );
    parties.push(Party {
        program: checkout("third"),
        user: Some((65534, group_of_engine())),
        worlds: both,
    });

    let failed: Vec<String> = std::thread::scope(|scope| {
        let runs = parties.iter().map(|party| {
            let runs = || (0..lab::load(4, 20)).filter_map(|number| party.run(&lab, number).err());
            scope.spawn(move || runs().collect::<Vec<String>>())
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().flat_map(|party| party.join().unwrap()).collect()
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
    let host = testenv::provider::docker_host();
    let socket = host.strip_prefix("unix://").expect("the engine of this machine");
    std::fs::metadata(socket).unwrap().gid()
}
