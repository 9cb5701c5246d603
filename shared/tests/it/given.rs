//! A PostgreSQL server that somebody else runs, and tests that use the server on request.

use std::io::Write;
use std::process::Child;

use crate::lab::{Lab, PROMISED, line};

/// A PostgreSQL server as others run them, in a lab of its own, until [`Given::end`].
pub(crate) struct Given {
    lab: Lab,
    owner: Child,
    pub(crate) url: String,
}

impl Given {
    pub(crate) fn start() -> Given {
        let lab = Lab::new();
        let mut owner = lab.actor("given postgres", "wait").spawn().unwrap();
        let url = line(&mut owner);
        Given { lab, owner, url }
    }

    /// The address for a role that may make databases and little else.
    pub(crate) async fn role(&self, name: &str) -> String {
        let sql = format!("CREATE ROLE {name} LOGIN CREATEDB PASSWORD '{name}'");
        self.execute(&sql).await;
        self.url.replace("postgres:open%20sesame", &format!("{name}:{name}"))
    }

    /// Does something as the superuser.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        sql.execute(&mut self.admin().await).await.unwrap();
    }

    pub(crate) async fn admin(&self) -> sqlx::PgConnection {
        <sqlx::PgConnection as sqlx::Connection>::connect(&self.url).await.unwrap()
    }

    /// Its major version.
    pub(crate) async fn version(&self) -> i32 {
        let version = self.column("SELECT current_setting('server_version_num')").await;
        version[0].parse::<i32>().unwrap() / 10_000
    }

    /// The one column of a query's rows.
    pub(crate) async fn column(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&mut self.admin().await).await.unwrap()
    }

    pub(crate) fn end(mut self) {
        drop(self.owner.stdin.take());
        self.owner.wait().unwrap();
        self.lab.expect_nothing_left(PROMISED);
    }
}

/// Says a line to a child and returns the next line that it says.
pub(crate) fn ask(child: &mut Child, question: &str) -> String {
    writeln!(child.stdin.as_mut().expect("piped"), "{question}").unwrap();
    line(child)
}
