//! P3: a bucket is private, and behaves as S3 does. In the plain tier on the embedded server.

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use testenv::{Bucket, fresh_bucket};

use crate::lab;

const PART: usize = 5 * 1024 * 1024;

async fn put(bucket: &Bucket, key: &str, bytes: Vec<u8>) {
    let put = bucket.client().put_object().bucket(bucket.name()).key(key).body(bytes.into());
    put.send().await.unwrap();
}

async fn get(bucket: &Bucket, key: &str) -> Vec<u8> {
    let got = bucket.client().get_object().bucket(bucket.name()).key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

async fn keys(bucket: &Bucket) -> Vec<String> {
    let listed = bucket.client().list_objects_v2().bucket(bucket.name()).send().await.unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_object_is_read_with_all_that_it_was_written_with() {
    let bucket = fresh_bucket().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let put = bucket.client().put_object().bucket(bucket.name()).key("a/ö ?&=+%.png");
    let put = put.content_type("image/png").cache_control("no-store").metadata("origin", "tests");
    let put = put.body(ByteStream::from(bytes.clone())).send().await.unwrap();

    let get = || bucket.client().get_object().bucket(bucket.name()).key("a/ö ?&=+%.png");
    let got = get().send().await.unwrap();
    assert_eq!(got.content_type(), Some("image/png"));
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.metadata().unwrap()["origin"], "tests");
    assert_eq!((got.e_tag(), got.content_length()), (put.e_tag(), Some(100_000)));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
    for (range, part) in [
        ("bytes=0-0", &bytes[..1]),
        ("bytes=99000-", &bytes[99_000..]),
        ("bytes=-10", &bytes[99_990..]),
    ] {
        let got = get().range(range).send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec(), part, "{range}");
    }
    let beyond = get().range("bytes=100000-").send().await.unwrap_err();
    assert_eq!(beyond.code(), Some("InvalidRange"));
}

#[tokio::test]
async fn an_object_replaces_another_one_and_is_deleted_more_than_once() {
    let bucket = fresh_bucket().await;
    put(&bucket, "a", b"old".to_vec()).await;
    put(&bucket, "a", b"new".to_vec()).await;
    let only_new = bucket.client().put_object().bucket(bucket.name()).key("a").if_none_match("*");
    assert_eq!(only_new.send().await.unwrap_err().code(), Some("PreconditionFailed"));
    assert_eq!(get(&bucket, "a").await, b"new");
    let copy = bucket.client().copy_object().bucket(bucket.name()).key("b");
    copy.copy_source(format!("{}/a", bucket.name())).send().await.unwrap();

    for _ in 0..2 {
        bucket.client().delete_object().bucket(bucket.name()).key("a").send().await.unwrap();
    }

    assert_eq!(get(&bucket, "b").await, b"new");
    assert_eq!(keys(&bucket).await, ["b"]);
}

#[tokio::test]
async fn what_is_not_there_is_an_error_with_a_type() {
    let bucket = fresh_bucket().await;
    let (client, name) = (bucket.client(), bucket.name());

    let get = client.get_object().bucket(name).key("missing").send().await.unwrap_err();
    assert!(get.as_service_error().unwrap().is_no_such_key(), "{get:?}");
    let head = client.head_object().bucket(name).key("missing").send().await.unwrap_err();
    assert!(head.as_service_error().unwrap().is_not_found(), "{head:?}");
    let other = client.get_object().bucket("no-such-bucket").key("a").send().await.unwrap_err();
    assert_eq!(other.code(), Some("NoSuchBucket"));
    let part = client.list_parts().bucket(name).key("a").upload_id("none").send().await;
    assert_eq!(part.unwrap_err().code(), Some("NoSuchUpload"));
}

#[tokio::test]
async fn a_bucket_that_is_not_empty_is_not_deleted() {
    let bucket = fresh_bucket().await;
    put(&bucket, "a", vec![]).await;

    let refused = bucket.client().delete_bucket().bucket(bucket.name()).send().await.unwrap_err();

    assert_eq!(refused.code(), Some("BucketNotEmpty"));
    assert_eq!(keys(&bucket).await, ["a"]);
}

#[tokio::test]
async fn more_than_a_page_of_objects_is_listed_once_each() {
    let bucket = fresh_bucket().await;
    let wanted: BTreeSet<String> =
        (0..1100).map(|number| format!("{}/{number}", number % 3)).collect();
    let keys: Vec<&String> = wanted.iter().collect();
    // Sixteen at a time.
    let lanes = (0..16).map(|lane| {
        let keys: Vec<String> =
            keys.iter().skip(lane).step_by(16).map(|key| (*key).clone()).collect();
        let (client, name) = (bucket.client().clone(), bucket.name().to_owned());
        async move {
            for key in keys {
                client
                    .put_object()
                    .bucket(&name)
                    .key(key)
                    .body(vec![].into())
                    .send()
                    .await
                    .unwrap();
            }
        }
    });
    lanes.collect::<tokio::task::JoinSet<()>>().join_all().await;
    put(&bucket, "3", vec![]).await;

    let first = bucket.client().list_objects_v2().bucket(bucket.name()).send().await.unwrap();
    assert_eq!((first.key_count(), first.is_truncated()), (Some(1000), Some(true)));
    let listed = all(bucket.client(), bucket.name(), "").await;
    assert_eq!(listed.len(), 1101);
    assert_eq!(listed.into_iter().filter(|key| key != "3").collect::<BTreeSet<_>>(), wanted);
    assert_eq!(all(bucket.client(), bucket.name(), "1/").await.len(), 367);
    let folders = bucket.client().list_objects_v2().bucket(bucket.name()).delimiter("/");
    let folders = folders.send().await.unwrap();
    let prefixes = folders.common_prefixes().iter().map(|it| it.prefix().unwrap());
    assert_eq!(prefixes.collect::<Vec<_>>(), ["0/", "1/", "2/"]);
    assert_eq!(folders.contents().iter().map(|it| it.key().unwrap()).collect::<Vec<_>>(), ["3"]);
}

async fn all(client: &Client, bucket: &str, prefix: &str) -> Vec<String> {
    let pages = client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(150);
    let mut pages = pages.into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.contents().len() <= 150);
        keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    keys
}

#[tokio::test]
async fn an_upload_in_parts_is_one_object_when_it_is_completed() {
    let bucket = fresh_bucket().await;
    let upload = Upload::new(&bucket, "large").await;
    let two = upload.part(2, b"the end".to_vec()).await;
    let one = upload.part(1, vec![7; PART]).await;
    assert_eq!(keys(&bucket).await, Vec::<String>::new());

    upload.complete([one, two]).await.unwrap();

    let bytes = get(&bucket, "large").await;
    assert_eq!((bytes.len(), &bytes[PART..]), (PART + 7, &b"the end"[..]));
    let head = bucket.client().head_object().bucket(bucket.name()).key("large").send().await;
    let head = head.unwrap();
    assert_eq!(head.content_type(), Some("text/large"));
    assert!(head.e_tag().unwrap().ends_with("-2\""), "{head:?}");
    assert_eq!(upload.open().await, Vec::<String>::new());
}

#[tokio::test]
async fn parts_that_are_too_small_missing_or_out_of_order_make_no_object() {
    let bucket = fresh_bucket().await;
    let upload = Upload::new(&bucket, "large").await;
    let one = upload.part(1, vec![7; PART - 1]).await;
    let two = upload.part(2, vec![7; 10]).await;

    let other = CompletedPart::builder().part_number(3).e_tag("\"none\"").build();
    assert_eq!(upload.complete([other.clone()]).await.unwrap_err(), "InvalidPart");
    for (parts, code) in [
        ([one.clone(), two.clone()], "EntityTooSmall"),
        ([two.clone(), one.clone()], "InvalidPartOrder"),
        ([two.clone(), other], "EntityTooSmall"),
    ] {
        assert_eq!(upload.complete(parts).await.unwrap_err(), code);
    }
    assert_eq!(keys(&bucket).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_that_is_aborted_leaves_nothing() {
    let bucket = fresh_bucket().await;
    let upload = Upload::new(&bucket, "large").await;
    let part = upload.part(1, vec![7; 10]).await;
    assert_eq!(upload.open().await, ["large"]);

    let abort = bucket.client().abort_multipart_upload().bucket(bucket.name()).key("large");
    abort.upload_id(&upload.id).send().await.unwrap();

    assert_eq!(upload.open().await, Vec::<String>::new());
    assert_eq!(upload.complete([part]).await.unwrap_err(), "NoSuchUpload");
}

struct Upload<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    id: String,
}

impl<'a> Upload<'a> {
    async fn new(bucket: &'a Bucket, key: &'a str) -> Upload<'a> {
        let created = bucket.client().create_multipart_upload().bucket(bucket.name()).key(key);
        let created = created.content_type("text/large").send().await.unwrap();
        Upload { bucket, key, id: created.upload_id.unwrap() }
    }

    async fn part(&self, number: i32, bytes: Vec<u8>) -> CompletedPart {
        let part = self.bucket.client().upload_part().bucket(self.bucket.name()).key(self.key);
        let part = part.upload_id(&self.id).part_number(number).body(bytes.into());
        let etag = part.send().await.unwrap().e_tag.unwrap();
        CompletedPart::builder().part_number(number).e_tag(etag).build()
    }

    /// The code of the error, if there is one.
    async fn complete(&self, parts: impl Into<Vec<CompletedPart>>) -> Result<(), String> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.into())).build();
        let complete = self.bucket.client().complete_multipart_upload().key(self.key);
        let complete = complete.bucket(self.bucket.name()).upload_id(&self.id);
        let done = complete.multipart_upload(parts).send().await;
        done.map(drop).map_err(|error| error.code().unwrap().to_owned())
    }

    /// The keys of uploads that are neither completed nor aborted.
    async fn open(&self) -> Vec<String> {
        let listed = self.bucket.client().list_multipart_uploads().bucket(self.bucket.name());
        let listed = listed.send().await.unwrap();
        listed.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
pub(crate) async fn what_is_written_to_a_bucket_is_in_no_other() {
    let (mine, yours) = (fresh_bucket().await, fresh_bucket().await);
    assert_ne!(mine.name(), yours.name());
    put(&mine, "a", b"mine".to_vec()).await;
    put(&mine, "a/b", b"below".to_vec()).await;
    put(&yours, "a", b"yours".to_vec()).await;

    assert_eq!(
        (get(&mine, "a").await, get(&yours, "a").await),
        (b"mine".to_vec(), b"yours".to_vec())
    );
    assert_eq!(keys(&mine).await, ["a", "a/b"]);
    assert_eq!(keys(&yours).await, ["a"]);
}

#[tokio::test]
async fn a_stopped_clock_does_not_matter() {
    tokio::time::pause();
    let bucket = fresh_bucket().await;
    tokio::time::resume();

    put(&bucket, "a", vec![]).await;
}

/// As many as a suite has, each on a runtime of its own; all 200 under full load.
#[test]
pub(crate) fn two_hundred_tests_meet_no_stranger() {
    let count = lab::load(32, 200);
    let test = |number: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bucket = fresh_bucket().await;
            put(&bucket, &number.to_string(), vec![]).await;
            assert_eq!(keys(&bucket).await, [number.to_string()]);
        });
    };
    // Sixteen at a time.
    std::thread::scope(|scope| {
        for lane in 0..16 {
            scope.spawn(move || (lane..count).step_by(16).for_each(test));
        }
    });
}

/// It would store, or read, something else than was asked for.
#[cfg(not(feature = "integration"))]
#[tokio::test]
async fn what_the_embedded_server_cannot_do_is_refused() {
    let bucket = fresh_bucket().await;
    let (client, name) = (bucket.client(), bucket.name());
    put(&bucket, "a", vec![]).await;
    let tag = "\"an etag\"";

    let put = || client.put_object().bucket(name).key("a");
    let get = || client.get_object().bucket(name).key("a");
    let codes = [
        put().if_match(tag).send().await.unwrap_err().code().map(str::to_owned),
        put().if_none_match(tag).send().await.unwrap_err().code().map(str::to_owned),
        put().tagging("a=b").send().await.unwrap_err().code().map(str::to_owned),
        get().if_none_match(tag).send().await.unwrap_err().code().map(str::to_owned),
        get().version_id("1").send().await.unwrap_err().code().map(str::to_owned),
        client
            .list_object_versions()
            .bucket(name)
            .send()
            .await
            .unwrap_err()
            .code()
            .map(str::to_owned),
    ];

    assert_eq!(codes.map(Option::unwrap), ["NotImplemented"; 6]);
}
