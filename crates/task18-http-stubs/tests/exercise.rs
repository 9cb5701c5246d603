//! Your tests for task 18. Begin here; the requirements stand in README.md.

use std::time::Duration;

use serde_json::json;
use task18_http_stubs::{Payments, Settings};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A first test, to show how an endpoint is stubbed. It proves almost nothing yet.
#[tokio::test]
async fn the_payments_of_an_order_are_read() {
    let api = MockServer::builder().start().await;
    Mock::given(method("GET"))
        .and(path("/v1/orders/7/payments"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!([{"id": "p1", "cents": 4200}])),
        )
        .expect(1)
        .named("the payments of order 7")
        .mount(&api)
        .await;

    let payments = client(&api).of_order("7").await.unwrap();

    assert_eq!(payments.len(), 1);
}

/// A client that does not wait between its attempts: the closure returns at once.
fn client(api: &MockServer) -> Payments<impl AsyncFn(Duration)> {
    let settings = Settings {
        base: api.uri().parse().unwrap(),
        token: "secret".into(),
        delays: vec![Duration::from_millis(100), Duration::from_millis(400)],
        longest_wait: Duration::from_secs(60),
        attempt_timeout: Duration::from_secs(30),
    };
    Payments::new(settings, async |_delay| {})
}

// Still to be tested. A test a fact, named after the fact:
// R1   the path, for an order with characters that mean something in a path
// R2   what a payment sends, and what it returns
// R3   the token and the body, in every attempt
// R4   429, 5xx and no answer are tried again: how often?
// R5   other statuses are not; what is not stubbed is 404
// R6   a payment without a key, and a payment with a key
// R7   the waits
// R8   … when the API says how long
// R9   an API that does not answer
// R10  a body that is not the expected JSON
