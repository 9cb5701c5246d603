//! What an error of the SDK says.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The server's code and message, or what happened instead of an answer.
pub(super) fn words<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let service = error.as_service_error();
    match (service.and_then(|it| it.code()), service.and_then(|it| it.message()), status) {
        (Some(code), Some(message), _) => format!("{code}: {message}"),
        (Some(code), None, _) => code.to_owned(),
        (None, _, Some(status)) => format!("it answers HTTP {status}, and not as S3 does"),
        (None, _, None) => causes(error),
    }
}

/// The innermost cause says what happened; the others say that something did.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
