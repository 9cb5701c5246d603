//! The parts that play with S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use testenv::Bucket;

use crate::{Held, held, nothing, runtime, say};

pub(crate) fn play(part: &str) -> Option<Held> {
    match part {
        "bucket" => return held(runtime().block_on(written())),
        "full bucket" => {
            let bucket = runtime().block_on(filled());
            say(bucket.name());
            return held(bucket);
        }
        "emptied bucket" => {
            let runtime = runtime();
            let bucket = runtime.block_on(filled());
            let (name, client) = (bucket.name().to_owned(), bucket.client().clone());
            drop(bucket);
            // The test goes on without its bucket.
            runtime.block_on(gone(&client, &name));
        }
        _ => return None,
    }
    nothing()
}

/// A bucket with an object in it.
async fn written() -> Bucket {
    let bucket = testenv::fresh_bucket().await;
    put(bucket.client(), bucket.name(), "written").await;
    bucket
}

/// A bucket with more than a page of objects, two versions of each, a delete marker, and an upload that nobody completes.
async fn filled() -> Bucket {
    let bucket = testenv::fresh_bucket().await;
    let (client, name) = (bucket.client(), bucket.name());
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versions = client.put_bucket_versioning().versioning_configuration(versions.build());
    versions.bucket(name).send().await.unwrap();
    let count: usize = std::env::var("OBJECTS").map_or(3, |count| count.parse().unwrap());
    let turn = std::sync::Arc::new(tokio::sync::Semaphore::new(16));
    let mut puts = tokio::task::JoinSet::new();
    for number in 0..count {
        let (client, name, turn) = (client.clone(), name.to_owned(), turn.clone());
        puts.spawn(async move {
            let _until_it_ends = turn.acquire().await.unwrap();
            put(&client, &name, &format!("object-{}", number / 2)).await;
        });
    }
    while let Some(put) = puts.join_next().await {
        put.unwrap();
    }
    client.delete_object().bucket(name).key("object-0").send().await.unwrap();
    let upload = client.create_multipart_upload().bucket(name).key("large").send().await.unwrap();
    let part = client.upload_part().bucket(name).key("large").part_number(1);
    let part = part.set_upload_id(upload.upload_id).body(b"a part".to_vec().into());
    part.send().await.unwrap();
    bucket
}

async fn put(client: &Client, bucket: &str, key: &str) {
    let put = client.put_object().bucket(bucket).key(key).body(key.as_bytes().to_vec().into());
    put.send().await.unwrap();
}

async fn gone(client: &Client, bucket: &str) {
    let is_there = async || match client.head_bucket().bucket(bucket).send().await {
        Ok(_) => Err("it is there"),
        Err(_) => Ok(()),
    };
    testenv::wait::until(std::time::Duration::from_secs(20), "the bucket's end", is_there)
        .await
        .unwrap();
}
