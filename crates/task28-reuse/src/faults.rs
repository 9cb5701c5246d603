//! The versions of somebody else's harness, wrong ones and other right ones, that need more than a
//! changed condition.

use std::fs::OpenOptions;
use std::future::{Future, pending};
use std::path::Path;
use std::time::Duration;

use testenv::wait;
use tokio::time::timeout;

use crate::theirs::drop_database;
use crate::{Problem, Run, create_database, execute, lasting_name, migrate, url_of};

/// The time that somebody thought every server needs after its start.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Longer than a query of the server: a check that looks only once looks too early.
const GRACE: Duration = Duration::from_millis(300);

/// Longer than a check should wait for anything.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn wait_anyway() {
    let _over = timeout(A_MOMENT, pending::<()>()).await;
}

/// Returns the same database to all runs.
pub(crate) async fn same_database(admin: &str) -> Result<String, Problem> {
    let name = lasting_name(admin, "app");
    let url = url_of(admin, &name);
    // The server refuses if the database exists.
    let _refused = create_database(admin, &name).await;
    migrate(&url).await?;
    Ok(url)
}

/// Uses the existence of a file as a lock. A process that is killed never removes its file.
pub(crate) async fn with_lock_file<T>(
    lock: &Path,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    wait::until(LOCK_LIMIT, "the lock's file to be gone", async || {
        OpenOptions::new().write(true).create_new(true).open(lock)
    })
    .await?;
    let done = work.await;
    std::fs::remove_file(lock)?;
    done
}

/// Sweeps after the run has received its database.
pub(crate) fn sweep_late(admin: &str, left: Vec<String>) {
    let admin = admin.to_owned();
    tokio::spawn(async move {
        let _over = timeout(GRACE, pending::<()>()).await;
        for name in left {
            // The next run sweeps what is left.
            let _left = drop_database(&admin, &name).await;
        }
    });
}

/// Copies a template. The first run on a server builds it under a scratch name, then renames it.
pub(crate) async fn fork(run: &Run, admin: &str, name: &str) -> Result<(), Problem> {
    let template = lasting_name(admin, "template");
    let copy = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"");
    if execute(admin, &copy).await.is_ok() {
        return Ok(());
    }
    let scratch = run.new_name();
    create_database(admin, &scratch).await?;
    migrate(&url_of(admin, &scratch)).await?;
    // The server refuses if another run was quicker; a later run then sweeps the scratch database.
    let rename = format!("ALTER DATABASE \"{scratch}\" RENAME TO \"{template}\"");
    let _refused = execute(admin, &rename).await;
    Ok(execute(admin, &copy).await?)
}
