#![doc = "[next]: ../task02_feature_gate/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use std::io;

use axum::Router;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use testenv::fault;
use tokio::net::TcpListener;

mod faults;

/// Returns the routes of the service: only `GET /health`.
pub fn router() -> Router {
    if let Some(wrong) = faults::router() {
        return wrong;
    }
    Router::new().route("/health", get(health))
}

/// Serves [`router`] on `listener`. The future never completes by itself; abort its task to stop
/// the server.
///
/// The caller binds the listener and so knows the address. A test binds port 0 and reads the port
/// that the kernel chose.
///
/// # Errors
///
/// None today: `axum::serve` waits and tries again when it cannot accept a connection. The return
/// type leaves room for errors.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    if fault!("prefix-on-the-socket") {
        return axum::serve(listener, Router::new().nest("/api", router())).await;
    }
    if fault!("handshake-in-the-accept-loop") {
        return axum::serve(faults::InlineHandshake(listener), router()).await;
    }
    axum::serve(listener, router()).await
}

async fn health() -> Response {
    if let Some(other) = faults::health() {
        return other;
    }
    Json(json!({ "ok": true })).into_response()
}
