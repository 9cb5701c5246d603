//! What S3 says of the buckets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::buckets::Store;
use super::listing::{self, Asked};
use super::object::{Head, Object, bytes, head, output};
use super::upload::{self, Upload};

/// Of a page, unless a client asks for fewer.
const MOST: i32 = 1000;

/// Refuses a request that says more than this server can do: it would store or read something else
/// than was asked for.
macro_rules! only {
    ($input:ident: $($field:ident)*) => {
        $(
            if $input.$field.is_some() {
                return Err(s3_error!(
                    NotImplemented,
                    "the server of the plain tier knows no {}; run with --features integration",
                    stringify!($field)
                ));
            }
        )*
    };
}

fn ok<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

/// The size of a page that a client asks for.
fn most(asked: Option<i32>) -> S3Result<(i32, usize)> {
    let most = asked.unwrap_or(MOST).min(MOST);
    let count = usize::try_from(most);
    count.map(|count| (most, count)).map_err(|_| s3_error!(InvalidArgument, "it is negative"))
}

fn count(of: usize) -> Option<i32> {
    i32::try_from(of).ok()
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        if self.lock().contains_key(&req.input.bucket) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        self.create(&req.input.bucket);
        ok(CreateBucketOutput::default())
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.with(&req.input.bucket, |_| ok(HeadBucketOutput::default()))
    }

    async fn list_buckets(
        &self,
        _: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let names = self.lock().keys().cloned().collect::<Vec<_>>();
        let bucket = |name| Bucket { name: Some(name), ..Default::default() };
        let buckets = Some(names.into_iter().map(bucket).collect());
        ok(ListBucketsOutput { buckets, ..Default::default() })
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.with(&req.input.bucket, |bucket| match bucket.objects.is_empty() {
            true => Ok(()),
            false => Err(s3_error!(BucketNotEmpty)),
        })?;
        self.forget(&req.input.bucket);
        ok(DeleteBucketOutput::default())
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = req.input;
        only!(input: if_match tagging acl storage_class server_side_encryption sse_customer_algorithm
            expires website_redirect_location object_lock_mode object_lock_legal_hold_status);
        let object = Object::new(bytes(input.body.take()).await?, head!(input));
        let e_tag = object.etag();
        let only_new = input.if_none_match.as_ref();
        self.with(&input.bucket, |bucket| bucket.put(&input.key, object, only_new))?;
        ok(PutObjectOutput { e_tag, ..Default::default() })
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        only!(input: if_match if_none_match if_modified_since if_unmodified_since version_id part_number
            sse_customer_algorithm);
        let object = self.object(&input.bucket, &input.key)?;
        let (bytes, place) = object.read(input.range)?;
        let mut output = output!(GetObjectOutput, object, bytes, place);
        output.body = Some(s3s::Body::from(bytes).into());
        ok(output)
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        only!(input: if_match if_none_match if_modified_since if_unmodified_since version_id part_number
            sse_customer_algorithm);
        let object = self.object(&input.bucket, &input.key)?;
        let (bytes, place) = object.read(input.range)?;
        ok(output!(HeadObjectOutput, object, bytes, place))
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        only!(input: copy_source_if_match copy_source_if_none_match copy_source_if_modified_since
            copy_source_if_unmodified_since tagging_directive tagging acl storage_class
            server_side_encryption sse_customer_algorithm copy_source_sse_customer_algorithm expires
            website_redirect_location);
        let CopySource::Bucket { bucket, key, version_id: None } = &input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let from = self.object(bucket, key)?;
        let replaces = input.metadata_directive.as_ref();
        let replaces = replaces.is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
        let head = if replaces { head!(input) } else { from.head.clone() };
        let copy = Object::with_etag(from.bytes.clone(), head, from.etag.clone());
        let result = CopyObjectResult {
            e_tag: copy.etag(),
            last_modified: Some(copy.modified.clone()),
            ..Default::default()
        };
        self.with(&input.bucket, |bucket| bucket.put(&input.key, copy, None))?;
        ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        only!(input: version_id if_match if_match_last_modified_time if_match_size);
        self.with(&input.bucket, |bucket| {
            bucket.objects.remove(&input.key); // S3 is content if there was none
            ok(DeleteObjectOutput::default())
        })
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let delete = req.input.delete;
        for object in &delete.objects {
            only!(object: version_id e_tag last_modified_time size);
        }
        self.with(&req.input.bucket, |bucket| {
            for object in &delete.objects {
                bucket.objects.remove(&object.key);
            }
            let deleted = |object: ObjectIdentifier| DeletedObject {
                key: Some(object.key),
                ..Default::default()
            };
            let deleted = (!delete.quiet.unwrap_or_default())
                .then(|| delete.objects.into_iter().map(deleted).collect());
            ok(DeleteObjectsOutput { deleted, ..Default::default() })
        })
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let (max_keys, most) = most(input.max_keys)?;
        self.with(&input.bucket, |bucket| {
            let page = listing::page(
                &bucket.objects,
                &Asked {
                    prefix: input.prefix.as_deref().unwrap_or_default(),
                    delimiter: input.delimiter.as_deref(),
                    after: input.continuation_token.as_deref().or(input.start_after.as_deref()),
                    most,
                },
            );
            let object = |(key, object): &(&str, &Arc<Object>)| s3s::dto::Object {
                key: Some((*key).to_owned()),
                size: Some(object.size()),
                e_tag: object.etag(),
                last_modified: Some(object.modified.clone()),
                ..Default::default()
            };
            let prefix = |prefix: &&str| CommonPrefix { prefix: Some((*prefix).to_owned()) };
            ok(ListObjectsV2Output {
                key_count: count(page.keys.len() + page.prefixes.len()),
                contents: Some(page.keys.iter().map(object).collect()),
                common_prefixes: Some(page.prefixes.iter().map(prefix).collect()),
                is_truncated: Some(page.next.is_some()),
                next_continuation_token: page.next.map(str::to_owned),
                continuation_token: input.continuation_token.clone(),
                max_keys: Some(max_keys),
                name: Some(input.bucket.clone()),
                prefix: input.prefix.clone(),
                delimiter: input.delimiter.clone(),
                start_after: input.start_after.clone(),
                ..Default::default()
            })
        })
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let input = req.input;
        only!(input: tagging acl storage_class server_side_encryption sse_customer_algorithm expires
            website_redirect_location object_lock_mode object_lock_legal_hold_status);
        let id = format!("upload-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let upload = Upload::new(input.key.clone(), head!(input));
        self.with(&input.bucket, |bucket| Ok(bucket.uploads.insert(id.clone(), upload)))?;
        ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = req.input;
        only!(input: sse_customer_algorithm);
        let part = Object::new(bytes(input.body.take()).await?, Head::default());
        let e_tag = part.etag();
        self.with(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?.part(input.part_number, part)
        })?;
        ok(UploadPartOutput { e_tag, ..Default::default() })
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let parts = self.with(&input.bucket, |bucket| {
            let part = |(number, part): (&i32, &Arc<Object>)| Part {
                part_number: Some(*number),
                size: Some(part.size()),
                e_tag: part.etag(),
                last_modified: Some(part.modified.clone()),
                ..Default::default()
            };
            Ok(bucket.upload(&input.key, &input.upload_id)?.parts.iter().map(part).collect())
        })?;
        ok(ListPartsOutput {
            parts: Some(parts),
            is_truncated: Some(false),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let uploads = self.with(&input.bucket, |bucket| {
            let wanted = bucket.uploads.iter().filter(|(_, it)| it.key.starts_with(&prefix));
            let upload = |(id, upload): (&String, &Upload)| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some(id.clone()),
                initiated: Some(upload.since.clone()),
                ..Default::default()
            };
            Ok(wanted.map(upload).collect())
        })?;
        ok(ListMultipartUploadsOutput {
            uploads: Some(uploads),
            is_truncated: Some(false),
            bucket: Some(input.bucket),
            prefix: input.prefix,
            ..Default::default()
        })
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        only!(input: if_match);
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (parts, head) = self.with(&input.bucket, |bucket| {
            let upload = bucket.upload(&input.key, &input.upload_id)?;
            Ok((upload.chosen(&parts)?, upload.head.clone()))
        })?;
        let object = upload::join(&parts, head);
        let e_tag = object.etag();
        self.with(&input.bucket, |bucket| {
            // Nobody completed it or aborted it meanwhile.
            bucket.upload(&input.key, &input.upload_id)?;
            bucket.put(&input.key, object, input.if_none_match.as_ref())?;
            bucket.uploads.remove(&input.upload_id);
            Ok(())
        })?;
        ok(CompleteMultipartUploadOutput {
            e_tag,
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..Default::default()
        })
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        self.with(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?;
            bucket.uploads.remove(&input.upload_id);
            ok(AbortMultipartUploadOutput::default())
        })
    }
}
