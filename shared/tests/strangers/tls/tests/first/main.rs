//! Servers and an engine that speak TLS and nothing else, as a project's own may.

mod front;

use std::path::Path;
use std::process::Command;

use front::{Behind, Certificates};
use url::Url;

/// Runs a test of this file in a run of its own, with these variables. Returns whether it passed,
/// and what it said.
fn with(part: &str, vars: &[(&str, &str)]) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", part, "--nocapture"]);
    test.env("TESTENV_DIR", dir.path()).envs(vars.iter().copied());
    // Ends when the last process of the run has ended.
    let output = test.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// The same, off the runtime that serves the front.
async fn of_a_project(part: &'static str, vars: &[(&'static str, String)]) -> (bool, String) {
    let vars = vars.to_vec();
    let played = tokio::task::spawn_blocking(move || {
        with(part, &vars.iter().map(|(var, value)| (*var, value.as_str())).collect::<Vec<_>>())
    });
    played.await.unwrap()
}

fn certificates() -> (Certificates, tempfile::TempDir) {
    let (certificates, dir) = (Certificates::new(), tempfile::tempdir().unwrap());
    certificates.write(dir.path());
    (certificates, dir)
}

fn authority(dir: &tempfile::TempDir) -> String {
    dir.path().join("ca.pem").display().to_string()
}

fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

/// The same address behind a front.
fn behind(url: &Url, scheme: &str, port: u16) -> String {
    let mut text = url.to_string();
    text.replace_range(..url.scheme().len(), scheme);
    text.replace(&place(url), &format!("localhost:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_whose_certificate_is_verified() {
    let (db, (certificates, dir)) = (testenv::fresh_db().await, certificates());
    let (_, of_others) = self::certificates();
    let mut url = Url::parse(&db.superuser_url()).unwrap();
    let port = certificates.front(Behind::Postgres(place(&url))).await;
    url.set_path("/postgres");
    let asking = |mode: &str, dir| {
        url.clone()
            .query_pairs_mut()
            .clear()
            .append_pair("sslmode", mode)
            .append_pair("sslrootcert", &authority(dir))
            .finish()
            .clone()
    };
    let given =
        |mode, dir| [("TESTENV_POSTGRES_URL", behind(&asking(mode, dir), "postgres", port))];

    for mode in ["require", "verify-full"] {
        let (passed, said) = of_a_project("postgres", &given(mode, &dir)).await;
        assert!(passed && said.contains("the server of TESTENV_POSTGRES_URL"), "{mode}: {said}");
    }
    let (passed, said) = of_a_project("postgres", &given("verify-full", &of_others)).await;
    assert!(!passed && said.contains("certificate"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_over_tls() {
    let (redis, (certificates, dir)) = (testenv::fresh_redis().await, certificates());
    let mut url = Url::parse(redis.url()).unwrap();
    let port = certificates.front(Behind::Tcp(place(&url))).await;
    url.set_path("");
    let url = ("TESTENV_REDIS_URL", behind(&url, "rediss", port));

    let (passed, said) =
        of_a_project("redis", &[url.clone(), ("SSL_CERT_FILE", authority(&dir))]).await;
    assert!(passed && said.contains("the server of TESTENV_REDIS_URL"), "{said}");
    let (passed, said) = of_a_project("redis", &[url]).await;
    assert!(!passed && said.contains("certificate"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_over_tls() {
    let (bucket, (certificates, dir)) = (testenv::fresh_bucket().await, certificates());
    let url = Url::parse(bucket.endpoint()).unwrap();
    let port = certificates.front(Behind::Tcp(place(&url))).await;
    let vars = [
        ("TESTENV_S3_ENDPOINT", format!("https://localhost:{port}")),
        ("SSL_CERT_FILE", authority(&dir)),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];

    let (passed, said) = of_a_project("s3", &vars).await;

    assert!(passed && said.contains("the server of TESTENV_S3_ENDPOINT"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_asks_for_a_certificate() {
    let (certificates, dir) = certificates();
    let socket = "/var/run/docker.sock".to_owned();
    let port = certificates.front(Behind::Engine(socket)).await;
    let vars = |keys: &Path| {
        [
            ("DOCKER_HOST", format!("tcp://localhost:{port}")),
            ("DOCKER_TLS_VERIFY", "1".to_owned()),
            ("DOCKER_CERT_PATH", keys.display().to_string()),
            ("TESTENV_PROVIDER", "docker".to_owned()),
        ]
    };

    let (passed, said) = of_a_project("redis", &vars(dir.path())).await;
    assert!(passed && said.contains("a container of"), "{said}");

    let nothing = tempfile::tempdir().unwrap();
    let (passed, said) = of_a_project("redis", &vars(nothing.path())).await;
    assert!(!passed && said.contains("no ca.pem in"), "{said}");
}

#[tokio::test]
async fn postgres() {
    let db = testenv::fresh_db().await;

    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(db.pool()).await.unwrap();

    assert_eq!(one, 1);
}

#[tokio::test]
async fn redis() {
    let redis = testenv::fresh_redis().await;
    let mut connection = redis.connection().await;

    let kept: String = redis::pipe()
        .set("a", "1")
        .ignore()
        .get("a")
        .query_async::<(String,)>(&mut connection)
        .await
        .unwrap()
        .0;

    assert_eq!(kept, "1");
}

#[tokio::test]
async fn s3() {
    let bucket = testenv::fresh_bucket().await;
    let put = bucket.client().put_object().bucket(bucket.name()).key("a");

    put.body(aws_sdk_s3::primitives::ByteStream::from_static(b"1")).send().await.unwrap();

    let got = bucket.client().get_object().bucket(bucket.name()).key("a").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes().as_ref(), b"1");
}
