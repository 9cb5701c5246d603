//! A server that lists three entries a page, and from a marker that is gone only what comes after
//! the entry behind it. It stands for LocalStack after concurrent writes, which happens too rarely
//! for a test.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::super::client::{Identity, client};
use super::remove;

const PAGE: usize = 3;

#[derive(Clone, Default)]
struct Skipping {
    bucket: Arc<Mutex<Bucket>>,
}

#[derive(Default)]
struct Bucket {
    versions: Vec<String>,
    uploads: Vec<String>,
    knows_versions: bool,
    /// It says that it has deleted objects, and keeps them.
    keeps: bool,
}

impl Skipping {
    fn with<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        act(&mut self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A page, and whether more entries follow it.
fn page(entries: &[String], marker: Option<&String>) -> (Vec<String>, bool) {
    let skipped = match marker {
        None => 0,
        Some(marker) => {
            let next = entries.iter().position(|entry| entry > marker).unwrap_or(entries.len());
            next + usize::from(!entries.contains(marker))
        }
    };
    let rest = entries.get(skipped..).unwrap_or_default();
    (rest.iter().take(PAGE).cloned().collect(), rest.len() > PAGE)
}

#[async_trait::async_trait]
impl S3 for Skipping {
    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        if !self.with(|bucket| bucket.knows_versions) {
            return Err(s3_error!(NotImplemented));
        }
        let (keys, more) = self.with(|it| page(&it.versions, req.input.key_marker.as_ref()));
        let last = keys.last().cloned().filter(|_| more);
        let version = |key| ObjectVersion {
            key: Some(key),
            version_id: Some("1".to_owned()),
            ..Default::default()
        };
        Ok(S3Response::new(ListObjectVersionsOutput {
            versions: Some(keys.into_iter().map(version).collect()),
            is_truncated: Some(more),
            next_version_id_marker: last.as_ref().map(|_| "1".to_owned()),
            next_key_marker: last,
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let token = req.input.continuation_token;
        let (keys, more) = self.with(|it| page(&it.versions, token.as_ref()));
        let last = keys.last().cloned().filter(|_| more);
        let object = |key| Object { key: Some(key), ..Default::default() };
        Ok(S3Response::new(ListObjectsV2Output {
            contents: Some(keys.into_iter().map(object).collect()),
            is_truncated: Some(more),
            next_continuation_token: last,
            ..Default::default()
        }))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let named = |entry: &String| req.input.delete.objects.iter().any(|it| it.key == *entry);
        self.with(|it| it.versions.retain(|entry| it.keeps || !named(entry)));
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let (keys, more) = self.with(|it| page(&it.uploads, req.input.key_marker.as_ref()));
        let last = keys.last().cloned().filter(|_| more);
        let upload = |key| MultipartUpload {
            key: Some(key),
            upload_id: Some("1".to_owned()),
            ..Default::default()
        };
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(keys.into_iter().map(upload).collect()),
            is_truncated: Some(more),
            next_upload_id_marker: last.as_ref().map(|_| "1".to_owned()),
            next_key_marker: last,
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.with(|it| it.uploads.retain(|key| *key != req.input.key));
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn delete_bucket(
        &self,
        _: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        match self.with(|it| it.versions.len() + it.uploads.len()) {
            0 => Ok(S3Response::new(DeleteBucketOutput::default())),
            _ => Err(s3_error!(BucketNotEmpty)),
        }
    }
}

async fn removed(bucket: Bucket) -> Result<(), String> {
    let store = Skipping { bucket: Arc::new(Mutex::new(bucket)) };
    let mut service = S3ServiceBuilder::new(store);
    let ours = Identity::ours();
    service.set_auth(SimpleAuth::from_single(ours.key, ours.secret));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection);
        }
    });
    remove(&client(&endpoint, &Identity::ours()), "bucket").await
}

fn eight() -> Vec<String> {
    (0..8).map(|number| format!("entry-{number}")).collect()
}

#[tokio::test]
async fn no_version_is_skipped_because_the_one_before_it_is_removed() {
    let bucket = Bucket { versions: eight(), knows_versions: true, ..Bucket::default() };
    removed(bucket).await.unwrap();
}

#[tokio::test]
async fn no_object_of_a_server_without_versions_is_skipped() {
    removed(Bucket { versions: eight(), ..Bucket::default() }).await.unwrap();
}

#[tokio::test]
async fn no_unfinished_upload_is_skipped() {
    let bucket = Bucket { uploads: eight(), knows_versions: true, ..Bucket::default() };
    removed(bucket).await.unwrap();
}

#[tokio::test]
async fn what_a_server_only_says_to_have_deleted_is_named_and_not_listed_for_ever() {
    for knows_versions in [true, false] {
        let bucket = Bucket { versions: eight(), knows_versions, keeps: true, ..Bucket::default() };
        let refused = removed(bucket).await.unwrap_err();
        assert!(refused.starts_with("entry-0"), "{refused}");
    }
}
