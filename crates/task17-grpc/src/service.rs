//! The two methods of the service.

use std::time::Duration;

use async_stream::stream;
use testenv::fault;
use tokio::time::interval;
use tonic::codegen::BoxStream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, async_trait};

use crate::call::{self, Call, Calls};
use crate::faults;
use crate::pb::echo_server::Echo;
use crate::pb::{RepeatReply, RepeatRequest, SayReply, SayRequest};

/// So that one call cannot keep the service busy for ever.
const MOST_REPLIES: u32 = 100;

/// What answers the calls of one connection.
pub(crate) struct Service {
    calls: Calls,
}

impl Service {
    pub(crate) fn new(calls: Calls) -> Service {
        Service { calls }
    }
}

#[async_trait]
impl Echo for Service {
    type RepeatStream = BoxStream<RepeatReply>;

    async fn say(&self, request: Request<SayRequest>) -> Result<Response<SayReply>, Status> {
        let call = self.calls.begin(request.metadata());
        let (deadline, echoed) = (call.deadline, call.echoed.clone());
        let work = say(call, request.into_inner());
        let answer = if fault!("answer-in-a-task") {
            call::until(deadline, faults::in_a_task(work)).await
        } else {
            call::until(deadline, work).await
        };
        call::with_metadata(answer, echoed)
    }

    async fn repeat(
        &self,
        request: Request<RepeatRequest>,
    ) -> Result<Response<Self::RepeatStream>, Status> {
        let call = self.calls.begin(request.metadata());
        let (request, echoed) = (request.into_inner(), call.echoed.clone());
        if !fault!("stream-unchecked")
            && let Err(refusal) = checked(&request.text)
        {
            return call::with_metadata(Err(refusal), echoed);
        }
        let replies = faults::sent(repeat(call, request)).await;
        call::with_metadata(Ok(replies), echoed)
    }
}

async fn say(_in_progress: Call, request: SayRequest) -> Result<SayReply, Status> {
    checked(&request.text)?;
    let delay = Duration::from_millis(request.delay_ms.into());
    #[expect(clippy::disallowed_methods, reason = "the caller asked the service to take its time")]
    tokio::time::sleep(delay).await;
    let text = request.text;
    Ok(SayReply { text: if fault!("text-trimmed") { text.trim().into() } else { text } })
}

/// Makes each reply when it is due. Dropping the stream ends the call.
fn repeat(call: Call, request: RepeatRequest) -> BoxStream<RepeatReply> {
    let deadline = if fault!("deadline-of-the-headers") { None } else { call.deadline };
    let last = faults::last(request.times, MOST_REPLIES);
    // An interval of zero panics.
    let pace = Duration::from_millis(request.interval_ms.into()).max(Duration::from_nanos(1));
    Box::pin(stream! {
        let _in_progress = call;
        let mut due = interval(pace);
        for number in 1..=last {
            let ticked = async { Ok(due.tick().await) };
            if let Err(too_late) = call::until(deadline, ticked).await {
                yield Err(too_late);
                return;
            }
            let reply = RepeatReply { text: request.text.clone(), number };
            if number == 2 && fault!("reply-twice") {
                yield Ok(reply.clone());
            }
            yield Ok(reply);
        }
        if request.times > MOST_REPLIES && !fault!("limit-ends-quietly") {
            let why = faults::in_other_words("a stream has at most 100 replies");
            yield Err(Status::resource_exhausted(why));
        } else if !fault!("trailers-lost") {
            yield Err(ended(last));
        }
    })
}

fn checked(text: &str) -> Result<(), Status> {
    if !text.is_empty() {
        return Ok(());
    }
    if fault!("refusal-is-unknown") {
        return Err(Status::from_error("the text is empty".into()));
    }
    Err(Status::invalid_argument(faults::in_other_words("the text is empty")))
}

/// The end of a stream that has gone well. tonic sends trailers only from an `Err`, also for `Ok`.
fn ended(replies: u32) -> Status {
    let mut trailers = MetadataMap::new();
    trailers.insert("sent-count", replies.into());
    Status::with_metadata(Code::Ok, "", trailers)
}
