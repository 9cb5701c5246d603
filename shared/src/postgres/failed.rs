//! Databases of failed tests: the newest sixteen of a run stay.
//!
//! On a server that outlives the run, these databases are marked when the run ends. Later runs list
//! them, and sweep them after an hour. The mark is the database's comment, so it needs no place of
//! ours on an external server. A database that another role created is not ours, whatever its mark.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::server::{self, Server};
use super::{client, pool};
use crate::provider::announce;
use crate::run::cleaner::Refused;
use crate::run::{self, Run, layout, ledger};
use crate::service::POSTGRES;
use crate::verdict::{self, Evidence, Told};
use crate::{Error, Heading, wait};

/// How many databases of failed tests a run keeps, the newest ones. Each takes 8 MB, so together
/// 128 MB of the server's disk or memory. Nobody looks into more.
const KEPT: usize = 16;

/// A copy takes 10 ms to create. If a test waits longer than this, it may need the room of
/// databases that wait for a verdict.
const SCARCE: Duration = Duration::from_millis(500);

/// Long enough to read the failure and look; a suite that fails all day leaves a few dozen.
pub(super) const STAY: Duration = Duration::from_hours(1);

/// The word that is added to the ledger's note of such a database. The rest of the note is the
/// server's note.
pub(super) const WORD: &str = " failed";

/// The start of the database's comment. The second in which its run ended follows.
const ABOUT: &str = "testenv failed";

/// Finds our databases of failed tests by their comment and their name, with the second of the
/// comment.
fn marked(server: &Server) -> String {
    // On a server of our own they belong to the roles of their templates.
    let is_ours =
        if server.has_roles() { "true" } else { "pg_get_userbyid(datdba) = current_user" };
    format!(
        "SELECT datname::text, split_part(about, ' ', 3)::float8 AS since
         FROM (SELECT datname, datdba, shobj_description(oid, 'pg_database') AS about FROM pg_database) AS named
         WHERE about ~ '^testenv failed [0-9]+$' AND datname ~ '^test_[0-9a-f]{{16}}_[0-9]+_[0-9]+$' AND {is_ours}"
    )
}

/// A database whose test has ended.
pub(super) struct Used {
    run: &'static Run,
    server: &'static Server,
    /// The file that represents the database and has its name.
    file: PathBuf,
    owner: Option<String>,
    is_kept: bool,
}

/// The largest number of databases that tests held at once when one of them failed.
static HELD: AtomicUsize = AtomicUsize::new(0);

impl Used {
    pub(super) fn new(
        run: &'static Run,
        server: &'static Server,
        file: &Path,
        owner: Option<String>,
    ) -> Used {
        // A look at a directory, for a failure only.
        if std::thread::panicking() {
            let held = pool::held(file).saturating_sub(verdict::spare(POSTGRES.name));
            HELD.fetch_max(held, Ordering::Relaxed);
        }
        Used { run, server, file: file.to_owned(), owner, is_kept: false }
    }
}

impl Evidence for Used {
    fn room(&self) -> usize {
        KEPT
    }

    fn keep(&mut self) {
        note(self.run, self.server, &self.file, WORD);
        // The moment from which it is kept is the file's.
        std::fs::write(&self.file, WORD).ok(); // the run's directory is gone, and the database with it
        self.file = pool::keep(&self.file);
        self.is_kept = true;
        for file in too_many(&pool::dir(self.run.dir())) {
            let_go(self.run, self.server, &file);
        }
    }

    fn let_go(&mut self) {
        if self.is_kept {
            let_go(self.run, self.server, &self.file);
        } else {
            pool::give_back(self.run, &self.file);
        }
    }

    fn is_there(&self) -> bool {
        self.file.exists()
    }

    fn told(&self) -> Told {
        let name = name_of(&self.file);
        let mut more = Vec::new();
        let stays = if self.server.is_ours {
            more.push(format!("keep it for ten minutes: export {}=600000", run::GRACE_VAR));
            format!(
                "database stays until the run ends, {} ms after the last test",
                run::grace().as_millis()
            )
        } else {
            format!(
                "database stays for {} minutes, then the next run sweeps it",
                STAY.as_secs() / 60
            )
        };
        let held = HELD.load(Ordering::Relaxed);
        if self.server.is_ours && held * client::CONNECTIONS as usize >= server::CONNECTIONS {
            more.push(format!(
                "{held} databases are held at once, with pools of up to {} connections each: a pool that timed out met the server's limit of {} connections. Run fewer at once: cargo test -- --test-threads=8",
                client::CONNECTIONS,
                server::CONNECTIONS,
            ));
        }
        Told { stays, open: Some(self.server.command(&name, self.owner.as_deref())), more }
    }
}

/// On a server that outlives the run, notes whether a database stays when the run ends.
fn note(run: &Run, server: &Server, file: &Path, word: &str) {
    if !server.is_ours {
        ledger::note(run.dir(), "postgres", &name_of(file), &(server.note() + word)).ok(); // unnoted, it is dropped with the run
    }
}

/// Gives a kept database back.
fn let_go(run: &Run, server: &Server, file: &Path) {
    note(run, server, file, "");
    pool::give_back(run, file);
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of the kept databases, below the run's directory of databases, the oldest first.
fn kept(dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let files =
        entries(dir.to_owned()).flat_map(|template| entries(template.path().join(pool::KEPT)));
    let age = |file: &std::fs::DirEntry| file.metadata().and_then(|file| file.modified()).ok();
    let mut files: Vec<_> = files.map(|file| (age(&file), file.path())).collect();
    files.sort();
    files.into_iter().map(|(_, file)| file).collect()
}

/// The files of the kept databases beyond the limit.
fn too_many(dir: &Path) -> Vec<PathBuf> {
    let mut kept = kept(dir);
    kept.truncate(kept.len().saturating_sub(KEPT));
    kept
}

/// Waits for a copy. If that takes long, databases that wait for a verdict make room for it.
pub(super) async fn while_waiting<T>(taken: impl Future<Output = T>) -> T {
    let mut taken = std::pin::pin!(taken);
    if let Some(taken) = wait::within(SCARCE, taken.as_mut()).await {
        return taken;
    }
    verdict::make_room(POSTGRES.name);
    taken.await
}

/// Marks a database. Its hour starts now.
pub(super) async fn mark(admin: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let second: i64 = sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint")
        .fetch_one(&mut *admin)
        .await?;
    let sql = format!("COMMENT ON DATABASE \"{name}\" IS '{ABOUT} {second}'");
    server::execute(admin, sql).await
}

/// Drops the oldest kept database, of this run or an earlier one. It is for a test that finds the
/// disk full.
pub(super) async fn evict_oldest(
    server: &Server,
    admin: &mut PgConnection,
    run: &Path,
) -> Result<(), Refused> {
    if let Some(file) = kept(&pool::dir(run)).first() {
        let name = name_of(file);
        server::drop_surely(server, admin, &name).await?;
        std::fs::remove_file(file).ok(); // its process may have let go of it meanwhile
        std::fs::remove_file(layout::note(run, "postgres", &name)).ok(); // there is none on the run's own server
        return Ok(());
    }
    let oldest =
        sqlx::query_as(AssertSqlSafe(format!("{} ORDER BY since LIMIT 1", marked(server))));
    let oldest: Result<Option<(String, f64)>, _> = oldest.fetch_optional(&mut *admin).await;
    match oldest.map_err(|error| Refused::Stays(client::said(&error)))? {
        Some((name, _)) => server::drop_surely(server, admin, &name).await,
        None => Ok(()),
    }
}

/// Drops the databases of tests that failed more than an hour ago, and lists the others.
pub(super) async fn sweep(server: &Server, admin: &mut PgConnection) -> Result<(), Error> {
    let unusable = |cause: sqlx::Error| {
        Error::under(Heading::Given, "the PostgreSQL server cannot be used")
            .cause(client::said(&cause))
    };
    let left = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT datname, extract(epoch FROM now()) > since + $1 FROM ({}) AS marked ORDER BY datname",
        marked(server)
    )));
    let left = left.bind(STAY.as_secs_f64()).fetch_all(&mut *admin).await;
    let left: Vec<(String, bool)> = left.map_err(unusable)?;
    let mut stay = Vec::new();
    for (name, is_due) in left {
        if !is_due || server::drop_surely(server, admin, &name).await.is_err() {
            stay.push(name);
        }
    }
    if !stay.is_empty() {
        let (names, minutes) = (stay.join(", "), STAY.as_secs() / 60);
        let what = format!(
            "databases of failed tests, each swept {minutes} minutes after its run: {names}"
        );
        announce(POSTGRES.name, &what);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{KEPT, name_of, too_many};

    #[test]
    fn of_the_databases_that_are_kept_the_oldest_are_too_many() {
        let run = tempfile::tempdir().unwrap();
        for number in 0..KEPT + 3 {
            let dir = run.path().join(format!("template {}", number % 2)).join("kept");
            std::fs::create_dir_all(&dir).unwrap();
            let file = std::fs::File::create(dir.join(number.to_string())).unwrap();
            let age = Duration::from_secs(60 * number as u64);
            file.set_modified(SystemTime::UNIX_EPOCH + age).unwrap();
        }

        let too_many: Vec<String> = too_many(run.path()).iter().map(|file| name_of(file)).collect();

        assert_eq!(too_many, ["0", "1", "2"]);
    }
}
