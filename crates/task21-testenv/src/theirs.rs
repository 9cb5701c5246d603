//! Somebody else's harness. It is right, unless `COURSE_FAULT` asks for another version.
//! Think about mistakes of your own before you read on.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use testenv::fault;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::{Harness, Lab, Server};

/// Longer than a query of the server: a check that looks only once looks too early.
const GRACE: Duration = Duration::from_millis(300);

/// The harness that grading replaces by wrong versions.
pub struct Theirs {
    lab: Lab,
    template: OnceCell<Template>,
    known: Mutex<Option<Template>>,
    only: OnceCell<String>,
    stock: Names,
    turn: Arc<Semaphore>,
}

type Names = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
struct Template {
    server: Server,
    name: String,
}

/// A database of [`Theirs`].
pub struct TheirDb {
    pool: PgPool,
    name: String,
    server: Server,
    stock: Names,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Harness for Theirs {
    type Db = TheirDb;

    fn on(lab: &Lab) -> Theirs {
        let (template, known, only, stock) = Default::default();
        Theirs { lab: lab.clone(), template, known, only, stock, turn: Arc::new(Semaphore::new(1)) }
    }

    async fn fresh_db(&self) -> TheirDb {
        let turn = if fault!("one-at-a-time") {
            Some(self.turn.clone().acquire_owned().await.expect("nobody closes it"))
        } else {
            None
        };
        let template = self.template().await;
        let name = if fault!("one-for-all") {
            self.only.get_or_init(|| copy(&template)).await.clone()
        } else if fault!("recycled") {
            self.used_or(&template).await
        } else if fault!("truncated") {
            let name = self.used_or(&template).await;
            truncate(&template.server, &name).await;
            name
        } else if fault!("keeps-ready") {
            let name = self.used_or(&template).await;
            let next = copy(&template).await;
            locked(&self.stock, |stock| stock.push(next));
            name
        } else {
            copy(&template).await
        };
        let (server, stock) = (template.server, self.stock.clone());
        let pool = pool(&server, &name);
        TheirDb { pool, name, server, stock, _turn: turn }
    }
}

impl Theirs {
    async fn template(&self) -> Template {
        if fault!("check-then-start") {
            let known = locked(&self.known, |known| known.clone());
            if let Some(template) = known {
                return template;
            }
            let template = build(&self.lab).await;
            locked(&self.known, |known| *known = Some(template.clone()));
            return template;
        }
        self.template.get_or_init(|| build(&self.lab)).await.clone()
    }

    async fn used_or(&self, template: &Template) -> String {
        let used = locked(&self.stock, Vec::pop);
        match used {
            Some(name) => name,
            None => copy(template).await,
        }
    }
}

impl Deref for TheirDb {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for TheirDb {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        if fault!("recycled") || fault!("truncated") {
            locked(&self.stock, |stock| stock.push(name));
        } else if fault!("drop-needs-a-runtime") {
            tokio::spawn(async move { drop_database(&server, &name, " WITH (FORCE)").await });
        } else if !fault!("never-dropped") && !fault!("one-for-all") {
            let force = if fault!("drop-refused") { "" } else { " WITH (FORCE)" };
            let grace = if fault!("drops-late") { GRACE } else { Duration::ZERO };
            std::thread::spawn(move || {
                std::thread::park_timeout(grace);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("an epoll descriptor can be had");
                runtime.block_on(drop_database(&server, &name, force));
            });
        }
    }
}

async fn build(lab: &Lab) -> Template {
    let server = lab.start().await;
    let name = server.new_name();
    create(&server, &name, "template0").await;
    server.migrate(&name).await;
    Template { server, name }
}

async fn copy(template: &Template) -> String {
    let name = template.server.new_name();
    if fault!("migrates-each") {
        create(&template.server, &name, "template0").await;
        template.server.migrate(&name).await;
    } else if fault!("copies-nothing") {
        create(&template.server, &name, "template0").await;
    } else {
        create(&template.server, &name, &template.name).await;
    }
    name
}

async fn create(server: &Server, name: &str, template: &str) {
    server.copy(template, name).await.expect("the server makes a database");
}

async fn truncate(server: &Server, name: &str) {
    let pool = pool(server, name);
    let truncated = sqlx::query("TRUNCATE users, orders RESTART IDENTITY").execute(&pool).await;
    truncated.expect("its tables are there");
}

async fn drop_database(server: &Server, name: &str, force: &str) {
    // An error has no receiver here.
    let _refused = server.execute(&format!("DROP DATABASE IF EXISTS \"{name}\"{force}")).await;
}

fn pool(server: &Server, name: &str) -> PgPool {
    PgPoolOptions::new().connect_lazy(&server.url_of(name)).expect("the lab's addresses are right")
}

/// Holds the lock only while `work` runs; `work` never waits.
fn locked<T, R>(what: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut what.lock().unwrap_or_else(PoisonError::into_inner))
}
