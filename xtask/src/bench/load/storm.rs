//! A storm of sign-ins: so many arrive each second, from as many networks, each with the page first and then its form.

use std::{
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, bench::vestibule};

/// Figures: accepted, shed (429 and 503), others.
pub(super) fn run(port: u16, host: &str, rate: u64, seconds: u64) -> Result<Vec<f64>, Failure> {
    let (arrive, arrivals) = mpsc::channel::<u64>();
    let arrivals = Mutex::new(arrivals);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..PEOPLE_AT_ONCE {
            scope.spawn(|| {
                while let Some(number) = next(&arrivals) {
                    let status = attempt(port, host, number);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(status);
                }
            });
        }
        let start = Instant::now();
        for number in 0..rate * seconds {
            let due = start + Duration::from_micros(number * 1_000_000 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let _ = arrive.send(number);
        }
        drop(arrive);
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let count = |of: &[u16]| outcomes.iter().filter(|status| of.contains(status)).count() as f64;
    let (accepted, shed) = (count(&[303]), count(&[429, 503]));
    Ok(vec![accepted, shed, outcomes.len() as f64 - accepted - shed])
}

fn next(arrivals: &Mutex<mpsc::Receiver<u64>>) -> Option<u64> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// A person's sign-in; 0 when the connection broke.
fn attempt(port: u16, host: &str, number: u64) -> u16 {
    let person = format!("person{}", number % PEOPLE);
    let from = format!("10.{}.{}.{}", number / 60_000 % 250, number / 250 % 240, number % 250 + 1);
    vestibule::sign_in(port, host, &person, Some(&from)).map_or(0, |answer| answer.status)
}

/// `person0` to `person15` exist.
pub(in crate::bench) const PEOPLE: u64 = 16;
const PEOPLE_AT_ONCE: usize = 200;
