//! What the Docker engine says about the containers of a lab.

use std::process::{Command, Stdio};

use testenv::tools::{self, docker};

/// With these options a container has the engine's socket.
pub(crate) const SOCKET: [&str; 2] = ["--volume", "/var/run/docker.sock:/var/run/docker.sock"];

/// Ends when the script has ended and then all other processes of the container, the one that cleans up included.
const UNTIL_THE_END: &str = r#"eval "$0"; status=$?; set -- /proc/[0-9]*
while [ $# -gt 1 ]; do sleep 0.1; set -- /proc/[0-9]*; done; exit $status"#;

/// What a container says that runs a script, with `/actor` and the programs of this machine, and whether the script passed.
pub(crate) fn job(options: &[&str], script: &str) -> (bool, String) {
    let image = image(tools::POSTGRES.image);
    let actor = format!("{}:/actor:ro", env!("CARGO_BIN_EXE_testenv-actor"));
    let mut run = Command::new("docker");
    run.args(["run", "--rm", "--volume", "/usr:/usr:ro", "--volume", &actor, "--env", "PATH"]);
    run.args(options).args(["--env", "RUST_BACKTRACE=0", "--entrypoint", "/bin/sh", &image]);
    let output = run.args(["-c", UNTIL_THE_END, script]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

/// The name of an image that this engine has.
pub(crate) fn image(image: &tools::Image) -> String {
    docker::runtime().block_on(docker::resolve(image)).unwrap().to_string()
}

/// Ids of what carries a label whose value contains `value`.
pub(crate) fn labelled(kind: &str, label: &str, value: &str) -> Vec<String> {
    let all = if kind == "container" { &["--all"][..] } else { &[] };
    let format = format!("{kind} {{{{.ID}}}} {{{{.Label \"{label}\"}}}}");
    let text = docker(
        &[
            &[kind, "ls", "--no-trunc", "--filter", &format!("label={label}"), "--format", &format],
            all,
        ]
        .concat(),
    );
    text.lines().filter(|line| line.contains(value)).map(str::to_owned).collect()
}

/// The addresses at which the engine publishes the ports of a lab's one container.
pub(crate) fn published(lab: &crate::lab::Lab) -> Vec<String> {
    let containers = labelled("container", "testenv.owner", &lab.base().display().to_string());
    let [container] = &containers[..] else { panic!("not one: {containers:?}") };
    let text = docker(&["port", container.split_whitespace().nth(1).unwrap()]);
    text.lines().map(|line| line.rsplit_once(" -> ").unwrap().1.to_owned()).collect()
}

/// The services, one word a container, of the containers that were started for runs of the lab while `work` ran, by the engine's own account.
pub(crate) fn started(lab: &crate::lab::Lab, work: impl FnOnce()) -> Vec<String> {
    let since = now();
    work();
    let until = now();
    let format = "{{index .Actor.Attributes \"testenv.service\"}} {{index .Actor.Attributes \"testenv.owner\"}}";
    let period = ["events", "--since", &since, "--until", &until];
    let what = ["--filter", "event=start", "--filter", "label=testenv.owner"];
    let events = docker(&[&period[..], &what, &["--format", format]].concat());
    let mark = lab.base().display().to_string();
    let ours = events.lines().filter(|line| line.contains(&mark));
    let mut services: Vec<String> =
        ours.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    services.sort();
    services
}

fn now() -> String {
    let output = Command::new("date").arg("+%s.%N").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn docker(args: &[&str]) -> String {
    let output =
        Command::new("docker").args(args).output().expect("docker can be run (package docker.io)");
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
