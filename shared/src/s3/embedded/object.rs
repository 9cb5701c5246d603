//! Objects: bytes, and what is said of them.

use std::sync::Arc;
use std::time::SystemTime;

use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{Body, S3Result, s3_error};

/// An object that is complete. It does not change any more: another one takes its place.
pub(super) struct Object {
    pub(super) bytes: bytes::Bytes,
    pub(super) head: Head,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
}

/// What a client says of an object's bytes.
#[derive(Clone, Default)]
pub(super) struct Head {
    pub(super) content_type: Option<ContentType>,
    pub(super) content_encoding: Option<ContentEncoding>,
    pub(super) content_disposition: Option<ContentDisposition>,
    pub(super) content_language: Option<ContentLanguage>,
    pub(super) cache_control: Option<CacheControl>,
    pub(super) metadata: Option<Metadata>,
}

/// The [`Head`] of a request or of an answer: they name its fields alike.
macro_rules! head {
    ($of:expr) => {
        $crate::s3::embedded::object::Head {
            content_type: $of.content_type.clone(),
            content_encoding: $of.content_encoding.clone(),
            content_disposition: $of.content_disposition.clone(),
            content_language: $of.content_language.clone(),
            cache_control: $of.cache_control.clone(),
            metadata: $of.metadata.clone(),
        }
    };
}
pub(super) use head;

/// What is said of an object whose `$bytes` are asked for, with their `$place` in the whole.
macro_rules! output {
    ($Output:ident, $object:expr, $bytes:expr, $place:expr) => {{
        let head = $object.head.clone();
        $Output {
            content_length: Some($crate::s3::embedded::object::size(&$bytes)),
            content_range: $place,
            accept_ranges: Some("bytes".to_owned()),
            last_modified: Some($object.modified.clone()),
            e_tag: $object.etag(),
            content_type: head.content_type,
            content_encoding: head.content_encoding,
            content_disposition: head.content_disposition,
            content_language: head.content_language,
            cache_control: head.cache_control,
            metadata: head.metadata,
            ..Default::default()
        }
    }};
}
pub(super) use output;

impl Object {
    pub(super) fn new(bytes: bytes::Bytes, head: Head) -> Arc<Object> {
        let etag = hex(&Md5::digest(&bytes));
        Object::with_etag(bytes, head, etag)
    }

    pub(super) fn with_etag(bytes: bytes::Bytes, head: Head, etag: String) -> Arc<Object> {
        Arc::new(Object { bytes, head, etag, modified: now() })
    }

    pub(super) fn etag(&self) -> Option<ETag> {
        Some(ETag::Strong(self.etag.clone()))
    }

    pub(super) fn size(&self) -> i64 {
        size(&self.bytes)
    }

    /// What is sent: all of it, or a range with its place in the whole.
    pub(super) fn read(&self, range: Option<Range>) -> S3Result<(bytes::Bytes, Option<String>)> {
        let Some(range) = range else { return Ok((self.bytes.clone(), None)) };
        let whole = self.bytes.len();
        let range = range.check(whole as u64)?;
        let place = format!("bytes {}-{}/{whole}", range.start, range.end - 1);
        let index = |at| usize::try_from(at).expect("it is not beyond the end");
        Ok((self.bytes.slice(index(range.start)..index(range.end)), Some(place)))
    }
}

/// All bytes of a request.
pub(super) async fn bytes(body: Option<StreamingBlob>) -> S3Result<bytes::Bytes> {
    let Some(body) = body else { return Ok(bytes::Bytes::new()) };
    let stored = Body::from(body).store_all_limited(usize::MAX).await;
    stored.map_err(|cause| s3_error!(IncompleteBody, "{cause}"))
}

pub(super) fn size(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).expect("it is in memory")
}

#[expect(clippy::disallowed_methods, reason = "S3 tells its clients the time of the wall clock")]
pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
