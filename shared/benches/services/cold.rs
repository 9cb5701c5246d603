//! The first call of a run, which starts the server: of each service, in each way, and of all at once.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{FEW, met, p, runtime, times};

/// Set in a process that is a run of its own: the services that have to start.
const COLD: &str = "BENCH_COLD";

/// Services, ways, and the goal for the first call in milliseconds where there is one.
const STARTS: &[(&str, &[&str], Option<f64>)] = &[
    #[cfg(feature = "integration")]
    ("postgres", &["docker", "native"], None),
    #[cfg(feature = "integration")]
    ("redis", &["docker", "native"], None),
    #[cfg(feature = "integration")]
    ("kafka", &["docker"], Some(4000.0)),
    #[cfg(feature = "integration")]
    ("s3", &["docker"], Some(4000.0)),
    #[cfg(not(feature = "integration"))]
    ("kafka", &["embedded"], None),
    #[cfg(not(feature = "integration"))]
    ("s3", &["embedded"], None),
    #[cfg(feature = "integration")]
    ("toxiproxy", &["docker", "native"], Some(1000.0)),
];

/// Whether this process is the one that [`once`] starts. It has done its work then.
pub(crate) fn is_asked_for() -> bool {
    let Ok(services) = std::env::var(COLD) else { return false };
    let start = Instant::now();
    // Tests that run at once are threads with a runtime each.
    std::thread::scope(|scope| {
        for service in services.split(',') {
            scope.spawn(move || runtime().block_on(ask(service)));
        }
    });
    println!("{}", start.elapsed().as_millis());
    true
}

async fn ask(service: &str) {
    match service {
        #[cfg(feature = "integration")]
        "postgres" => drop(testenv::fresh_db().await),
        #[cfg(feature = "integration")]
        "redis" => drop(testenv::fresh_redis().await),
        "kafka" => drop(testenv::fresh_topic().await),
        "s3" => drop(testenv::fresh_bucket().await),
        #[cfg(feature = "integration")]
        "toxiproxy" => drop(testenv::fresh_proxy(crate::echo::Echo::start().address).await),
        _ => unreachable!("{COLD} names services"),
    }
}

pub(crate) fn bench() {
    let mut sum = 0.0;
    for (service, ways, goal) in STARTS {
        for way in *ways {
            let took = median(service, way);
            if *way == ways[0] {
                sum += took;
            }
            let goal = goal.map(|goal| format!(", goal {goal}: {}", met(took <= goal)));
            println!(
                "the first call of a run, {service}, {way}: p50: {took:.0}{}",
                goal.unwrap_or_default()
            );
        }
    }
    let services: Vec<&str> = STARTS.iter().map(|(service, ..)| *service).collect();
    let (_, ways, _) = STARTS[0];
    let all = median(&services.join(","), ways[0]);
    println!(
        "the first calls of a run, all services at once: p50: {all:.0}, one after the other {sum:.0}, ratio {:.2}",
        all / sum
    );
}

fn median(services: &str, way: &str) -> f64 {
    let samples: Vec<Duration> = (0..times(FEW)).map(|_| once(services, way)).collect();
    p(&samples, 50)
}

fn once(services: &str, way: &str) -> Duration {
    let id = format!("cold-{}-{:?}", std::process::id(), Instant::now());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(COLD, services).env("TESTENV_RUN_ID", id).stderr(Stdio::null());
    // Nobody else comes to the run.
    command.env("TESTENV_GRACE_MS", "0").env("TESTENV_PROVIDER", way);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{services} did not start");
    let millis = String::from_utf8(output.stdout).unwrap();
    Duration::from_millis(millis.trim().parse().unwrap())
}
