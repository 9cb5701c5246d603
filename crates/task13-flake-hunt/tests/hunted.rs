//! Ordinary tests, on the threads of the operating system: right, and nearly blind for a race.
//!
//! They are there to be hunted, see the README. They are not graded.

use std::sync::{Arc, Barrier};
use std::thread;

use task13_flake_hunt::real::Office;

/// Enough that the threads meet now and then, and little enough that the test stays a flake.
const TICKETS: u32 = 500;

#[test]
fn no_ticket_is_sold_twice() {
    let office = Arc::new(Office::new(TICKETS));

    let [mut tickets, others] =
        at_once(&office, |office| std::iter::from_fn(|| office.sell()).collect::<Vec<u32>>());
    tickets.extend(others);
    tickets.sort_unstable();

    let twice: Vec<u32> =
        tickets.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert_eq!(twice, Vec::<u32>::new(), "sold twice");
}

#[test]
fn every_question_is_counted() {
    let office = Arc::new(Office::new(0));

    at_once(&office, |office| (0..TICKETS).for_each(|_| assert_eq!(office.sell(), None)));

    assert_eq!(office.asked(), 2 * TICKETS as usize);
}

#[test]
fn two_offices_move_tickets_to_each_other() {
    let offices = Arc::new([Office::new(TICKETS), Office::new(TICKETS)]);
    let there = Arc::clone(&offices);
    let mover = thread::spawn(move || {
        (0..TICKETS).for_each(|_| assert!(Office::move_ticket(&there[0], &there[1])));
    });

    (0..TICKETS).for_each(|_| assert!(Office::move_ticket(&offices[1], &offices[0])));

    mover.join().unwrap();
}

/// Two threads that begin together.
fn at_once<T: Send + 'static>(office: &Arc<Office>, work: fn(&Office) -> T) -> [T; 2] {
    let both_are_there = Arc::new(Barrier::new(2));
    let threads = [(); 2].map(|()| {
        let (office, both_are_there) = (Arc::clone(office), Arc::clone(&both_are_there));
        thread::spawn(move || {
            both_are_there.wait();
            work(&office)
        })
    });
    threads.map(|thread| thread.join().unwrap())
}
