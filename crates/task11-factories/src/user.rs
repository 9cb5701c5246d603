//! Users. The factory fills in missing values and takes explicit values unchanged.

use sqlx::Error;

use crate::{Factories, faults};

const NAMES: [&str; 8] = ["Ada", "Bela", "Chen", "Dora", "Emil", "Fatou", "Grace", "Hugo"];

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// Given by the database.
    pub id: i64,
    /// Never empty.
    pub name: String,
    /// Unique.
    pub email: String,
}

/// A user that is not written yet.
#[derive(Debug)]
#[must_use = "nothing is written before `insert`"]
pub struct NewUser<'f> {
    make: &'f Factories,
    row: u64,
    name: Option<String>,
    email: Option<String>,
}

impl<'f> NewUser<'f> {
    pub(crate) fn new(make: &'f Factories, row: u64) -> NewUser<'f> {
        NewUser { make, row, name: None, email: None }
    }

    /// Sets the name.
    pub fn name(self, name: impl Into<String>) -> Self {
        NewUser { name: Some(name.into()), ..self }
    }

    /// Sets the e-mail address.
    pub fn email(self, email: impl Into<String>) -> Self {
        let name = faults::kept(self.name);
        NewUser { email: Some(email.into()), name, ..self }
    }

    /// Writes the row and returns it.
    ///
    /// # Errors
    ///
    /// The error of the database if it refuses a value that was set.
    pub async fn insert(self) -> Result<User, Error> {
        let (make, row) = (self.make, self.row);
        let by_chance = NAMES[(make.mixed(row) % NAMES.len() as u64) as usize];
        let name = self.name.unwrap_or_else(|| faults::name(by_chance, row).to_owned());
        let email = match self.email {
            Some(email) => faults::explicit_address(email, row),
            None => faults::address(make, row)
                .unwrap_or_else(|| format!("user-{:x}-{row}@example.org", make.seed)),
        };
        sqlx::query_as("INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id, name, email")
            .bind(name)
            .bind(email)
            .fetch_one(&make.db)
            .await
    }
}
