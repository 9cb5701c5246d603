//! 200 tests that each want a server, 40 of each service. `tests/it/p1_one_server.rs` counts the servers
//! that they get. Each test finds what it wrote itself, and nothing else.

use std::time::Duration;

/// The first use of a broker in a run.
const LIMIT: Duration = Duration::from_secs(20);

macro_rules! forty_tests {
    ($($service:ident: $test:expr;)*) => {$(
        mod $service {
            forty_tests!(@groups $test; a b c d);
        }
    )*};
    (@groups $test:expr; $($group:ident)*) => {$(
        mod $group {
            forty_tests!(@tests $test; t0 t1 t2 t3 t4 t5 t6 t7 t8 t9);
        }
    )*};
    (@tests $test:expr; $($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            $test(concat!(module_path!(), "::", stringify!($name))).await;
        }
    )*};
}

forty_tests! {
    postgres: crate::a_row_is_the_first;
    redis: crate::a_key_is_the_only_one;
    kafka: crate::a_message_is_the_only_one;
    s3: crate::an_object_is_the_only_one;
    toxiproxy: crate::a_network_is_cut_for_one_test_only;
}

async fn a_row_is_the_first(test: &str) {
    let db = testenv::fresh_db().await;

    let insert = "INSERT INTO users (name, email) VALUES ($1, 'the.same@example.org') RETURNING id";
    let id: i64 = sqlx::query_scalar(insert).bind(test).fetch_one(db.pool()).await.unwrap();

    assert_eq!(id, 1);
}

async fn a_key_is_the_only_one(test: &str) {
    use ::redis::AsyncCommands;
    let redis = testenv::fresh_redis().await;
    let mut connection = redis.connection().await;

    let () = connection.set(test, "").await.unwrap();

    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys, [test]);
}

async fn a_message_is_the_only_one(test: &str) {
    let topic = testenv::fresh_topic().await;

    topic.send(test).await.unwrap();

    let read = topic.read_all(LIMIT).await.unwrap();
    assert_eq!(read.iter().map(|message| message.text()).collect::<Vec<_>>(), [test]);
}

async fn an_object_is_the_only_one(test: &str) {
    let bucket = testenv::fresh_bucket().await;
    let (client, name) = (bucket.client(), bucket.name());

    client.put_object().bucket(name).key(test).body(vec![].into()).send().await.unwrap();

    let listed = client.list_objects_v2().bucket(name).send().await.unwrap();
    assert_eq!(
        listed.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>(),
        [test]
    );
}

/// Its upstream is a server of the run: Toxiproxy may be in a container.
async fn a_network_is_cut_for_one_test_only(test: &str) {
    use ::redis::AsyncCommands;
    let redis = testenv::fresh_redis().await;
    let (cut, whole) =
        tokio::join!(testenv::fresh_proxy(redis.url()), testenv::fresh_proxy(redis.url()));

    cut.cut().await.unwrap();

    let open = async |proxy: &testenv::Proxy| {
        let client = ::redis::Client::open(proxy.url()).unwrap();
        client.get_multiplexed_async_connection().await
    };
    assert!(open(&cut).await.is_err());
    let () = open(&whole).await.unwrap().set(test, "").await.unwrap();
    let keys: Vec<String> = redis.connection().await.keys("*").await.unwrap();
    assert_eq!(keys, [test]);
}
