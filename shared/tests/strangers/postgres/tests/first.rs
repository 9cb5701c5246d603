//! A client that blocks, in tests that are not async.

use postgres::error::SqlState;
use postgres::{Client, NoTls};
use testenv::{Db, Template, blocking};

const BOOK: &str = "INSERT INTO bookings VALUES ('attic', '2030-01-01')";

fn migrated() -> Db {
    blocking::wait(Template::folder("migrations").fresh())
}

/// A constructor that is not async, as many suites have one.
struct App {
    client: Client,
    _db: Db,
}

impl App {
    fn new() -> App {
        let db = migrated();
        App { client: Client::connect(db.url(), NoTls).unwrap(), _db: db }
    }
}

#[test]
fn a_room_is_booked_once_a_night() {
    let mut app = App::new();

    app.client.execute(BOOK, &[]).unwrap();
    let second = app.client.execute(BOOK, &[]).unwrap_err();

    assert_eq!(second.code(), Some(&SqlState::UNIQUE_VIOLATION));
}

#[test]
fn the_bookings_of_another_test_are_not_seen() {
    let mut app = App::new();

    let count: i64 = app.client.query_one("SELECT count(*) FROM bookings", &[]).unwrap().get(0);

    assert_eq!(count, 0);
}

#[test]
fn a_client_that_blocks_makes_a_template() {
    let template = Template::build("one room", async |url: String| {
        let mut client = Client::connect(&url, NoTls)?;
        client
            .batch_execute("CREATE TABLE rooms (name TEXT); INSERT INTO rooms VALUES ('attic')")?;
        Ok(())
    });

    let db = blocking::wait(template.fresh());

    let mut client = Client::connect(db.url(), NoTls).unwrap();
    let name: String = client.query_one("SELECT name FROM rooms", &[]).unwrap().get(0);
    assert_eq!(name, "attic");
}
