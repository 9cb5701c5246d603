//! 200 tests that each want a database. `tests/it/p1_one_server.rs` counts the servers and
//! templates that they get.

macro_rules! a_row_inserted_here_is_the_first {
    ($($group:ident)*) => {$(
        mod $group {
            a_row_inserted_here_is_the_first!(@tests t00 t01 t02 t03 t04 t05 t06 t07 t08 t09 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19);
        }
    )*};
    (@tests $($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let db = testenv::fresh_db().await;

            let insert = "INSERT INTO users (name, email) VALUES ('Ada', 'the.same@example.org') RETURNING id";
            let id: i64 = sqlx::query_scalar(insert).fetch_one(db.pool()).await.unwrap();

            assert_eq!(id, 1);
        }
    )*};
}

a_row_inserted_here_is_the_first! { a b c d e f g h i j }
