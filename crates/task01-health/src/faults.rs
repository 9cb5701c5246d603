//! The faults of this task, and its other right programs. Think of your own faults before you look.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get};
use axum::serve::Listener;
use serde_json::{Value, json};
use testenv::fault;
use tokio::net::{TcpListener, TcpStream};

/// Returns replacement routes if a fault that changes the routes is on.
pub(crate) fn router() -> Option<Router> {
    if fault!("any-method") {
        return Some(Router::new().route("/health", any(crate::health)));
    }
    if fault!("catch-all") {
        return Some(Router::new().route("/health", get(crate::health)).fallback(crate::health));
    }
    None
}

/// Returns a replacement response if a fault or a variant that changes the response is on.
pub(crate) fn health() -> Option<Response> {
    if fault!("accepted") {
        return Some((StatusCode::ACCEPTED, Json(json!({ "ok": true }))).into_response());
    }
    if fault!("text-plain") {
        return Some(json!({ "ok": true }).to_string().into_response());
    }
    if fault!("text-json") {
        return Some(typed("text/json", json!({ "ok": true }).to_string()));
    }
    if fault!("ok-as-a-string") {
        return Some(json_of(&json!({ "ok": "true" })));
    }
    if fault!("ok-false") {
        return Some(json_of(&json!({ "ok": false })));
    }
    if fault!("more-than-json") {
        return Some(typed("application/json", r#"{"ok":true}<!-- 3 ms -->"#.into()));
    }
    if fault!("tells-its-database") {
        return Some(json_of(&json!({ "ok": true, "database": "postgres://app:secret@db" })));
    }
    if fault!("charset") {
        return Some(typed("application/json; charset=utf-8", json!({ "ok": true }).to_string()));
    }
    if fault!("pretty") {
        return Some(typed("application/json", "{\n  \"ok\": true\n}\n".into()));
    }
    None
}

/// A listener that waits for a connection's first bytes before it accepts the next connection.
pub(crate) struct InlineHandshake(pub(crate) TcpListener);

impl Listener for InlineHandshake {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.0).await;
            if stream.peek(&mut [0]).await.is_ok() {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn json_of(body: &Value) -> Response {
    typed("application/json", body.to_string())
}

fn typed(content_type: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, content_type)], body).into_response()
}
