//! Regenerates `testdata/snapshot.sql`. Run it after a change of the generator or of the schema.

use task20_snapshot::{SEED, SNAPSHOT, fill, take};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = testenv::fresh_db().await;
    fill(&db, SEED).await?;
    // When this machine ran the migrations, and how quickly, would be another difference each time.
    sqlx::query("UPDATE _sqlx_migrations SET installed_on = to_timestamp(0), execution_time = 0")
        .execute(db.pool())
        .await?;
    take(&db, SNAPSHOT).await?;
    Ok(())
}
