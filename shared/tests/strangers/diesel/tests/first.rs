//! diesel, with its own layout of migrations.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use testenv::{Db, Template, blocking};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// diesel's own migrations, with its list of those that were applied: a program that looks for
/// pending ones when it starts finds none.
fn migrated() -> Db {
    let template = Template::build("diesel", async |url: String| {
        let mut connection = PgConnection::establish(&url)?;
        connection.run_pending_migrations(MIGRATIONS)?;
        Ok(())
    });
    blocking::wait(template.depends_on("migrations").fresh())
}

fn book(connection: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query("INSERT INTO bookings VALUES ('attic', '2030-01-01')").execute(connection)
}

#[test]
fn a_room_is_booked_once_a_night() {
    let db = migrated();
    let mut connection = PgConnection::establish(db.url()).unwrap();

    book(&mut connection).unwrap();
    let second = book(&mut connection).unwrap_err();

    assert!(
        matches!(second, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)),
        "{second:?}"
    );
    assert!(!connection.has_pending_migration(MIGRATIONS).unwrap());
}

/// Without diesel's list: the files alone.
#[test]
fn the_files_of_diesel_are_read_in_its_order() {
    let db = blocking::wait(Template::folder("migrations").fresh());

    assert_eq!(book(&mut PgConnection::establish(db.url()).unwrap()), Ok(1));
}
