//! Your piece and the checks of its promises. The README lists them; `cargo course check task28` says which wrong harnesses get past your checks.
#![cfg(feature = "integration")]

use sqlx::{Connection, PgConnection};
use task28_reuse::{Harness, Machine, Problem, Run, Theirs, create_database, migrate, url_of};

/// Your piece. It gives a run a database, and keeps nothing.
pub struct Mine;

impl Harness for Mine {
    async fn fresh_db(run: &Run) -> Result<String, Problem> {
        let password = "secret";
        let admin = run.start_own(password).await?.url(password);
        let name = run.new_name();
        create_database(&admin, &name).await?;
        let url = url_of(&admin, &name);
        migrate(&url).await?;
        Ok(url)
    }
}

#[tokio::test]
async fn a_run_has_a_database_that_answers() {
    answers::<Theirs>().await;
}

/// A test of its own: `cargo course check` runs on a wrong harness only the tests that reach it.
#[tokio::test]
async fn a_run_of_mine_has_a_database_that_answers() {
    answers::<Mine>().await;
}

/// A check is written for any harness, so that you can try it on yours and on one that may be wrong.
async fn answers<H: Harness>() {
    let machine = Machine::open().await;
    let run = machine.run();

    let url = H::fresh_db(&run).await.unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let answer: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(answer, 1);
}

// Still to be written: a check for each promise, and the harness that passes it.
//   R1  a second run: machine.starts(), and the time from its beginning to the answer to its first query
//   R2  machine.run_wanting(…): another image, other settings, another version
//   R3  two runs begin at the same time; another run is killed while it starts a server
//   R4  machine.kill_servers() and machine.freeze_servers(); put a limit around everything that could wait
//   R5  machine.run_under_ci("true"), ("1"): whose server, what the run says, what is left
//   R6  an earlier run's row and database, and the database of a live run
//   R7  two servers' passwords, and who can read the files in machine.folder()
