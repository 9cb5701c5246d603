//! Images of others: where they keep their data, who may pull them, and an engine that stops
//! answering.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::lab::engine::{docker, labelled};
use crate::lab::{self, Lab, PROMISED, complaint};

/// An image that is removed with its test.
struct Built(String);

impl Built {
    fn of(dockerfile: &str) -> Built {
        let name = format!("testenv.local/of-a-test:{}-{:x}", std::process::id(), dockerfile.len());
        let mut build = Command::new("docker");
        build.env("DOCKER_BUILDKIT", "0").args([
            "build",
            "--quiet",
            "--network",
            "none",
            "--tag",
            &name,
            "-",
        ]);
        let mut build = build.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        build.stdin.take().unwrap().write_all(dockerfile.as_bytes()).unwrap();
        assert!(build.wait().unwrap().success());
        Built(name)
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        Command::new("docker")
            .args(["rmi", "--force", &self.0])
            .stdout(Stdio::null())
            .status()
            .ok();
    }
}

/// As the official image from version 18 on: its volume is the directory above its data, and it does not start if the old place is a mount.
#[test]
fn an_image_that_keeps_its_data_elsewhere_is_served_from_memory_there() {
    let image = Built::of(
        r#"FROM testenv.local/postgres:distribution
RUN echo 'if grep -q " /var/lib/postgresql/data " /proc/mounts; then echo "Error: there is a mount" >&2; exit 1; fi; exec docker-entrypoint.sh "$@"' > /strict
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
ENTRYPOINT ["/bin/bash", "/strict"]
CMD ["postgres"]
"#,
    );
    let lab = Lab::new();
    let mut test = lab.actor("postgres", "wait");
    test.envs([("TESTENV_PROVIDER", "docker"), ("TESTENV_POSTGRES_IMAGE", &image.0)]);
    let mut test = test.spawn().unwrap();
    assert_eq!(lab::line(&mut test), "postgres");

    let containers = labelled("container", "testenv.owner", &lab.base().display().to_string());
    let id = containers[0].split_whitespace().nth(1).unwrap();
    let mounts =
        docker(&["inspect", "--format", "{{json .HostConfig.Tmpfs}} {{json .Mounts}}", id]);

    assert!(mounts.contains(r#"{"/var/lib/postgresql":"rw,mode=1777"}"#), "{mounts}");
    assert!(!mounts.contains("/var/lib/docker/volumes"), "{mounts}");
    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

/// A registry that asks for a login, and says which one came.
fn registry() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let login = head.iter().find_map(|line| line.strip_prefix("Authorization: "));
            let answer = match login {
                Some(login) => {
                    tell.send(login.to_owned()).ok();
                    "404 Not Found\r\n"
                }
                None => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"it\"\r\n",
            };
            let answer = format!("HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    (at, told)
}

#[test]
fn an_image_of_a_private_registry_is_pulled_with_the_users_login() {
    let program = "#!/bin/sh\nread -r registry\necho \"{\\\"ServerURL\\\":\\\"$registry\\\",\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"secret\\\"}\"\n";
    let by_program = |at: &str| format!(r#"{{"credHelpers": {{"{at}": "of-the-test"}}}}"#);
    let by_store = |_: &str| r#"{"credsStore": "of-the-test"}"#.to_owned();
    let by_file = |at: &str| format!(r#"{{"auths": {{"{at}": {{"auth": "bWU6c2VjcmV0"}}}}}}"#);
    let ways: [&dyn Fn(&str) -> String; 3] = [&by_program, &by_store, &by_file];
    for config in ways {
        let (lab, dir, (at, told)) = (Lab::new(), tempfile::tempdir().unwrap(), registry());
        let reaper = dir.path().join("docker-credential-of-the-test");
        std::fs::write(&reaper, program).unwrap();
        std::fs::set_permissions(&reaper, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(dir.path().join("config.json"), config(&at)).unwrap();
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());

        let image = format!("{at}/private/redis:1");
        let vars = [
            ("TESTENV_REDIS_IMAGE", image.as_str()),
            ("TESTENV_PROVIDER", "docker"),
            ("DOCKER_CONFIG", dir.path().to_str().unwrap()),
            ("PATH", &path),
        ];
        let (said, _) = complaint(&lab, "redis", &vars);

        assert!(said.contains(&image), "{said}");
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(told.try_recv().as_deref(), Ok("Basic bWU6c2VjcmV0"), "{said}");
        lab.expect_nothing_left(PROMISED);
    }
}

#[test]
fn an_engine_that_falls_silent_is_named_with_what_was_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap_or_default();
            if request[..length].starts_with(b"GET /_ping") {
                stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK").ok();
            } else {
                held.push(stream);
            }
        }
    });
    let lab = Lab::new();
    let host = format!("unix://{}", socket.display());

    let (said, took) =
        complaint(&lab, "redis", &[("DOCKER_HOST", &host), ("TESTENV_PROVIDER", "docker")]);

    assert!(said.contains("hangs") && said.contains("to: whether the image"), "{said}");
    assert!(said.contains("to fix: docker info"), "{said}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    lab.expect_nothing_left(PROMISED);
}
