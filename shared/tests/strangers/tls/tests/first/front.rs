//! Something that speaks TLS in front of a server that does not.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// What a front stands before.
#[derive(Clone)]
pub(crate) enum Behind {
    /// A server at `host:port` whose clients speak TLS from their first byte on.
    Tcp(String),
    /// PostgreSQL at `host:port`: its clients first ask whether TLS is spoken.
    Postgres(String),
    /// The Docker engine at this socket.
    Engine(String),
}

/// An authority, and a certificate for `localhost` that it signed.
pub(crate) struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    own: (rcgen::Certificate, KeyPair),
}

impl Certificates {
    pub(crate) fn new() -> Certificates {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let own = params.signed_by(&key, &authority).unwrap();
        Certificates { authority, own: (own, key) }
    }

    /// Writes them under the names by which `docker` knows them.
    pub(crate) fn write(&self, dir: &Path) {
        std::fs::write(dir.join("ca.pem"), self.authority.pem()).unwrap();
        std::fs::write(dir.join("cert.pem"), self.own.0.pem()).unwrap();
        std::fs::write(dir.join("key.pem"), self.own.1.serialize_pem()).unwrap();
    }

    /// Listens on a port of this machine. Clients of an engine have to show a certificate.
    pub(crate) async fn front(&self, behind: Behind) -> u16 {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let config = ServerConfig::builder();
        let config = match &behind {
            Behind::Engine(_) => config.with_client_cert_verifier(
                WebPkiClientVerifier::builder(roots.into()).build().unwrap(),
            ),
            _ => config.with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(self.own.1.serialize_der()).unwrap();
        let config = config.with_single_cert(vec![self.own.0.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, acceptor.clone(), behind.clone()));
            }
        });
        port
    }
}

/// A client that speaks no TLS gets no answer that it understands.
async fn serve(mut client: TcpStream, acceptor: TlsAcceptor, behind: Behind) {
    if matches!(behind, Behind::Postgres(_)) {
        let mut request = [0; 8];
        client.read_exact(&mut request).await.ok();
        client.write_all(b"S").await.ok();
    }
    let Ok(client) = acceptor.accept(client).await else { return };
    match behind {
        Behind::Tcp(place) | Behind::Postgres(place) => {
            join(client, TcpStream::connect(place).await.unwrap()).await;
        }
        Behind::Engine(socket) => join(client, UnixStream::connect(socket).await.unwrap()).await,
    }
}

async fn join(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
) {
    copy_bidirectional(&mut client, &mut server).await.ok();
}
