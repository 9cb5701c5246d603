//! The faults of this task, and its other right programs. Think of your own faults before you look.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{RequestBuilder, Url};
use testenv::fault;

use crate::{Failure, NewPayment, Payment};

/// Returns another address for the payments of an order.
pub(crate) fn url_of_order(base: &Url, order: &str) -> Option<Url> {
    let base = base.as_str().trim_end_matches('/');
    if fault!("order-not-encoded") {
        return format!("{base}/v1/orders/{order}/payments").parse().ok();
    }
    if fault!("encodes-more-than-it-must") {
        let order = utf8_percent_encode(order, NON_ALPHANUMERIC);
        return format!("{base}/v1/orders/{order}/payments").parse().ok();
    }
    None
}

/// Returns the answer of [`Payments::of_order`](crate::Payments::of_order), given the answer of the
/// API.
pub(crate) fn listed(answer: Result<Vec<Payment>, Failure>) -> Result<Vec<Payment>, Failure> {
    match answer {
        Err(Failure::Status { code: 404, .. }) if fault!("not-found-is-empty") => Ok(Vec::new()),
        Err(Failure::Unreadable(_)) if fault!("broken-json-is-empty") => Ok(Vec::new()),
        answer => answer,
    }
}

/// Returns another body for a payment.
pub(crate) fn body(payment: &NewPayment) -> Option<Vec<u8>> {
    if fault!("body-is-a-form") {
        return Some(format!("order={}&cents={}", payment.order, payment.cents).into());
    }
    if fault!("body-on-several-lines") {
        return serde_json::to_vec_pretty(payment).ok();
    }
    None
}

/// Returns the key that an attempt sends.
pub(crate) fn key(key: &str, retries: usize) -> String {
    if retries > 0 && fault!("new-key-each-attempt") {
        return format!("{key}-{retries}");
    }
    key.to_owned()
}

/// Adds a header that is different in each attempt.
pub(crate) fn marked(request: RequestBuilder, retries: usize) -> RequestBuilder {
    if fault!("attempts-are-numbered") {
        return request.header("X-Attempt", retries + 1);
    }
    request
}

/// Says whether the same request may succeed later, if a fault has an opinion.
pub(crate) fn is_passing(failure: &Failure) -> Option<bool> {
    match failure {
        Failure::Status { code: 503, .. } if fault!("unavailable-fails-at-once") => Some(false),
        Failure::Status { code: 400..=499, .. } if fault!("bad-request-retried") => Some(true),
        Failure::NoAnswer(error) if error.is_timeout() && fault!("timeout-fails-at-once") => {
            Some(false)
        }
        _ => None,
    }
}

/// Returns another delay before a retry.
pub(crate) fn delay(delays: &[Duration], retries: usize) -> Option<Duration> {
    if retries < delays.len() && fault!("same-delay-each-time") {
        return delays.first().copied();
    }
    if retries >= delays.len() && fault!("retries-without-end") {
        return delays.last().copied();
    }
    None
}
