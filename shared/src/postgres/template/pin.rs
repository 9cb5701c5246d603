//! Who uses a template of a server that outlives the run.
//!
//! A user of a template holds a shared advisory lock on it: its builder from before the name exists
//! until the reaper has the lock, and the reaper until the run ends. Whoever drops a template takes
//! the lock exclusively, so a template in use is never dropped. PostgreSQL releases a lock when its
//! session ends, however it ends.
//!
//! Advisory locks are per database, so locks in different databases do not exclude each other. That
//! does no harm: the name of the database is part of a template's name ([`super::identity`]), so
//! everybody who knows the same template locks it in the same database. The template's comment
//! names this database.
//!
//! An unused template is dropped because of its age, not because it is similar to another: two
//! branches of one project may be tested by turns.

use std::time::Duration;

use sqlx::postgres::PgConnection;

use super::identity::PREFIX;
use super::role;
use crate::postgres::client;
use crate::postgres::server::{self, Server};
use crate::wait;
use crate::{Error, Heading};

/// Half of the locks' keys, the letters `tenv`. It keeps them apart from the locks of an
/// application in the same database.
const SPACE: i32 = i32::from_be_bytes(*b"tenv");

/// Half of the keys for the right to build, the letters `tbld`.
const BUILDERS: i32 = i32::from_be_bytes(*b"tbld");

/// Many years of migrations take a minute. A builder that was stopped in a debugger must not stop
/// others for ever.
const BUILD_LIMIT: Duration = Duration::from_secs(120);

/// Whoever has a lock exclusively drops one database. That takes milliseconds, or up to ten seconds
/// on a server under load.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// A template that was not used for a day is dropped. A template that was used yesterday morning is
/// likely to be used this morning.
const UNUSED: Duration = Duration::from_hours(24);

/// How many templates of a role stay for the whole day: 8 MB each, in memory on a kept server. The
/// least recently used ones beyond this number are dropped once they are not [`RECENT`].
const SPARE: i64 = 20;

/// Twice the precision of the last use.
const RECENT: Duration = Duration::from_hours(2);

/// The precision of the last use. Writing it down for each run would change a shared catalog for
/// each run.
const EXACTNESS: Duration = Duration::from_hours(1);

/// The other half of a lock's key. Two templates that have the same key by chance are kept
/// together, which does no harm.
fn key(name: &str) -> i32 {
    let digits = &name[name.len().saturating_sub(8)..];
    u32::from_str_radix(digits, 16).unwrap_or_default().cast_signed()
}

/// Holds a template until the session ends. The template need not exist yet.
pub(in crate::postgres) async fn pin_template(
    admin: &mut PgConnection,
    name: &str,
) -> Result<(), Error> {
    let failed = |cause: &dyn std::fmt::Display| {
        Error::under(Heading::Template, format!("the template {name} cannot be held")).cause(cause)
    };
    let lock = sqlx::query("SELECT pg_advisory_lock_shared($1, $2)").bind(SPACE).bind(key(name));
    match tokio::time::timeout(LOCK_LIMIT, lock.execute(admin)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(cause)) => Err(failed(&client::said(&cause))),
        Err(_) => Err(failed(&format!("another session has been dropping it for {LOCK_LIMIT:?}"))
            .fix("SELECT * FROM pg_locks WHERE locktype = 'advisory'")),
    }
}

/// Waits until no other run builds this template. Two builders at once do no harm except double work,
/// so after a while this run builds, too.
pub(super) async fn wait_for_builders(admin: &mut PgConnection, name: &str) {
    let what = "the template, which another run is building";
    wait::until(BUILD_LIMIT, what, async || {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)");
        match lock.bind(BUILDERS).bind(key(name)).fetch_one(&mut *admin).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it is being built".to_owned()),
            // What is wrong with the session, its next use says.
            Err::<bool, _>(error) if server::is_lost(&error) => Ok(()),
            Err(error) => Err(client::said(&error)),
        }
    })
    .await
    .ok(); // then it is built twice
}

/// Allows the next run to build, or to find what was built.
pub(super) async fn let_others_build(admin: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1, $2)").bind(BUILDERS).bind(key(name));
    unlock.execute(admin).await.map(drop)
}

/// Writes the comment of a template that is used now.
///
/// The comment that its migrations wrote follows ours, because copies get it back.
pub(super) async fn mark(admin: &mut PgConnection, database: &str) -> sqlx::Result<()> {
    let comment = sqlx::query_scalar(
        "SELECT format('COMMENT ON DATABASE %I IS %L', datname, concat_ws(E'\\n',
            format('testenv template %s in %s', extract(epoch FROM now())::bigint, current_database()),
            shobj_description(oid, 'pg_database')))
         FROM pg_database WHERE datname = $1",
    );
    let sql: String = comment.bind(database).fetch_one(&mut *admin).await?;
    server::execute(admin, sql).await
}

/// Writes down that a template is used now, unless that was written within the last hour.
pub(in crate::postgres) async fn note_use(
    admin: &mut PgConnection,
    name: &str,
) -> sqlx::Result<()> {
    let comment = sqlx::query_scalar(
        "SELECT format('COMMENT ON DATABASE %I IS %L', datname,
            regexp_replace(about, '^testenv template [0-9]+', 'testenv template ' || extract(epoch FROM now())::bigint))
         FROM (SELECT datname, shobj_description(oid, 'pg_database') AS about FROM pg_database) AS d
         WHERE datname = $1 AND about ~ '^testenv template [0-9]+ in '
         AND split_part(about, ' ', 3)::float8 + $2 < extract(epoch FROM now())",
    );
    let comment = comment.bind(name).bind(EXACTNESS.as_secs_f64());
    let sql: Option<String> = comment.fetch_optional(&mut *admin).await?;
    match sql {
        Some(sql) => server::execute(admin, sql).await,
        None => Ok(()),
    }
}

/// Drops the templates that nobody uses and nobody has used for a day; more of them, if there are
/// many. It drops only what this role may drop. The session itself must hold no template.
///
/// A template whose locks were in a database that is gone belongs to nobody.
pub(in crate::postgres) async fn sweep(
    admin: &mut PgConnection,
    server: &Server,
) -> sqlx::Result<()> {
    const UNUSED_ONES: &str = "
        WITH templates AS (
            SELECT datname, datdba, split_part(shobj_description(oid, 'pg_database'), E'\\n', 1) AS about FROM pg_database
            WHERE left(datname, length($1)) = $1
        ),
        ours AS (
            SELECT datname, datdba, extract(epoch FROM now()) - split_part(about, ' ', 3)::float8 AS age,
                substring(about FROM ' in (.*)$') AS home
            FROM templates WHERE about ~ '^testenv template [0-9]+ in '
        ),
        ranked AS (SELECT *, row_number() OVER (PARTITION BY CASE WHEN $5 THEN 0 ELSE datdba END, home ORDER BY age) AS place FROM ours)
        SELECT datname::text FROM ranked
        WHERE pg_has_role(datdba, 'MEMBER') AND (age > $2 OR age > $3 AND place > $4)
        AND (home = current_database() OR home NOT IN (SELECT datname FROM pg_database))";
    let unused = || {
        let unused = sqlx::query_scalar(UNUSED_ONES).bind(PREFIX).bind(UNUSED.as_secs_f64());
        // Where each template has a role of its own, all of them are one maker's.
        unused.bind(RECENT.as_secs_f64()).bind(SPARE).bind(server.has_roles())
    };
    let names: Vec<String> = unused().fetch_all(&mut *admin).await?;
    for name in names {
        let is_free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
            .bind(SPACE)
            .bind(key(&name))
            .fetch_one(&mut *admin)
            .await?;
        if !is_free {
            continue;
        }
        // Between the look and the lock a whole run may have used it.
        let still: Vec<String> = unused().fetch_all(&mut *admin).await?;
        let done = match still.contains(&name) {
            true => drop_template(admin, server, &name).await,
            false => Ok(()),
        };
        sqlx::query("SELECT pg_advisory_unlock($1, $2)")
            .bind(SPACE)
            .bind(key(&name))
            .execute(&mut *admin)
            .await?;
        // The next run tries again; the others go meanwhile.
        drop(done);
    }
    Ok(())
}

/// Drops a template with its role, if templates have roles on this server.
async fn drop_template(admin: &mut PgConnection, server: &Server, name: &str) -> sqlx::Result<()> {
    server::drop_database(admin, name).await?;
    match role::of(server, name) {
        // Refused while a copy of the template still belongs to it.
        Some(role) => role::remove(admin, &role).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn a_key_is_the_end_of_a_name_and_a_name_without_digits_has_one_too() {
        assert_eq!(key("testenv_tpl_000000000000000000000000fffffffe"), -2);
        assert_eq!(key("x"), 0);
    }
}
