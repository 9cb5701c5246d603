//! `doctor` and `setup` on machines that lack something: an engine that is silent, a client that hangs, a registry that is not there.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use testenv::tools::{KAFKA, SERVICES};

use crate::workspace::{Said, Workspace};

/// A workspace with an engine's socket and a `docker` of its own in front of the PATH.
struct Machine {
    workspace: Workspace,
    socket: PathBuf,
}

impl Machine {
    /// The engine listens and never answers.
    fn with_a_hung_engine() -> (Machine, UnixListener) {
        let workspace = Workspace::new();
        // So that what these tests say does not depend on what their own machine has.
        for program in ["cargo-nextest", "initdb", "postgres", "toxiproxy-server"] {
            workspace.write(&format!("bin/{program}"), "");
        }
        let socket = workspace.temp().join("keep.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        (Machine { workspace, socket }, listener)
    }

    /// The engine answers a ping; its client is this script.
    fn with_client(script: &str) -> Machine {
        let (machine, listener) = Machine::with_a_hung_engine();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 512];
                if stream.read(&mut request).is_ok() {
                    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK").ok();
                }
            }
        });
        machine
            .workspace
            .write("bin/docker", &format!("#!/bin/sh\necho \"$*\" >> calls\n{script}\n"));
        machine.executable("bin/docker");
        machine
    }

    fn executable(&self, path: &str) {
        let path = self.workspace.root().join(path);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn course(&self, words: &[&str]) -> Said {
        Said::of(&self.command(words).output().unwrap())
    }

    /// Sets up Kafka alone: of the others it is said that somebody else runs them.
    fn sets_up_kafka(&self) -> Said {
        self.sets_up_kafka_with(&[])
    }

    fn sets_up_kafka_with(&self, options: &[&str]) -> Said {
        let mut command = self.command(&[&["setup"], options].concat());
        for service in SERVICES.iter().filter(|service| service.name != KAFKA.name) {
            command.env(service.url_var, "127.0.0.1:1");
        }
        Said::of(&command.output().unwrap())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.workspace.command(words);
        let path = std::env::var("PATH").unwrap();
        for service in SERVICES {
            command.env_remove(service.url_var).env_remove(service.image.override_var());
        }
        command.env_remove("TESTENV_PROVIDER").env_remove("TESTENV_HUB_PREFIX");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command.env("PATH", format!("{}:{path}", self.workspace.root().join("bin").display()));
        command
    }
}

#[test]
fn the_doctor_is_done_in_two_seconds_with_a_hung_engine() {
    let (machine, _hung) = Machine::with_a_hung_engine();
    let start = Instant::now();

    let said = machine.course(&["doctor"]);

    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    said.says(
        1,
        &[
            "Docker does not answer",
            "no answer within",
            "to fix: correct DOCKER_HOST",
            "to fix: export TESTENV_KAFKA_BROKERS=",
        ],
    );
}

#[test]
fn the_doctor_is_done_in_two_seconds_with_a_hung_client() {
    let machine = Machine::with_client("exec sleep 4243.5");
    let start = Instant::now();

    let said = machine.course(&["doctor"]);

    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    said.says(1, &["Docker answers", "`docker image inspect` did not answer within 1 s"]);
}

#[test]
fn the_doctor_says_which_server_would_serve() {
    let image = Machine::with_client("exit 0").course(&["doctor"]);
    image.says(0, &["Docker apache/kafka:"]);

    let machine = Machine::with_client("echo 'Error: No such image: x' >&2; exit 1");
    machine.course(&["doctor"]).says(1, &["is not there", "to fix: cargo course setup"]);
    let refused =
        machine.command(&["doctor"]).env("TESTENV_KAFKA_BROKERS", "127.0.0.1:1").output().unwrap();
    Said::of(&refused)
        .says(1, &["TESTENV_KAFKA_BROKERS=127.0.0.1:1", "to fix: unset TESTENV_KAFKA_BROKERS"]);
}

/// An engine that answers is chosen, whatever images it has: a test would pull one or fail.
#[test]
fn the_doctor_shows_the_way_that_a_test_would_take() {
    let machine = Machine::with_client("echo 'Error: No such image: x' >&2; exit 1");
    let forced = |way: &str| {
        Said::of(&machine.command(&["doctor"]).env("TESTENV_PROVIDER", way).output().unwrap())
    };
    let native = format!("native {}/bin/postgres", machine.workspace.root().display());

    let chosen = machine.course(&["doctor"]);

    chosen.hides(&native);
    chosen.says(1, &["postgres by native: the engine answers, so Docker is chosen"]);
    chosen.says(1, &["to fix: export TESTENV_PROVIDER=native"]);
    forced("native").says(1, &[&native]);
    forced("podman").says(1, &["TESTENV_PROVIDER=podman is no way to a server"]);
}

#[test]
fn the_doctor_prints_no_password() {
    let machine = Machine::with_client("exit 0");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    let doctor = |postgres: &str, redis: &str| {
        let mut doctor = machine.command(&["doctor"]);
        doctor.env("TESTENV_POSTGRES_URL", postgres).env("TESTENV_REDIS_URL", redis);
        let said = Said::of(&doctor.output().unwrap());
        said.hides("hunter2");
        said
    };

    let answers =
        doctor(&format!("postgres://app:hunter2@{at}/db"), &format!("redis://:hunter2@{at}"));
    let refused = doctor("postgres://app:hunter2@127.0.0.1:1/db", "redis://:hunter2@127.0.0.1:1");
    let wrong = doctor("postgres://app:hunter2@h:port/db", "hunter2@h");

    answers
        .says(0, &[&format!("URL postgres://app:***@{at}/db"), &format!("URL redis://:***@{at}")]);
    refused.says(1, &["TESTENV_POSTGRES_URL=postgres://app:***@127.0.0.1:1/db: ", "refused"]);
    wrong.says(
        1,
        &["TESTENV_POSTGRES_URL: the PostgreSQL URL did not parse", "TESTENV_REDIS_URL: "],
    );
}

#[test]
fn a_setup_without_an_engine_names_what_to_type_and_does_nothing() {
    let (machine, _hung) = Machine::with_a_hung_engine();

    let said = machine.course(&["setup"]);

    said.says(
        1,
        &[
            "missing: a Docker engine that answers",
            "no answer within",
            "to fix: correct DOCKER_HOST",
        ],
    );
}

#[test]
fn a_setup_with_every_image_does_nothing_and_says_so() {
    Machine::with_client("exit 0").course(&["setup"]).says(0, &["nothing to do"]);
}

/// What a CI service keeps between two machines: the second one pulls nothing.
#[test]
fn a_setup_keeps_images_in_a_folder_and_takes_them_from_there() {
    let client = "case \"$1\" in
        image) for last; do :; done; [ -f \"there $(basename $last)\" ] && exit 0; echo 'Error: No such image: x' >&2; exit 1 ;;
        pull) [ -f offline ] && exit 1; for last; do :; done; touch \"there $(basename $last)\" ;;
        save) echo \"an image: $4\" > \"$3\" ;;
        load) read -r _ _ name < \"$4\" && [ -n \"$name\" ] && touch \"there $(basename $name)\" ;;
    esac";
    let first = Machine::with_client(client);
    let folder = first.workspace.temp().join("kept images");
    let options = ["--images", folder.to_str().unwrap()];
    first.sets_up_kafka_with(&options).says(0, &["is pulled", "keeping apache/kafka:"]);
    let files = || std::fs::read_dir(&folder).unwrap().flatten().map(|file| file.path());
    let kept: Vec<PathBuf> = files().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");

    let second = Machine::with_client(client);
    second.workspace.write("offline", "");
    let said = second.sets_up_kafka_with(&options);

    said.says(0, &["loading ", "is there", "everything is there now"]);
    assert!(!second.workspace.read("calls").contains("save"), "it is kept already");

    // Half of a file, as after a full disk.
    std::fs::write(&kept[0], "").unwrap();
    let third = Machine::with_client(client);
    third.sets_up_kafka_with(&options).says(0, &["cannot be loaded", "is pulled"]);
    assert_ne!(std::fs::read(&kept[0]).unwrap(), b"", "it is kept anew");
}

#[test]
fn images_that_cannot_be_kept_are_an_error_with_the_cure() {
    let machine =
        Machine::with_client("case \"$1\" in save) echo 'no space left' >&2; exit 1 ;; esac");
    let folder = machine.workspace.temp().join("full");

    let said = machine.sets_up_kafka_with(&["--images", folder.to_str().unwrap()]);

    said.says(2, &["images cannot be kept in", "no space left", "to fix: --images <a folder"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "half of a file stays");
}

/// The engine may have refused for reasons of its own.
#[test]
fn a_kept_image_that_cannot_be_loaded_stays_until_there_is_another_one() {
    let client = "case \"$1\" in
        image) echo 'Error: No such image: x' >&2; exit 1 ;;
        *) echo 'no room' >&2; exit 1 ;;
    esac";
    let machine = Machine::with_client(client);
    let folder = machine.workspace.temp().join("kept");
    let file = folder.join(format!("apache-kafka-{}.tar", KAFKA.image.tag));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&file, "an image").unwrap();

    machine.sets_up_kafka_with(&["--images", folder.to_str().unwrap()]).says(1, &["no room"]);

    assert_eq!(std::fs::read_to_string(&file).unwrap(), "an image");
}

#[test]
fn a_setup_without_a_registry_builds_the_substitute_from_its_recipe() {
    let client = "case \"$1\" in
        image) [ -f built ] && exit 0; echo 'Error: No such image: x' >&2; exit 1 ;;
        pull) echo 'no such host' >&2; exit 1 ;;
        build) for last; do :; done; [ -f \"$last/fetched\" ] && touch built ;;
    esac";
    let machine = Machine::with_client(client);
    machine.workspace.write("shared/images/kafka/needs", "sh dash\n");
    machine.workspace.write("shared/images/kafka/fetch", "#!/bin/sh\ntouch fetched\n");
    machine.workspace.write("shared/images/kafka/Dockerfile", "FROM scratch\n");
    machine.executable("shared/images/kafka/fetch");

    machine.sets_up_kafka().says(
        0,
        &[
            "no registry gives apache/kafka:",
            "testenv.local/kafka:",
            "is built",
            "everything is there now",
        ],
    );
    machine.sets_up_kafka().says(0, &["nothing to do"]);

    assert!(
        machine.workspace.read("calls").contains("build --network none --tag testenv.local/kafka:")
    );
    assert!(
        !machine.workspace.root().join("shared/images/kafka/fetched").exists(),
        "the recipe's folder stays clean"
    );
    assert_eq!(machine.workspace.left_in_temp(), ["keep.sock"]);
}

#[test]
fn a_recipe_that_needs_a_missing_program_names_its_package() {
    let machine = Machine::with_client("echo 'No such image' >&2; exit 1");
    machine.workspace.write("shared/images/kafka/needs", "no-such-program the-package\n");

    machine.course(&["setup"]).says(
        1,
        &[
            "no-such-program to build the image of kafka",
            "the-package",
            "to fix: cargo course setup --install",
        ],
    );
}

/// An engine with a kept server of this user's and one of somebody else's.
const TWO_KEPT: &str = "case $* in
    ps*testenv.reuse.owner=*) printf 'abc\\ttestenv-reuse-postgres-1\\tpostgres\\tpostgres:17\\t3 hours ago\\tUp 2 hours\\n' ;;
    ps*testenv.reuse*) for it in abc:1 def:2; do
        printf '%s\\ttestenv-reuse-postgres-%s\\tpostgres\\tpostgres:17\\t3 hours ago\\tUp 2 hours\\n' ${it%:*} ${it#*:}
    done ;;
    esac";

#[test]
fn kept_servers_are_listed_and_only_this_users_are_stopped() {
    let machine = Machine::with_client(TWO_KEPT);
    let cache = machine.workspace.root().join("cache");
    let course = |words: &[&str]| {
        Said::of(&machine.command(words).env("TESTENV_CACHE_DIR", &cache).output().unwrap())
    };

    course(&["reuse", "list"]).says(
        0,
        &[
            "testenv-reuse-postgres-1  postgres  postgres:17  created 3 hours ago  Up 2 hours  (not in use)\n",
            "testenv-reuse-postgres-2  postgres  postgres:17  created 3 hours ago  Up 2 hours  (another user's",
        ],
    );
    course(&["reuse", "stop"]).says(
        0,
        &["testenv-reuse-postgres-1 is stopped", "testenv-reuse-postgres-2 is left alone: another"],
    );

    let calls = machine.workspace.read("calls");
    assert!(calls.contains("rm --force --volumes abc"), "{calls}");
    assert!(!calls.contains("def"), "{calls}");
    Machine::with_client("exit 0").course(&["reuse", "list"]).says(0, &["no server is kept"]);
}

#[test]
fn a_kept_server_that_a_live_run_uses_is_not_stopped() {
    let machine = Machine::with_client(TWO_KEPT);
    let cache = machine.workspace.root().join("cache");
    std::fs::create_dir_all(cache.join("reuse")).unwrap();
    // As each process of the run does, until it ends.
    let users = std::fs::File::create(cache.join("reuse/postgres-1.users")).unwrap();
    users.lock_shared().unwrap();
    let reuse = |word: &str| {
        let mut reuse = machine.command(&["reuse", word]);
        Said::of(&reuse.env("TESTENV_CACHE_DIR", &cache).output().unwrap())
    };
    let stop = || reuse("stop");

    reuse("list").says(0, &["testenv-reuse-postgres-1  postgres  ", "  (in use)\n"]);
    stop().says(1, &["testenv-reuse-postgres-1 is left alone: a live run uses it"]);
    assert!(!machine.workspace.read("calls").contains("rm "));
    drop(users);
    stop().says(0, &["testenv-reuse-postgres-1 is stopped"]);
}
