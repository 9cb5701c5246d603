//! Somebody else's harness. It is right, unless `COURSE_FAULT` asks for another version.
//! Think about mistakes of your own before you read on.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use testenv::{fault, wait};
use tokio::time::timeout;

use crate::{Harness, Problem, Run, create_database, databases, execute, faults, migrate, url_of};

/// Another run may be starting the server: a quarter of a second, or several on a busy machine.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// A live server answers in milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// The harness that grading replaces by wrong versions.
pub struct Theirs;

impl Harness for Theirs {
    async fn fresh_db(run: &Run) -> Result<String, Problem> {
        let admin = if is_refused(run) { own(run).await? } else { kept(run).await? };
        if fault!("same-database") {
            return faults::same_database(&admin).await;
        }
        if fault!("sweeps-late") {
            faults::sweep_late(&admin, left(run, &admin).await?);
        } else if !fault!("never-sweeps") {
            for name in left(run, &admin).await? {
                drop_database(&admin, &name).await?;
            }
        }
        let name = run.new_name();
        let url = url_of(&admin, &name);
        if fault!("forks-a-template") {
            faults::fork(run, &admin, &name).await?;
        } else {
            create_database(&admin, &name).await?;
            migrate(&url).await?;
        }
        Ok(url)
    }
}

fn is_refused(run: &Run) -> bool {
    if fault!("ci-ignored") {
        return false;
    }
    if fault!("ci-is-true") {
        return run.ci() == Some("true");
    }
    run.ci().is_some_and(|value| !value.is_empty() && value != "false")
}

/// Starts a server for this run alone and returns its URL.
async fn own(run: &Run) -> Result<String, Problem> {
    if !fault!("ci-silent") {
        run.say(
            "reuse is refused, because CI is set: what one build leaves must not decide the next",
        );
    }
    let password = word();
    let server = if fault!("ci-keeps") {
        run.start_kept(&key(run), &password).await?
    } else {
        run.start_own(&password).await?
    };
    Ok(server.url(&password))
}

/// Returns the kept server's URL. Starts the server if none answers.
async fn kept(run: &Run) -> Result<String, Problem> {
    let key = key(run);
    let note = run.folder().join(format!("{key}.url"));
    let lock = run.folder().join(format!("{key}.lock"));
    if fault!("check-then-start") {
        return find_or_start(run, &key, &note).await;
    }
    if fault!("lock-is-a-file") {
        return faults::with_lock_file(&lock, find_or_start(run, &key, &note)).await;
    }
    let held = File::create(&lock)?;
    wait::until(LOCK_LIMIT, "the lock of the kept server", async || held.try_lock()).await?;
    find_or_start(run, &key, &note).await
}

async fn find_or_start(run: &Run, key: &str, note: &Path) -> Result<String, Problem> {
    if let Ok(url) = std::fs::read_to_string(note)
        && (fault!("found-is-good") || answers(&url).await)
    {
        if fault!("waits-anyway") {
            faults::wait_anyway().await;
        }
        return Ok(url);
    }
    if !fault!("check-then-start") {
        for dead in run.find(key) {
            dead.remove().await;
        }
    }
    let password = if fault!("fixed-password") { "postgres".to_owned() } else { word() };
    let url = run.start_kept(key, &password).await?.url(&password);
    if !(fault!("note-not-renewed") && note.exists()) {
        write(note, &url)?;
    }
    Ok(url)
}

/// Returns the label by which a later run finds the server.
fn key(run: &Run) -> String {
    let wanted = run.wanted();
    if fault!("by-name") {
        return "kept-postgres".to_owned();
    }
    let mut hasher = DefaultHasher::new();
    wanted.image.hash(&mut hasher);
    if !fault!("settings-not-hashed") {
        wanted.settings.hash(&mut hasher);
    }
    if !fault!("version-not-hashed") {
        wanted.version.hash(&mut hasher);
    }
    if fault!("starts-each") {
        run.new_name().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

async fn answers(url: &str) -> bool {
    let answer = async { PgConnection::connect(url).await?.close().await };
    if fault!("waits-for-an-answer") {
        return answer.await.is_ok();
    }
    timeout(ANSWER_LIMIT, answer).await.is_ok_and(|answer| answer.is_ok())
}

fn write(note: &Path, url: &str) -> std::io::Result<()> {
    let mode = if fault!("note-for-all") { 0o644 } else { 0o600 };
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(mode).open(note);
    file?.write_all(url.as_bytes())
}

/// Returns the databases that ended runs left on the server.
async fn left(run: &Run, admin: &str) -> Result<Vec<String>, Problem> {
    let all = databases(admin).await?;
    let is_left = |name: &String| fault!("sweeps-all") || run.is_over(name);
    Ok(all.into_iter().filter(is_left).collect())
}

/// Accepts a missing database: two runs may sweep the same database.
pub(crate) async fn drop_database(admin: &str, name: &str) -> sqlx::Result<()> {
    execute(admin, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await
}

/// Returns 64 random bits. The standard library's only source of randomness is a hash map's keys.
#[expect(clippy::disallowed_methods, reason = "a name that no other run has is not repeatable")]
fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}
