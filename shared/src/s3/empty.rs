//! Removes a bucket with everything in it.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::words::words;

/// Removes objects, versions, delete markers, unfinished multipart uploads, and the bucket. A bucket
/// that is not there is no error.
pub(super) async fn remove(client: &Client, bucket: &str) -> Result<(), String> {
    // Nobody uses the bucket any more, so that nothing is added between these steps.
    let emptied = async {
        uploads(client, bucket).await?;
        versions(client, bucket).await?;
        client.delete_bucket().bucket(bucket).send().await.map(drop).map_err(Refused::of)
    };
    match emptied.await {
        Err(Refused { code, .. }) if code.as_deref() == Some("NoSuchBucket") => Ok(()),
        done => done.map_err(|refused| refused.words),
    }
}

/// What the server said.
struct Refused {
    code: Option<String>,
    words: String,
}

impl Refused {
    fn of<E>(error: SdkError<E>) -> Refused
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
        Refused { code, words: words(&error) }
    }

    fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

async fn uploads(client: &Client, bucket: &str) -> Result<(), Refused> {
    let mut last = None;
    loop {
        let page = client.list_multipart_uploads().bucket(bucket).send().await;
        let page = match page.map_err(Refused::of) {
            Err(refused) if refused.is("NotImplemented") => return Ok(()),
            page => page?,
        };
        for upload in page.uploads() {
            let abort = client.abort_multipart_upload().bucket(bucket);
            let aborted = abort
                .set_key(upload.key().map(str::to_owned))
                .set_upload_id(upload.upload_id().map(str::to_owned));
            match aborted.send().await.map_err(Refused::of) {
                Err(refused) if !refused.is("NoSuchUpload") => return Err(refused),
                _ => {}
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        let first = page.uploads().first();
        last =
            another(first.and_then(|it| Some(format!("{}?{}", it.key()?, it.upload_id()?))), last)?;
    }
}

async fn versions(client: &Client, bucket: &str) -> Result<(), Refused> {
    let mut last = None;
    loop {
        let page = client.list_object_versions().bucket(bucket).send().await;
        let page = match page.map_err(Refused::of) {
            // A server without versions.
            Err(refused) if refused.is("NotImplemented") => return objects(client, bucket).await,
            page => page?,
        };
        let versions = page.versions().iter().map(|it| (it.key(), it.version_id()));
        let markers = page.delete_markers().iter().map(|it| (it.key(), it.version_id()));
        let first = delete(client, bucket, versions.chain(markers)).await?;
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        last = another(first, last)?;
    }
}

async fn objects(client: &Client, bucket: &str) -> Result<(), Refused> {
    let mut last = None;
    loop {
        let page = client.list_objects_v2().bucket(bucket).send().await.map_err(Refused::of)?;
        let objects = page.contents().iter().map(|it| (it.key(), None));
        let first = delete(client, bucket, objects).await?;
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        last = another(first, last)?;
    }
}

/// The first entry of a page that is followed by others. Fails if the page before it began with the
/// same: what the server keeps would be listed for ever.
///
/// Each page is the first one of those that are left. The server would begin the next one after an entry that is
/// removed by then, and LocalStack 4.12 skips some entries there if several clients wrote at once.
fn another(first: Option<String>, last: Option<String>) -> Result<Option<String>, Refused> {
    match first {
        Some(first) if Some(&first) != last.as_ref() => Ok(Some(first)),
        first => Err(Refused {
            code: None,
            words: format!("{}: it stays", first.as_deref().unwrap_or("a page without entries")),
        }),
    }
}

/// Deletes up to 1000 objects, as many as a page has. Returns the first one's name.
async fn delete(
    client: &Client,
    bucket: &str,
    objects: impl Iterator<Item = (Option<&str>, Option<&str>)>,
) -> Result<Option<String>, Refused> {
    let id = |(key, version): (Option<&str>, Option<&str>)| {
        let version = version.map(str::to_owned);
        ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok()
    };
    let ids: Vec<ObjectIdentifier> = objects.filter_map(id).collect();
    let Some(first) = ids.first() else { return Ok(None) };
    let first = format!("{}?{}", first.key(), first.version_id().unwrap_or_default());
    let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build();
    let delete = delete.map_err(|error| Refused { code: None, words: error.to_string() })?;
    let deleted = client.delete_objects().bucket(bucket).delete(delete).send().await;
    match deleted.map_err(Refused::of)?.errors().first() {
        None => Ok(Some(first)),
        Some(error) => Err(Refused {
            code: error.code().map(str::to_owned),
            words: format!(
                "{}: {}",
                error.key().unwrap_or_default(),
                error.message().or(error.code()).unwrap_or("it stays")
            ),
        }),
    }
}

#[cfg(test)]
mod tests;
