//! The faults of this task, and its other right programs. Think of your own faults before you look.

use std::borrow::Cow;
use std::future::pending;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::CompletedPart;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use testenv::fault;
use tokio::io::AsyncRead;
use tokio::time::timeout;

use crate::upload::{PART, Upload, read_part};
use crate::{Failure, Files, LARGE};

/// Less than the five seconds that R8 allows.
const LATE: Duration = Duration::from_millis(300);

/// Five megabytes: 4.77 MiB.
const MEGABYTES: usize = 5_000_000;

/// Returns the key that the bucket gets.
pub(crate) fn key(key: &str) -> Cow<'_, str> {
    if fault!("key-encoded") {
        return utf8_percent_encode(key, NON_ALPHANUMERIC).into();
    }
    key.into()
}

/// Returns another size from which on a file is uploaded in parts.
pub(crate) fn large() -> Option<usize> {
    if fault!("threshold-exclusive") {
        return Some(LARGE + 1);
    }
    if fault!("megabytes-for-mebibytes") {
        return Some(MEGABYTES);
    }
    None
}

/// Returns another size of the parts.
pub(crate) fn part_size() -> Option<usize> {
    if fault!("threshold-exclusive") {
        return Some(PART + 1);
    }
    if fault!("megabytes-for-mebibytes") {
        return Some(MEGABYTES);
    }
    if fault!("parts-of-8-mib") {
        return Some(8 * 1024 * 1024);
    }
    None
}

/// Sends all parts. The second part arrives first, so it gets the first number.
pub(crate) async fn overtaking(
    upload: &Upload,
    first: Vec<u8>,
    mut source: impl AsyncRead + Unpin,
) -> Result<Vec<CompletedPart>, Failure> {
    let (mut part, mut parts) = (first, Vec::new());
    while !part.is_empty() {
        parts.push(part);
        part = read_part(&mut source).await?;
    }
    // Only full parts: S3 itself refuses a short part that is not the last one.
    if parts.len() > 1 && parts[0].len() == parts[1].len() {
        parts.swap(0, 1);
    }
    let mut sent = Vec::new();
    for part in parts {
        sent.push(upload.send(sent.len() + 1, part).await?);
    }
    Ok(sent)
}

/// Sends all parts, two at the same time.
pub(crate) async fn two_at_a_time(
    upload: &Upload,
    first: Vec<u8>,
    mut source: impl AsyncRead + Unpin,
) -> Result<Vec<CompletedPart>, Failure> {
    let (mut one, mut parts) = (first, Vec::new());
    while !one.is_empty() {
        let (number, two) = (parts.len() + 1, read_part(&mut source).await?);
        if two.is_empty() {
            parts.push(upload.send(number, one).await?);
            break;
        }
        // Both end, also if one fails: a part that is still on its way would outlive the upload.
        let (one_sent, two_sent) =
            tokio::join!(upload.send(number, one), upload.send(number + 1, two));
        parts.extend([one_sent?, two_sent?]);
        one = read_part(&mut source).await?;
    }
    Ok(parts)
}

/// Whether an upload that failed stays in the store.
pub(crate) fn is_left_open(cause: &Failure) -> bool {
    match cause {
        Failure::Source(_) => fault!("left-open-by-a-source"),
        Failure::Store(_) => fault!("left-open-by-a-part"),
        Failure::NotFound => false,
    }
}

/// Lets a little time pass in the variant that aborts a dropped upload later.
pub(crate) async fn wait_a_little() {
    if fault!("aborts-a-little-later") {
        timeout(LATE, pending::<()>()).await.unwrap_or_default();
    }
}

/// Says whether the file is missing, if a fault has an opinion.
pub(crate) fn not_found(error: &SdkError<GetObjectError>) -> Option<bool> {
    if fault!("missing-is-untyped") {
        return Some(false);
    }
    if fault!("every-404-is-a-missing-file") {
        return Some(error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404));
    }
    None
}

/// Returns the request for the keys that begin with `prefix`.
pub(crate) fn list(list: ListObjectsV2FluentBuilder, prefix: &str) -> ListObjectsV2FluentBuilder {
    if fault!("prefix-anywhere") {
        return list;
    }
    let list = list.prefix(prefix);
    if fault!("pages-of-100") { list.max_keys(100) } else { list }
}

/// Removes all files whose keys begin with `key`.
pub(crate) async fn delete_all(files: &Files, key: &str) -> Result<(), Failure> {
    for key in files.list(key).await? {
        let delete = files.client.delete_object().bucket(&files.bucket).key(key);
        delete.send().await.map_err(Failure::store)?;
    }
    Ok(())
}

/// Returns the keys of a listing.
pub(crate) fn listed(mut keys: Vec<String>, prefix: &str) -> Vec<String> {
    if fault!("prefix-anywhere") {
        keys.retain(|key| key.contains(prefix));
    }
    keys
}
