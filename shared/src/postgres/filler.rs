//! The reaper's part: it keeps copies of each template ready and drops the databases that tests
//! have used.
//!
//! If a copy is refused, the tests that wait for it are told, and the next test causes a new try. A
//! lost session is opened again and holds the same templates again. If the work ends for good, it
//! leaves a reason, which a waiting test reads at once.
//!
//! Invariant: it creates nothing after [`stop_filling`] has returned.

mod fill;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;

use self::fill::Wanted;
use super::client;
use super::pool::{self, LOCK, USED};
use super::server::{self, Server};
use super::template::pin;
use super::wake::{Wake, log};
use crate::run::cleaner::Refused;
use crate::run::layout;
use crate::wait;

/// A database that is dropped at the moment its last connection closes can stall for 100 ms. After
/// this delay it does not.
const DROP_DELAY: Duration = Duration::from_millis(150);

/// While a test waits for a copy, up to this many drops are put off. Each drop would take processor
/// and disk from the copy.
const MOST_LATER: usize = 32;

/// For no longer than this. Tests may wait one after the other, or on a full disk for what a drop
/// gives back.
const LONGEST_LATER: Duration = Duration::from_secs(1);

/// How often the reaper looks for databases of processes that were killed. There may be hundreds of
/// files.
const LOOK_FOR_ABANDONED: Duration = Duration::from_secs(1);

/// The pause before the next look whether a test still waits.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The server may refuse a drop now (another user's session is in the database) and allow it later.
/// The end of the run tries again, too.
const LATER: Duration = Duration::from_secs(5);

/// A server that restarts takes a second or two. Tests that wait longer than this are told.
const AWAY_LIMIT: Duration = Duration::from_secs(5);

/// The pause between two logins at a server that is away.
const KNOCK: Duration = Duration::from_millis(100);

/// The limit of one login, as in [`server`].
const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// Set when the run ends. Locked while a database is created.
static ENDED: Mutex<bool> = Mutex::const_new(false);

/// Serves the run in `dir` for as long as the reaper lives. It is called on a thread of its own.
pub(crate) fn fill(dir: &Path) {
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| serve(dir)));
    let why = match ended {
        Ok(Err(why)) => format!("the run's reaper makes no copies: {why}"),
        Err(_) => format!("the run's reaper panicked; see {}", dir.join("reaper.log").display()),
        Ok(Ok(never)) => match never {},
    };
    log(&why);
    pool::fail(dir, &why);
}

/// Waits until no database is being created, and forbids it from now on.
pub(crate) fn stop_filling() {
    *ENDED.blocking_lock() = true;
}

fn serve(dir: &Path) -> Result<Infallible, String> {
    let words = |error: std::io::Error| error.to_string();
    // A reaper with other services may serve the same run.
    let lock = File::create(dir.join(LOCK)).map_err(words)?;
    lock.lock().map_err(words)?;
    pool::recover(dir);
    let wake = Wake::open(dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(words)?.block_on(async {
        let note = dir.join("postgres.json");
        let text = loop {
            match std::fs::read_to_string(&note) {
                Ok(text) => break text,
                Err(_) => wake.woken(&wake.to_make).await,
            }
        };
        let server = Server::read(&text).map_err(|error| error.to_string())?;
        let maker =
            Filler { dir, server: &server, text: &text, token: layout::token(dir), wake: &wake };
        Ok(maker.work().await)
    })
}

struct Filler<'a> {
    dir: &'a Path,
    server: &'a Server,
    text: &'a str,
    token: String,
    wake: &'a Wake,
}

impl Filler<'_> {
    /// Creates and drops, each with a session of its own, so that a slow copy delays no drop.
    async fn work(&self) -> Infallible {
        let making = async {
            let mut wanted = Wanted::default();
            loop {
                let lost = self.make(&mut self.session().await, &mut wanted).await;
                log(&format!("the session that makes copies was lost; opening another: {lost}"));
            }
        };
        let clearing = async {
            loop {
                let lost = self.clear(&mut self.session().await).await;
                log(&format!("the session that drops databases was lost; opening another: {lost}"));
            }
        };
        tokio::join!(making, clearing).0
    }

    /// Returns a session as soon as the server gives one.
    async fn session(&self) -> PgConnection {
        let start = Instant::now();
        loop {
            let login = tokio::time::timeout(LOGIN_LIMIT, server::login(self.server));
            let why = match login.await {
                Ok(Ok(session)) => return session,
                Ok(Err(error)) => client::said(&error),
                Err(_) => format!("no login within {LOGIN_LIMIT:?}"),
            };
            if start.elapsed() >= AWAY_LIMIT {
                for template in templates(self.dir) {
                    pool::refuse(&template, &format!("the server is away: {why}"));
                }
            }
            wait::nap(KNOCK).await;
        }
    }

    /// Drops what tests gave back, a moment after they did. Returns when the session is lost, with
    /// the reason.
    async fn clear(&self, admin: &mut PgConnection) -> String {
        if !self.server.is_ours
            && let Err(error) = pin::sweep(admin, self.server).await
        {
            if server::is_lost(&error) {
                return client::said(&error);
            }
            log(&format!("unused templates were not swept: {}", client::said(&error)));
        }
        let mut due: HashMap<PathBuf, Instant> = HashMap::new();
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() >= LOOK_FOR_ABANDONED {
                looked = Instant::now();
                templates(self.dir).iter().for_each(|template| pool::abandon(template));
            }
            for template in templates(self.dir) {
                for file in files(&template.join(USED)) {
                    due.entry(file).or_insert_with(|| Instant::now() + DROP_DELAY);
                }
            }
            let now = Instant::now();
            let is_waited_for = due.len() < MOST_LATER
                && templates(self.dir).iter().any(|template| pool::waiting(template) > 0);
            let is_due = |due: Instant| {
                due + if is_waited_for { LONGEST_LATER } else { Duration::ZERO } <= now
            };
            let files: Vec<PathBuf> =
                due.iter().filter(|(_, due)| is_due(**due)).map(|(file, _)| file.clone()).collect();
            for file in files {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match server::drop_surely(self.server, admin, &name).await {
                    Ok(()) => {
                        for gone in [&file, &layout::note(self.dir, "postgres", &name)] {
                            std::fs::remove_file(gone).ok(); // the run may be gone
                        }
                        due.remove(&file);
                    }
                    Err(Refused::Stays(why)) => {
                        log(&format!("{name} stays: {why}"));
                        due.insert(file, Instant::now() + LATER);
                    }
                    Err(Refused::Unreachable(why)) => return why,
                }
            }
            match due.values().min() {
                None => self.wake.woken(&self.wake.to_clear).await,
                Some(next) => {
                    let rest = next.saturating_duration_since(Instant::now());
                    let rest = rest.clamp(LOOK_AGAIN, DROP_DELAY / 3);
                    tokio::time::timeout(rest, self.wake.woken(&self.wake.to_clear)).await.ok();
                }
            }
        }
    }
}

fn templates(run: &Path) -> Vec<PathBuf> {
    files(&pool::dir(run))
}

fn number_in(dir: &Path) -> usize {
    files(dir).len()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
