//! The harness finds the engine in the same places as the user's own tools. What the engine starts
//! stays on this machine.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use testenv::tools;

use crate::lab::engine::{docker, image, job, labelled, published};
use crate::lab::{self, Lab, PROMISED};

/// All bytes that came to the engine by another way than its own socket.
type Asked = Arc<Mutex<Vec<u8>>>;

/// The engine at another socket.
fn at_socket(path: &Path) -> Asked {
    let (listener, asked) = (UnixListener::bind(path).unwrap(), Asked::default());
    let all = asked.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let end = |client: &UnixStream| client.shutdown(Shutdown::Write);
            pass_on(client.try_clone().unwrap(), client, all.clone(), move |client| {
                drop(end(client));
            });
        }
    });
    asked
}

/// The engine at a port of all addresses of this machine.
fn at_port() -> u16 {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let end = |client: &TcpStream| client.shutdown(Shutdown::Write);
            pass_on(client.try_clone().unwrap(), client, Asked::default(), move |client| {
                drop(end(client));
            });
        }
    });
    port
}

fn pass_on<T: Read + Write + Send + 'static>(
    mut from: T,
    mut to: T,
    asked: Asked,
    end: impl Fn(&T) + Send + 'static,
) {
    let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
    let (mut sent, mut answers) = (engine.try_clone().unwrap(), engine);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            asked.lock().unwrap().extend_from_slice(&piece[..length]);
            if sent.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        sent.shutdown(Shutdown::Write).ok();
    });
    std::thread::spawn(move || {
        std::io::copy(&mut answers, &mut to).ok();
        end(&to);
    });
}

/// A container knows its engine by these files. Without them it is a machine of its own.
const ON_ANOTHER_MACHINE: &str = "hosts=$(cat /etc/hosts)
umount /etc/hosts /etc/hostname /etc/resolv.conf && echo \"$hosts\" > /etc/hosts
! grep docker/ /proc/self/cgroup && /actor";

const ELSEWHERE: [&str; 5] = [
    "--cap-add=SYS_ADMIN",
    "--cgroupns=private",
    "--security-opt=apparmor=unconfined",
    "--hostname=elsewhere",
    "--add-host=engine.test:host-gateway",
];

/// What a script says on another machine, and whether it passed. Nothing of its run is left on the engine.
fn elsewhere(vars: &[&str], script: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap().path().display().to_string();
    let script = format!("mkdir -p {dir} && export TESTENV_DIR={dir}\n{script}");
    let played = job(&[&ELSEWHERE[..], vars].concat(), &script);
    assert_eq!(labelled("container", "testenv.owner", &dir), Vec::<String>::new(), "{played:?}");
    played
}

/// Kafka tells its clients an address, and Toxiproxy reaches its upstreams from a container.
#[test]
fn the_servers_of_an_engine_on_another_machine_are_reached() {
    // An engine that numbers the ports of IPv4 and of IPv6 each on its own is one number ahead with one.
    let image = image(tools::KAFKA.image);
    let ahead = ["run", "--rm", "--detach", "--publish=[::]::1", "--entrypoint=sleep", &image, "9"];
    docker(&ahead);
    let engine = format!("DOCKER_HOST=tcp://engine.test:{}", at_port());
    let vars = ["--env", &engine, "--env", "TESTENV_PROVIDER=docker"];
    for part in ["postgres", "redis through proxies", "bucket", "round trip"] {
        let script = format!("{ON_ANOTHER_MACHINE} '{part}' pass");

        let (passed, said) = elsewhere(&vars, &script);

        assert!(passed && said.contains("a container of"), "{part}: {said}");
    }
}

/// Answers as `ssh` does, and reaches the engine there by its own way.
const SSH: &str = r#"#!/bin/sh
case "$*" in
    "-G -l me -p77 -- away") echo "hostname engine.test" ;;
    *"-l me -p77 -- away docker system dial-stdio") DOCKER_HOST=THERE exec docker system dial-stdio ;;
    *) echo "not asked for: $*" >&2; exit 255 ;;
esac"#;

/// The name of the machine is one that `ssh` alone knows.
#[test]
fn the_servers_of_an_engine_behind_ssh_are_reached() {
    let ssh = SSH.replace("THERE", &format!("tcp://engine.test:{}", at_port()));
    let vars = ["--env", "TESTENV_PROVIDER=docker"];
    let with = |host: &str, part: &str| {
        let script = format!(
            "mkdir /ssh && echo '{ssh}' > /ssh/ssh && chmod +x /ssh/ssh && export PATH=/ssh:$PATH DOCKER_HOST={host}\n{ON_ANOTHER_MACHINE} '{part}' pass"
        );
        elsewhere(&vars, &script)
    };
    for part in ["postgres", "round trip"] {
        let (passed, said) = with("ssh://me@away:77", part);

        assert!(passed && said.contains("a container of"), "{part}: {said}");
    }
    let (passed, said) = with("ssh://away", "postgres");
    assert!(!passed && said.contains("ssh: not asked for: -T"), "{said}");
}

/// A directory of Docker's configuration with a context for the engine at this socket.
fn context(dir: &Path, socket: &Path, config: &str) {
    let meta = dir.join("contexts/meta/any");
    std::fs::create_dir_all(&meta).unwrap();
    let text = format!(
        r#"{{"Name":"theirs","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"unix://{}"}}}}}}"#,
        socket.display()
    );
    std::fs::write(meta.join("meta.json"), text).unwrap();
    std::fs::write(dir.join("config.json"), config).unwrap();
}

fn is_served_through_a_context(config: &str, var: Option<(&str, &str)>) {
    let (lab, dir) = (Lab::new(), tempfile::tempdir().unwrap());
    let socket = dir.path().join("theirs.sock");
    let asked = at_socket(&socket);
    context(dir.path(), &socket, config);

    let mut actor = lab.actor("redis", "pass");
    actor.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").env("DOCKER_CONFIG", dir.path());
    let served = actor.env("TESTENV_PROVIDER", "docker").envs(var).status().unwrap();

    assert!(served.success());
    lab.expect_nothing_left(PROMISED);
    let asked = String::from_utf8_lossy(&asked.lock().unwrap()).into_owned();
    for request in ["GET /_ping", "/containers/create", "DELETE /"] {
        assert!(asked.contains(request), "{request} went to another engine");
    }
}

#[test]
fn the_context_that_docker_was_told_to_use_serves() {
    is_served_through_a_context(r#"{"currentContext": "theirs"}"#, None);
}

#[test]
fn the_context_of_the_shell_serves() {
    is_served_through_a_context("{}", Some(("DOCKER_CONTEXT", "theirs")));
}

/// The engine takes the ports of an address in their order, and gives up after ten.
#[test]
fn a_server_starts_where_other_programs_have_the_next_ports() {
    let (before, lab) = (Lab::new(), Lab::new());
    let mut first = before.actor("redis", "wait");
    let mut first = first.env("TESTENV_PROVIDER", "docker").spawn().unwrap();
    lab::line(&mut first);
    let at: u16 = published(&before)[0].rsplit_once(':').unwrap().1.parse().unwrap();
    let taken: Vec<_> =
        (at + 1..at + 40).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).collect();
    assert!(taken.len() > 20, "{taken:?}");

    let served = lab.actor("redis", "pass").env("TESTENV_PROVIDER", "docker").status().unwrap();

    assert!(served.success());
    lab.expect_nothing_left(PROMISED);
    drop(first.stdin.take());
    first.wait().unwrap();
    before.expect_nothing_left(PROMISED);
}

#[test]
fn ports_are_bound_to_loopback_however_this_machines_engine_is_spelt() {
    let port = at_port();
    let routed = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the system says which of its addresses it would send from.
    routed.connect("192.0.2.1:9").unwrap();
    let outward = routed.local_addr().unwrap().ip();
    for host in [
        "tcp://[::1]",
        "TCP://localhost",
        "tcp://0.0.0.0",
        "http://127.1",
        &format!("tcp://{outward}"),
    ] {
        let lab = Lab::new();
        let mut test = lab.actor("redis", "wait");
        test.envs([
            ("DOCKER_HOST", format!("{host}:{port}")),
            ("TESTENV_PROVIDER", "docker".into()),
        ]);
        let mut test = test.spawn().unwrap();
        assert_eq!(lab::line(&mut test), "redis", "{host}");

        let ports = published(&lab);

        let is_loopback = |port: &String| port.starts_with("127.0.0.1:");
        assert!(!ports.is_empty() && ports.iter().all(is_loopback), "{host}: {ports:?}");
        drop(test.stdin.take());
        test.wait().unwrap();
        lab.expect_nothing_left(PROMISED);
    }
}
