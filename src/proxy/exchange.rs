//! One request to an upstream and the head of its answer: on which connection, for how long, and whether again.

use std::{
    future::Future,
    pin::{Pin, pin},
};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::{Duration, Instant, sleep};

use super::{
    Proxy, ProxyError, TOUCH_EVERY,
    balance::{Group, Want},
    body::{ClientBody, Fault, Upload},
    endpoint::Lease,
    errand::Errand,
    multiplexed::{Unsent, untouched},
};
use crate::{
    inbound::answer::Answer,
    policy::Subject,
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
        upload: Option<&Upload>,
    ) -> Result<Answer, ProxyError> {
        let want = match &mut errand.upgrade {
            None => Want::Request,
            Some(upgrade) => {
                upgrade.make_key(&self.entropy)?;
                Want::Tunnel { web_socket: upgrade.is_web_socket() }
            }
        };
        let (response, lease) = self.send(group, want, errand, body, upload).await?;
        lease.answered();
        self.receive(errand, response, lease)
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
    ) -> Result<(Response<Incoming>, Lease), ProxyError> {
        let mut lease = group.lease(want, None).await?;
        let body = match self.attempt(&mut lease, errand, body, upload).await {
            Ok(response) => return Ok((response, lease)),
            Err(Failure::Unsent(request, _)) => request.into_body(),
            Err(Failure::Untouched(_)) if upload.is_none() => ClientBody::default(),
            // What breaks as soon as it is made would break again, but elsewhere perhaps not.
            Err(Failure::Broken(_))
                if errand.replayable(upload) && (!lease.fresh || group.other_than(lease.endpoint()).is_some()) =>
            {
                ClientBody::default()
            }
            Err(failure) => return Err(failure.into()),
        };
        let again = if matches!(want, Want::Request) { Want::Fresh } else { want };
        let mut lease = group.lease(again, Some(lease.endpoint())).await?;
        let response = self.attempt(&mut lease, errand, body, upload).await?;
        Ok((response, lease))
    }

    async fn attempt(
        &self,
        lease: &mut Lease,
        errand: &Errand,
        body: ClientBody,
        upload: Option<&Upload>,
    ) -> Result<Response<Incoming>, Failure> {
        let request = errand.request(self, body, lease)?;
        let answer = lease.send(request);
        let answered = wait(answer, upload, self.limits.upstream_response, self.guard(errand)).await;
        if let Err(Failure::Broken(error) | Failure::Unsent(_, error)) = &answered {
            lease.broke(error);
        }
        answered
    }

    fn guard<'a>(&'a self, errand: &'a Errand) -> Option<Guard<'a>> {
        match &errand.subject {
            Subject::Session(live) => Some(Guard { sessions: &self.sessions, live, clock: &self.clock }),
            Subject::Anonymous { .. } | Subject::Unknown => None,
        }
    }
}

/// The session a request was granted to, while it waits for its answer.
struct Guard<'a> {
    sessions: &'a Sessions,
    live: &'a Live,
    clock: &'a Clock,
}

enum Failure {
    /// Nothing of it reached the upstream.
    Unsent(Box<Request<ClientBody>>, hyper::Error),
    /// It did, and the upstream promises that it did nothing with it.
    Untouched(hyper::Error),
    /// It may have.
    Broken(hyper::Error),
    /// Final, whoever's fault.
    Final(ProxyError),
}

impl From<Failure> for ProxyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsent(_, error) | Failure::Untouched(error) | Failure::Broken(error) => {
                Self::Broken(error.into())
            }
            Failure::Final(error) => error,
        }
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self::Final(error)
    }
}

async fn wait(
    answer: impl Future<Output = Result<Response<Incoming>, Unsent>>,
    upload: Option<&Upload>,
    patience: Duration,
    guard: Option<Guard<'_>>,
) -> Result<Response<Incoming>, Failure> {
    // Dropping this future (the client went away) closes the connection, or resets the stream: hyper's documented way to
    // cancel.
    let mut answer = pin!(answer);
    let began = Instant::now();
    // Most answers begin before the session has to be watched.
    let mut timer = pin!(sleep(if guard.is_some() { patience.min(LONG) } else { patience }));
    let mut session_ends = None;
    let mut touched = began;
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered.map_err(|mut error| match error.take_message() {
                Some(request) => Failure::Unsent(Box::new(request), error.into_error()),
                None => blame(error.into_error(), upload),
            }),
            () = polled(&mut session_ends) => return Err(Failure::Final(ProxyError::Ended)),
            () = &mut timer => {
                // The time runs from the last byte sent: an upload may take as long as it moves.
                let last = upload.map_or(began, Upload::last_moved);
                let (now, until) = (Instant::now(), last + patience);
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

/// hyper says "the body broke off"; the body knows why.
fn blame(error: hyper::Error, upload: Option<&Upload>) -> Failure {
    match upload.and_then(Upload::fault) {
        None if untouched(&error) => Failure::Untouched(error),
        None => Failure::Broken(error),
        Some(Fault::TooLarge) => Failure::Final(ProxyError::TooLarge),
        Some(Fault::Stalled) => Failure::Final(ProxyError::Stalled),
        Some(Fault::Client) => Failure::Final(ProxyError::Client(error.into())),
    }
}
