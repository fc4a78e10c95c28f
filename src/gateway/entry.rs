//! One line of the access log: written when the answer's head is ready, or when the client did not wait for it.
//!
//! Paths and queries are left out (they may carry what is nobody's business), people are named by `sid`.

use std::{sync::Arc, time::Instant};

use http::{Method, StatusCode};

use crate::{
    inbound::{RequestId, View},
    policy::{Place, Site, Subject},
    session::Sid,
};

/// What is known of a request so far.
#[derive(Debug)]
pub(super) struct Entry {
    began: Instant,
    method: Method,
    id: Option<RequestId>,
    view: Option<View>,
    place: Option<Where>,
    sid: Option<Sid>,
    status: Option<StatusCode>,
}

#[derive(Debug)]
enum Where {
    Site(Arc<Site>),
    Portal,
}

impl Entry {
    pub(super) fn begin(method: Method) -> Self {
        Self { began: Instant::now(), method, id: None, view: None, place: None, sid: None, status: None }
    }

    pub(super) fn read(&mut self, view: &View) {
        self.id = Some(view.id.clone());
        self.view = Some(view.clone());
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
        if let Subject::Session(live) = subject {
            self.sid = Some(live.record.sid.clone());
        }
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// For the page of an error that came after the request was given away.
    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// Empty before it is known.
    pub(super) fn id(&self) -> &str {
        self.id.as_ref().map_or("", |id| &id.0)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let site = match &self.place {
            Some(Where::Site(site)) => &site.label,
            Some(Where::Portal) => "portal",
            None => "-",
        };
        let (id, method, sid) = (self.id(), self.method.as_str(), self.sid.as_ref().map(|sid| &*sid.0));
        let duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match self.status {
            Some(status) => {
                tracing::info!(target: "access", id, method, site, status = status.as_u16(), duration_ms, sid, "answered");
            }
            None => tracing::info!(target: "access", id, method, site, duration_ms, sid, "the client did not wait"),
        }
    }
}
