//! P3 as a property: no change in one database is seen in another, neither in one that is open
//! meanwhile nor in one that is made later.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use testenv::{Db, fresh_db, seed};

use crate::lab;

/// Something that a session does to its database. None undoes another.
#[derive(Clone, Debug)]
enum Deed {
    Insert { users: u8 },
    MakeTable { number: u8 },
    AddColumn { number: u8 },
    DropOrders,
    MakeType { number: u8 },
    MakeFunction { number: u8 },
    MakeSchema { number: u8 },
    SetSequence { value: u16 },
    LargeObject { bytes: u16 },
    SetForDatabase { work_mem_kib: u16 },
    SetForRole { work_mem_kib: u16 },
    Lock { key: i64 },
    Notify { word: u16 },
}

impl Deed {
    /// Every `IF NOT EXISTS` is for a deed that is drawn twice.
    fn sql(&self) -> String {
        match self {
            Deed::Insert { users } => format!(
                "INSERT INTO users (name, email) SELECT 'u', gen_random_uuid()::text FROM generate_series(0, {users})"
            ),
            Deed::MakeTable { number } => {
                format!("CREATE TABLE IF NOT EXISTS made_{number} AS SELECT 1 AS n")
            }
            Deed::AddColumn { number } => {
                format!("ALTER TABLE users ADD COLUMN IF NOT EXISTS more_{number} INT")
            }
            Deed::DropOrders => "DROP TABLE IF EXISTS orders".into(),
            Deed::MakeType { number } => format!(
                "DROP TYPE IF EXISTS mood_{number}; CREATE TYPE mood_{number} AS ENUM ('well')"
            ),
            Deed::MakeFunction { number } => {
                format!(
                    "CREATE OR REPLACE FUNCTION f_{number}() RETURNS INT LANGUAGE SQL AS 'SELECT 1'"
                )
            }
            Deed::MakeSchema { number } => format!("CREATE SCHEMA IF NOT EXISTS rooms_{number}"),
            Deed::SetSequence { value } => {
                format!("SELECT setval(pg_get_serial_sequence('users', 'id'), 1 + {value})")
            }
            Deed::LargeObject { bytes } => {
                format!("SELECT lo_from_bytea(0, convert_to(repeat('x', {bytes}), 'UTF8'))")
            }
            Deed::SetForDatabase { work_mem_kib } => in_database(&format!(
                "ALTER DATABASE %I SET work_mem = {}",
                64 + u32::from(*work_mem_kib)
            )),
            Deed::SetForRole { work_mem_kib } => in_database(&format!(
                "ALTER ROLE CURRENT_USER IN DATABASE %I SET work_mem = {}",
                64 + u32::from(*work_mem_kib)
            )),
            Deed::Lock { key } => format!("SELECT pg_advisory_lock({key})"),
            Deed::Notify { word } => format!("NOTIFY doorbell, '{word}'"),
        }
    }
}

/// A statement with `%I` for the name of the database it runs in.
fn in_database(statement: &str) -> String {
    format!("DO $$ BEGIN EXECUTE format('{statement}', current_database()); END $$")
}

fn deed() -> impl Strategy<Value = Deed> {
    let number = 0..4_u8;
    prop_oneof![
        any::<u8>().prop_map(|users| Deed::Insert { users }),
        number.clone().prop_map(|number| Deed::MakeTable { number }),
        number.clone().prop_map(|number| Deed::AddColumn { number }),
        Just(Deed::DropOrders),
        number.clone().prop_map(|number| Deed::MakeType { number }),
        number.clone().prop_map(|number| Deed::MakeFunction { number }),
        number.prop_map(|number| Deed::MakeSchema { number }),
        any::<u16>().prop_map(|value| Deed::SetSequence { value }),
        any::<u16>().prop_map(|bytes| Deed::LargeObject { bytes }),
        any::<u16>().prop_map(|work_mem_kib| Deed::SetForDatabase { work_mem_kib }),
        any::<u16>().prop_map(|work_mem_kib| Deed::SetForRole { work_mem_kib }),
        any::<i64>().prop_map(|key| Deed::Lock { key }),
        any::<u16>().prop_map(|word| Deed::Notify { word }),
    ]
}

/// A database and what a test can see of it.
struct Watched {
    db: Db,
    listener: PgListener,
}

impl Watched {
    async fn new() -> Watched {
        let db = fresh_db().await;
        let mut listener = PgListener::connect_with(db.pool()).await.unwrap();
        listener.listen("doorbell").await.unwrap();
        Watched { db, listener }
    }

    /// Tables with their columns and number of rows, types, functions, schemas, sequences, large objects, settings, locks, and what was heard.
    async fn seen(&mut self) -> Vec<String> {
        let mut seen: Vec<String> =
            sqlx::query_scalar(SEEN).fetch_all(self.db.pool()).await.unwrap();
        while let Ok(heard) =
            tokio::time::timeout(Duration::from_millis(5), self.listener.recv()).await
        {
            seen.push(format!("heard {}", heard.unwrap().payload()));
        }
        seen
    }
}

const SEEN: &str = "
    SELECT 'table ' || c.relname || ' (' || (SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) || ') '
        || (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.oid::regclass, false, true, '')))[1]::text
        FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'schema ' || nspname FROM pg_namespace
    UNION ALL SELECT 'sequence ' || sequencename || ' ' || coalesce(last_value, 0) FROM pg_sequences
    UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata
    UNION ALL SELECT 'setting ' || unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()
    UNION ALL SELECT 'in force ' || setting FROM pg_settings WHERE name = 'work_mem'
    UNION ALL SELECT 'lock ' || classid || ' ' || objid FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY 1";

async fn act(deeds: &[Deed], connection: &mut PgConnection) {
    for deed in deeds {
        sqlx::raw_sql(sqlx::AssertSqlSafe(deed.sql())).execute(&mut *connection).await.unwrap();
    }
}

/// The look can tell: each kind of deed, alone, is seen where it is done.
#[tokio::test]
async fn every_deed_is_seen_where_it_is_done() {
    let deeds = [
        Deed::Insert { users: 0 },
        Deed::MakeTable { number: 0 },
        Deed::AddColumn { number: 0 },
        Deed::DropOrders,
        Deed::MakeType { number: 0 },
        Deed::MakeFunction { number: 0 },
        Deed::MakeSchema { number: 0 },
        Deed::SetSequence { value: 0 },
        Deed::LargeObject { bytes: 0 },
        Deed::SetForDatabase { work_mem_kib: 0 },
        Deed::SetForRole { work_mem_kib: 0 },
        Deed::Lock { key: 0 },
        Deed::Notify { word: 0 },
    ];
    for deed in deeds {
        let mut watched = Watched::new().await;
        let before = watched.seen().await;
        let mut session = watched.db.pool().acquire().await.unwrap();

        act(std::slice::from_ref(&deed), &mut session).await;

        assert_ne!(watched.seen().await, before, "{deed:?}");
    }
}

#[test]
pub(crate) fn whatever_is_done_in_a_database_is_seen_in_no_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(seed::proptest(Config {
        cases: u32::try_from(lab::load(12, 200)).unwrap(),
        max_shrink_iters: 100,
        ..Config::default()
    }));
    // What a listener and a pool need when they are dropped; they are dropped before it.
    let _context = runtime.enter();

    let deeds = prop::collection::vec(deed(), 1..12);
    let outcome = runner.run(&deeds, |deeds| {
        runtime.block_on(async {
            let (mut bystander, mut busy) = (Watched::new().await, Watched::new().await);
            let before = bystander.seen().await;
            let mut session = busy.db.pool().acquire().await.unwrap();
            act(&deeds, &mut session).await;

            prop_assert_eq!(&bystander.seen().await, &before, "in a database that was open");
            prop_assert_eq!(&Watched::new().await.seen().await, &before, "in a later database");
            prop_assert_ne!(&busy.seen().await, &before, "in the database itself");
            Ok(())
        })
    });

    if let Err(error) = outcome {
        panic!("{error}");
    }
}
