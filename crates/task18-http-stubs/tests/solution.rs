//! The finished suite of task 18, to compare with yours. No test waits between two attempts.

use std::cell::RefCell;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use task18_http_stubs::{Failure, NewPayment, Payment, Payments, Settings};
use testenv::leaks::tokio;
use tokio::time::timeout;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Far more than an answer takes, also on a machine with ten times more work than cores. It ends a
/// test whose client does not end.
const LIMIT: Duration = Duration::from_secs(30);
/// The delays of all clients here. They grow, so that they can be told apart.
const DELAYS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];
/// One attempt, and a retry after each delay.
const ATTEMPTS: usize = 1 + DELAYS.len();
/// For attempts that get no answer. On a busy machine an answer may take longer: one of twenty is enough.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest `Retry-After` that the clients here obey.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_order_is_one_segment_of_the_path_whatever_it_holds() {
    let api = Api::start().await;
    api.answer(list()).await;

    for order in ["7", "7/2026", "a b?c#d", "50%41", "Zürich-7"] {
        let answer = within(api.client().of_order(order)).await;

        assert_eq!(answer.unwrap(), [first_payment()], "{order}");
        let request = api.requests().await.pop().unwrap();
        let segments = request.url.path_segments().unwrap();
        let decoded: Vec<_> =
            segments.map(|segment| percent_decode_str(segment).decode_utf8().unwrap()).collect();
        assert_eq!(decoded, ["v1", "orders", order, "payments"]);
        assert_eq!(request.url.query(), None, "{order}");
    }
}

#[tokio::test]
async fn a_payment_is_sent_as_json_that_says_so() {
    let api = Api::start().await;
    api.answer(created()).await;

    let payment = within(api.client().pay(&new_payment(), None)).await.unwrap();

    assert_eq!(payment, first_payment());
    let request = api.requests().await.pop().unwrap();
    assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/v1/payments"));
    assert_eq!(request.body_json::<Value>().unwrap(), json!({"order": "7", "cents": 4200}));
    assert_eq!(api.headers("content-type").await, ["application/json"]);
}

#[tokio::test]
async fn every_attempt_carries_the_token() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(500)).await;
    api.answer(list()).await;

    within(api.client().of_order("7")).await.unwrap();

    assert_eq!(api.headers("authorization").await, ["Bearer secret", "Bearer secret"]);
}

#[tokio::test]
async fn every_attempt_sends_the_whole_body() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(500)).await;
    api.answer(created()).await;

    within(api.client().pay(&new_payment(), Some("key 7"))).await.unwrap();

    for request in api.requests().await {
        assert_eq!(request.body_json::<Value>().ok(), Some(json!({"order": "7", "cents": 4200})));
    }
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again() {
    for status in [429, 500, 502, 503, 504, 599] {
        let api = Api::start().await;
        api.answer_once(ResponseTemplate::new(status)).await;
        api.answer(list()).await;

        let answer = within(api.client().of_order("7")).await;

        assert!(answer.is_ok(), "{status}: {answer:?}");
        assert_eq!(api.requests().await.len(), 2, "{status}");
    }
}

#[tokio::test]
async fn there_are_as_many_retries_as_delays_and_then_the_last_failure() {
    let api = Api::start().await;
    for _ in 1..ATTEMPTS {
        api.answer_once(ResponseTemplate::new(500)).await;
    }
    api.answer_once(ResponseTemplate::new(503)).await;
    api.answer(list()).await; // one attempt too late

    let answer = within(api.client().of_order("7")).await;

    assert!(matches!(answer, Err(Failure::Status { code: 503, .. })), "{answer:?}");
    assert_eq!(api.requests().await.len(), ATTEMPTS);
}

#[tokio::test]
async fn a_failure_that_stays_is_not_tried_again() {
    for status in [302, 400, 401, 403, 409, 422] {
        let api = Api::start().await;
        api.answer(ResponseTemplate::new(status)).await;

        let answer = within(api.client().of_order("7")).await;

        let code = if let Err(Failure::Status { code, .. }) = answer { code } else { 0 };
        assert_eq!((code, api.requests().await.len()), (status, 1), "{answer:?}");
    }
}

#[tokio::test]
async fn two_endpoints_answer_and_what_is_not_stubbed_is_a_failure() {
    let api = Api::start().await;
    let of_order_7 = Mock::given(method("GET")).and(path("/v1/orders/7/payments"));
    of_order_7.respond_with(list()).mount(&api.server).await;
    let pay = Mock::given(method("POST")).and(path("/v1/payments"));
    pay.respond_with(created()).mount(&api.server).await;

    let listed = within(api.client().of_order("7")).await;
    let paid = within(api.client().pay(&new_payment(), None)).await;
    let missing = within(api.client().of_order("8")).await;

    assert_eq!(listed.unwrap(), [first_payment()]);
    assert_eq!(paid.unwrap(), first_payment());
    assert!(matches!(missing, Err(Failure::Status { code: 404, .. })), "{missing:?}");
}

#[tokio::test]
async fn a_payment_without_a_key_is_not_tried_again() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(500)).await;
    api.answer(created()).await;

    let answer = within(api.client().pay(&new_payment(), None)).await;

    assert!(matches!(answer, Err(Failure::Status { code: 500, .. })), "{answer:?}");
    assert_eq!(api.requests().await.len(), 1);
}

#[tokio::test]
async fn a_payment_with_a_key_is_tried_again_with_the_same_key() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(500)).await;
    api.answer_once(ResponseTemplate::new(503)).await;
    api.answer(created()).await;

    within(api.client().pay(&new_payment(), Some("key 7"))).await.unwrap();

    assert_eq!(api.headers("idempotency-key").await, ["key 7"; 3]);
}

#[tokio::test]
async fn the_waits_follow_the_delays() {
    let api = Api::start().await;
    for _ in 0..ATTEMPTS {
        api.answer_once(ResponseTemplate::new(500)).await;
    }

    within(api.client().of_order("7")).await.unwrap_err();

    let waits = api.waits.borrow();
    assert_eq!(waits.len(), DELAYS.len(), "{waits:?}");
    for (wait, delay) in waits.iter().zip(DELAYS) {
        assert!((delay..=delay * 3 / 2).contains(wait), "{waits:?}");
    }
}

#[tokio::test]
async fn the_api_may_ask_for_a_longer_wait() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(429).insert_header("Retry-After", "2")).await;
    api.answer(list()).await;

    within(api.client().of_order("7")).await.unwrap();

    let waits = api.waits.borrow();
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert!((Duration::from_secs(2)..=Duration::from_secs(3)).contains(&waits[0]), "{waits:?}");
}

#[tokio::test]
async fn a_shorter_wait_that_the_api_asks_for_does_not_shorten_the_delay() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(429).insert_header("Retry-After", "0")).await;
    api.answer(list()).await;

    within(api.client().of_order("7")).await.unwrap();

    let waits = api.waits.borrow();
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert!((DELAYS[0]..=DELAYS[0] * 3 / 2).contains(&waits[0]), "{waits:?}");
}

#[tokio::test]
async fn an_api_that_asks_for_an_hour_is_not_waited_for() {
    let api = Api::start().await;
    api.answer_once(ResponseTemplate::new(503).insert_header("Retry-After", "3600")).await;
    api.answer(list()).await;

    let answer = within(api.client().of_order("7")).await;

    assert!(matches!(answer, Err(Failure::Status { code: 503, .. })), "{answer:?}");
    assert_eq!((api.requests().await.len(), api.waits.borrow().len()), (1, 0));
}

#[tokio::test]
async fn an_attempt_without_an_answer_ends_and_the_next_one_may_succeed() {
    let api = Api::start().await;
    // Another answer than the second one, so that a client that waits for it is found by what it returns.
    let late = ResponseTemplate::new(200).set_body_json(json!([]));
    api.answer_once(late.set_delay(12 * ATTEMPT_TIMEOUT)).await;
    api.answer(list()).await;
    let client = api.client_with(ATTEMPT_TIMEOUT, &[Duration::ZERO; 20]);

    let answer = within(client.of_order("7")).await;

    assert_eq!(answer.unwrap(), [first_payment()]);
}

#[tokio::test]
async fn a_body_that_is_not_the_expected_json_is_a_failure() {
    for body in ["", "<html>please log in</html>", r#"[{"id": "p1", "#, r#"{"payments": []}"#] {
        let api = Api::start().await;
        api.answer(ResponseTemplate::new(200).set_body_string(body)).await;

        let answer = within(api.client().of_order("7")).await;

        assert!(matches!(answer, Err(Failure::Unreadable(_))), "{body}: {answer:?}");
        assert_eq!(api.requests().await.len(), 1, "{body}");
    }
}

/// A stub of the API, and the waits of its clients.
struct Api {
    server: MockServer,
    waits: RefCell<Vec<Duration>>,
}

impl Api {
    /// Not `MockServer::start()`, which takes a server from a pool: a request that an earlier test
    /// gave up on could still arrive there.
    async fn start() -> Api {
        Api { server: MockServer::builder().start().await, waits: RefCell::default() }
    }

    /// Answers every request that no earlier stub answers. The test looks at the recorded requests
    /// afterwards: with a stricter stub, a wrong request would get 404, and the failure would say less.
    async fn answer(&self, answer: ResponseTemplate) {
        Mock::given(any()).respond_with(answer).mount(&self.server).await;
    }

    async fn answer_once(&self, answer: ResponseTemplate) {
        let once = Mock::given(any()).respond_with(answer);
        once.up_to_n_times(1).mount(&self.server).await;
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    /// The value of a header in each request; what is missing is empty.
    async fn headers(&self, name: &str) -> Vec<String> {
        let value = |request: &Request| match request.headers.get(name) {
            Some(value) => value.to_str().unwrap().to_owned(),
            None => String::new(),
        };
        self.requests().await.iter().map(value).collect()
    }

    /// A client that has more time for each attempt than any test.
    fn client(&self) -> Payments<impl AsyncFn(Duration)> {
        self.client_with(2 * LIMIT, &DELAYS)
    }

    /// A client that notes its waits instead of waiting.
    fn client_with(
        &self,
        attempt_timeout: Duration,
        delays: &[Duration],
    ) -> Payments<impl AsyncFn(Duration)> {
        let settings = Settings {
            base: self.server.uri().parse().unwrap(),
            token: "secret".into(),
            delays: delays.to_vec(),
            longest_wait: LONGEST_WAIT,
            attempt_timeout,
        };
        Payments::new(settings, async |delay| self.waits.borrow_mut().push(delay))
    }
}

async fn within<T>(call: impl Future<Output = T>) -> T {
    timeout(LIMIT, call).await.expect("the client ends")
}

fn new_payment() -> NewPayment {
    NewPayment { order: "7".into(), cents: 4200 }
}

fn first_payment() -> Payment {
    Payment { id: "p1".into(), cents: 4200 }
}

fn created() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({"id": "p1", "cents": 4200}))
}

fn list() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!([{"id": "p1", "cents": 4200}]))
}
