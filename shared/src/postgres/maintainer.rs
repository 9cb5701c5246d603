//! The keeper's part: it keeps copies of each template ready and drops what tests have used.
//!
//! Invariant: it makes nothing after [`settle`] has returned.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use tokio::sync::{Mutex, Notify};

use super::failed;
use super::ready::{self, BELL, FAILED, READY, USED};
use super::server::{self, Server};
use super::template::lock_key;
use crate::run::{self, owned};
use crate::wait;

/// Enough for the tests that two cores run at once; more is made where it was not.
const FEWEST: usize = 4;
/// 8 MB each, in memory.
const MOST: usize = 32;

/// A database dropped at the moment its last connection closes can stall for 100 ms; a little later it does not.
const REST: Duration = Duration::from_millis(150);

/// Between a test's taking and the next copy, as long as half of the copies are there: a copy made at once would compete with the test's own
/// first query for the processor.
const COURTESY: Duration = Duration::from_millis(20);

/// `disk_full`, appendix "PostgreSQL Error Codes" of the manual.
const DISK_FULL: &str = "53100";

/// For how long tests wait on a full disk: what others give back meanwhile may make room.
const PATIENCE: Duration = Duration::from_secs(3);

/// Set when the run ends; held while a database is made.
static ENDED: Mutex<bool> = Mutex::const_new(false);

/// Serves the run in `dir` for as long as the keeper lives. Called on a thread of its own.
pub(crate) fn maintain(dir: &Path) {
    let bell = dir.join(BELL);
    if nix::unistd::mkfifo(&bell, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR)
        .is_err()
        && !bell.exists()
    {
        return;
    }
    // Opened for both, so that it is never at its end.
    let Ok(mut bell) = File::options().read(true).write(true).open(&bell) else { return };
    // A keeper with other services may serve the same run.
    let Ok(lock) = File::create(dir.join("pg.lock")) else { return };
    if lock.lock().is_err() {
        return;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    // One each: a ring that comes while its hearer is at work is kept for it, and the other cannot take it away.
    let bells = std::sync::Arc::new((Notify::new(), Notify::new()));
    let ringer = bells.clone();
    std::thread::spawn(move || {
        let mut rings = [0; 64];
        while bell.read(&mut rings).is_ok_and(|length| length > 0) {
            ringer.0.notify_one();
            ringer.1.notify_one();
        }
    });
    runtime.block_on(async {
        let failed = serve(dir, &bells.0, &bells.1).await;
        // Tests that wait for a copy, now or later, read it.
        let _nobody_waits = std::fs::write(dir.join(FAILED), failed.err().unwrap_or_default());
    });
}

/// Waits until nothing is being made, and lets nothing be made from now on.
pub(crate) fn settle() {
    *ENDED.blocking_lock() = true;
}

async fn serve(dir: &Path, to_make: &Notify, to_clear: &Notify) -> Result<(), String> {
    let note = dir.join("postgres.json");
    let text = loop {
        if let Ok(text) = std::fs::read_to_string(&note) {
            break text;
        }
        to_make.notified().await;
    };
    let server = Server::read(&text).map_err(|error| error.to_string())?;
    let (mut makes, mut drops) = tokio::try_join!(admin(&server), admin(&server))?;
    let maker = Maker { dir, server: &server, text: &text, token: run::token(dir) };
    tokio::try_join!(maker.make(&mut makes, to_make), maker.clear(&mut drops, to_clear)).map(drop)
}

async fn admin(server: &Server) -> Result<PgConnection, String> {
    server.admin().await.map_err(|error| error.to_string())
}

struct Maker<'a> {
    dir: &'a Path,
    server: &'a Server,
    text: &'a str,
    token: String,
}

impl Maker<'_> {
    /// Keeps copies ready: as many as were taken in the last second, within bounds, and one for each test that waits.
    async fn make(&self, admin: &mut PgConnection, rung: &Notify) -> Result<(), String> {
        let mut wanted: HashMap<PathBuf, usize> = HashMap::new();
        let mut count = 0;
        let mut refused: Option<Instant> = None;
        loop {
            let mut made = false;
            for template in templates(self.dir) {
                let waiting = number_in(&template.join("waiting"));
                if !wanted.contains_key(&template) {
                    self.hold(admin, &template).await.map_err(|error| error.to_string())?;
                }
                let wanted = wanted.entry(template.clone()).or_insert(FEWEST);
                if waiting > 0 {
                    *wanted = (*wanted * 2).min(MOST);
                }
                let ready = number_in(&template.join(READY));
                if ready >= (*wanted).max(waiting) {
                    continue;
                }
                if waiting == 0 && ready * 2 >= *wanted {
                    wait::nap(COURTESY).await;
                }
                count += 1;
                match self.copy(admin, &template, count).await {
                    Ok(()) => {
                        made = true;
                        refused = None;
                    }
                    // Nobody waits for it, so nobody has to know.
                    Err(sqlx::Error::Database(_)) if waiting == 0 => *wanted = FEWEST,
                    Err(sqlx::Error::Database(error))
                        if error.code().as_deref() == Some(DISK_FULL)
                            && refused.get_or_insert_with(Instant::now).elapsed() < PATIENCE =>
                    {
                        made = true;
                        failed::give_way(admin).await.map_err(|error| error.to_string())?;
                        wait::nap(REST).await;
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
            if !made {
                rung.notified().await;
            }
        }
    }

    /// Keeps another run, whose migrations are newer, from sweeping a template that this run uses.
    async fn hold(&self, admin: &mut PgConnection, template: &Path) -> sqlx::Result<()> {
        let name = template.file_name().unwrap_or_default().to_string_lossy();
        let lock = sqlx::query("SELECT pg_advisory_lock_shared($1)").bind(lock_key(&name));
        lock.execute(admin).await.map(drop)
    }

    async fn copy(
        &self,
        admin: &mut PgConnection,
        template: &Path,
        count: usize,
    ) -> sqlx::Result<()> {
        let name = format!("test_{}_{}_{count}", self.token, std::process::id());
        let from = template.file_name().unwrap_or_default().to_string_lossy();
        // Copying the files takes 10 ms in memory; the default from 15 on logs every page and takes 28.
        let strategy = if self.server.version >= 150_000 { " STRATEGY FILE_COPY" } else { "" };
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{from}\"{strategy}");
        let ended = ENDED.lock().await;
        if *ended {
            std::future::pending::<()>().await;
        }
        if !self.server.is_ours {
            owned::note(self.dir, "postgres", &name, self.text)
                .map_err(|error| sqlx::Error::Configuration(Box::new(error)))?;
        }
        admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        std::fs::write(template.join(READY).join(&name), "").map_err(sqlx::Error::Io)
    }

    /// Drops a database that was used up. Roles go with a server of the run's own.
    async fn drop_used(&self, admin: &mut PgConnection, name: &str) -> sqlx::Result<()> {
        server::drop_database(admin, name).await?;
        if self.server.is_ours {
            return Ok(());
        }
        server::drop_roles(admin, name).await
    }

    /// Drops what tests gave back, a moment after they did.
    async fn clear(&self, admin: &mut PgConnection, rung: &Notify) -> Result<(), String> {
        let mut seen: HashMap<PathBuf, Instant> = HashMap::new();
        loop {
            for template in templates(self.dir) {
                for file in files(&template.join(USED)) {
                    seen.entry(file).or_insert_with(Instant::now);
                }
            }
            let due: Vec<PathBuf> = seen
                .iter()
                .filter(|(_, since)| since.elapsed() >= REST)
                .map(|(file, _)| file.clone())
                .collect();
            for file in due {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // A server that refuses is on its way out, and everything with it.
                if self.drop_used(admin, &name).await.is_ok() {
                    let _gone = std::fs::remove_file(&file);
                    let _gone = std::fs::remove_file(owned::file(self.dir, "postgres", &name));
                }
                seen.remove(&file);
            }
            if seen.is_empty() {
                rung.notified().await;
            } else {
                tokio::time::timeout(REST / 3, rung.notified()).await.ok();
            }
        }
    }
}

fn templates(run: &Path) -> Vec<PathBuf> {
    files(&ready::dir(run))
}

fn number_in(dir: &Path) -> usize {
    files(dir).len()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
