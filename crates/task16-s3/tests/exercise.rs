//! Your tests. The README lists the requirements; `cargo course check task16` says which broken programs get past them.

use task16_s3::{Files, Head};

#[tokio::test]
async fn a_file_is_stored() {
    let bucket = testenv::fresh_bucket().await;
    let files = Files::new(bucket.client(), bucket.name());

    let answer = files.put("hello.txt", &Head::new("text/plain"), &b"hello"[..]).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// This test is green, and it would be green if `put` stored nothing.
// Begin with `files.get("hello.txt")`, and compare the whole file. Then take a larger one.
//
// Still to be tested:
//   R1   the bytes, for files of any size and sources of any kind
//   R2   the content type and the metadata, for small files and large ones
//   R3   the key, with any characters
//   R4   a missing file, and a missing bucket
//   R5   parts, from 5 MiB on
//   R6   put replaces the whole file, or changes nothing
//   R7   a put that failed leaves no upload
//   R8   … nor does a put that was dropped
//   R9   the listing, with more than 1000 keys
//   R10  delete
