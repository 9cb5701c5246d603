//! The finished suite: a bucket for every test, files that differ in every kilobyte, sources that fail.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use task16_s3::{Failure, File, Files, Head};
use testenv::{Bucket, fresh_bucket, wait};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::task::JoinSet;
use tokio::time::timeout;

const MIB: usize = 1024 * 1024;
/// The first size that is uploaded in parts.
const LARGE: usize = 5 * MIB;
/// The first size that has two parts for sure: a part has at most 8 MiB.
const TWO_PARTS: usize = 8 * MIB + 1;
/// Many times what a test takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(30);
/// For many calls in a row. Other suites on the machine make them many times slower.
const MANY_CALLS: Duration = Duration::from_secs(180);
/// What R8 allows.
const GONE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_file_is_read_as_it_was_written_whatever_its_size() {
    let store = Store::fresh().await;

    for size in [0, 1, 100_000, LARGE - 1, LARGE, 2 * LARGE + 7] {
        let file = File { head: head(), bytes: bytes(size) };
        store.put("a", &file.bytes).await.unwrap();

        assert_eq!(store.get("a").await.unwrap(), file, "{size} bytes");
    }
}

#[tokio::test]
async fn a_source_may_give_its_bytes_in_small_pieces() {
    let store = Store::fresh().await;
    let bytes = bytes(LARGE + 7000);
    let (start, rest) = bytes.split_at(3000);
    let (middle, end) = rest.split_at(LARGE);

    for (key, source) in [("small", &[][..]), ("large", middle)] {
        let pieces = start.chain(source).chain(end);
        within(store.files.put(key, &head(), pieces)).await.unwrap();
    }

    let read = async |key| store.get(key).await.unwrap().bytes;
    assert!(read("small").await == [start, end].concat(), "small");
    assert!(read("large").await == bytes, "large");
}

#[tokio::test]
async fn the_content_type_and_the_metadata_are_kept_for_small_and_large_files() {
    let store = Store::fresh().await;
    let head = Head::new("text/csv; charset=utf-8").with("author", "Ada").with("order-7", "a b=c");

    for size in [10, LARGE] {
        within(store.files.put("a", &head, &bytes(size)[..])).await.unwrap();

        assert_eq!(store.get("a").await.unwrap().head, head, "{size} bytes");
    }
}

#[tokio::test]
async fn the_bucket_has_the_key_that_was_given_character_for_character() {
    let store = Store::fresh().await;
    let keys = ["A", "a", "a b", "a%20b", "a+b", "a//c", "a/b", "a?b=c&d#e", "für/заказ.csv"];
    for key in keys {
        store.put(key, key.as_bytes()).await.unwrap();
    }

    assert_eq!(store.list("").await, keys);
    for key in keys {
        assert_eq!(store.get(key).await.unwrap().bytes, key.as_bytes(), "{key}");
    }
}

#[tokio::test]
async fn a_missing_file_is_a_failure_with_a_type() {
    let store = Store::fresh().await;
    store.put("a/b", b"there").await.unwrap();

    for key in ["a", "a/", "a/b/c", "NoSuchBucket"] {
        let missing = store.get(key).await;

        assert!(matches!(missing, Err(Failure::NotFound)), "{key}: {missing:?}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_file() {
    let store = Store::fresh().await;
    let elsewhere = Files::new(store.bucket.client(), "there-is-no-such-bucket");

    let read = within(elsewhere.get("a")).await;

    assert!(matches!(read, Err(Failure::Store(_))), "{read:?}");
}

#[tokio::test]
async fn a_file_is_uploaded_in_parts_from_5_mib_on() {
    let store = Store::fresh().await;

    for (size, in_parts) in [(LARGE - 1, false), (LARGE, true)] {
        store.put("a", &bytes(size)).await.unwrap();

        let head = store.bucket.client().head_object().bucket(store.bucket.name()).key("a");
        let etag = within(head.send()).await.unwrap().e_tag.unwrap();
        assert_eq!(etag.contains('-'), in_parts, "{size} bytes: {etag}");
    }
}

#[tokio::test]
async fn a_put_whose_source_fails_changes_nothing_and_leaves_no_upload() {
    let store = Store::fresh().await;
    store.put("a", b"old").await.unwrap();

    for size in [0, 1000, TWO_PARTS] {
        let put = within(store.files.put("a", &head(), bytes(size).chain(Broken))).await;

        assert!(matches!(put, Err(Failure::Source(_))), "{size} bytes: {put:?}");
        assert_eq!(store.get("a").await.unwrap().bytes, b"old", "{size} bytes");
        assert_eq!(store.uploads().await, 0, "{size} bytes");
    }
}

#[tokio::test]
async fn a_put_that_the_store_refuses_changes_nothing_and_leaves_no_upload() {
    let store = Store::fresh().await;
    store.put("a", b"old").await.unwrap();

    for request in [Request::PartTwo, Request::Complete] {
        let client = refusing(store.bucket.client(), request);
        let files = Files::new(&client, store.bucket.name());
        let put = within(files.put("a", &head(), &bytes(TWO_PARTS)[..])).await;

        assert!(matches!(put, Err(Failure::Store(_))), "{request:?}: {put:?}");
        assert_eq!(store.get("a").await.unwrap().bytes, b"old", "{request:?}");
        assert_eq!(store.uploads().await, 0, "{request:?}");
    }
}

#[tokio::test]
async fn a_put_that_is_dropped_leaves_no_upload() {
    let store = Store::fresh().await;
    let (_open, never_ends) = tokio::io::duplex(1);
    let (head, bytes) = (head(), bytes(TWO_PARTS));
    let put = store.files.put("a", &head, bytes.chain(never_ends));

    tokio::select! {
        ended = put => panic!("it ended: {ended:?}"),
        () = store.wait_for_uploads(1, LIMIT) => {}
    }

    store.wait_for_uploads(0, GONE).await;
}

#[tokio::test]
async fn a_listing_has_every_key_once_in_order_also_beyond_a_page() {
    let store = Store::fresh().await;
    let keys: Vec<String> = (0..1001).map(|number| format!("{number:04}")).collect();
    let mut writers = JoinSet::new();
    for keys in keys.chunks(keys.len().div_ceil(16)) {
        let (files, keys) = (store.files.clone(), keys.to_vec());
        writers.spawn(async move {
            for key in keys {
                files.put(&key, &head(), &[][..]).await.unwrap();
            }
        });
    }
    timeout(MANY_CALLS, writers.join_all()).await.expect("all files are written");

    assert_eq!(store.list("").await, keys);
}

#[tokio::test]
async fn a_listing_has_the_keys_that_begin_with_the_prefix() {
    let store = Store::fresh().await;
    for key in ["log/1", "log/2/3", "logs", "old/log/4", "Log/5"] {
        store.put(key, b"").await.unwrap();
    }

    assert_eq!(store.list("log/").await, ["log/1", "log/2/3"]);
    assert_eq!(store.list("log").await, ["log/1", "log/2/3", "logs"]);
    assert_eq!(store.list("none").await, [""; 0]);
}

#[tokio::test]
async fn a_file_can_be_deleted_twice_and_no_other_file_goes_with_it() {
    let store = Store::fresh().await;
    for key in ["a", "a/b", "ab"] {
        store.put(key, b"").await.unwrap();
    }

    for _ in 0..2 {
        within(store.files.delete("a")).await.unwrap();
    }

    assert_eq!(store.list("").await, ["a/b", "ab"]);
}

/// A bucket, and the files in it.
struct Store {
    bucket: Bucket,
    files: Files,
}

impl Store {
    async fn fresh() -> Store {
        let bucket = fresh_bucket().await;
        Store { files: Files::new(bucket.client(), bucket.name()), bucket }
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<(), Failure> {
        within(self.files.put(key, &head(), bytes)).await
    }

    async fn get(&self, key: &str) -> Result<File, Failure> {
        within(self.files.get(key)).await
    }

    async fn list(&self, prefix: &str) -> Vec<String> {
        within(self.files.list(prefix)).await.unwrap()
    }

    /// How many uploads are neither completed nor aborted.
    async fn uploads(&self) -> usize {
        let list = self.bucket.client().list_multipart_uploads().bucket(self.bucket.name());
        within(list.send()).await.unwrap().uploads().len()
    }

    async fn wait_for_uploads(&self, count: usize, limit: Duration) {
        let probe = async || match self.uploads().await {
            found if found == count => Ok(()),
            found => Err(format!("there are {found}")),
        };
        wait::until(limit, &format!("{count} open uploads"), probe).await.unwrap();
    }
}

/// A wrong program must fail the test, not hang it.
async fn within<T>(call: impl Future<Output = T>) -> T {
    timeout(LIMIT, call).await.expect("the call ends")
}

fn head() -> Head {
    Head::new("application/octet-stream")
}

/// Each kilobyte begins with its number, so that no two parts are the same.
fn bytes(size: usize) -> Vec<u8> {
    let mut bytes = vec![7; size];
    for (number, kilobyte) in bytes.chunks_exact_mut(1024).enumerate() {
        kilobyte[..8].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// A source that fails, as a connection does that breaks.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

/// A request of an upload in parts.
#[derive(Clone, Copy, Debug)]
enum Request {
    PartTwo,
    Complete,
}

/// A client whose requests of this kind never reach the store.
fn refusing(client: &Client, request: Request) -> Client {
    Client::from_conf(client.config().to_builder().interceptor(request).build())
}

impl Intercept for Request {
    fn name(&self) -> &'static str {
        "refuses a request"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let is_it = match self {
            Request::PartTwo => request.uri().contains("partNumber=2"),
            Request::Complete => request.method() == "POST" && request.uri().contains("uploadId="),
        };
        if is_it { Err("the quota is full".into()) } else { Ok(()) }
    }
}
