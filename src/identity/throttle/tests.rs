//! The bounds, tried by a clock and addresses of our own making.

use super::{bounds::PASSWORD, *};

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

fn tally(tries: u32, since: i64, last: i64) -> Tally {
    Tally { tries, last: at(last), since: at(since) }
}

#[test]
fn waits_grow_with_every_try_past_the_free_ones() {
    let steps = PASSWORD.pair.unwrap();
    for (tries, wait) in
        [(0, None), (4, None), (5, Some(1)), (6, Some(5)), (7, Some(30)), (8, Some(300)), (99, Some(300))]
    {
        let tally = tally(tries, 0, 0);
        assert_eq!(steps.blocked(tally, at(0)), wait.map(at), "after {tries}");
        if let Some(wait) = wait {
            assert_eq!(steps.blocked(tally, at(wait)), None, "after {tries} and the wait");
        }
    }
}

#[test]
fn what_was_counted_halves_and_is_not_forgotten_at_once() {
    let steps = PASSWORD.pair.unwrap();
    let counted = |after| steps.counted(tally(99, 0, 0), at(after));
    assert_eq!(counted(899), tally(100, 0, 899));
    assert_eq!(counted(900), tally(50, 900, 900));
    assert_eq!(counted(1799), tally(50, 900, 1799), "since the last halving, not since the last try");
    assert_eq!(counted(3600), tally(7, 3600, 3600));
    assert_eq!(counted(7 * 900), tally(1, 6300, 6300));
    assert_eq!(steps.gone(tally(99, 0, 0)), at(7 * 900));
    assert_eq!(steps.counted(tally(9, 1000, 1000), at(2799)).since, at(1900), "though tries go on");
}

#[test]
fn a_clock_that_stood_far_ahead_closes_nothing_for_years() {
    let steps = PASSWORD.pair.unwrap();
    assert_eq!(steps.blocked(tally(99, 3_000, 3_000), at(0)), Some(at(3_300)));
    assert_eq!(steps.blocked(tally(99, 90_000_000, 90_000_000), at(0)), None);
}

#[tokio::test]
async fn a_volley_at_once_gets_no_more_tries_than_one_after_the_other() {
    let throttle = Throttle::default();
    let mut admitted = 0;
    for _ in 0..100 {
        admitted += u32::from(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await.is_ok());
    }
    assert_eq!(admitted, 5);
}

#[tokio::test]
async fn success_clears_the_pair() {
    let throttle = Throttle::default();
    for _ in 0..4 {
        let _counted = throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await.unwrap();
    }
    throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await.unwrap().succeeded(at(0)).await;
    for _ in 0..5 {
        assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await), None);
    }
    assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await), Some(at(1)));
}

#[tokio::test]
async fn an_attacker_elsewhere_does_not_lock_the_owner_out_of_a_usual_network() {
    let throttle = Throttle::default();
    throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await.unwrap().succeeded(at(0)).await;
    for net in 0..150 {
        for _ in 0..3 {
            let _counted = throttle.admit(Purpose::Password, "ada", &client(&format!("10.0.{net}.1")), at(1)).await;
        }
    }
    assert!(until(throttle.admit(Purpose::Password, "ada", &client("10.9.9.1"), at(1)).await).is_some());
    assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.77"), at(1)).await), None);
}

#[tokio::test]
async fn a_neighbour_does_not_lock_the_owner_out_of_a_usual_network() {
    let throttle = Throttle::default();
    throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await.unwrap().succeeded(at(0)).await;
    for name in 0..100 {
        let _counted =
            throttle.admit(Purpose::Password, &format!("name{name}"), &client("192.0.2.66"), at(1)).await.unwrap();
    }
    assert!(until(throttle.admit(Purpose::Password, "another", &client("192.0.2.66"), at(1)).await).is_some());
    for _ in 0..5 {
        assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(1)).await), None);
    }
    let sixth = until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(1)).await);
    assert_eq!(sixth, Some(at(2)), "her own pair still slows guesses at her password");
}

#[tokio::test]
async fn one_network_trying_many_names_is_slowed() {
    let throttle = Throttle::default();
    for name in 0..100 {
        assert_eq!(
            until(throttle.admit(Purpose::Password, &format!("name{name}"), &client("192.0.2.1"), at(0)).await),
            None
        );
    }
    assert!(until(throttle.admit(Purpose::Password, "another", &client("192.0.2.9"), at(0)).await).is_some());
    assert_eq!(until(throttle.admit(Purpose::Password, "another", &client("198.51.100.1"), at(0)).await), None);
}

#[tokio::test]
async fn a_try_that_was_never_judged_does_not_count() {
    let throttle = Throttle::default();
    for _ in 0..50 {
        throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await.unwrap().undo(at(0)).await;
    }
    assert_eq!(until(throttle.admit(Purpose::Password, "ada", &client("192.0.2.1"), at(0)).await), None);
}

#[tokio::test]
async fn codes_are_counted_per_account_wherever_they_come_from() {
    let throttle = Throttle::default();
    for net in 0..10 {
        let from = client(&format!("10.0.{net}.1"));
        throttle.admit(Purpose::Password, "ada", &from, at(0)).await.unwrap().succeeded(at(0)).await;
        let _counted = throttle.admit(Purpose::Code, "ada", &from, at(0)).await.unwrap();
    }
    assert_eq!(until(throttle.admit(Purpose::Code, "ada", &client("10.0.99.1"), at(0)).await), Some(at(60)));
}

#[tokio::test]
async fn many_numbers_from_one_network_are_slowed_and_many_sends_to_one_are_not() {
    let throttle = Throttle::default();
    let from = client("192.0.2.1");
    for number in 0..30 {
        for _ in 0..2 {
            assert_eq!(until(throttle.admit(Purpose::Number, &format!("+1{number}"), &from, at(0)).await), None);
        }
    }
    let more = throttle.admit(Purpose::Number, "+4420", &from, at(0)).await;
    assert_eq!(until(more), Some(at(30)));
    assert_eq!(until(throttle.admit(Purpose::Number, "+10", &from, at(0)).await), None, "asked for before");
    throttle.forgive(Purpose::Number, "+10", &from, at(0)).await;
    assert_eq!(until(throttle.admit(Purpose::Number, "+4420", &from, at(0)).await), None, "one was proved");
}

#[tokio::test]
async fn a_block_of_numbers_is_slowed_until_some_are_proved() {
    let throttle = Throttle::default();
    let from = |net: u32| client(&format!("10.0.{net}.1"));
    for net in 0..50 {
        assert_eq!(until(throttle.admit(Purpose::Prefix, "+2547121", &from(net), at(0)).await), None);
    }
    assert_eq!(until(throttle.admit(Purpose::Prefix, "+2547121", &from(99), at(0)).await), Some(at(10)));
    assert_eq!(until(throttle.admit(Purpose::Prefix, "+2547122", &from(99), at(0)).await), None);
    throttle.forgive(Purpose::Prefix, "+2547121", &from(1), at(0)).await;
    assert_eq!(until(throttle.admit(Purpose::Prefix, "+2547121", &from(99), at(0)).await), None);
}
