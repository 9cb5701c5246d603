mod client;

#[test]
fn a_503_is_not_healthy() {
    assert!(!client::is_healthy("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
}

#[test]
fn a_running_service_is_healthy() {
    check_the_service();
}

#[cfg(feature = "integration")]
fn check_the_service() {
    let answer = client::ask_for_health().unwrap();
    assert!(client::is_healthy(&answer), "{answer}");
}

#[cfg(not(feature = "integration"))]
fn check_the_service() {}
