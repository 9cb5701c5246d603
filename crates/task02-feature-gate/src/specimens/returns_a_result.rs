mod client;

#[test]
fn a_503_is_not_healthy() {
    assert!(!client::is_healthy("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
}

#[cfg(feature = "integration")]
#[test]
fn a_running_service_is_healthy() -> std::io::Result<()> {
    let answer = client::ask_for_health()?;
    if client::is_healthy(&answer) { Ok(()) } else { Err(std::io::Error::other(answer)) }
}
