#![doc = "[before]: ../task17_grpc/index.html\n[next]: ../task19_fake_clock/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Url, redirect};
use serde::de::DeserializeOwned;
use testenv::fault;

mod faults;
mod message;

pub use message::{Failure, NewPayment, Payment, Settings};

/// A client of the payment API.
///
/// `wait` is how the client lets time pass between two attempts. A program passes
/// `tokio::time::sleep`. A test passes a closure that notes the duration and returns at once.
///
/// ```no_run
/// # use task18_http_stubs::{Failure, Payments, Settings};
/// # async fn list(settings: Settings) -> Result<(), Failure> {
/// let payments = Payments::new(settings, tokio::time::sleep);
/// for payment in payments.of_order("7/2026").await? {
///     println!("{}: {} cents", payment.id, payment.cents);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Payments<W> {
    settings: Settings,
    http: Client,
    wait: W,
}

/// A request, as every attempt sends it.
struct Call {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    key: Option<String>,
}

impl<W: AsyncFn(Duration)> Payments<W> {
    /// Returns a client; it connects when it is used.
    ///
    /// # Panics
    ///
    /// If the address of the API is not an HTTP address.
    pub fn new(settings: Settings, wait: W) -> Payments<W> {
        assert!(settings.base.has_host(), "{} is no HTTP address", settings.base);
        // A redirect is an answer that this API never gives: following it would send the token along.
        let http = Client::builder().redirect(redirect::Policy::none());
        // The variable HTTP_PROXY is for servers of other machines: no proxy knows the stub on this one.
        let http = if settings.is_loopback() { http.no_proxy() } else { http };
        Payments { settings, http: http.build().expect("a client without TLS"), wait }
    }

    /// Returns the payments of an order, in the order of the API's answer.
    ///
    /// The order is not `.` or `..`, and it holds no control characters: the type [`Url`] drops
    /// these from a segment.
    ///
    /// # Errors
    ///
    /// [`Failure`], also for an order that the API does not know.
    pub async fn of_order(&self, order: &str) -> Result<Vec<Payment>, Failure> {
        let url = match faults::url_of_order(&self.settings.base, order) {
            Some(other) => other,
            None => self.url(&["v1", "orders", order, "payments"]),
        };
        let answer = self.call(Call { method: Method::GET, url, body: None, key: None }).await;
        faults::listed(answer)
    }

    /// Makes a payment.
    ///
    /// With a key, the API makes one payment per key, so the client may repeat a failed attempt.
    ///
    /// # Errors
    ///
    /// [`Failure`]. After [`Failure::NoAnswer`] the payment may have been made.
    pub async fn pay(&self, payment: &NewPayment, key: Option<&str>) -> Result<Payment, Failure> {
        let body = faults::body(payment).unwrap_or_else(|| payment.to_json());
        let (url, key) = (self.url(&["v1", "payments"]), key.map(str::to_owned));
        self.call(Call { method: Method::POST, url, body: Some(body), key }).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        for retries in 0.. {
            let failure = match self.attempt(&call, retries).await {
                Ok(body) => return serde_json::from_slice(&body).map_err(Failure::Unreadable),
                Err(failure) => failure,
            };
            let repeatable = call.method == Method::GET
                || call.key.is_some()
                || fault!("post-retried-without-key");
            match self.pause(retries, &failure) {
                Some(pause) if repeatable => (self.wait)(pause).await,
                _ => return Err(failure),
            }
        }
        unreachable!("the delays end before the numbers")
    }

    async fn attempt(&self, call: &Call, retries: usize) -> Result<Vec<u8>, Failure> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        if !fault!("no-timeout") {
            request = request.timeout(self.settings.attempt_timeout);
        }
        if retries == 0 || !fault!("token-sent-once") {
            request = request.bearer_auth(&self.settings.token);
        }
        if let Some(body) = &call.body {
            let json = if fault!("no-content-type") { "text/plain" } else { "application/json" };
            let body = if retries > 0 && fault!("body-sent-once") { &[] } else { &body[..] };
            request = request.header(CONTENT_TYPE, json).body(body.to_vec());
        }
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", faults::key(key, retries));
        }
        let response = faults::marked(request, retries).send().await?;
        let failure = Failure::of_status(&response);
        let body = response.bytes().await?; // to the end: the connection can serve the next attempt
        failure.map_or(Ok(body.into()), Err)
    }

    /// Returns how long to wait before the next attempt. `None` gives up.
    fn pause(&self, retries: usize, failure: &Failure) -> Option<Duration> {
        let is_passing = faults::is_passing(failure).unwrap_or_else(|| failure.is_passing());
        let delay = faults::delay(&self.settings.delays, retries)
            .or_else(|| self.settings.delays.get(retries).copied());
        let delay = delay.filter(|_| is_passing)?;
        let asked = if fault!("retry-after-ignored") { None } else { failure.retry_after() };
        let least = if fault!("retry-after-shortens") { Duration::ZERO } else { delay };
        let pause = asked.map_or(delay, |asked| asked.max(least));
        let is_too_long = asked > Some(self.settings.longest_wait) && !fault!("waits-an-hour");
        (!is_too_long).then(|| if fault!("waits-a-little-longer") { pause * 5 / 4 } else { pause })
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.settings.base.clone();
        url.path_segments_mut().expect("it has a host").pop_if_empty().extend(segments);
        url
    }
}
