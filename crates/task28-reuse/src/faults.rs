//! The wrong turns of somebody else's harness, and the other right ones, that are more than a condition.

use std::fs::OpenOptions;
use std::future::{Future, pending};
use std::path::Path;
use std::time::Duration;

use testenv::wait;
use tokio::time::timeout;

use crate::theirs::drop_database;
use crate::{Problem, Run, execute, migrate, url_of};

/// What somebody thought that any server needs.
const A_MOMENT: Duration = Duration::from_secs(3);

/// Longer than one look at the server takes: who looks only once looks too early.
const GRACE: Duration = Duration::from_millis(300);

/// Longer than a check should wait for anything.
const LOCK_LIMIT: Duration = Duration::from_secs(120);

/// The name of the template, and of the lock around its making.
const TEMPLATE: &str = "template_shop";

pub(crate) async fn wait_anyway() {
    let _over = timeout(A_MOMENT, pending::<()>()).await;
}

/// One database for all: the one that is there.
pub(crate) async fn same_database(admin: &str) -> Result<String, Problem> {
    let url = url_of(admin, "app");
    // Refused where it is there.
    let _refused = execute(admin, "CREATE DATABASE app").await;
    migrate(&url).await?;
    Ok(url)
}

/// A file that is there means that somebody works; it is removed by whoever made it, if that one lives.
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

/// Sweeps when the run has its database.
pub(crate) fn sweep_late(admin: &str, left: Vec<String>) {
    let admin = admin.to_owned();
    tokio::spawn(async move {
        let _over = timeout(GRACE, pending::<()>()).await;
        for name in left {
            // What is still there is the next run's to sweep.
            let _left = drop_database(&admin, &name).await;
        }
    });
}

/// A copy of a template that is made by whoever comes first to a server, and renamed when it is finished.
pub(crate) async fn fork(run: &Run, admin: &str, name: &str) -> Result<(), Problem> {
    let copy = format!("CREATE DATABASE \"{name}\" TEMPLATE {TEMPLATE}");
    if execute(admin, &copy).await.is_ok() {
        return Ok(());
    }
    let scratch = run.new_name();
    execute(admin, &format!("CREATE DATABASE \"{scratch}\"")).await?;
    migrate(&url_of(admin, &scratch)).await?;
    // Refused where another run was quicker; then this scratch is swept when the run is over.
    let _refused =
        execute(admin, &format!("ALTER DATABASE \"{scratch}\" RENAME TO {TEMPLATE}")).await;
    Ok(execute(admin, &copy).await?)
}
