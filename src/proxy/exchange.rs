//! One request to an upstream and the head of its answer: on which connection, for how long, and whether again.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
};

use http::{Method, response::Parts};
use tokio::time::{Duration, Instant, Sleep, sleep};

use super::{
    Proxy, ProxyError, TOUCH_EVERY,
    balance::{Group, Want},
    body::{ClientBody, Upload},
    download::Source,
    endpoint::{Connection, Lease},
    errand::Errand,
    http1::{Asked, Failed, Unreadable},
    multiplexed::{Unsent, http2_error, untouched},
};
use crate::{
    inbound::answer::Answer,
    session::{Live, Sessions},
    world::Clock,
};

impl Proxy {
    /// Sends, waits, and turns the answer into the client's.
    pub(super) async fn exchange(
        &self,
        group: &Group,
        errand: &mut Errand,
        body: ClientBody,
        upload: Option<Arc<Upload>>,
    ) -> Result<Answer, ProxyError> {
        let want = match &mut errand.upgrade {
            None => Want::Request,
            Some(upgrade) => {
                upgrade.make_key(&self.entropy)?;
                Want::Tunnel { web_socket: upgrade.is_web_socket() }
            }
        };
        let ((parts, source), lease) = self.send(group, want, errand, body, upload.as_deref()).await?;
        lease.answered();
        self.receive(errand, parts, source, lease, upload)
    }

    /// A connection may have been closed at the other end a moment ago. Then, once and on a new connection, to another
    /// address where there is one: what was never sent is sent, and what was sent is repeated when that is harmless.
    async fn send(
        &self,
        group: &Group,
        want: Want,
        errand: &Errand,
        body: ClientBody,
        upload: Option<&Upload>,
    ) -> Result<(Answered, Lease), ProxyError> {
        let mut lease = group.lease(want, None).await?;
        let body = match self.attempt(&mut lease, errand, body, upload).await {
            Ok(received) => return Ok((received, lease)),
            Err(Failure::Unsent(body, _)) => body,
            Err(Failure::Untouched(_)) if upload.is_none() => ClientBody::default(),
            // What breaks as soon as it is made would break again, but elsewhere perhaps not.
            Err(Failure::Broken(_))
                if errand.replayable(upload) && (!lease.fresh || group.other_than(&[lease.endpoint()]).is_some()) =>
            {
                ClientBody::default()
            }
            Err(failure) => return Err(failure.into()),
        };
        let again = if matches!(want, Want::Request) { Want::Fresh } else { want };
        let retried = async {
            let mut lease = group.lease(again, Some(lease.endpoint())).await?;
            let received = self.attempt(&mut lease, errand, body, upload).await?;
            Ok((received, lease))
        };
        // Boxed: every request would carry the room for two attempts.
        Box::pin(retried).await
    }

    async fn attempt(
        &self,
        lease: &mut Lease,
        errand: &Errand,
        body: ClientBody,
        upload: Option<&Upload>,
    ) -> Result<Answered, Failure> {
        let (patience, guard) = ((self.limits.upstream_response, errand.end), self.guard(errand));
        let host = errand.host(lease.authority()).clone();
        let scheme = lease.scheme();
        let answered = match &mut lease.connection {
            Connection::Http1(connection, _) => {
                let method = &errand.view.method;
                let mut wire = connection.begin(method, errand.target());
                errand.put_http1(self, &body, &host, &mut wire);
                wire.end();
                let asked = Asked { head: *method == Method::HEAD, upgrade: errand.upgrade.is_some() };
                let mut timer = connection.timer.take().unwrap_or_else(|| Box::pin(sleep(patience.0)));
                let answer = async {
                    let (parts, framing) = connection.exchange(body, asked).await?;
                    Ok((parts, Source::Http1(framing)))
                };
                let answered = wait(answer, timer.as_mut(), upload, patience, guard).await;
                connection.timer = Some(timer);
                answered
            }
            Connection::Http2(stream) => {
                let answer = stream.send(errand.by_http2(self, body, &host, scheme)?);
                let answer = async {
                    let response = answer.await.map_err(|unsent| by_http2(unsent, upload))?;
                    let (parts, incoming) = response.into_parts();
                    Ok((parts, Source::Http2(incoming)))
                };
                wait(Box::pin(answer), pin!(sleep(patience.0)), upload, patience, guard).await
            }
        };
        match &answered {
            // One stream that was reset says nothing of the connection.
            Err(Failure::Broken(error)) if http2_error(&**error).is_some_and(h2::Error::is_reset) => {}
            Err(Failure::Broken(_) | Failure::Unsent(..)) => lease.broke(),
            _ => {}
        }
        answered
    }

    fn guard<'a>(&'a self, errand: &'a Errand) -> Option<Guard<'a>> {
        errand.subject.live().map(|live| Guard { sessions: &self.sessions, live, clock: &self.clock })
    }
}

/// The head of an answer, and where its body comes from.
type Answered = (Parts, Source);

/// The session a request was granted to, while it waits for its answer.
struct Guard<'a> {
    sessions: &'a Sessions,
    live: &'a Live,
    clock: &'a Clock,
}

enum Failure {
    /// Nothing of it reached the upstream.
    Unsent(ClientBody, Unreadable),
    /// It did, and the upstream promises that it did nothing with it.
    Untouched(Unreadable),
    /// It may have.
    Broken(Unreadable),
    /// Final, whoever's fault.
    Final(ProxyError),
}

impl From<Failure> for ProxyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsent(_, error) | Failure::Untouched(error) | Failure::Broken(error) => Self::Broken(error),
            Failure::Final(error) => error,
        }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unsent(body, error) => Self::Unsent(body, error.into()),
            Failed::Broken(error) => Self::Broken(error),
            Failed::Client(fault) => Self::Final(fault.into()),
        }
    }
}

/// hyper says "the body broke off"; the body knows why.
fn by_http2(mut unsent: Unsent, upload: Option<&Upload>) -> Failure {
    if let Some(request) = unsent.take_message() {
        return Failure::Unsent(request.into_body(), unsent.into_error().into());
    }
    let error = unsent.into_error();
    match upload.and_then(Upload::fault) {
        None if untouched(&error) => Failure::Untouched(error.into()),
        None => Failure::Broken(error.into()),
        Some(fault) => Failure::Final(fault.into()),
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self::Final(error)
    }
}

async fn wait(
    answer: impl Future<Output = Result<Answered, Failure>>,
    mut timer: Pin<&mut Sleep>,
    upload: Option<&Upload>,
    (patience, end): (Duration, Option<Instant>),
    guard: Option<Guard<'_>>,
) -> Result<Answered, Failure> {
    // Dropping this future (the client went away) closes the connection, or resets the stream.
    let mut answer = pin!(answer);
    let began = Instant::now();
    // Most answers begin before the session has to be watched.
    let before_end = |at: Instant| end.map_or(at, |end| end.min(at));
    let first = before_end(began + if guard.is_some() { patience.min(LONG) } else { patience });
    // To look once too early is cheaper than to set it anew for every request.
    if timer.is_elapsed() || timer.deadline() > first {
        timer.as_mut().reset(first);
    }
    let mut session_ends = None;
    let mut touched = began;
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            () = polled(&mut session_ends) => return Err(Failure::Final(ProxyError::Ended)),
            () = &mut timer => {
                // The time runs from the last byte sent: an upload may take as long as it moves.
                let last = upload.map_or(began, Upload::last_moved);
                let (now, until) = (Instant::now(), before_end(last + patience));
                if now < first {
                    timer.as_mut().reset(first);
                    continue;
                }
                if until <= now {
                    return Err(Failure::Final(ProxyError::Silent));
                }
                let Some(guard) = &guard else {
                    timer.as_mut().reset(until);
                    continue;
                };
                session_ends.get_or_insert_with(|| Box::pin(guard.sessions.ended(guard.live)));
                // Bytes of an upload are activity, as those in a tunnel are.
                if last > touched {
                    touched = last;
                    guard.sessions.touch(guard.live, guard.clock.now());
                }
                timer.as_mut().reset(if upload.is_some() { until.min(now + TOUCH_EVERY) } else { until });
            }
        }
    }
}

async fn polled<F: Future<Output = ()>>(future: &mut Option<Pin<Box<F>>>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// A request that takes longer than this ends with its session: an upload is a stream, too.
const LONG: Duration = Duration::from_millis(250);
