//! Your tests. The README lists the requirements; `cargo course check task14` says which broken programs get past them.

use task14_shard::split;

#[test]
fn two_shards_are_two_lists() {
    let names = ["carts", "orders", "users"];

    let lists = split(&names, 2).unwrap();

    assert_eq!(lists.len(), 2);
}

// Two lists. Nobody looked at what is in them: they could both be empty.
//
// Still to be tested:
//   R1  split: one list a shard, and each name in exactly one of them, for any number of shards
//   R2  shard_of: the same answer always; split agrees, whatever other names there are
//   R3  many names are spread over the shards, over few shards and over many
//   R4  balance: one list a shard, each given name once, whatever the timings say
//   R5  balance: the slowest shard takes at most 4/3 of the best possible
//   R6  a name without a timing counts as the median of the others
//   R7  the same names and timings make the same lists, in any order, every time
//   R8  0 shards, and shards that do not exist, are errors; every other shard can be read
