//! Interleavings of sign-in, use, rotation, sign-out, account changes and time, against a model of a few lines.
//!
//! The model knows which cookie stands for which session, when it was last used and what ends it; after every step each
//! cookie ever given must be exactly as alive as the model says. On Redis another node ends and rewrites sessions as well,
//! also while the link that tells of it is silent: then what the model says must come true within bounded time.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use proptest::{prelude::*, test_runner::TestRunner};

use super::contract::{HOUR, Setting, bridge::Bridge, fields, sent};
use crate::{
    identity::{Method, account::Account},
    session::{Resumed, Sessions},
    world::UnixMillis,
};

/// One step; numbers choose among people and cookies.
#[derive(Clone, Debug)]
enum Step {
    SignIn { person: usize, remember: bool, stale: bool },
    Use(usize),
    Rotate(usize),
    SignOut(usize),
    Change { person: usize, spare: Option<usize> },
    Rewrite(usize),
    EndElsewhere(usize),
    Deaf(bool),
    Wait(Duration),
    Flush,
}

/// Where it happens.
struct Scene {
    setting: Setting,
    /// Another node, and the way to Redis of the one that is looked at.
    elsewhere: Option<(Sessions, Bridge)>,
}

/// One cookie ever given.
#[derive(Clone, Debug)]
struct Given {
    cookie: String,
    person: usize,
    proved: i64,
    idle: Duration,
    used_at: UnixMillis,
    expires_at: UnixMillis,
    dead: bool,
}

#[derive(Default)]
struct Model {
    given: Vec<Given>,
    generations: [i64; PEOPLE],
    /// Up to which generation names and groups have been rewritten.
    rewritten: [i64; PEOPLE],
}

impl Given {
    fn alive(&self, now: UnixMillis) -> bool {
        !self.dead && self.used_at.plus(self.idle) > now && self.expires_at > now
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PEOPLE, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(person, remember, stale)| Step::SignIn { person, remember, stale }),
        4 => (0usize..8).prop_map(Step::Use),
        2 => (0usize..8).prop_map(Step::Rotate),
        1 => (0usize..8).prop_map(Step::SignOut),
        1 => (0..PEOPLE, proptest::option::of(0usize..8)).prop_map(|(person, spare)| Step::Change { person, spare }),
        1 => (0..PEOPLE).prop_map(Step::Rewrite),
        2 => (0usize..8).prop_map(Step::EndElsewhere),
        1 => any::<bool>().prop_map(Step::Deaf),
        3 => (1u64..5400).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        1 => Just(Step::Flush),
    ]
}

fn person(number: usize, run: u32, generation: i64) -> Account {
    Account { generation, ..Account::for_testing(&format!("p{number}r{run}")) }
}

async fn take(scene: &Scene, model: &mut Model, run: u32, step: Step) {
    let setting = &scene.setting;
    let now = setting.clock.now();
    match step {
        Step::SignIn { person: who, remember, stale } => {
            let generation = model.generations[who] - i64::from(stale);
            let started = setting.start(&person(who, run, generation), remember).await;
            assert_eq!(started.is_ok(), !stale || model.generations[who] == 0, "{started:?}");
            let (idle, lifetime) = if remember { (30 * 24 * HOUR, 30 * 24 * HOUR) } else { (HOUR, 12 * HOUR) };
            model.given.extend(started.ok().map(|cookie| Given {
                cookie,
                person: who,
                proved: generation,
                idle,
                used_at: now,
                expires_at: now.plus(lifetime),
                dead: false,
            }));
        }
        Step::Use(which) => {
            let Some(given) = model.given.iter_mut().rev().nth(which) else { return };
            let live = setting.resume(&given.cookie).await;
            assert_eq!(matches!(live, Resumed::Live(_)), given.alive(now), "{given:?} {live:?}");
            if let Resumed::Live(live) = live {
                // 0: never rewritten.
                let rewritten = model.rewritten[given.person];
                assert!(rewritten == 0 || live.record.generation >= rewritten, "{given:?} {live:?}");
                given.used_at = now;
            }
        }
        Step::Rotate(which) => rotate(setting, model, run, which, now).await,
        Step::SignOut(which) => {
            let Some(given) = model.given.iter_mut().rev().nth(which) else { return };
            if let Resumed::Live(live) = setting.resume(&given.cookie).await {
                setting.sessions.end(&live).await.unwrap();
                given.dead = true;
            }
        }
        Step::Change { person: who, spare } => change(setting, model, run, who, spare, now).await,
        Step::Rewrite(who) => rewrite(scene, model, run, who, now).await,
        Step::EndElsewhere(which) => end_elsewhere(scene, model, which, now).await,
        Step::Deaf(deaf) => {
            if let Some((_, bridge)) = &scene.elsewhere {
                bridge.deaf.store(deaf, Ordering::SeqCst);
            }
        }
        Step::Wait(span) => setting.advance(span),
        Step::Flush => setting.sessions.flush().await,
    }
}

async fn rotate(setting: &Setting, model: &mut Model, run: u32, which: usize, now: UnixMillis) {
    let Some(given) = model.given.iter_mut().rev().nth(which) else { return };
    if let Resumed::Live(live) = setting.resume(&given.cookie).await {
        let proof = setting.proof(&person(given.person, run, given.proved), Method::Sms);
        let set = setting.sessions.rotate(&live, proof, now).await.unwrap();
        let new = Given { cookie: sent(&set), used_at: now, ..given.clone() };
        given.dead = true;
        model.given.push(new);
    }
}

async fn change(setting: &Setting, model: &mut Model, run: u32, who: usize, spare: Option<usize>, now: UnixMillis) {
    model.generations[who] += 1;
    let generation = model.generations[who];
    let spared = spare.and_then(|which| model.given.iter().rev().nth(which).cloned());
    let sid = match &spared {
        Some(given) => match setting.resume(&given.cookie).await {
            Resumed::Live(live) => Some(live.record.sid.clone()),
            _ => None,
        },
        None => None,
    };
    setting.sessions.end_account(&person(who, run, generation).id, sid.as_ref(), generation).await.unwrap();
    for given in &mut model.given {
        if sid.is_some() && spared.as_ref().is_some_and(|spared| spared.cookie == given.cookie) {
            given.used_at = now;
        } else if given.person == who && given.proved < generation {
            given.dead = true;
        }
    }
}

async fn rewrite(scene: &Scene, model: &mut Model, run: u32, who: usize, now: UnixMillis) {
    model.generations[who] += 1;
    let generation = model.generations[who];
    let writer = scene.elsewhere.as_ref().map_or(&scene.setting.sessions, |(other, _)| other);
    writer.rewrite_account(&person(who, run, generation)).await.unwrap();
    model.rewritten[who] = generation;
    for given in model.given.iter_mut().filter(|given| given.person == who && given.alive(now)) {
        let seen = async || match scene.setting.resume(&given.cookie).await {
            Resumed::Live(live) => live.record.generation >= generation,
            other => panic!("{given:?} {other:?}"),
        };
        eventually(seen).await;
        given.used_at = now;
    }
}

async fn end_elsewhere(scene: &Scene, model: &mut Model, which: usize, now: UnixMillis) {
    let (Some((other, _)), Some(given)) = (&scene.elsewhere, model.given.iter_mut().rev().nth(which)) else { return };
    // What this node has seen used but not written yet, the other may hold for idle.
    scene.setting.sessions.flush().await;
    if let Resumed::Live(live) = other.resume(&fields(&given.cookie), now).await {
        other.end(&live).await.unwrap();
        given.dead = true;
        eventually(async || !matches!(scene.setting.resume(&given.cookie).await, Resumed::Live(_))).await;
    }
}

async fn eventually(mut found: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !found().await {
        assert!(begun.elapsed() < Duration::from_secs(8), "waited in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn no_interleaving_makes_a_session_live_longer_or_shorter_than_it_should() {
    let runtime = runtime();
    let setting = runtime.block_on(Setting::embedded());
    holds(&runtime, &Scene { setting, elsewhere: None }, 48);
}

#[test]
fn nor_does_another_node_or_a_silent_link_on_redis() {
    let runtime = runtime();
    let scene = runtime.block_on(async {
        let (setting, bridge) = Setting::bridged().await;
        let other = setting.other_node();
        Scene { setting, elsewhere: Some((other, bridge)) }
    });
    holds(&runtime, &scene, 12);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn holds(runtime: &tokio::runtime::Runtime, scene: &Scene, cases: u32) {
    let run = std::cell::Cell::new(0);
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() };
    let steps = proptest::collection::vec(step(), 1..40);
    let result = TestRunner::new(config).run(&steps, |steps| {
        // People of its own for each run, over one store.
        run.set(run.get() + 1);
        runtime.block_on(async {
            let mut model = Model::default();
            for step in steps {
                take(scene, &mut model, run.get(), step).await;
            }
            let now = scene.setting.clock.now();
            for given in &model.given {
                let resumed = scene.setting.sessions.resume(&fields(&given.cookie), now).await;
                assert_eq!(matches!(resumed, Resumed::Live(_)), given.alive(now), "{given:?} {resumed:?}");
            }
        });
        Ok(())
    });
    result.unwrap();
}

const PEOPLE: usize = 2;
