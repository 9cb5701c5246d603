//! The finished piece, and the checks of its promises, to compare with yours. Each check is made on it and on somebody else's.
#![cfg(feature = "integration")]

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use task28_reuse::{
    Harness, Machine, Problem, Run, Theirs, Wanted, create_database, databases, execute, migrate,
    url_of,
};
use testenv::tools::announce;
use testenv::wait;
use tokio::time::timeout;

/// The piece: it finds the kept server or starts it, and gives the run a database there.
struct Kept;

impl Harness for Kept {
    async fn fresh_db(run: &Run) -> Result<String, Problem> {
        let ci = run.ci().is_some_and(|value| !value.is_empty() && value != "false");
        let admin = if ci { own(run).await? } else { kept(run).await? };
        sweep(run, &admin).await?;
        let name = run.new_name();
        create_database(&admin, &name).await?;
        let url = url_of(&admin, &name);
        migrate(&url).await?;
        Ok(url)
    }
}

async fn own(run: &Run) -> Result<String, Problem> {
    run.say("reuse is refused, because CI is set");
    let password = word();
    Ok(run.start_own(&password).await?.url(&password))
}

async fn kept(run: &Run) -> Result<String, Problem> {
    let mut hasher = DefaultHasher::new();
    run.wanted().hash(&mut hasher);
    let key = format!("{:016x}", hasher.finish());
    // The kernel drops this lock however its holder ends; a file that means "locked" by being there would stay.
    let lock = File::create(run.folder().join(format!("{key}.lock")))?;
    wait::until(LIMIT, "the lock of the kept server", async || lock.try_lock()).await?;

    let note = run.folder().join(format!("{key}.url"));
    if let Ok(url) = std::fs::read_to_string(&note)
        && answers(&url).await
    {
        return Ok(url);
    }
    for dead in run.find(&key) {
        dead.remove().await;
    }
    let password = word();
    let url = run.start_kept(&key, &password).await?.url(&password);
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(note)?;
    file.write_all(url.as_bytes())?;
    Ok(url)
}

async fn sweep(run: &Run, admin: &str) -> Result<(), Problem> {
    for name in databases(admin).await?.into_iter().filter(|name| run.is_over(name)) {
        execute(admin, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await?;
    }
    Ok(())
}

/// A server that was paused takes a connection and says nothing, so the question has a limit.
async fn answers(url: &str) -> bool {
    let asked = timeout(Duration::from_secs(1), PgConnection::connect(url)).await;
    matches!(asked, Ok(Ok(_)))
}

#[expect(clippy::disallowed_methods, reason = "a name that no other run has is not repeatable")]
fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// What R4 grants. A server starts in a quarter of a second; a machine that is busy with a build takes ten
/// times that.
const LIMIT: Duration = Duration::from_secs(5);

/// What R1 asks of a second run, up to the answer to its first query; on a machine that is busy, half of a cold start.
const QUICK: Duration = Duration::from_millis(100);

/// What R5 and R6 grant until something is gone.
const GONE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_second_run_finds_the_server_and_has_its_first_answer_within_100_ms() {
    find_again::<Theirs>().await;
}

pub(crate) async fn find_again<H: Harness>() {
    let machine = Machine::open().await;
    let (first, mut runs) = (first_answer::<H>(&machine.run()).await, Vec::new());

    // Other work can only make it slower, so one quick run of several is the proof.
    let quick = wait::until(GONE, "a first answer within 100 ms", async || {
        let run = machine.run();
        let took = first_answer::<H>(&run).await;
        assert_eq!(machine.starts(), 1, "servers started");
        runs.push(run);
        if took < QUICK.max(first / 2) {
            Ok(took)
        } else {
            Err(format!("{took:?}, cold {first:?}"))
        }
    });

    let took = quick.await.unwrap();
    announce("reuse", &format!("first answer after {first:?} cold, {took:?} kept"));
}

/// From the beginning of a run to the answer to its first query.
async fn first_answer<H: Harness>(run: &Run) -> Duration {
    let begun = Instant::now();
    users(&fresh::<H>(run).await).await;
    begun.elapsed()
}

#[tokio::test]
async fn another_image_other_settings_or_another_version_is_another_server() {
    tell_apart::<Theirs>().await;
}

pub(crate) async fn tell_apart<H: Harness>() {
    let machine = Machine::open().await;
    let usual = fresh::<H>(&machine.run()).await;
    let others = [
        Wanted { image: "postgres:16".into(), ..Wanted::default() },
        Wanted { settings: vec!["work_mem=8MB".into()], ..Wanted::default() },
        Wanted { version: "1.0.1".into(), ..Wanted::default() },
    ];

    let mut known = vec![server(&usual).to_owned()];
    for wanted in others {
        let url = fresh::<H>(&machine.run_wanting(wanted.clone())).await;
        assert!(!known.iter().any(|known| known == server(&url)), "not what is wanted: {wanted:?}");
        known.push(server(&url).to_owned());
    }

    assert_eq!(server(&fresh::<H>(&machine.run()).await), server(&usual), "and the first stays");
}

#[tokio::test]
async fn two_runs_that_begin_together_start_one_server() {
    start_once::<Theirs>().await;
}

pub(crate) async fn start_once<H: Harness>() {
    let machine = Machine::open().await;
    let (one, two) = (machine.run(), machine.run());

    let (one_url, two_url) = tokio::join!(fresh::<H>(&one), fresh::<H>(&two));

    assert_eq!(machine.starts(), 1, "servers started");
    assert_eq!((users(&one_url).await, users(&two_url).await), (0, 0));
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_starts_the_server_holds_nobody_up() {
    outlive_a_killed_start::<Theirs>().await;
}

pub(crate) async fn outlive_a_killed_start<H: Harness>() {
    let machine = Machine::open().await;
    let killed = machine.run();
    let begun = wait::until(LIMIT, "the start of a server", async || {
        if machine.starts() == 1 { Ok(()) } else { Err("none is started") }
    });
    tokio::select! {
        begun = begun => begun.unwrap(),
        done = H::fresh_db(&killed) => panic!("no server was started: {done:?}"),
    }
    drop(killed);

    let url = fresh::<H>(&machine.run()).await;

    assert_eq!(users(&url).await, 0);
}

#[tokio::test]
async fn a_server_that_was_stopped_or_is_silent_is_replaced_once() {
    replace_what_is_dead::<Theirs>().await;
}

pub(crate) async fn replace_what_is_dead<H: Harness>() {
    let machine = Machine::open().await;
    fresh::<H>(&machine.run()).await;

    machine.kill_servers().await;
    let urls = [fresh::<H>(&machine.run()).await, fresh::<H>(&machine.run()).await];
    assert_eq!(server(&urls[0]), server(&urls[1]), "the run after it finds the new one");
    assert_eq!(machine.starts(), 2, "servers started");

    machine.freeze_servers().await;
    let url = fresh::<H>(&machine.run()).await;
    assert_eq!(users(&url).await, 0);
}

#[tokio::test]
async fn under_ci_a_run_has_a_server_of_its_own_and_says_why() {
    refuse_under_ci::<Theirs>().await;
}

pub(crate) async fn refuse_under_ci<H: Harness>() {
    let machine = Machine::open().await;
    let developer = machine.run();
    let kept = fresh::<H>(&developer).await;

    // Not `true`: some build servers say so, some say 1.
    let build = machine.run_under_ci("1");
    let own = fresh::<H>(&build).await;

    assert_ne!(server(&own), server(&kept));
    assert_eq!(users(&own).await, 0);
    assert!(build.said().contains("CI"), "it said `{}`", build.said());
    drop(build);
    let gone = wait::until(GONE, "the end of the build's server", async || {
        if PgConnection::connect(&own).await.is_err() { Ok(()) } else { Err("it answers") }
    });
    gone.await.unwrap();
    assert_eq!(users(&kept).await, 0, "the kept one is left alone");
}

#[tokio::test]
async fn what_an_earlier_run_left_is_swept_and_what_a_living_one_has_is_not() {
    begin_clean::<Theirs>().await;
}

pub(crate) async fn begin_clean<H: Harness>() {
    let machine = Machine::open().await;
    let (earlier, living, later) = (machine.run(), machine.run(), machine.run());
    let left = fresh::<H>(&earlier).await;
    execute(&left, ADA).await.unwrap();
    drop(earlier);
    let held = fresh::<H>(&living).await;
    assert_eq!(users(&held).await, 0, "it sees what an earlier run wrote");
    execute(&held, ADA).await.unwrap();

    let url = fresh::<H>(&later).await;

    assert_eq!(users(&url).await, 0, "it sees what another run wrote");
    let swept = wait::until(GONE, "the end of what a run left", async || {
        let names = databases(&url).await.unwrap();
        if names.contains(&name(&left).to_owned()) { Err("there") } else { Ok(()) }
    });
    swept.await.unwrap();
    let names = databases(&url).await.unwrap();
    assert!(names.contains(&name(&held).to_owned()), "a living run's was swept: {names:?}");
    assert_eq!(users(&held).await, 1);
}

#[tokio::test]
async fn the_password_is_made_up_and_noted_for_its_owner_only() {
    keep_it_secret::<Theirs>().await;
}

pub(crate) async fn keep_it_secret<H: Harness>() {
    let machine = Machine::open().await;
    let usual = fresh::<H>(&machine.run()).await;
    let other = Wanted { version: "2.0.0".into(), ..Wanted::default() };
    let other = fresh::<H>(&machine.run_wanting(other)).await;

    assert_ne!(password(&usual), password(&other), "two servers, one password");
    for entry in std::fs::read_dir(machine.folder()).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let is_secret = text.contains(password(&usual)) || text.contains(password(&other));
        assert!(!is_secret || mode & 0o077 == 0, "{:?} has mode {mode:o}", entry.path());
    }
}

const ADA: &str = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')";

async fn fresh<H: Harness>(run: &Run) -> String {
    timeout(LIMIT, H::fresh_db(run)).await.expect("a database within 5 s").unwrap()
}

async fn users(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut connection).await.unwrap()
}

/// `127.0.0.1:5432` of `postgres://user:secret@127.0.0.1:5432/a_run_1?sslmode=disable`.
fn server(url: &str) -> &str {
    url.split(['@', '/']).nth(3).unwrap()
}

fn password(url: &str) -> &str {
    url.split([':', '@']).nth(2).unwrap()
}

fn name(url: &str) -> &str {
    url.split(['/', '?']).nth(3).unwrap()
}

/// The same checks, made on the piece. They are tests of their own, because `cargo course check` runs on
/// a wrong harness only the tests that reach it.
mod on_kept {
    use super::*;

    #[tokio::test]
    async fn a_second_run_finds_the_server_and_has_its_first_answer_within_100_ms() {
        find_again::<Kept>().await;
    }

    #[tokio::test]
    async fn another_image_other_settings_or_another_version_is_another_server() {
        tell_apart::<Kept>().await;
    }

    #[tokio::test]
    async fn two_runs_that_begin_together_start_one_server() {
        start_once::<Kept>().await;
    }

    #[tokio::test]
    async fn a_run_that_is_killed_while_it_starts_the_server_holds_nobody_up() {
        outlive_a_killed_start::<Kept>().await;
    }

    #[tokio::test]
    async fn a_server_that_was_stopped_or_is_silent_is_replaced_once() {
        replace_what_is_dead::<Kept>().await;
    }

    #[tokio::test]
    async fn under_ci_a_run_has_a_server_of_its_own_and_says_why() {
        refuse_under_ci::<Kept>().await;
    }

    #[tokio::test]
    async fn what_an_earlier_run_left_is_swept_and_what_a_living_one_has_is_not() {
        begin_clean::<Kept>().await;
    }

    #[tokio::test]
    async fn the_password_is_made_up_and_noted_for_its_owner_only() {
        keep_it_secret::<Kept>().await;
    }
}
