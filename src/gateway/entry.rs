//! One line of the access log, and one request counted: when the answer's head is ready, or when the client did not wait for it.
//!
//! Paths and queries are left out (they may carry what is nobody's business), people are named by `sid`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};

use super::Rooms;
use crate::{
    inbound::{RequestId, View},
    policy::{Place, Site, Subject},
    session::Sid,
    telemetry::{
        access::Line,
        metrics::{self, Outcome},
    },
};

/// What is known of a request so far.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    rooms: &'a Rooms,
    began: Instant,
    method: Method,
    id: Option<RequestId>,
    view: Option<Arc<View>>,
    place: Option<Where>,
    sid: Option<Sid>,
    status: Option<StatusCode>,
    /// Why no page and no site answered.
    ended: Option<Outcome>,
}

#[derive(Debug)]
enum Where {
    Site(Arc<Site>),
    Portal,
}

impl<'a> Entry<'a> {
    pub(super) fn begin(method: Method, rooms: &'a Rooms) -> Self {
        Self {
            rooms,
            began: Instant::now(),
            method,
            id: None,
            view: None,
            place: None,
            sid: None,
            status: None,
            ended: None,
        }
    }

    pub(super) fn read(&mut self, view: &Arc<View>) {
        self.view = Some(Arc::clone(view));
    }

    /// A request that could not be read has a reference, too.
    pub(super) fn unread(&mut self, id: RequestId) {
        self.id = Some(id);
    }

    pub(super) fn routed(&mut self, place: &Place) {
        self.place = Some(match place {
            Place::Site(site) => Where::Site(Arc::clone(site)),
            Place::Portal(_) => Where::Portal,
        });
    }

    pub(super) fn recognised(&mut self, subject: &Subject) {
        if let Some(live) = subject.live() {
            self.sid = Some(live.record.sid.clone());
        }
    }

    pub(super) fn ended(&mut self, outcome: Outcome) {
        self.ended = Some(outcome);
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    fn count(&self, took: Duration) {
        let (place, came_to) = match &self.place {
            Some(Where::Site(site)) => (metrics::Place::Site(site.index), Outcome::Forwarded),
            Some(Where::Portal) => (metrics::Place::Portal, Outcome::Page),
            None => (metrics::Place::Nowhere, Outcome::Refused),
        };
        let outcome = if self.status.is_none() { Outcome::Abandoned } else { self.ended.unwrap_or(came_to) };
        self.rooms.board.answered(place, outcome, self.status.map(|status| status.as_u16()), took);
    }

    /// For the page of an error that came after the request was given away.
    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// Empty before it is known.
    pub(super) fn id(&self) -> &str {
        self.view.as_ref().map(|view| &view.id).or(self.id.as_ref()).map_or("", RequestId::as_str)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let site = match &self.place {
            Some(Where::Site(site)) => &site.label,
            Some(Where::Portal) => "portal",
            None => "-",
        };
        let duration = self.began.elapsed();
        self.count(duration);
        self.rooms.access.write(&Line {
            at: self.rooms.clock.now(),
            id: self.id(),
            method: self.method.as_str(),
            site,
            status: self.status.map(|status| status.as_u16()),
            duration,
            sid: self.sid.as_ref().map(|sid| &*sid.0),
        });
    }
}
