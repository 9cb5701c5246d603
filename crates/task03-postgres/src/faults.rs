//! The faults, and the other right programs, that `COURSE_FAULT` switches on. Think of your own
//! faults before you look.
//!
//! Unless its fault is on, each of these functions returns its argument unchanged, or `None`.

use sqlx::postgres::PgPool;
use testenv::fault;

use crate::{NewUser, User, UserError, refused};

const INSERT: &str = "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id";

/// Returns the answer of a program that inserts in another way.
pub(crate) async fn insert(pool: &PgPool, user: &NewUser) -> Option<Result<i64, UserError>> {
    if fault!("rows-affected") {
        return Some(count_of_rows(pool, user).await);
    }
    if fault!("never-committed") {
        return Some(without_commit(pool, user).await);
    }
    if fault!("conflict-ignored") {
        return Some(first_come_stays(pool, user).await);
    }
    if fault!("upsert-in-disguise") {
        return Some(last_come_stays(pool, user).await);
    }
    if fault!("race-untyped") {
        return Some(ask_first(pool, user, |refusal, _| UserError::Database(refusal)).await);
    }
    if fault!("asks-first") {
        return Some(ask_first(pool, user, refused).await);
    }
    if fault!("ids-from-a-thousand") {
        return Some(with_a_large_id(pool, user).await);
    }
    None
}

/// Returns the values to write for this user.
pub(crate) fn written(mut user: NewUser) -> NewUser {
    if fault!("columns-swapped") {
        std::mem::swap(&mut user.name, &mut user.email);
    }
    if fault!("address-in-small-letters") {
        user.email = user.email.to_lowercase();
    }
    if fault!("name-trimmed") {
        user.name = user.name.trim().to_owned();
    }
    if fault!("quotes-escaped-twice") {
        user.name = user.name.replace('\'', "''");
    }
    user
}

/// Returns the answer of `insert`, given the answer of the database.
pub(crate) fn answered(answer: Result<i64, UserError>, user: &NewUser) -> Result<i64, UserError> {
    match answer {
        Err(UserError::Database(_)) if fault!("failure-as-zero") => Ok(0),
        Err(UserError::Database(_)) if fault!("every-failure-is-taken") => {
            Err(UserError::EmailTaken { email: user.email.clone() })
        }
        answer => answer,
    }
}

/// Returns the text that [`UserError::EmailTaken`] carries.
pub(crate) fn named(user: &NewUser) -> String {
    if fault!("name-for-address") { user.name.clone() } else { user.email.clone() }
}

/// Returns the answer of a program that finds in another way.
pub(crate) async fn find(pool: &PgPool, id: i64) -> Option<Result<Option<User>, UserError>> {
    if fault!("finds-the-first") {
        let first = sqlx::query_as("SELECT id, name, email FROM users ORDER BY id LIMIT 1");
        return Some(first.fetch_optional(pool).await.map_err(UserError::from));
    }
    if fault!("nobody-is-a-failure") {
        let user = sqlx::query_as("SELECT id, name, email FROM users WHERE id = $1");
        return Some(user.bind(id).fetch_one(pool).await.map(Some).map_err(UserError::from));
    }
    None
}

/// Returns the answer of `find`, given the row of this user.
pub(crate) fn read(user: Option<User>) -> Option<User> {
    user.map(|mut user| {
        if fault!("columns-swapped") {
            std::mem::swap(&mut user.name, &mut user.email);
        }
        user
    })
}

async fn count_of_rows(pool: &PgPool, user: &NewUser) -> Result<i64, UserError> {
    let done = sqlx::query("INSERT INTO users (name, email) VALUES ($1, $2)")
        .bind(&user.name)
        .bind(&user.email)
        .execute(pool)
        .await
        .map_err(|refusal| refused(refusal, user))?;
    Ok(done.rows_affected().try_into().expect("one row was inserted"))
}

async fn without_commit(pool: &PgPool, user: &NewUser) -> Result<i64, UserError> {
    let mut transaction = pool.begin().await?;
    let id = sqlx::query_scalar(INSERT).bind(&user.name).bind(&user.email);
    id.fetch_one(&mut *transaction).await.map_err(|refusal| refused(refusal, user))
}

async fn first_come_stays(pool: &PgPool, user: &NewUser) -> Result<i64, UserError> {
    sqlx::query("INSERT INTO users (name, email) VALUES ($1, $2) ON CONFLICT (email) DO NOTHING")
        .bind(&user.name)
        .bind(&user.email)
        .execute(pool)
        .await?;
    let id = sqlx::query_scalar("SELECT id FROM users WHERE email = $1").bind(&user.email);
    Ok(id.fetch_one(pool).await?)
}

async fn last_come_stays(pool: &PgPool, user: &NewUser) -> Result<i64, UserError> {
    // A row that was never updated has no `xmax`: this is how one tells the two outcomes of an upsert apart.
    let (id, is_new): (i64, bool) = sqlx::query_as(
        "INSERT INTO users (name, email) VALUES ($1, $2) \
         ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name RETURNING id, xmax = 0",
    )
    .bind(&user.name)
    .bind(&user.email)
    .fetch_one(pool)
    .await?;
    if is_new { Ok(id) } else { Err(UserError::EmailTaken { email: user.email.clone() }) }
}

async fn ask_first(
    pool: &PgPool,
    user: &NewUser,
    refused: impl Fn(sqlx::Error, &NewUser) -> UserError,
) -> Result<i64, UserError> {
    let mut transaction = pool.begin().await?;
    let taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM users WHERE email = $1)")
        .bind(&user.email)
        .fetch_one(&mut *transaction)
        .await?;
    if taken {
        return Err(UserError::EmailTaken { email: user.email.clone() });
    }
    let id = sqlx::query_scalar(INSERT).bind(&user.name).bind(&user.email);
    let id = id.fetch_one(&mut *transaction).await.map_err(|refusal| refused(refusal, user))?;
    transaction.commit().await?;
    Ok(id)
}

async fn with_a_large_id(pool: &PgPool, user: &NewUser) -> Result<i64, UserError> {
    let id = sqlx::query_scalar(
        "INSERT INTO users (id, name, email) OVERRIDING SYSTEM VALUE \
         VALUES (1000 + nextval(pg_get_serial_sequence('users', 'id')), $1, $2) RETURNING id",
    );
    let id = id.bind(&user.name).bind(&user.email).fetch_one(pool).await;
    id.map_err(|refusal| refused(refusal, user))
}
