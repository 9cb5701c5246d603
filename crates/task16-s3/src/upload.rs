//! Uploads in parts.
//!
//! Invariant: an upload ends in one of three ways. It is completed; it is aborted because it failed;
//! or it is dropped, and a task of the runtime aborts it. S3 keeps the parts of any other upload, and
//! nobody sees them in a listing.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use testenv::fault;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;

use crate::{Failure, Files, Head, faults};

/// S3 allows no smaller part, except for the last one.
pub(crate) const PART: usize = 5 * 1024 * 1024;

/// An upload that S3 knows.
pub(crate) struct Upload {
    files: Files,
    key: String,
    id: String,
    is_open: bool,
}

/// Reads the next part. It is shorter than the others at the end of the source, and then empty.
pub(crate) async fn read_part(source: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Failure> {
    let size = faults::part_size().unwrap_or(PART);
    let mut part = Vec::with_capacity(size);
    let mut source = source.take(size as u64);
    let read = if fault!("short-read-is-the-end") {
        source.read_buf(&mut part).await
    } else {
        source.read_to_end(&mut part).await
    };
    match read {
        Err(error) if !fault!("broken-source-is-the-end") => Err(Failure::Source(error)),
        _ => Ok(part),
    }
}

impl Upload {
    /// The content type and the metadata belong to the first request: no later one takes them.
    pub(crate) async fn begin(files: &Files, key: &str, head: &Head) -> Result<Upload, Failure> {
        let Head { content_type, metadata } = head.clone();
        let mut create = files.client.create_multipart_upload().bucket(&files.bucket).key(key);
        if !fault!("type-lost-in-parts") {
            create = create.content_type(content_type);
        }
        if !fault!("metadata-lost-in-parts") {
            create = create.set_metadata(Some(metadata));
        }
        let (files, key) = (files.clone(), key.to_owned());
        // In a task of its own, which goes on if the caller gives up: otherwise S3 could have created
        // an upload whose id nobody knows. The task then drops the upload.
        let begun = tokio::spawn(async move {
            let created = create.send().await.map_err(Failure::store)?;
            let id = created.upload_id.expect("S3 names the upload that it created");
            Ok(Upload { files, key, id, is_open: true })
        });
        begun.await.expect("the task neither panics nor ends before its runtime")
    }

    /// Sends all parts, and makes them a file.
    pub(crate) async fn finish(
        &mut self,
        first: Vec<u8>,
        mut source: impl AsyncRead + Unpin,
    ) -> Result<(), Failure> {
        if fault!("two-parts-at-a-time") {
            let parts = faults::two_at_a_time(self, first, source).await?;
            return self.complete(parts).await;
        }
        if fault!("parts-overtake") {
            let parts = faults::overtaking(self, first, source).await?;
            return self.complete(parts).await;
        }
        let (mut part, mut parts) = (first, Vec::new());
        while !part.is_empty() {
            if part.len() < PART && fault!("rest-dropped") {
                break;
            }
            parts.push(self.send(parts.len() + 1, part).await?);
            part = read_part(&mut source).await?;
        }
        self.complete(parts).await
    }

    /// Sends a part. The number decides the part's place in the file.
    pub(crate) async fn send(
        &self,
        number: usize,
        part: Vec<u8>,
    ) -> Result<CompletedPart, Failure> {
        if fault!("part-sent-again")
            && let Ok(sent) = self.send_once(number, part.clone()).await
        {
            return Ok(sent);
        }
        self.send_once(number, part).await
    }

    async fn send_once(&self, number: usize, part: Vec<u8>) -> Result<CompletedPart, Failure> {
        let number = i32::try_from(number).expect("memory ends before the numbers");
        let send = self.files.client.upload_part().bucket(&self.files.bucket).key(&self.key);
        let send = send.upload_id(&self.id).part_number(number).body(part.into());
        let sent = send.send().await.map_err(Failure::store)?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
    }

    async fn complete(&mut self, mut parts: Vec<CompletedPart>) -> Result<(), Failure> {
        parts.sort_by_key(CompletedPart::part_number); // S3 refuses any other order
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.files.client.complete_multipart_upload().bucket(&self.files.bucket);
        let complete = complete.key(&self.key).upload_id(&self.id).multipart_upload(parts);
        complete.send().await.map_err(Failure::store)?;
        self.is_open = false;
        Ok(())
    }

    /// Returns when S3 has forgotten the upload.
    pub(crate) async fn abort(mut self, cause: &Failure) {
        if !faults::is_left_open(cause) {
            abort(&self.files, &self.key, &self.id).await;
        }
        self.is_open = false;
    }
}

/// The caller gave up in the middle of `put`, for example at a time limit.
impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_open || fault!("left-open-when-dropped") {
            return;
        }
        // Without a runtime nothing can be sent any more.
        let Ok(runtime) = Handle::try_current() else { return };
        let (files, key, id) = (self.files.clone(), self.key.clone(), self.id.clone());
        runtime.spawn(async move {
            faults::wait_a_little().await;
            abort(&files, &key, &id).await;
        });
    }
}

async fn abort(files: &Files, key: &str, id: &str) {
    let abort = files.client.abort_multipart_upload().bucket(&files.bucket).key(key);
    abort.upload_id(id).send().await.ok(); // the caller knows a failure that says more
}
