#![doc = "[before]: ../task15_shared_broker/index.html\n[next]: ../task17_grpc/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod file;
mod upload;
mod faults;

use aws_sdk_s3::Client;
use testenv::fault;
use tokio::io::AsyncRead;

use upload::Upload;

pub use file::{Failure, File, Head};

/// A file of this size or larger is uploaded in parts.
const LARGE: usize = 5 * 1024 * 1024;

/// The files in a bucket. A clone is for the same bucket.
///
/// ```no_run
/// # use task16_s3::{Failure, Files, Head};
/// # async fn there_and_back() -> Result<(), Failure> {
/// let bucket = testenv::fresh_bucket().await;
/// let files = Files::new(bucket.client(), bucket.name());
///
/// files.put("a/b.csv", &Head::new("text/csv").with("author", "Ada"), &b"1;2"[..]).await?;
///
/// assert_eq!(files.get("a/b.csv").await?.bytes, b"1;2");
/// assert_eq!(files.list("a/").await?, ["a/b.csv"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    client: Client,
    bucket: String,
}

impl Files {
    /// Returns the files in a bucket, which must exist.
    pub fn new(client: &Client, bucket: &str) -> Files {
        Files { client: client.clone(), bucket: bucket.to_owned() }
    }

    /// Stores everything that `source` gives, up to its end, in place of the file that has the key.
    ///
    /// A file of 5 MiB or more is uploaded in parts, with one part at a time in memory, up to 10 000
    /// parts. Nobody sees the file before `put` returns `Ok`.
    ///
    /// # Errors
    ///
    /// [`Failure::Source`] if the source failed, and [`Failure::Store`] if the store refused a request.
    /// No file is changed then. If the answer of the store was lost, [`Failure::Store`] leaves open
    /// whether the file was replaced.
    pub async fn put(
        &self,
        key: &str,
        head: &Head,
        mut source: impl AsyncRead + Unpin,
    ) -> Result<(), Failure> {
        if fault!("old-file-removed-first") {
            self.delete(key).await?;
        }
        let key = &*faults::key(key);
        let first = upload::read_part(&mut source).await?;
        if first.len() < faults::large().unwrap_or(LARGE) {
            let put = self.client.put_object().bucket(&self.bucket).key(key);
            let put =
                put.content_type(&head.content_type).set_metadata(Some(head.metadata.clone()));
            return put.body(first.into()).send().await.map(drop).map_err(Failure::store);
        }
        let mut upload = Upload::begin(self, key, head).await?;
        let done = upload.finish(first, source).await;
        if let Err(cause) = &done {
            upload.abort(cause).await;
        }
        done
    }

    /// Returns the file with this key.
    ///
    /// # Errors
    ///
    /// [`Failure::NotFound`] if the bucket has no such file, and [`Failure::Store`].
    pub async fn get(&self, key: &str) -> Result<File, Failure> {
        let get = self.client.get_object().bucket(&self.bucket).key(&*faults::key(key));
        let object = get.send().await.map_err(|error| match faults::not_found(&error) {
            Some(true) => Failure::NotFound,
            Some(false) => Failure::store(error),
            None => Failure::of_get(error),
        })?;
        let head = Head {
            content_type: object.content_type.unwrap_or_default(),
            metadata: object.metadata.unwrap_or_default(),
        };
        let mut body = object.body;
        if fault!("first-chunk-only") {
            let chunk = body.next().await.transpose().map_err(Failure::store)?;
            return Ok(File { head, bytes: chunk.unwrap_or_default().to_vec() });
        }
        let bytes = body.collect().await.map_err(Failure::store)?.into_bytes();
        Ok(File { head, bytes: bytes.into() })
    }

    /// Returns the keys that begin with `prefix`, in the order of their bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::Store`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let list = self.client.list_objects_v2().bucket(&self.bucket);
        let mut pages = faults::list(list, prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Failure::store)?.contents.unwrap_or_default();
            let lost = usize::from(!keys.is_empty() && fault!("boundary-key-lost"));
            keys.extend(page.into_iter().skip(lost).filter_map(|object| object.key));
            if fault!("first-page-only") {
                break;
            }
        }
        Ok(faults::listed(keys, prefix))
    }

    /// Removes the file with this key. Without such a file, there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`Failure::Store`].
    pub async fn delete(&self, key: &str) -> Result<(), Failure> {
        if fault!("missing-file-not-deleted") {
            self.get(key).await?;
        }
        if fault!("deleted-by-prefix") {
            return faults::delete_all(self, key).await;
        }
        let delete = self.client.delete_object().bucket(&self.bucket).key(&*faults::key(key));
        delete.send().await.map(drop).map_err(Failure::store)
    }
}
