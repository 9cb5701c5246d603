//! The server of the plain tier: in this process, on loopback, in memory.
//!
//! `s3s` speaks the protocol, and [`Store`] keeps the objects. The storage of `s3s-fs` would not
//! do: it keeps files, which a killed process leaves; it removes a bucket that is not empty; it does
//! not list multipart uploads; and it cannot hold `a` beside `a/b`.

mod buckets;
mod listing;
mod object;
mod store;
mod upload;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;

use aws_sdk_s3::Client;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

use super::client::{Identity, client};
use super::name::unique;
use crate::provider::announce;
use crate::verdict::Told;
use crate::{Error, Heading};
use buckets::Store;

struct Server {
    endpoint: String,
    store: Store,
}

static SERVER: OnceLock<Result<Server, Error>> = OnceLock::new();

/// Creates a bucket. Returns a client for the test, the endpoint and the bucket's name.
#[expect(clippy::unused_async, reason = "with a real server it waits")]
pub(super) async fn make(test: &str) -> Result<(Client, String, String), Error> {
    let server = SERVER.get_or_init(start).as_ref().map_err(Clone::clone)?;
    // The server is of this process only, so its number is token enough.
    let name = unique(test, "plain");
    server.store.create(&name);
    Ok((client(&server.endpoint, &Identity::ours()), server.endpoint.clone(), name))
}

/// Removes the bucket of a test that has passed.
pub(super) fn let_go(name: &str) {
    if let Some(Ok(server)) = SERVER.get() {
        server.store.forget(name);
    }
}

/// Says that a failed test's bucket cannot be read: the server ends with the process.
pub(super) fn told(name: &str, _endpoint: &str) -> Told {
    let stays = format!("bucket {name} is gone with its server, which ran in this process");
    let more = vec!["use a server that keeps it: add --features integration".to_owned()];
    Told { stays, open: None, more }
}

fn start() -> Result<Server, Error> {
    let failed = |cause: std::io::Error| {
        Error::under(Heading::Start, "the S3 server did not start").cause(cause)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let endpoint = format!("http://{}", listener.local_addr().map_err(failed)?);
    listener.set_nonblocking(true).map_err(failed)?;
    let store = Store::default();
    let mut service = S3ServiceBuilder::new(store.clone());
    let ours = Identity::ours();
    service.set_auth(SimpleAuth::from_single(ours.key, ours.secret));
    let service = service.build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    std::thread::Builder::new()
        .name("testenv-s3".into())
        .spawn(move || runtime.block_on(serve(listener, service)))
        .map_err(failed)?;
    announce(
        "s3",
        "embedded, a server in this process that stores in memory (the feature `integration` is off)",
    );
    Ok(Server { endpoint, store })
}

/// Serves until the process ends.
async fn serve(listener: TcpListener, service: S3Service) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        // A client that went away again is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let service = service.clone();
        tokio::spawn(async move {
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok(); // the client sees its end
        });
    }
}
