#![doc = "[before]: ../task02_feature_gate/index.html\n[next]: ../task04_transactions/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;

use sqlx::postgres::PgPool;

/// A person who wants to sign up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The name as the person spells it; not empty.
    pub name: String,
    /// The address; no other user may have the same.
    pub email: String,
}

/// A user as stored in the database.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// The id that the database chose.
    pub id: i64,
    /// The name as the user spelled it.
    pub name: String,
    /// The address that no other user has.
    pub email: String,
}

/// The reason why a call failed. A caller must be able to tell the cases apart.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Another user has the address. Only this refusal can be resolved by the person who signs up.
    #[error("somebody has the e-mail address {email} already")]
    EmailTaken {
        /// The requested address.
        email: String,
    },
    /// The database refused for any other reason, or could not be reached.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
}

/// The users of the shop.
///
/// ```no_run
/// # use task03_postgres::{NewUser, UserError, UserRepo};
/// # async fn sign_up(pool: sqlx::PgPool) -> Result<(), UserError> {
/// let repo = UserRepo::new(pool);
/// let id = repo.insert(&NewUser { name: "Ada".into(), email: "ada@example.org".into() }).await?;
///
/// assert_eq!(repo.find(id).await?.map(|user| user.name), Some("Ada".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UserRepo {
    pool: PgPool,
}

impl UserRepo {
    /// Returns a repository that takes a connection from this pool for each call.
    pub fn new(pool: PgPool) -> UserRepo {
        UserRepo { pool }
    }

    /// Adds a user and returns the id that the database chose.
    ///
    /// # Errors
    ///
    /// [`UserError::EmailTaken`] when another user has the address. [`UserError::Database`] for any
    /// other refusal. A refused call adds nothing.
    pub async fn insert(&self, user: &NewUser) -> Result<i64, UserError> {
        if let Some(answer) = faults::insert(&self.pool, user).await {
            return answer;
        }
        let user = faults::written(user.clone());
        // The table decides who was first. Whoever asks before inserting has the same refusal to handle, and one query more.
        let id = sqlx::query_scalar("INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id")
            .bind(&user.name)
            .bind(&user.email)
            .fetch_one(&self.pool)
            .await;
        faults::answered(id.map_err(|refusal| refused(refusal, &user)), &user)
    }

    /// Returns the user with this id, or `None` when nobody has it.
    ///
    /// # Errors
    ///
    /// [`UserError::Database`] when the database cannot be asked.
    pub async fn find(&self, id: i64) -> Result<Option<User>, UserError> {
        if let Some(answer) = faults::find(&self.pool, id).await {
            return answer;
        }
        let user = sqlx::query_as("SELECT id, name, email FROM users WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(faults::read(user))
    }
}

/// Only this constraint means that the address is taken. Do not parse the error's text: it is for
/// people and changes with the server's language.
const ONE_ADDRESS_ONE_USER: &str = "users_email_key";

fn refused(refusal: sqlx::Error, user: &NewUser) -> UserError {
    let constraint = refusal.as_database_error().and_then(|error| error.constraint());
    if constraint == Some(ONE_ADDRESS_ONE_USER) {
        UserError::EmailTaken { email: faults::named(user) }
    } else {
        UserError::Database(refusal)
    }
}
