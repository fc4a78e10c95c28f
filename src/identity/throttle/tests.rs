//! The bounds, tried by a clock and addresses of our own making.

use super::*;

fn client(address: &str) -> Client {
    Client { address: address.parse().unwrap(), via_trusted_proxy: false }
}

fn at(seconds: i64) -> UnixMillis {
    UnixMillis(1_700_000_000_000 + seconds * 1000)
}

fn until(answer: Result<Ticket, Refusal>) -> Option<UnixMillis> {
    match answer {
        Ok(_counted) => None,
        Err(Refusal::Throttled { until }) => Some(until),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn waits_grow_with_every_try_past_the_free_ones() {
    let steps = PASSWORD.pair;
    for (tries, wait) in
        [(0, None), (4, None), (5, Some(1)), (6, Some(5)), (7, Some(30)), (8, Some(300)), (99, Some(300))]
    {
        let tally = Tally { tries, last: at(0) };
        assert_eq!(steps.blocked(tally, at(0)), wait.map(at), "after {tries}");
        if let Some(wait) = wait {
            assert_eq!(steps.blocked(tally, at(wait)), None, "after {tries} and the wait");
        }
    }
    assert_eq!(steps.blocked(Tally { tries: 99, last: at(0) }, at(3601)), None, "forgotten after an hour");
    assert_eq!(steps.counted(Tally { tries: 99, last: at(0) }, at(3601)).tries, 1);
}

#[test]
fn a_volley_at_once_gets_no_more_tries_than_one_after_the_other() {
    let throttle = Throttle::default();
    let admitted =
        (0..100).filter(|_| throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).is_ok()).count();
    assert_eq!(admitted, 5);
}

#[test]
fn success_clears_the_pair() {
    let throttle = Throttle::default();
    for _ in 0..4 {
        let _counted = throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).unwrap();
    }
    throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).unwrap().succeeded();
    for _ in 0..5 {
        assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0))), None);
    }
    assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0))), Some(at(1)));
}

#[test]
fn an_attacker_elsewhere_does_not_lock_the_owner_out_of_a_usual_network() {
    let throttle = Throttle::default();
    throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).unwrap().succeeded();
    for net in 0..150 {
        for _ in 0..3 {
            let _counted = throttle.admit(Purpose::Password, "ada", &client(&format!("10.0.{net}.1")), at(1));
        }
    }
    assert!(until(throttle.admit(Purpose::Password, "ada", &client("10.9.9.1"), at(1))).is_some());
    assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.77"), at(1))), None);
}

#[test]
fn a_neighbour_does_not_lock_the_owner_out_of_a_usual_network() {
    let throttle = Throttle::default();
    throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).unwrap().succeeded();
    for name in 0..100 {
        let _counted = throttle.admit(Purpose::Password, &format!("name{name}"), &client("192.0.2.66"), at(1)).unwrap();
    }
    assert!(until(throttle.admit(Purpose::Password, "another", &client("192.0.2.66"), at(1))).is_some());
    for _ in 0..5 {
        assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(1))), None);
    }
    let sixth = until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(1)));
    assert_eq!(sixth, Some(at(2)), "her own pair still slows guesses at her password");
}

#[test]
fn one_network_trying_many_names_is_slowed() {
    let throttle = Throttle::default();
    for name in 0..100 {
        assert_eq!(until(throttle.admit(Purpose::Password, &format!("name{name}"), &client("192.0.2.1"), at(0))), None);
    }
    assert!(until(throttle.admit(Purpose::Password, "another", &client("192.0.2.9"), at(0))).is_some());
    assert_eq!(until(throttle.admit(Purpose::Password, "another", &client("198.51.100.1"), at(0))), None);
}

#[test]
fn a_try_that_was_never_judged_does_not_count() {
    let throttle = Throttle::default();
    for _ in 0..50 {
        throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).unwrap().undo();
    }
    assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0))), None);
}

#[test]
fn codes_are_counted_per_account_wherever_they_come_from() {
    let throttle = Throttle::default();
    for net in 0..10 {
        let from = client(&format!("10.0.{net}.1"));
        throttle.admit(Purpose::Password, "ada", &from, at(0)).unwrap().succeeded();
        let _counted = throttle.admit(Purpose::Code, "ada", &from, at(0)).unwrap();
    }
    assert_eq!(until(throttle.admit(Purpose::Code, "ada", &client("10.0.99.1"), at(0))), Some(at(60)));
}

#[test]
fn made_up_names_use_bounded_memory() {
    let throttle = Throttle::default();
    for name in 0..TALLIES {
        let from = client(&format!("10.{}.{}.1", name / 65_536 % 256, name / 256 % 256));
        let _counted = throttle.admit(Purpose::Password, &format!("name{name}"), &from, at(0));
    }
    assert!(throttle.memory.lock().unwrap().tallies.len() <= TALLIES);
}
