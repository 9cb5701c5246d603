mod client;

#[test]
fn a_503_is_not_healthy() {
    assert!(!client::is_healthy("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
}

#[cfg(feature = "integration")]
mod integration {
    use crate::client;

    #[test]
    fn a_running_service_is_healthy() {
        let answer = client::ask_for_health().unwrap();
        assert!(client::is_healthy(&answer), "{answer}");
    }
}
