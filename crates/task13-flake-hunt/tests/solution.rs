//! The finished suite: the office under a thousand schedules for each fact.

use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::{self, JoinHandle};
use task13_flake_hunt::explore;
use task13_flake_hunt::explored::Office;

/// As the lesson says. A race that needs one switch at the right place shows within twenty.
const SCHEDULES: usize = 1000;

#[test]
fn buyers_at_once_get_a_ticket_each_and_never_the_same() {
    explore(SCHEDULES, || {
        let office = open(2);
        let buyer = by(&office, |office| office.sell());

        let mine = office.sell().expect("there are two tickets");
        let theirs = buyer.join().unwrap().expect("there are two tickets");

        assert_ne!(mine, theirs);
        assert_eq!(office.sell(), None);
    })
    .unwrap();
}

#[test]
fn every_call_of_sell_is_counted() {
    explore(SCHEDULES, || {
        let office = open(1);
        let buyers = [(); 2].map(|()| by(&office, |office| office.sell()));

        for buyer in buyers {
            buyer.join().unwrap();
        }

        assert_eq!(office.asked(), 2);
    })
    .unwrap();
}

#[test]
fn as_many_waiting_buyers_are_served_as_tickets_come_back() {
    explore(SCHEDULES, || {
        let office = open(2);
        let tickets = vec![office.sell().unwrap(), office.sell().unwrap()];
        let waiting = [(); 2].map(|()| by(&office, |office| office.wait()));

        office.refund(tickets);

        for buyer in waiting {
            assert!(buyer.join().unwrap().is_some());
        }
    })
    .unwrap();
}

#[test]
fn a_ticket_that_is_moved_in_ends_a_wait() {
    explore(SCHEDULES, || {
        let (full, empty) = (open(1), open(0));
        let waiting = by(&empty, |office| office.wait());

        assert!(Office::move_ticket(&full, &empty));

        assert!(waiting.join().unwrap().is_some());
    })
    .unwrap();
}

#[test]
fn a_woken_buyer_for_whom_nothing_is_left_waits_on() {
    explore(SCHEDULES, || {
        let office = open(1);
        let ticket = office.sell().unwrap();
        let waiting = by(&office, |office| office.wait());

        office.refund(vec![ticket]);
        if let Some(ticket) = office.sell() {
            office.refund(vec![ticket]);
        }

        assert!(waiting.join().unwrap().is_some());
    })
    .unwrap();
}

#[test]
fn closing_ends_every_wait() {
    explore(SCHEDULES, || {
        let office = open(0);
        let waiting = [(); 2].map(|()| by(&office, |office| office.wait()));

        assert!(office.close().is_some());

        for buyer in waiting {
            assert_eq!(buyer.join().unwrap(), None);
        }
    })
    .unwrap();
}

#[test]
fn one_of_two_who_close_gets_the_report() {
    explore(SCHEDULES, || {
        let office = open(1);
        let other = by(&office, |office| office.close());

        let mine = office.close();

        assert!(mine.is_some() ^ other.join().unwrap().is_some());
    })
    .unwrap();
}

#[test]
fn the_report_counts_the_sales_until_then_and_there_are_none_after() {
    explore(SCHEDULES, || {
        let office = open(1);
        let buyer = by(&office, |office| office.sell());

        let report = office.close().unwrap();

        assert_eq!(report.sold, usize::from(buyer.join().unwrap().is_some()));
    })
    .unwrap();
}

#[test]
fn moves_in_two_directions_end_and_lose_nothing() {
    explore(SCHEDULES, || {
        let (left, right) = (open(1), open(1));
        let back = {
            let (left, right) = (Arc::clone(&left), Arc::clone(&right));
            thread::spawn(move || Office::move_ticket(&right, &left))
        };

        assert!(Office::move_ticket(&left, &right));
        assert!(back.join().unwrap());

        let sold = [&left, &left, &right, &right].map(|office| office.sell());
        assert_eq!(sold.into_iter().flatten().count(), 2);
    })
    .unwrap();
}

#[test]
fn the_programme_is_loaded_once_and_all_of_it_is_for_everybody() {
    explore(SCHEDULES, || {
        let (office, loads) = (open(0), Arc::new(AtomicUsize::new(0)));
        let read = |office: &Office, loads: &AtomicUsize| {
            office.programme(|| {
                loads.fetch_add(1, Ordering::SeqCst);
                "Hamlet".to_owned()
            })
        };
        let other = {
            let loads = Arc::clone(&loads);
            by(&office, move |office| read(office, &loads))
        };

        let mine = read(&office, &loads);

        assert_eq!((&*mine, &*other.join().unwrap()), ("Hamlet", "Hamlet"));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    })
    .unwrap();
}

fn open(tickets: u32) -> Arc<Office> {
    Arc::new(Office::new(tickets))
}

/// Does something at the office in a thread of its own.
fn by<T: Send + 'static>(
    office: &Arc<Office>,
    work: impl FnOnce(&Office) -> T + Send + 'static,
) -> JoinHandle<T> {
    let office = Arc::clone(office);
    thread::spawn(move || work(&office))
}
