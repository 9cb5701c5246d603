//! One use of the feature `s3` on the lowest versions.

#[tokio::test]
async fn a_file_is_read_as_it_was_written() {
    let bucket = testenv::fresh_bucket().await;
    let (s3, name) = (bucket.client(), bucket.name());

    s3.put_object().bucket(name).key("plan").body(b"north".to_vec().into()).send().await.unwrap();
    let got = s3.get_object().bucket(name).key("plan").send().await.unwrap();

    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"north");
}
