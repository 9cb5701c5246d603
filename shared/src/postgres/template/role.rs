//! The role that owns a template and its copies, on a server that we started. Tests log in as this
//! role.
//!
//! While the template is built, the role is a superuser: migrations may need what only a superuser
//! may do (extensions, event triggers, roles). Afterwards it is no superuser, so for a test, rights
//! and row security work as they do for an application that owns its schema. Because the role is
//! the same, no object changes its owner, and default privileges, policies and settings that name
//! the role stay correct.
//!
//! Invariant: a finished template's role is no superuser.

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use super::identity;
use crate::postgres::server::{Server, execute};

/// For a session that sends a password. A message is logged before any of its statements runs, so
/// these settings must be sent first, in a message of their own.
pub(in crate::postgres) const QUIET: &str = "SET log_error_verbosity = 'terse'; SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'";

/// The name of a template's role, the same in every run, so that a test may print it. `None` on a
/// server on which tests have the role of the URL.
pub(in crate::postgres) fn of(server: &Server, template: &str) -> Option<String> {
    server.has_roles().then(|| name(template))
}

pub(super) fn name(template: &str) -> String {
    format!("testenv_{}", identity::digits(template))
}

/// Creates the role as a superuser, or takes the role that an unfinished builder left.
pub(super) async fn make(admin: &mut PgConnection, role: &str, password: &str) -> sqlx::Result<()> {
    let can = format!("SUPERUSER LOGIN PASSWORD '{}'", password.replace('\'', "''"));
    let make = format!(
        "DO $role$ BEGIN CREATE ROLE \"{role}\" {can};
         EXCEPTION WHEN duplicate_object THEN ALTER ROLE \"{role}\" {can}; END $role$"
    );
    admin.execute(sqlx::raw_sql(QUIET)).await?;
    execute(admin, make).await
}

/// Takes the superuser's rights from the role.
pub(super) async fn demote(admin: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    execute(admin, format!("ALTER ROLE \"{role}\" NOSUPERUSER")).await
}

/// Removes the role of a dropped template, unless something of the role is left on the server.
pub(super) async fn remove(admin: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    execute(admin, format!("DROP ROLE IF EXISTS \"{role}\"")).await
}
