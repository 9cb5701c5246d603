//! The role that owns a template and its copies, on a server of ours; tests log in as it.
//!
//! While the template is built it is a superuser: migrations may need what only a superuser may do (extensions, event
//! triggers, roles). Then it is none, so that rights and row security are to a test what they are to an application that
//! owns its schema. Because it is the same role, nothing changes hands: default privileges, policies and settings that
//! name it stay true.
//!
//! Invariant: a finished template's role is no superuser.

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use super::identity;
use crate::postgres::server::execute;

/// For a session that sends a password: what a message holds is logged before any of it is done, so this goes first.
pub(in crate::postgres) const QUIET: &str = "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'";

/// The name of a template's role: the same in every run, so that a test may print it.
pub(super) fn of(template: &str) -> String {
    format!("testenv_{}", identity::digits(template))
}

/// Makes the role, or takes the one that a builder left who did not get to the end, as a superuser.
pub(super) async fn make(admin: &mut PgConnection, role: &str, password: &str) -> sqlx::Result<()> {
    let can = format!("SUPERUSER LOGIN PASSWORD '{}'", password.replace('\'', "''"));
    let make = format!(
        "DO $role$ BEGIN CREATE ROLE \"{role}\" {can};
         EXCEPTION WHEN duplicate_object THEN ALTER ROLE \"{role}\" {can}; END $role$"
    );
    admin.execute(sqlx::raw_sql(QUIET)).await?;
    execute(admin, make).await
}

/// Takes from it what only a superuser may do.
pub(super) async fn demote(admin: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    execute(admin, format!("ALTER ROLE \"{role}\" NOSUPERUSER")).await
}

/// Removes the role of a template that was dropped, unless something of it is left on the server.
pub(super) async fn remove(admin: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    execute(admin, format!("DROP ROLE IF EXISTS \"{role}\"")).await
}
