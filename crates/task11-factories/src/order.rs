//! Orders. An order needs a user. The factory makes a user only if the caller gives none.

use sqlx::Error;

use crate::{Factories, User, faults};

/// A row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Order {
    /// Given by the database.
    pub id: i64,
    /// The id of the order's user.
    pub user_id: i64,
    /// In hundredths of the currency, 0 or more.
    pub total_cents: i64,
    /// `open`, `paid` or `cancelled`.
    pub status: String,
}

/// An order that is not written yet.
#[derive(Debug)]
#[must_use = "nothing is written before `insert`"]
pub struct NewOrder<'f> {
    make: &'f Factories,
    row: u64,
    user_id: Option<i64>,
    total_cents: Option<i64>,
    status: Option<String>,
}

impl<'f> NewOrder<'f> {
    pub(crate) fn new(make: &'f Factories, row: u64) -> NewOrder<'f> {
        NewOrder { make, row, user_id: None, total_cents: None, status: None }
    }

    /// Sets the order's user. Without this call, `insert` makes a user.
    pub fn user(self, user: &User) -> Self {
        NewOrder { user_id: Some(user.id), ..self }
    }

    /// Sets the total, in hundredths of the currency.
    pub fn total_cents(self, total_cents: i64) -> Self {
        NewOrder { total_cents: Some(total_cents), ..self }
    }

    /// Sets the status: `open`, `paid` or `cancelled`.
    pub fn status(self, status: impl Into<String>) -> Self {
        NewOrder { status: Some(status.into()), ..self }
    }

    /// Writes the row and returns it. If the order was given no user, `insert` writes a user first.
    ///
    /// # Errors
    ///
    /// The error of the database if it refuses a value that was set.
    pub async fn insert(self) -> Result<Order, Error> {
        let (make, row) = (self.make, self.row);
        let user_id = match faults::owner(make, self.user_id).await? {
            Some(id) => id,
            None => make.user().insert().await?.id,
        };
        // Below a thousand of the currency: realistic for an order, and any number can be summed.
        let total_cents = faults::explicit_total(self.total_cents)
            .unwrap_or_else(|| faults::total((1 + make.mixed(row) % 100_000).cast_signed()));
        let status = self.status.unwrap_or_else(|| faults::status("open").to_owned());
        faults::before_the_order(make, user_id, total_cents, &status).await?;
        let order = sqlx::query_as(
            "INSERT INTO orders (user_id, total_cents, status) VALUES ($1, $2, $3) \
             RETURNING id, user_id, total_cents, status",
        )
        .bind(user_id)
        .bind(total_cents)
        .bind(status)
        .fetch_one(&make.db)
        .await?;
        Ok(faults::returned(order))
    }
}
