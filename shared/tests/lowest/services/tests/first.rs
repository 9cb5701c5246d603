//! One use of each service with the lowest versions. Without `integration`: of those with a stand-in.

use std::time::Duration;

use testenv::seed::rand::Rng as _;

#[tokio::test]
async fn a_message_makes_the_round_trip() {
    let topic = testenv::fresh_topic().await;

    topic.send("booked").await.unwrap();
    let read = topic.read(1, Duration::from_secs(10)).await.unwrap();

    assert_eq!(read[0].text(), "booked");
}

// Toxiproxy in a container reaches no server of the test itself.
#[cfg(not(feature = "integration"))]
#[tokio::test]
async fn a_proxy_leads_to_its_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = testenv::fresh_proxy(listener.local_addr().unwrap()).await;
    let (_checked, _) = listener.accept().unwrap(); // the harness connects once itself

    let _client = std::net::TcpStream::connect(proxy.address()).unwrap();

    assert!(listener.accept().is_ok());
}

#[test]
fn a_stream_repeats_with_its_seed() {
    let (mut one, mut other) = (testenv::seed::stream_for("a"), testenv::seed::stream_for("a"));

    assert_eq!(one.next_u64(), other.next_u64());
}

#[cfg(feature = "integration")]
#[tokio::test]
async fn a_user_is_inserted() {
    let db = testenv::fresh_db().await;

    let user = testenv::factories::user(&db).insert().await;

    assert_ne!(user.id, 0);
}

#[cfg(feature = "integration")]
#[testenv::test(migrations = false)]
async fn an_argument_is_a_database(db: testenv::Db) {
    assert!(db.url().starts_with("postgres://"));
}

#[cfg(feature = "integration")]
#[tokio::test]
async fn a_proxy_leads_to_a_server_of_the_run() {
    let redis = testenv::fresh_redis().await;
    drop(redis.connection().await);
    let proxy = testenv::fresh_proxy(redis.url()).await;

    let connected = std::net::TcpStream::connect(proxy.address());

    assert!(connected.is_ok());
}
