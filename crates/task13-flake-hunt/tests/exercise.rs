//! Your tests. The README lists the requirements; `cargo course check task13` says which broken programs get past them.

use shuttle::sync::Arc;
use shuttle::thread;
use task13_flake_hunt::explore;
use task13_flake_hunt::explored::Office;

#[test]
fn one_ticket_is_sold_once() {
    explore(1000, || {
        let office = Arc::new(Office::new(1));
        let buyer = {
            let office = Arc::clone(&office);
            thread::spawn(move || office.sell())
        };

        assert!(buyer.join().unwrap().is_some());

        assert_eq!(office.sell(), None);
    })
    .unwrap();
}

// A thousand schedules, and all are the same one: the second buyer comes when the first has left.
//
// Still to be tested:
//   R1   no ticket has two holders
//   R2   sell answers None only if no ticket is free, or the office is closed
//   R3   asked counts every call of sell
//   R4   nobody waits while a ticket is free, however it became free
//   R5   wait answers None only if the office is closed
//   R6   close ends every wait
//   R7   one caller of close gets the report
//   R8   the report counts every sale, and nothing is sold after it
//   R9   moves end, in both directions at once, and no ticket gets lost
//   R10  the programme is loaded once, and everybody gets all of it
